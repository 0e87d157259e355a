//! `plan` and `up`, one story each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_engine::{Action, Change, Event, Outcome, Status, UpdateMode};

use crate::cloud::Cloud;
use crate::mishap::Mishap;
use crate::spec::{Fate, Role, Spec};
use crate::{cloud, names, told, virtually, walk};

/// What a walk did, as `create object-0` and so on.
fn did(events: &[Event]) -> Vec<String> {
    let did = |event: &Event| match event {
        Event::Finished { node, did, .. } => Some(format!("{node} {}", did.map_or("-".to_owned(), |d| format!("{d:?}")))),
        _ => None,
    };
    events.iter().filter_map(did).collect()
}

#[test]
fn a_value_not_known_yet_is_a_change_known_after_its_node() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().uses([0]).with(|s| s.size = 5)]);
        cloud.put(1, &[], &[], 4);
        let survey = walk(&cloud).look().await;
        assert_eq!(survey.nodes[0].status, Status::Absent);
        let sighting = &survey.nodes[1];
        assert_eq!(sighting.status, Status::Present);
        let changes: Vec<_> = sighting.changes.iter().map(|(c, how)| (c.field.as_str(), c.to.to_string(), *how)).collect();
        let after = r#"[{"known after":"object-0"}]"#.to_owned();
        assert_eq!(changes, [("size", "5".to_owned(), UpdateMode::InPlace), ("made_from", after, UpdateMode::InPlace)]);
        assert_eq!(sighting.facts[0].value, "1");
        assert!(cloud.state().mutations.is_empty());
    });
}

#[test]
fn an_up_by_what_was_just_seen_makes_no_look_of_its_own() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().uses([0]), Spec::new().after([0]).with(|s| s.role = Role::Watched)]);
        assert!(walk(&cloud).up().await.ok());
        let (walk, before) = (walk(&cloud), cloud.state().calls);
        let (shown, seen) = walk.look_to_act().await;
        let outcome = walk.up_as_seen(&shown, seen).await;
        assert!(outcome.ok() && outcome.changed == 0 && outcome.exists.len() == 2, "{outcome:?}");
        assert_eq!(cloud.state().calls - before, 3, "one look each");

        let (shown, seen) = walk.look_to_act().await;
        let gone = cloud.state().things.pop();
        let up = walk.up_as_seen(&shown, seen);
        assert!(gone.is_some() && up.await.ok(), "what has changed since is not looked for");
    });
}

#[test]
fn what_is_denied_is_unknown_and_so_is_what_is_within_it() {
    virtually(1, async {
        let denied = Spec::new().with(|s| s.look_denied = true);
        let cloud = cloud(vec![denied, Spec::new().within([0]), Spec::new().within([1]), Spec::new().uses([0])]);
        let statuses: Vec<_> = walk(&cloud).look().await.nodes.into_iter().map(|s| s.status).collect();
        let unknown = |why: &str| Status::Unknown { why: why.to_owned(), origin: None };
        let parent = || unknown("it depends on object-0");
        assert_eq!(statuses, [unknown("denied: not allowed to look"), parent(), parent(), Status::Absent]);
        assert_eq!(cloud.state().calls, 2, "a refusal is not asked for again");
    });
}

#[test]
fn what_an_earlier_configuration_made_is_shown_and_taken_away() {
    virtually(1, async {
        let unwanted = || Spec::new().within([0]).with(|s| s.role = Role::Unwanted);
        let cloud = cloud(vec![Spec::new(), unwanted(), unwanted()]);
        cloud.put(0, &[], &[], 0);
        cloud.put(1, &[0], &[], 7);
        let survey = walk(&cloud).look().await;
        let told: Vec<_> = survey.nodes.iter().map(|seen| (&*seen.node, seen.changes.clone())).collect();
        let removal = vec![(Change::removal(), UpdateMode::InPlace)];
        assert_eq!(told, [("object-0", Vec::new()), ("object-1", removal)], "what is gone already is not shown");
        let (outcome, events) = told_up(&cloud).await;
        assert!(outcome.ok() && outcome.changed == 1, "{outcome:?}");
        assert_eq!(names(&outcome.exists), ["object-0"]);
        assert!(did(&events).contains(&"object-1 Delete".to_owned()), "{events:?}");
        assert_eq!(walk(&cloud).up().await.changed, 0);
    });
}

async fn told_up(cloud: &Arc<Cloud>) -> (Outcome, Vec<Event>) {
    told(walk(cloud), async |walk| walk.up().await).await
}

#[test]
fn a_look_at_one_node_asks_only_of_what_it_is_within() {
    virtually(1, async {
        let inner = Spec::new().within([1]).uses([3]);
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]), Spec::new().within([0]), Spec::new(), inner]);
        let there: [(&[usize], &[usize]); 5] = [(&[], &[]), (&[0], &[]), (&[0], &[]), (&[], &[]), (&[1], &[3])];
        for (at, (parents, used)) in there.into_iter().enumerate() {
            cloud.put(at, parents, used, 0);
        }
        let seen = walk(&cloud).look_at("object-4").await.unwrap();
        assert_eq!((&*seen.node, seen.status, seen.facts.len()), ("object-4", Status::Present, 1));
        assert_eq!(cloud.state().calls, 3);
        assert!(walk(&cloud).look_at("object-5").await.is_none());
    });
}

#[test]
fn what_is_never_made_by_us_is_not_compared_and_does_not_stop_up() {
    virtually(1, async {
        let never = |role| Spec::new().with(|s| (s.role, s.size) = (role, 7));
        let denied = never(Role::Swept).with(|s| s.look_denied = true);
        let cloud = cloud(vec![never(Role::Watched), never(Role::Swept), denied]);
        cloud.put(1, &[], &[], 1);
        let nodes = walk(&cloud).look().await.nodes;
        assert!(nodes.iter().all(|s| s.watched && s.changes.is_empty()));
        assert_eq!(nodes[1].status, Status::Present);
        assert!(walk(&cloud).up().await.ok());
    });
}

#[test]
fn status_shows_why_something_changes_or_is_broken() {
    virtually(1, async {
        let inner = Spec::new().within([0]);
        let cloud = cloud(vec![Spec::new().with(|s| s.making = 60), Spec::new().with(|s| s.fate = Fate::Hopeless), inner]);
        let up = walk(&cloud);
        let _ = tokio::time::timeout(Duration::from_secs(5), up.up()).await;
        let begun = Instant::now();
        let nodes = walk(&cloud).look().await.nodes;
        assert!(begun.elapsed() < Duration::from_secs(1), "a look waits for nothing: {:?}", begun.elapsed());
        assert_eq!(nodes[2].status, Status::Unknown { why: "it depends on object-0".to_owned(), origin: None });
        assert_eq!(nodes[0].status, Status::Changing { why: "on its way".to_owned() });
        assert_eq!(nodes[0].evidence, ["evidence of 0"]);
        assert!(matches!(nodes[1].status, Status::Broken { .. }));
        assert_eq!(nodes[1].evidence, ["evidence of 1"]);
    });
}

#[test]
fn what_cannot_be_changed_is_refused_before_the_first_change() {
    virtually(1, async {
        let rigid = Spec::new().with(|s| (s.rigid, s.size) = (true, 5));
        let cloud = cloud(vec![Spec::new(), rigid, Spec::new()]);
        cloud.put(1, &[], &[], 4);
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures[0].why, "size is 4, wanted is 5, and that cannot be changed");
        assert_eq!(names(&outcome.exists), ["object-1"]);
        assert!(cloud.state().mutations.is_empty());
    });
}

#[test]
fn what_turns_out_unchangeable_once_its_values_are_known_fails_alone() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().uses([0]).with(|s| s.rigid = true), Spec::new()]);
        cloud.put(0, &[], &[], 0);
        cloud.put(1, &[], &[0], 0);
        cloud.state().things.retain(|thing| thing.at != 0);
        let outcome = walk(&cloud).up().await;
        assert_eq!(names(&outcome.exists), ["object-0", "object-1", "object-2"]);
        let why = &outcome.failures[0].why;
        assert!(
            why.starts_with("made_from is [1], wanted is [") && why.ends_with(", and it stays what it is made from"),
            "{why}"
        );
    });
}

#[test]
fn what_is_known_of_an_unchangeable_value_is_enough_to_refuse_it_before_the_first_change() {
    virtually(1, async {
        // One more than there was, whatever it will be called.
        let cloud = cloud(vec![Spec::new(), Spec::new().uses([0]).with(|s| s.rigid = true), Spec::new()]);
        cloud.put(1, &[], &[], 0);
        let nodes = walk(&cloud).look().await.nodes;
        assert!(nodes[1].refused.as_ref().is_some_and(|why| why.contains("it stays")), "{:?}", nodes[1]);
        assert!(nodes[0].refused.is_none() && nodes[2].refused.is_none());
        let outcome = walk(&cloud).up().await;
        let why = &outcome.failures[0].why;
        assert_eq!(why, "made_from is [], wanted is [(known after object-0)], and it stays what it is made from");
        assert!(cloud.state().mutations.is_empty());
    });
}

#[test]
fn a_denied_look_is_refused_where_everything_below_it_stands() {
    virtually(1, async {
        let denied = Spec::new().after([0]).with(|s| s.look_denied = true);
        let cloud = cloud(vec![Spec::new(), denied, Spec::new()]);
        cloud.put(0, &[], &[], 0);
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures[0].why, "denied: not allowed to look");
        assert_eq!(names(&outcome.unknown), ["object-1"]);
        assert!(cloud.state().mutations.is_empty());
    });
}

/// As after a crash between a cluster and the entry that lets us into it.
#[test]
fn a_denied_look_is_tried_again_once_what_may_allow_it_is_made() {
    virtually(1, async {
        let entry = Spec::new().within([0]);
        let inside = |late| Spec::new().within([0]).after([1]).with(|s| s.look_allowed_by = Some((1, late)));
        let soon = cloud(vec![Spec::new(), entry.clone(), inside(20)]);
        soon.put(0, &[], &[], 0);
        assert!(walk(&soon).up().await.ok());

        let never = cloud(vec![Spec::new(), entry, inside(10_000)]);
        never.put(0, &[], &[], 0);
        let begun = Instant::now();
        let outcome = walk(&never).up().await;
        assert_eq!(outcome.failures[0].why, "denied: not allowed yet");
        assert!((120..150).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_look_that_has_no_answer_for_a_while_is_not_refused() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new()]);
        cloud.befall(&[Mishap::Blind { at: 1, from: 0, lasts: 60 }]);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok() && cloud.count() == [1, 1], "{outcome:?}");
    });
}

#[test]
fn what_is_not_ours_is_refused_before_the_first_change() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().with(|s| s.foreign = true)]);
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures[0].why, "not ours: made by somebody else");
        assert!(cloud.state().mutations.is_empty());
    });
}

#[test]
fn a_look_that_fails_for_good_is_refused_before_the_first_change() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().with(|s| s.look_fatal = true)]);
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures[0].why, "cannot be looked at");
        assert_eq!(outcome.changed, 0);
    });
}

#[test]
fn configuring_what_was_made_is_ordinary_drift() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.steps, s.changing) = (2, 30))]);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert!(outcome.ok());
        assert_eq!(cloud.state().mutations, ["create object-0", "update object-0 steps.0", "update object-0 steps.1"]);
        assert_eq!((outcome.changed, did(&events)), (3, vec!["object-0 Create".to_owned()]));
    });
}

#[test]
fn the_same_difference_after_an_update_did_not_take() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.steps, s.stubborn) = (1, true))]);
        let begun = Instant::now();
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures[0].why, "accepted, but never applied: steps.0 is still false, wanted true");
        assert_eq!(cloud.state().mutations, ["create object-0", "update object-0 steps.0"]);
        assert!((15..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_value_replaced_by_hand_is_followed() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().uses([0])]);
        assert!(walk(&cloud).up().await.ok());
        cloud.state().things.remove(0);
        cloud.state().mutations.clear();
        assert!(walk(&cloud).up().await.ok());
        assert_eq!(cloud.state().mutations, ["create object-0", "update object-1 made_from"]);
    });
}

#[test]
fn what_is_watched_is_waited_for_and_never_made() {
    virtually(1, async {
        let proof = Spec::new().uses([0]).with(|s| (s.role, s.appears) = (Role::Watched, 40));
        let cloud = cloud(vec![Spec::new(), proof]);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert!(outcome.ok());
        assert_eq!(did(&events), ["object-0 Create", "object-1 Watch"]);
        assert_eq!(names(&outcome.exists), ["object-0"]);
        let facts: Vec<_> = outcome.facts.iter().map(|(node, fact)| format!("{node} {}", fact.value)).collect();
        assert_eq!(facts, ["object-0 1", "object-1 0"]);
        let (_, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert_eq!(did(&events), ["object-0 -", "object-1 -"]);
    });
}

#[test]
fn what_was_seen_at_the_beginning_is_looked_at_again_once_something_that_it_uses_was_changed() {
    virtually(1, async {
        let proof = Spec::new().uses([0]).with(|s| (s.role, s.appears) = (Role::Watched, 40));
        let cloud = cloud(vec![Spec::new().with(|s| (s.size, s.changing) = (5, 10)), proof, Spec::new().after([1])]);
        cloud.put(0, &[], &[], 4);
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert_eq!(walk(&cloud).look().await.nodes[1].status, Status::Present);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok() && outcome.took >= Duration::from_secs(50), "{outcome:?}");
    });
}

#[test]
fn what_others_make_is_waited_for_and_put_right_and_never_made() {
    virtually(1, async {
        // Whatever it says of itself, what is only adjusted is adjusted in place.
        let tags = || Spec::new().after([0]).with(|s| (s.role, s.size, s.rigid) = (Role::Adjusted, 7, true));
        let cloud = cloud(vec![Spec::new(), tags(), tags().with(|s| s.patience = 30)]);
        cloud.put(1, &[], &[], 3);
        let plan = walk(&cloud).look().await.nodes;
        assert!(plan[1..].iter().all(|seen| seen.watched && seen.refused.is_none()), "{plan:?}");
        assert!(matches!(&*plan[1].changes, [(change, UpdateMode::InPlace)] if change.to == 7), "{plan:?}");
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert_eq!(did(&events), ["object-0 Create", "object-1 Update"]);
        assert_eq!((outcome.failures.len(), &*outcome.failures[0].node), (1, "object-2"), "{outcome:?}");
        assert_eq!((names(&outcome.exists), cloud.count()), (vec!["object-0"], vec![1, 1, 0]));
        assert_eq!(cloud.state().mutations, ["create object-0", "update object-1 size"]);

        cloud.put(2, &[], &[], 7);
        let before = cloud.state().calls;
        let again = walk(&cloud).up().await;
        assert!(again.ok() && again.changed == 0, "{again:?}");
        assert_eq!(cloud.state().calls - before, 3, "a look each");
        cloud.state().mutations.clear();
        assert!(walk(&cloud).down().await.ok());
        assert_eq!((cloud.count(), cloud.state().mutations.len()), (vec![0, 1, 1], 1));
    });
}

#[test]
fn a_second_up_looks_at_everything_once() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]), Spec::new().uses([1])]);
        assert!(walk(&cloud).up().await.ok());
        let before = cloud.state().calls;
        assert!(walk(&cloud).up().await.ok());
        assert_eq!(cloud.state().calls - before, 3);
    });
}

#[test]
fn what_needs_nothing_of_each_other_is_made_at_once() {
    virtually(1, async {
        let slow = || Spec::new().with(|s| s.making = 100);
        let cloud = cloud(vec![slow(), slow(), slow(), Spec::new().after([0, 1, 2])]);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok());
        assert!((100..110).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}

#[test]
fn a_cancel_wakes_every_sleep_and_is_told() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.making = 400), Spec::new().after([0])]);
        let walk = walk(&cloud);
        let cancel = walk.cancel.clone();
        let cancelling = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            cancel.cancel();
            cloud.state().calls
        };
        let ((outcome, events), calls) = tokio::join!(told(walk, async |walk| walk.up().await), cancelling);
        assert!(outcome.interrupted && outcome.failures.is_empty() && outcome.blocked.is_empty());
        assert_eq!(names(&outcome.exists), ["object-0"]);
        assert_eq!(cloud.state().calls, calls, "what it made was seen already");
        assert!(outcome.took < Duration::from_secs(21));
        assert!(events.iter().any(|event| matches!(event, Event::Stopping { .. })));
        assert!(matches!(events.last(), Some(Event::Ended { ok: false, .. })));
    });
}

#[test]
fn waiting_is_told_once_for_each_reason() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.making = 100)]);
        let (_, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        let waits = |event: &&Event| matches!(event, Event::Waiting { action: Action::Create, .. });
        assert_eq!(events.iter().filter(waits).count(), 1);
        let calls = cloud.state().calls;
        assert!((30..100).contains(&calls), "looks are {calls}, from a few a second to one in 5 s");
    });
}
