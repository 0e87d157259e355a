//! What is there and does not work, and what `up` does about it.

use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_engine::{Event, Remedy};

use crate::mishap::{Act, Mishap};
use crate::spec::{Fate, Role, Spec};
use crate::{cloud, names, told, until, virtually, walk};

#[test]
fn what_is_broken_is_made_anew_once() {
    virtually(1, async {
        let broken = |fate| cloud(vec![Spec::new().with(|s| (s.fate, s.ending) = (fate, 40))]);
        let once = broken(Fate::BreaksOnce);
        assert!(walk(&once).up().await.ok());
        assert_eq!(once.state().mutations, ["create object-0", "delete object-0", "create object-0"]);

        let always = broken(Fate::Breaks);
        let outcome = walk(&always).up().await;
        assert_eq!(outcome.failures[0].why, "it broke");
        assert_eq!(outcome.failures[0].evidence, ["evidence of 0"]);
        assert_eq!(always.state().mutations, ["create object-0", "delete object-0", "create object-0"]);
    });
}

#[test]
fn what_only_the_user_can_mend_fails_and_what_heals_is_waited_for() {
    virtually(1, async {
        let ails = cloud(vec![Spec::new().with(|s| s.fate = Fate::Ails)]);
        assert!(walk(&ails).up().await.ok());
        let hopeless = cloud(vec![Spec::new().with(|s| s.fate = Fate::Hopeless)]);
        let begun = Instant::now();
        assert!(!walk(&hopeless).up().await.ok());
        assert!(begun.elapsed() < Duration::from_secs(1));
        for cloud in [ails, hopeless] {
            assert_eq!(cloud.state().mutations, ["create object-0"]);
        }
    });
}

#[test]
fn what_would_break_again_is_made_anew_by_the_next_run_only() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.fate = Fate::BreaksForLack)]);
        let outcome = walk(&cloud).up().await;
        assert_eq!((outcome.failures[0].why.as_str(), names(&outcome.exists)), ("it broke", vec!["object-0"]));
        assert_eq!(cloud.state().mutations, ["create object-0"]);
        // Whether the user has done something is found out by trying, once.
        assert!(!walk(&cloud).up().await.ok());
        assert_eq!(cloud.state().mutations, ["create object-0", "delete object-0", "create object-0"]);
    });
}

#[test]
fn a_broken_thing_whose_deletion_fails_each_time_is_given_up_after_three() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.fate, s.sticks, s.ending) = (Fate::Breaks, true, 30))]);
        let outcome = walk(&cloud).up().await;
        assert_eq!(outcome.failures[0].why, "its deletion was accepted 3 times and failed each time: it broke");
        let deletions = cloud.state().mutations.iter().filter(|call| *call == "delete object-0").count();
        assert_eq!((deletions, names(&outcome.exists)), (3, vec!["object-0"]));
    });
}

#[test]
fn a_broken_thing_whose_deletion_is_refused_for_longer_than_patience_fails_with_the_reason() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.patience = 100), Spec::new().within([0])]);
        cloud.put(0, &[], &[], 0);
        cloud.put(1, &[0], &[], 0);
        cloud.state().things[0].breaks = Some((Remedy::Recreate, None));
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert_eq!(outcome.failures[0].why, "has a dependency");
        assert!((100..120).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
        let said = |event: &&Event| matches!(event, Event::Said { line, .. } if line.contains("it is deleted and created again"));
        assert_eq!(events.iter().filter(said).count(), 1, "{events:?}");
    });
}

#[test]
fn of_two_creations_the_one_that_is_not_seen_yet_is_waited_for_when_the_other_was_broken_and_is_told_at_a_stop() {
    let spec = || Spec::nameless().with(|s| (s.fate, s.hidden, s.patience) = (Fate::BreaksOnce, 40, 200));
    let first_lost = Mishap::Lost { at: 0, act: Act::Create, times: 1, applied: true };
    virtually(1, async {
        let cloud = cloud(vec![spec()]);
        cloud.befall(&[first_lost]);
        let shown_sooner = async {
            until(|| cloud.count() == [2]).await;
            cloud.state().things[1].seen_from = Instant::now() + Duration::from_secs(25);
        };
        let up = walk(&cloud);
        let (outcome, ()) = tokio::join!(up.up(), shown_sooner);
        assert!(outcome.ok(), "{outcome:?}");
        assert_eq!(cloud.state().mutations, ["create object-0", "create object-0", "delete object-0"]);
    });
    virtually(1, async {
        let cloud = cloud(vec![spec()]);
        cloud.befall(&[first_lost]);
        let up = walk(&cloud);
        let cancel = up.cancel.clone();
        let stop = async {
            until(|| cloud.state().mutations.len() >= 3).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(up.up(), stop);
        assert!(outcome.interrupted && outcome.exists.len() + outcome.unknown.len() == 1, "{outcome:?}");
    });
}

#[test]
fn the_one_made_anew_has_a_token_of_its_own() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.fate, s.making) = (Fate::BreaksOnce, 5))]);
        let first = async {
            until(|| !cloud.state().things.is_empty()).await;
            cloud.state().things[0].token.clone()
        };
        let up = walk(&cloud);
        let (outcome, first) = tokio::join!(up.up(), first);
        assert!(outcome.ok() && cloud.state().things[0].token != first, "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(20), "there is no other one to wait for: {:?}", outcome.took);
    });
}

#[test]
fn a_deletion_of_a_broken_thing_without_an_answer_is_given_time_to_show() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.fate = Fate::BreaksOnce)]);
        cloud.state().lose_deletions = 4;
        let outcome = walk(&cloud).up().await;
        assert!(outcome.ok() && outcome.took >= Duration::from_secs(4 * 15), "{outcome:?}");
    });
}

#[test]
fn what_others_make_and_is_broken_is_not_made_anew() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.role = Role::Adjusted)]);
        cloud.put(0, &[], &[], 0);
        cloud.state().things[0].breaks = Some((Remedy::Recreate, None));
        let outcome = walk(&cloud).up().await;
        assert_eq!((outcome.failures[0].why.as_str(), cloud.state().mutations.len()), ("it broke", 0), "{outcome:?}");
    });
}

#[test]
fn what_was_seen_and_vanished_and_may_have_been_made_again_is_waited_for_when_the_user_stops() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| (s.making, s.hidden) = (60, 5))]);
        cloud.state().lose = true;
        let up = walk(&cloud);
        let cancel = up.cancel.clone();
        let vanishing = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(cloud.count(), [1]);
            cloud.state().things.clear();
            until(|| cloud.count() != [0]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(up.up(), vanishing);
        assert!(outcome.interrupted && names(&outcome.exists) == ["object-0"], "{outcome:?}");
    });
}
