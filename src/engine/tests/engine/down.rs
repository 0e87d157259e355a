//! `down`, one story each.

use std::time::Duration;

use tritondeploy_engine::Event;

use crate::mishap::{Mishap, NEVER};
use crate::spec::{Fate, Role, Spec};
use crate::{cloud, names, told, until, virtually, walk};

#[test]
fn what_ends_with_a_parent_and_cannot_be_reached_does_not_block_it() {
    virtually(1, async {
        let ending = |parent: usize| Spec::new().within([parent]).with(|s| s.ends_with_parent = true);
        let cloud = cloud(vec![Spec::new(), ending(0).with(|s| s.look_denied = true), ending(1)]);
        cloud.put(0, &[], &[], 0);
        cloud.put(1, &[0], &[], 0);
        cloud.put(2, &[1], &[], 0);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.down().await).await;
        assert!(outcome.ok() && outcome.exists.is_empty() && outcome.unknown.is_empty(), "{outcome:?}");
        assert!(cloud.state().things.is_empty());
        let said = |event: &Event| matches!(event, Event::Said { line, .. } if line.starts_with("left to go with object-0: "));
        assert!(events.iter().any(said));
    });
}

#[test]
fn what_cannot_be_told_is_never_taken_for_gone() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]).with(|s| s.look_denied = true), Spec::new().within([1])]);
        cloud.put(0, &[], &[], 0);
        cloud.put(1, &[0], &[], 0);
        cloud.put(2, &[1], &[], 0);
        let outcome = walk(&cloud).down().await;
        assert_eq!(outcome.failures.len(), 1);
        assert_eq!(outcome.failures[0].why, "whether it exists could not be read: denied: not allowed to look");
        assert_eq!(names(&outcome.exists), ["object-0"]);
        assert_eq!(names(&outcome.unknown), ["object-1", "object-2"]);
        assert_eq!(names(&outcome.blocked), ["object-0", "object-2"]);
        assert!(cloud.state().mutations.is_empty());
    });
}

#[test]
fn what_hangs_from_an_unreachable_thing_without_ending_with_it_is_a_trouble() {
    virtually(1, async {
        let unreachable = Spec::new().within([0]).with(|s| (s.look_denied, s.ends_with_parent) = (true, true));
        let cloud = cloud(vec![Spec::new(), unreachable, Spec::new().within([1])]);
        cloud.put(0, &[], &[], 0);
        let outcome = walk(&cloud).down().await;
        assert_eq!(outcome.failures[0].why, "its state is unknown, since that of object-1 is");
        assert_eq!(outcome.failures[0].node.as_ref(), "object-2");
        assert_eq!(names(&outcome.exists), ["object-0"]);
    });
}

#[test]
fn the_reason_of_a_refused_deletion_is_shown_while_it_is_tried_again() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]).with(|s| s.lingers = 50)]);
        assert!(walk(&cloud).up().await.ok());
        let (outcome, events) = told(walk(&cloud), async |walk| walk.down().await).await;
        assert!(outcome.ok() && cloud.state().things.is_empty());
        assert!(outcome.took < Duration::from_secs(70), "{:?}", outcome.took);
        let waits = |event: &&Event| matches!(event, Event::Waiting { why, .. } if why == "has a dependency");
        assert_eq!(events.iter().filter(waits).count(), 1);
    });
}

#[test]
fn a_deletion_refused_for_longer_than_patience_fails_with_its_reason() {
    virtually(1, async {
        let parent = Spec::new().with(|s| s.patience = 100);
        let cloud = cloud(vec![parent, Spec::new().within([0]).with(|s| s.lingers = 5000)]);
        assert!(walk(&cloud).up().await.ok());
        let outcome = walk(&cloud).down().await;
        assert_eq!(outcome.failures[0].why, "has a dependency");
        assert_eq!(names(&outcome.exists), ["object-0"]);
    });
}

#[test]
fn what_is_not_ours_is_left_alone_and_said() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.foreign = true), Spec::new()]);
        cloud.put(1, &[], &[], 0);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.down().await).await;
        assert!(outcome.ok() && outcome.exists.is_empty());
        assert_eq!(cloud.state().mutations, ["delete object-1"]);
        let line = "left alone, it is not ours: made by somebody else";
        assert!(events.iter().any(|event| matches!(event, Event::Said { line: said, .. } if said == line)));
    });
}

#[test]
fn a_parent_that_is_gone_means_that_all_within_it_is_gone() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]), Spec::new().within([1])]);
        assert!(walk(&cloud).down().await.ok());
        assert_eq!(cloud.state().calls, 1);
    });
}

#[test]
fn what_is_only_watched_is_not_waited_for_though_something_watched_is_within_it() {
    virtually(1, async {
        let watched = |within: usize| Spec::new().within([within]).with(|s| s.role = Role::Watched);
        let cloud = cloud(vec![Spec::new(), watched(0).with(|s| s.fate = Fate::Hopeless), watched(1)]);
        cloud.put(0, &[], &[], 0);
        let outcome = walk(&cloud).down().await;
        assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
    });
}

#[test]
fn what_is_only_watched_is_passed_by_without_a_look() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().uses([0]).with(|s| s.role = Role::Watched)]);
        assert!(walk(&cloud).up().await.ok());
        let before = cloud.state().calls;
        assert!(walk(&cloud).down().await.ok());
        // Look, delete, look.
        assert_eq!(cloud.state().calls - before, 4);
    });
}

#[test]
fn what_others_left_is_swept_between_what_made_it_and_what_it_hangs_from() {
    virtually(1, async {
        let leftovers = Spec::new().within([0]).with(|s| (s.role, s.ending) = (Role::Swept, 20));
        let cloud = cloud(vec![Spec::new(), leftovers, Spec::new().within([0]).after([1])]);
        let up = walk(&cloud).up().await;
        assert!(up.ok());
        assert_eq!(names(&up.exists), ["object-0", "object-2"]);
        cloud.put(1, &[0], &[], 0);
        cloud.state().mutations.clear();
        let outcome = walk(&cloud).down().await;
        assert!(outcome.ok() && cloud.state().things.is_empty());
        assert_eq!(cloud.state().mutations, ["delete object-2", "delete object-1", "delete object-0"]);
        assert!(cloud.state().violations.is_empty());
    });
}

#[test]
fn down_waits_for_a_parent_on_its_way_to_find_what_is_within() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.making = 200), Spec::new().within([0])]);
        let up = walk(&cloud);
        let _ = tokio::time::timeout(Duration::from_secs(5), up.up()).await;
        let (outcome, events) = told(walk(&cloud), async |walk| walk.down().await).await;
        assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["create object-0", "delete object-0"]);
        assert!(outcome.took < Duration::from_secs(220), "{:?}", outcome.took);
        let waits = |event: &&Event| matches!(event, Event::Waiting { why, .. } if why == "on its way");
        assert_eq!(events.iter().filter(waits).count(), 1, "{events:?}");
    });
}

#[test]
fn what_others_leave_meanwhile_is_swept_too() {
    virtually(1, async {
        let leftovers = Spec::new().within([0]).with(|s| s.role = Role::Swept);
        let maker = Spec::new().within([0]).after([1]).with(|s| s.ending = 30);
        let cloud = cloud(vec![Spec::new(), leftovers, maker]);
        cloud.put(0, &[], &[], 0);
        cloud.put(2, &[0], &[], 0);
        let leaving = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            cloud.put(1, &[0], &[], 0);
        };
        let down = walk(&cloud);
        let (outcome, ()) = tokio::join!(down.down(), leaving);
        assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["delete object-2", "delete object-1", "delete object-0"]);
    });
}

#[test]
fn what_ends_with_its_parent_and_cannot_be_deleted_goes_with_it_or_is_told_with_it() {
    virtually(1, async {
        let inner = Spec::new().within([0]).with(|s| (s.ends_with_parent, s.delete_fatal) = (true, true));
        for parent_stays in [false, true] {
            let cloud = cloud(vec![Spec::new().with(|s| s.delete_fatal = parent_stays), inner.clone()]);
            cloud.put(0, &[], &[], 0);
            cloud.put(1, &[0], &[], 0);
            let outcome = walk(&cloud).down().await;
            let left: &[&str] = if parent_stays { &["object-0", "object-1"] } else { &[] };
            assert_eq!((names(&outcome.exists), outcome.ok()), (left.to_vec(), !parent_stays), "{outcome:?}");
            assert_eq!(cloud.state().things.len(), left.len());
        }
    });
}

#[test]
fn a_look_without_an_answer_is_asked_for_long_but_not_of_what_ends_with_its_parent() {
    virtually(1, async {
        let inner = Spec::new().within([0]);
        let ends = inner.clone().with(|s| s.ends_with_parent = true);
        for (inner, least, most) in [(inner, 100, 130), (ends, 15, 30)] {
            let cloud = cloud(vec![Spec::new(), inner]);
            cloud.put(0, &[], &[], 0);
            cloud.put(1, &[0], &[], 0);
            cloud.befall(&[Mishap::Blind { at: 1, from: 0, lasts: 100 }]);
            let outcome = walk(&cloud).down().await;
            assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?}");
            assert!((least..most).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
        }
    });
}

#[test]
fn a_deletion_that_is_accepted_and_fails_each_time_ends_after_three() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.sticks, s.ending, s.patience) = (true, 60, 3600))]);
        cloud.put(0, &[], &[], 0);
        let outcome = walk(&cloud).down().await;
        assert_eq!(outcome.failures[0].why, "its deletion was accepted 3 times and failed each time: it broke");
        assert_eq!(outcome.failures[0].evidence, ["evidence of 0"]);
        assert_eq!(names(&outcome.exists), ["object-0"]);
        assert_eq!(cloud.state().mutations, ["delete object-0"; 3]);
        assert!(outcome.took < Duration::from_secs(400), "{:?}", outcome.took);
    });
}

#[test]
fn patience_with_a_deletion_counts_from_the_first_time_that_it_was_accepted() {
    virtually(1, async {
        // Each time it takes longer to fail than is left.
        let cloud = cloud(vec![Spec::new().with(|s| (s.sticks, s.ending, s.patience) = (true, 500, 600))]);
        cloud.put(0, &[], &[], 0);
        let outcome = walk(&cloud).down().await;
        assert!(outcome.failures[0].why.starts_with("on its way; gave up after 1"), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(700), "{:?}", outcome.took);
        assert_eq!(cloud.state().mutations.len(), 2);
    });
}

#[test]
fn a_look_that_is_not_answered_is_told_while_it_is_tried_again() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.patience = 100)]);
        cloud.state().storm.begin(&[Mishap::Throttled { at: 0, times: NEVER }]);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.down().await).await;
        assert_eq!(names(&outcome.unknown), ["object-0"]);
        let retries = |event: &&Event| matches!(event, Event::Retrying { why, .. } if why == "throttled");
        assert!((5..30).contains(&events.iter().filter(retries).count()), "{events:?}");
    });
}

#[test]
fn deletions_that_get_lost_on_their_way_do_not_count_as_accepted() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new()]);
        cloud.put(0, &[], &[], 0);
        cloud.state().lose_deletions = 5;
        let outcome = walk(&cloud).down().await;
        assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?}");
        assert_eq!(cloud.state().mutations.len(), 6);
        assert!(outcome.took >= Duration::from_secs(5 * 15), "each was given time to show: {:?}", outcome.took);
    });
}

#[test]
fn deletions_that_never_have_an_answer_end_with_patience() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.patience = 200)]);
        cloud.put(0, &[], &[], 0);
        cloud.state().lose_deletions = usize::MAX;
        let outcome = walk(&cloud).down().await;
        assert_eq!((names(&outcome.exists), outcome.failures.len()), (vec!["object-0"], 1));
        assert!(outcome.failures[0].why.contains("connection reset"), "{outcome:?}");
        assert!((200..230).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}

#[test]
fn what_was_deleted_and_could_not_be_looked_at_since_is_told_as_not_known() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.ending, s.patience) = (5, 100))]);
        cloud.put(0, &[], &[], 0);
        cloud.befall(&[Mishap::Blind { at: 0, from: 1, lasts: 1000 }]);
        let outcome = walk(&cloud).down().await;
        assert_eq!((names(&outcome.exists), names(&outcome.unknown)), (vec![], vec!["object-0"]));
        assert_eq!(cloud.count(), [0]);
    });
}

#[test]
fn what_was_deleted_and_could_not_be_looked_at_before_the_user_stopped_is_told_as_not_known() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.ending = 5)]);
        cloud.put(0, &[], &[], 0);
        cloud.befall(&[Mishap::Blind { at: 0, from: 1, lasts: 1000 }]);
        let down = walk(&cloud);
        let cancel = down.cancel.clone();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(down.down(), stop);
        assert!(outcome.interrupted && outcome.exists.is_empty(), "{outcome:?}");
        assert_eq!((names(&outcome.unknown), cloud.count()), (vec!["object-0"], vec![0]));
    });
}

#[test]
fn patience_with_a_deletion_goes_on_while_no_look_is_answered() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.ending, s.patience) = (500, 100))]);
        cloud.put(0, &[], &[], 0);
        cloud.befall(&[Mishap::Blind { at: 0, from: 50, lasts: 1000 }]);
        let outcome = walk(&cloud).down().await;
        assert_eq!(outcome.failures[0].why, "no usable answer: connection reset");
        assert!((100..120).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}
