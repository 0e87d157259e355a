//! Others just like it: what a plan shows of them, and what `up` and `down` do.

use std::sync::Arc;
use std::time::Duration;

use tritondeploy_engine::{Event, NodeReport, Status};

use crate::cloud::Cloud;
use crate::mishap::Mishap;
use crate::spec::{Fate, Spec};
use crate::{cloud, names, told, until, virtually, walk};

/// A VPC with a subnet and an address in the subnet, and something that is made from the VPC.
fn tree() -> Vec<Spec> {
    let subnet = Spec::new().within([0]).with(|s| s.ending = 20);
    vec![Spec::nameless(), subnet, Spec::nameless().within([1]), Spec::new().uses([0])]
}

/// Two of the tree, of which the first has more in it: the ids of both roots.
fn twice(specs: Vec<Spec>) -> (Arc<Cloud>, u64, u64) {
    let cloud = cloud(specs);
    let plant = || {
        let root = cloud.put(0, &[], &[], 0);
        let inner = cloud.put_in(1, vec![root], vec![], 0);
        cloud.put_in(2, vec![inner], vec![], 0);
        root
    };
    let (kept, twin) = (plant(), plant());
    cloud.put_in(3, vec![], vec![kept], 0);
    (cloud, kept, twin)
}

async fn seen(cloud: &Arc<Cloud>, at: usize) -> NodeReport {
    walk(cloud).look().await.nodes.remove(at)
}

#[test]
fn a_look_shows_a_twin_and_all_that_is_in_it() {
    virtually(1, async {
        let (cloud, kept, twin) = twice(tree());
        let node = seen(&cloud, 0).await;
        assert_eq!(node.status, Status::Present);
        let [shown] = &*node.twins else { panic!("{node:?}") };
        assert_eq!((&shown.id, &shown.kept), (&Some(twin.to_string()), &Some(kept.to_string())));
        let held: Vec<_> = shown.holds.iter().map(|held| (&*held.node, held.id.as_deref())).collect();
        assert_eq!(held, [("object-1", None), ("object-2", Some("6"))]);
        assert!(seen(&cloud, 1).await.twins.is_empty(), "what is in a twin is told with it");
    });
}

#[test]
fn up_deletes_twins_after_all_that_is_wanted_and_what_is_in_them_first() {
    virtually(1, async {
        let (cloud, kept, _) = twice([tree(), vec![Spec::new().with(|s| s.making = 100)]].concat());
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert!(outcome.ok() && outcome.unshown.is_empty(), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["create object-4", "delete object-2", "delete object-1", "delete object-0"]);
        assert_eq!((cloud.count(), cloud.state().things[0].id), (vec![1; 5], kept));
        assert!(cloud.state().violations.is_empty());
        assert_eq!((outcome.changed, outcome.exists.len()), (4, 5));
        let gone = |event: &Event| match event {
            Event::Finished { node, did: Some(did), .. } => Some(format!("{node} {did:?}")),
            _ => None,
        };
        let gone: Vec<_> = events.iter().filter_map(gone).skip(1).collect();
        assert_eq!(gone, ["object-2 (in object-0 4) Delete", "object-1 (in object-0 4) Delete", "object-0 (4) Delete"]);
        assert_eq!(walk(&cloud).up().await.changed, 0);
    });
}

#[test]
fn up_without_twins_makes_no_call_more() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless(), Spec::nameless().within([0])]);
        assert!(walk(&cloud).up().await.ok());
        let before = cloud.state().calls;
        assert_eq!(before, 6, "a look at the first; a creation and a look of each, and before the second's a look");
        assert!(walk(&cloud).up().await.ok());
        assert_eq!(cloud.state().calls - before, 2);
    });
}

#[test]
fn where_something_that_is_wanted_does_not_stand_no_twin_goes_and_it_is_told_that_it_is_there() {
    virtually(1, async {
        let (cloud, ..) = twice([tree(), vec![Spec::new().with(|s| s.create_fatal = true)]].concat());
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures.len(), 1);
        assert_eq!(cloud.state().mutations, ["create object-4"]);
        assert!(names(&outcome.exists).contains(&"object-0 (4)"), "{outcome:?}");
    });
}

#[test]
fn a_twin_that_was_not_shown_is_left_and_told() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless(), Spec::new().uses([0])]);
        let (kept, shown) = (cloud.put(0, &[], &[], 0), cloud.put(0, &[], &[], 0));
        cloud.put_in(1, vec![], vec![kept], 0);
        let plan = walk(&cloud).look().await;
        let later = cloud.put(0, &[], &[], 0);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up_as_shown(&plan).await).await;
        assert!(outcome.ok(), "{outcome:?}");
        let left: Vec<u64> = cloud.state().things.iter().map(|thing| thing.id).collect();
        assert!(left.contains(&kept) && left.contains(&later) && !left.contains(&shown), "{left:?}");
        let called = format!("object-0 ({later})");
        assert_eq!(names(&outcome.unshown), [&*called]);
        assert!(names(&outcome.exists).contains(&&*called), "{outcome:?}");
        let line = format!("{called} is left, a twin: it was not in the plan that was shown; run `up` again");
        assert!(events.iter().any(|event| matches!(event, Event::Said { line: said, .. } if *said == line)), "{events:?}");
        let plan = walk(&cloud).look().await;
        assert!(walk(&cloud).up_as_shown(&plan).await.unshown.is_empty());
        assert_eq!(cloud.count(), [1, 1]);
    });
}

#[test]
fn what_was_shown_as_the_one_that_is_kept_stays_whatever_came_since() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless(), Spec::new().within([0])]);
        let (first, second) = (cloud.put(0, &[], &[], 0), cloud.put(0, &[], &[], 0));
        let plan = walk(&cloud).look().await;
        assert_eq!(plan.nodes[0].twins[0].id, Some(second.to_string()));
        // Now something lives in what was shown as the twin.
        cloud.put_in(1, vec![second], vec![], 0);
        let outcome = walk(&cloud).up_as_shown(&plan).await;
        assert!(outcome.ok() && cloud.state().mutations.is_empty(), "{outcome:?}");
        assert_eq!(names(&outcome.unshown), [format!("object-0 ({first})")]);
    });
}

#[test]
fn what_is_in_a_twin_stays_when_the_twin_becomes_the_one_that_is_kept() {
    virtually(1, async {
        let (cloud, _, twin) = twice(tree());
        let meanwhile = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            // Somebody puts a lot into it, after the first act.
            for _ in 0..5 {
                cloud.put_in(3, vec![], vec![twin], 0);
            }
        };
        let up = walk(&cloud);
        let (outcome, ()) = tokio::join!(up.up(), meanwhile);
        assert_eq!(cloud.state().mutations, ["delete object-2"], "{outcome:?}");
        assert!(cloud.state().things.iter().any(|thing| thing.id == twin));
    });
}

#[test]
fn a_twin_whose_deletion_is_accepted_and_does_nothing_is_asked_to_go_three_times_and_up_fails_though_all_is_up() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless().with(|s| (s.sticks, s.patience) = (true, 100)), Spec::new()]);
        let (kept, twin) = (cloud.put(0, &[], &[], 0), cloud.put(0, &[], &[], 0));
        let outcome = walk(&cloud).up().await;
        let [failure] = &*outcome.failures else { panic!("{outcome:?}") };
        assert_eq!(failure.node.as_ref(), format!("object-0 ({twin})"));
        assert_eq!(cloud.state().mutations, ["create object-1", "delete object-0", "delete object-0", "delete object-0"]);
        assert_eq!(cloud.count(), [2, 1]);
        assert!(outcome.took < Duration::from_secs(150), "{:?}", outcome.took);
        assert!(names(&outcome.exists).contains(&failure.node.as_ref()) && outcome.blocked.is_empty(), "{kept} {outcome:?}");
    });
}

#[test]
fn what_a_twin_holds_and_cannot_be_deleted_blocks_the_twin_and_nothing_else() {
    virtually(1, async {
        let mut specs = tree();
        specs[1].delete_fatal = true;
        specs.push(Spec::nameless());
        let (cloud, ..) = twice(specs);
        cloud.put(4, &[], &[], 0);
        cloud.put(4, &[], &[], 0);
        let outcome = walk(&cloud).up().await;
        let failed: Vec<_> = outcome.failures.iter().map(|failure| (&*failure.node, &*failure.why)).collect();
        assert_eq!(failed, [("object-1 (in object-0 4)", "cannot be deleted")]);
        assert_eq!(names(&outcome.blocked), ["object-0 (4)"]);
        assert_eq!(cloud.count(), [2, 2, 1, 1, 1]);
        let left = names(&outcome.exists);
        assert!(left.contains(&"object-0 (4)") && left.contains(&"object-1 (in object-0 4)"), "{left:?}");
        assert!(!left.contains(&"object-2 (in object-0 4)"), "{left:?}");
    });
}

#[test]
fn the_users_stop_comes_between_two_acts_on_twins_and_the_next_up_goes_on() {
    virtually(1, async {
        let (cloud, ..) = twice(tree());
        let up = walk(&cloud);
        let cancel = up.cancel.clone();
        let stop = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(up.up(), stop);
        assert!(outcome.interrupted && outcome.failures.is_empty(), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["delete object-2"]);
        assert!(names(&outcome.exists).contains(&"object-0 (4)"), "{outcome:?}");
        assert!(walk(&cloud).up().await.ok());
        assert_eq!(cloud.count(), [1; 4]);
    });
}

#[test]
fn after_a_crash_at_any_call_the_next_up_leaves_no_twin() {
    virtually(1, async {
        for at in 1..40 {
            let (cloud, kept, _) = twice(tree());
            cloud.state().cut = Some((at, at % 2 == 0));
            let up = walk(&cloud);
            tokio::select! {
                () = cloud.cut.notified() => {}
                _ = up.up() => {}
            }
            cloud.rest();
            let outcome = walk(&cloud).up().await;
            assert!(outcome.ok() && cloud.state().violations.is_empty(), "cut at {at}: {outcome:?}");
            assert_eq!((cloud.count(), cloud.state().things[0].id), (vec![1; 4], kept), "cut at {at}");
        }
    });
}

#[test]
fn a_twin_in_a_twin_goes_too() {
    virtually(1, async {
        let (cloud, _, twin) = twice(tree());
        let inner = cloud.state().things.iter().find(|thing| thing.parents == [twin]).unwrap().id;
        cloud.put_in(2, vec![inner], vec![], 0);
        assert!(walk(&cloud).up().await.ok());
        assert_eq!(cloud.count(), [1; 4]);
    });
}

#[test]
fn what_ends_with_a_twin_and_cannot_be_deleted_does_not_block_it() {
    virtually(1, async {
        let mut specs = tree();
        (specs[2].ends_with_parent, specs[2].delete_fatal) = (true, true);
        let (cloud, ..) = twice(specs);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok(), "{outcome:?}");
        assert_eq!(cloud.count(), [1; 4]);
    });
}

#[test]
fn a_broken_twin_goes_too() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless().with(|s| s.fate = Fate::BreaksOnce)]);
        assert!(walk(&cloud).up().await.ok());
        cloud.put(0, &[], &[], 0);
        assert!(walk(&cloud).up().await.ok());
        assert_eq!(cloud.count(), [1]);
    });
}

#[test]
fn the_twin_of_a_broken_one_that_was_deleted_is_taken_in_its_place() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless().with(|s| (s.fate, s.patience) = (Fate::BreaksOnce, 100))]);
        let meanwhile = async {
            until(|| !cloud.state().things.is_empty()).await;
            cloud.put(0, &[], &[], 0);
        };
        let up = walk(&cloud);
        let (outcome, ()) = tokio::join!(up.up(), meanwhile);
        assert!(outcome.ok(), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["create object-0", "delete object-0"]);
        assert_eq!((cloud.count(), names(&outcome.exists)), (vec![1], vec!["object-0"]));
    });
}

#[test]
fn down_deletes_twins_with_all_that_is_in_them() {
    virtually(1, async {
        let (cloud, ..) = twice(tree());
        let outcome = walk(&cloud).down().await;
        assert!(outcome.ok() && outcome.exists.is_empty(), "{outcome:?}");
        assert!(cloud.state().things.is_empty() && cloud.state().violations.is_empty());
    });
}

#[test]
fn a_twin_that_cannot_be_looked_at_any_more_fails_and_its_node_is_told_as_it_was_seen() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless().with(|s| s.patience = 150), Spec::new().with(|s| s.making = 60)]);
        (0..2).for_each(|_| _ = cloud.put(0, &[], &[], 0));
        cloud.befall(&[Mishap::Blind { at: 0, from: 30, lasts: 10_000 }]);
        let outcome = walk(&cloud).up().await;
        assert_eq!((&*outcome.failures[0].node, outcome.unknown.len()), ("object-0", 0), "{outcome:?}");
        assert!(names(&outcome.exists).contains(&"object-0"), "{outcome:?}");
    });
}

#[test]
fn the_users_stop_comes_between_the_deletions_of_one_and_its_twin() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless()]);
        (0..2).for_each(|_| _ = cloud.put(0, &[], &[], 0));
        // Two looks, the first deletion.
        cloud.state().cancel_at = Some(3);
        let down = walk(&cloud);
        let outcome = down.down().await;
        assert!(outcome.interrupted && outcome.changed == 1, "{outcome:?}");
        assert!(cloud.state().violations.is_empty(), "{:?}", cloud.state().violations);
    });
}

#[test]
fn down_tells_what_is_left_of_a_twin() {
    virtually(1, async {
        let mut specs = tree();
        specs[2].delete_fatal = true;
        let (cloud, kept, twin) = twice(specs);
        let inner = cloud.state().things.iter().find(|thing| thing.parents == [kept]).unwrap().id;
        cloud.state().things.retain(|thing| !(thing.at == 2 && thing.parents == [inner]));
        let outcome = walk(&cloud).down().await;
        let left =
            [format!("object-0 ({twin})"), format!("object-1 (in object-0 {twin})"), format!("object-2 (in object-0 {twin})")];
        assert!(left.iter().all(|left| names(&outcome.exists).contains(&left.as_str())), "{outcome:?}");
        assert_eq!(outcome.failures.len(), 1);
    });
}

#[test]
fn a_gate_that_shuts_between_two_acts_on_twins_stops_them_and_is_told() {
    virtually(1, async {
        let (cloud, ..) = twice(tree());
        let up = walk(&cloud);
        let shutting = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            up.gate.shut("somebody else acts now");
        };
        let (outcome, ()) = tokio::join!(up.up(), shutting);
        assert_eq!((outcome.shut.as_deref(), outcome.interrupted), (Some("somebody else acts now"), false));
        assert_eq!(cloud.state().mutations, ["delete object-2"]);
    });
}
