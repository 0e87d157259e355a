//! Creations: how often one is asked for, how long it is waited for, and what is told of one that was not seen.

use std::time::Duration;

use tritondeploy_engine::{Event, Timing, Walk};

use crate::mishap::{Act, Mishap};
use crate::spec::{Role, Spec};
use crate::{cloud, names, told, until, virtually, walk};

#[test]
fn what_was_created_and_is_never_seen_is_not_created_again() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.hidden, s.patience) = (10_000, 100))]);
        let outcome = walk(&cloud).up().await;
        let why = &outcome.failures[0].why;
        assert!(why.starts_with("created, but not visible yet; gave up after "), "{why}");
        assert_eq!(names(&outcome.exists), ["object-0"]);
        assert_eq!(cloud.state().mutations, ["create object-0"]);
        assert!((100..120).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}

#[test]
fn a_creation_that_never_has_an_answer_ends_with_the_last_error() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.create_lost, s.patience) = (true, 100))]);
        let outcome = walk(&cloud).up().await;
        let why = &outcome.failures[0].why;
        let begins = "the create call got no response 4 times (last: no usable answer: 500 InternalError); it has not appeared yet; gave up after ";
        assert!(why.starts_with(begins), "{why}");
        assert_eq!(names(&outcome.unknown), ["object-0"], "the last one may have made it");
    });
}

#[test]
fn a_creation_without_an_answer_is_tried_again_after_as_long_as_the_walk_s_timing_says() {
    virtually(1, async {
        for (hidden, least, most) in [(30, 30, 40), (2, 2, 5)] {
            let cloud = cloud(vec![Spec::new().with(|s| s.patience = 600)]);
            cloud.befall(&[Mishap::Lost { at: 0, act: Act::Create, times: 1, applied: false }]);
            let timing = Timing { hidden: Duration::from_secs(hidden), ..Timing::default() };
            let outcome = Walk { timing, ..walk(&cloud) }.up().await;
            assert!(outcome.ok() && (least..most).contains(&outcome.took.as_secs()), "{hidden}: {outcome:?}");
        }
    });
}

#[test]
fn what_may_have_been_made_before_the_user_stopped_is_told_also_after_a_while_of_throttling() {
    virtually(1, async {
        // The first looks and the first creation take longer than a service may hide what is new.
        let cloud = cloud(vec![Spec::new().with(|s| (s.hidden, s.patience, s.refused) = (20, 600, 40))]);
        cloud.state().lose = true;
        let walk = walk(&cloud);
        let cancel = walk.cancel.clone();
        let stop = async {
            // The call that is lost is the one that was not refused.
            until(|| cloud.count() == [1]).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(walk.up(), stop);
        assert!(outcome.interrupted && names(&outcome.exists) == ["object-0"], "{outcome:?}");
    });
}

#[test]
fn what_may_have_been_made_and_could_not_be_looked_at_since_is_told_as_not_known() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.patience = 100)]);
        cloud.state().lose = true;
        let begun = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            cloud.befall(&[Mishap::Blind { at: 0, from: 0, lasts: 1000 }]);
        };
        let up = walk(&cloud);
        let (outcome, ()) = tokio::join!(up.up(), begun);
        assert_eq!((cloud.count(), outcome.failures.len()), (vec![1], 1));
        assert_eq!((names(&outcome.exists), names(&outcome.unknown)), (vec![], vec!["object-0"]), "{outcome:?}");
    });
}

#[test]
fn patience_with_a_creation_counts_from_when_it_was_accepted() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.refused, s.hidden, s.patience) = (80, 10_000, 100))]);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.failures[0].why.starts_with("created, but not visible yet; gave up after 1"), "{outcome:?}");
        assert!((180..210).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}

#[test]
fn what_fails_before_anything_was_accepted_has_patience_of_its_own_and_is_asked_for_more_and_more_slowly() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.refused, s.patience) = (80, 100))]);
        cloud.befall(&[Mishap::Lost { at: 0, act: Act::Create, times: 1, applied: false }]);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert!(outcome.ok() && outcome.took > Duration::from_secs(105), "{outcome:?}");
        let retries = events.iter().filter(|event| matches!(event, Event::Retrying { .. })).count();
        assert!((5..20).contains(&retries), "{events:?}");
    });
}

#[test]
fn the_users_stop_during_a_creation_that_fails_is_told_as_a_stop_and_as_a_line() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.create_fatal = true)]);
        // The first look, the creation.
        cloud.state().cancel_at = Some(2);
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert!(outcome.interrupted && outcome.failures.is_empty() && outcome.unknown.is_empty(), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(1), "nothing was made: {:?}", outcome.took);
        let said = |event: &Event| matches!(event, Event::Said { line, .. } if line == "stopped: cannot be made");
        assert!(events.iter().any(said), "{events:?}");
    });
}

#[test]
fn the_users_stop_during_a_creation_without_an_answer_waits_until_it_is_seen_though_looks_are_lost() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.hidden = 10)]);
        cloud.befall(&[
            Mishap::Lost { at: 0, act: Act::Create, times: 1, applied: true },
            Mishap::Blind { at: 0, from: 1, lasts: 12 },
        ]);
        cloud.state().cancel_at = Some(2);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.interrupted && names(&outcome.exists) == ["object-0"], "{outcome:?}");
        assert!((13..20).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}

#[test]
fn what_is_only_watched_and_cannot_be_looked_at_is_not_told_as_not_known() {
    virtually(1, async {
        let watched = Spec::new().with(|s| (s.role, s.patience) = (Role::Watched, 100));
        let cloud = cloud(vec![watched]);
        cloud.befall(&[Mishap::Blind { at: 0, from: 0, lasts: 10_000 }]);
        let outcome = walk(&cloud).up().await;
        assert_eq!((outcome.failures.len(), outcome.exists.len(), outcome.unknown.len()), (1, 0, 0), "{outcome:?}");
    });
}

#[test]
fn a_twin_of_a_creation_without_an_answer_is_looked_for_when_all_else_stands_and_told() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless().with(|s| s.hidden = 40), Spec::new().with(|s| s.making = 100)]);
        cloud.befall(&[Mishap::Lost { at: 0, act: Act::Create, times: 1, applied: true }]);
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok() && cloud.count() == [2, 1], "{outcome:?}");
        assert_eq!(names(&outcome.unshown), ["object-0 (3)"]);
    });
}

#[test]
fn a_twin_that_is_seen_in_the_last_look_before_a_stop_is_told() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless()]);
        cloud.befall(&[Mishap::Lost { at: 0, act: Act::Create, times: 1, applied: true }]);
        cloud.state().cancel_at = Some(2);
        let meanwhile = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            cloud.put(0, &[], &[], 0);
        };
        let up = walk(&cloud);
        let (outcome, ()) = tokio::join!(up.up(), meanwhile);
        assert!(outcome.interrupted && names(&outcome.exists) == ["object-0", "object-0 (2)"], "{outcome:?}");
    });
}
