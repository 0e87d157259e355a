//! What an earlier configuration made and this one does not want, and what `down` is told to leave.

use std::sync::Arc;

use tritondeploy_engine::{Graph, NodeReport, Removal, Status, Walk};

use crate::cloud::Cloud;
use crate::object::{Object, Others, name};
use crate::spec::{Role, Spec};
use crate::{cloud, names, virtually, walk};

fn unwanted(role: Role) -> Spec {
    Spec::new().with(|spec| spec.role = role)
}

#[test]
fn what_goes_last_goes_once_all_that_is_wanted_stands_and_what_needs_it_before_it() {
    virtually(1, async {
        let slow = Spec::new().with(|spec| (spec.making, spec.size) = (60, 3));
        let watched = unwanted(Role::Watched).uses([0]).with(|spec| spec.appears = 30);
        let (last, inner) = (unwanted(Role::Last), unwanted(Role::Last).within([2]));
        let cloud = cloud(vec![slow, watched, last, inner, unwanted(Role::Last).after([3])]);
        cloud.put(2, &[], &[], 0);
        cloud.put(3, &[2], &[], 0);
        cloud.put(4, &[], &[], 0);
        let survey = walk(&cloud).look().await;
        let why: Vec<_> = survey.nodes.iter().filter_map(|seen| seen.unwanted.clone()).collect();
        assert!(!survey.nodes[2].stays(), "it goes");
        assert!(why.len() == 3 && why.iter().all(|unwanted| unwanted.removal == Removal::Last), "{why:?}");
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok() && names(&outcome.exists) == ["object-0"], "{outcome:?}");
        let order = ["create object-0", "delete object-4", "delete object-3", "delete object-2"];
        assert_eq!(cloud.state().mutations, order);
        assert_eq!(walk(&cloud).up().await.changed, 0);
    });
}

#[test]
fn what_goes_last_stays_where_something_wanted_failed() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|spec| spec.create_fatal = true), unwanted(Role::Last)]);
        cloud.put(1, &[], &[], 0);
        let outcome = walk(&cloud).up().await;
        assert_eq!((names(&outcome.blocked), names(&outcome.exists)), (vec!["object-1"], vec!["object-1"]), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["create object-0"]);
    });
}

#[test]
fn what_cannot_be_deleted_fails_when_all_that_is_wanted_stands() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), unwanted(Role::Last).with(|spec| spec.delete_fatal = true)]);
        cloud.put(1, &[], &[], 0);
        let outcome = walk(&cloud).up().await;
        let failed: Vec<_> = outcome.failures.iter().map(|failure| &*failure.node).collect();
        assert_eq!((failed, names(&outcome.exists)), (vec!["object-1"], vec!["object-0", "object-1"]), "{outcome:?}");
    });
}

#[test]
fn what_goes_never_is_shown_and_left_by_up_and_goes_with_down() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), unwanted(Role::Never)]);
        cloud.put(1, &[], &[], 0);
        let survey = walk(&cloud).look().await;
        assert!(survey.nodes[1].unwanted.is_some() && survey.nodes[1].changes.is_empty(), "{:?}", survey.nodes[1]);
        assert_eq!(survey.nodes.iter().map(NodeReport::stays).collect::<Vec<_>>(), [false, true]);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok() && outcome.changed == 1 && outcome.unknown.is_empty(), "{outcome:?}");
        assert_eq!(cloud.count(), [1, 1]);
        assert!(walk(&cloud).down().await.ok());
        assert_eq!(cloud.count(), [0, 0]);
    });
}

#[test]
fn what_is_not_wanted_and_not_ours_is_neither_shown_nor_refused_nor_deleted() {
    virtually(1, async {
        let others = |role| unwanted(role).with(|spec| spec.foreign = true);
        let cloud = cloud(vec![Spec::new(), others(Role::Unwanted), others(Role::Last), others(Role::Never)]);
        let survey = walk(&cloud).look().await;
        assert_eq!(survey.nodes.len(), 1, "{survey:?}");
        assert!(walk(&cloud).up().await.ok());
        assert!(walk(&cloud).down().await.ok());
        assert_eq!(cloud.state().mutations, ["create object-0", "delete object-0"]);
    });
}

#[test]
fn what_may_not_be_looked_at_and_is_not_wanted_keeps_nothing_from_being_made() {
    virtually(1, async {
        let hidden = unwanted(Role::Last).with(|spec| spec.look_denied = true);
        let cloud = cloud(vec![Spec::new(), hidden]);
        let survey = walk(&cloud).look().await;
        assert!(matches!(survey.nodes[1].status, Status::Unknown { .. }) && survey.nodes[1].refused.is_none());
        let outcome = walk(&cloud).up().await;
        assert_eq!((names(&outcome.exists), outcome.failures.len()), (vec!["object-0"], 1), "{outcome:?}");
        assert_eq!(names(&outcome.unknown), ["object-1"]);
    });
}

/// A walk whose `down` leaves the first object.
fn sparing(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    let mut graph = Graph::new();
    let object = |at: usize| Object::<false> { at, spec: cloud.specs[at].clone() };
    let kept = graph.add(name(0), object(0), Others::default(), Default::default());
    graph.spare(&kept);
    let inside: Others = (vec![kept], Vec::new());
    graph.add(name(1), object(1), inside.clone(), Default::default());
    graph.add(name(2), object(2), Others::default(), (inside, Default::default()));
    Walk { graph: Arc::new(graph), ..walk(cloud) }
}

#[test]
fn down_leaves_what_it_is_told_to_with_all_that_is_within_it_and_a_later_up_uses_it() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]), Spec::new().uses([0])]);
        assert!(sparing(&cloud).up().await.ok());
        let nodes = sparing(&cloud).look().await.nodes;
        assert!(nodes.iter().all(|seen| seen.status == Status::Present), "{nodes:?}");
        assert_eq!(nodes.iter().map(|seen| seen.spared).collect::<Vec<_>>(), [true, true, false]);
        let before = cloud.state().calls;
        let outcome = sparing(&cloud).down().await;
        assert!(outcome.ok() && outcome.exists.is_empty() && outcome.unknown.is_empty(), "{outcome:?}");
        assert_eq!(cloud.state().calls - before, 4, "two looks, the deletion and a look at the last, and none at the others");
        assert_eq!(cloud.count(), [1, 1, 0]);
        assert_eq!(sparing(&cloud).up().await.changed, 1);
        assert!(walk(&cloud).down().await.ok());
        assert_eq!(cloud.count(), [0, 0, 0]);
    });
}
