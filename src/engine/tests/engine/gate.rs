//! A walk that has no leave to act, or loses it while it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tritondeploy_engine::{Event, Gate, Walk};

use crate::cloud::Cloud;
use crate::spec::{Role, Spec};
use crate::{cloud, names, told, until, virtually, walk};

fn through(cloud: &Arc<Cloud>, gate: &Gate) -> Walk<Cloud> {
    Walk { gate: gate.clone(), ..walk(cloud) }
}

#[test]
fn an_act_is_not_made_once_the_gate_is_shut_and_what_was_in_flight_finishes_and_is_told() {
    virtually(1, async {
        // The second is being asked for when the gate shuts; the third would come after it.
        let chain = [Spec::new().with(|s| s.making = 5), Spec::new().after([0]), Spec::new().after([1]), Spec::new()];
        let cloud = cloud(chain.to_vec());
        let gate = Gate::open();
        let shut = async {
            until(|| cloud.state().mutations.contains(&"create object-1".to_owned())).await;
            assert_eq!(cloud.count()[1], 0, "its call is still on its way");
            gate.shut("somebody else acts now");
        };
        let walk = through(&cloud, &gate);
        let ((outcome, events), ()) = tokio::join!(told(walk, async |walk| walk.up().await), shut);
        assert_eq!(outcome.shut.as_deref(), Some("somebody else acts now"));
        assert!(!outcome.ok() && !outcome.interrupted && outcome.failures.is_empty(), "{outcome:?}");
        assert_eq!(names(&outcome.exists), ["object-0", "object-1", "object-3"]);
        assert_eq!(cloud.count(), [1, 1, 0, 1]);
        let told = |event: &Event| matches!(event, Event::Stopping { why: Some(why) } if &**why == "somebody else acts now");
        assert!(events.iter().any(told), "{events:?}");
        // Whoever may act goes on from there.
        assert!(through(&cloud, &Gate::open()).up().await.ok());
    });
}

#[test]
fn down_stops_at_a_shut_gate_too() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().within([0]).with(|s| s.ending = 60)]);
        cloud.put(0, &[], &[], 0);
        cloud.put(1, &[0], &[], 0);
        let gate = Gate::open();
        let shut = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            gate.shut("somebody else acts now");
        };
        let (outcome, ()) = tokio::join!(async { through(&cloud, &gate).down().await }, shut);
        assert_eq!(outcome.shut.as_deref(), Some("somebody else acts now"));
        assert_eq!(names(&outcome.exists), ["object-0", "object-1"]);
        assert_eq!(cloud.state().mutations, ["delete object-1"]);
    });
}

#[test]
fn leave_is_asked_for_before_each_act_since_time_alone_may_end_it() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().after([0]), Spec::new().after([1])]);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let gate = Gate::checking(move || (count.fetch_add(1, Ordering::Relaxed) >= 2).then(|| "too late".to_owned()));
        let outcome = through(&cloud, &gate).up().await;
        assert_eq!((outcome.shut.as_deref(), cloud.count()), (Some("too late"), vec![1, 1, 0]));
        assert_eq!(asked.load(Ordering::Relaxed), 3, "once it is shut nobody is asked again");
    });
}

#[test]
fn a_walk_without_leave_to_act_looks_at_everything_and_stops_only_where_something_is_to_do() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new(), Spec::new().with(|s| (s.role, s.appears) = (Role::Watched, 60)).after([0])]);
        cloud.put(0, &[], &[], 0);
        let nothing_to_do = through(&cloud, &Gate::reads_only("no lease")).up().await;
        assert!(nothing_to_do.ok() && nothing_to_do.shut.is_none(), "{nothing_to_do:?}");

        cloud.state().things.clear();
        let outcome = through(&cloud, &Gate::reads_only("no lease")).up().await;
        assert_eq!((outcome.shut.as_deref(), outcome.changed), (Some("no lease"), 0));
        assert!(cloud.state().mutations.is_empty());
    });
}

#[test]
fn the_users_stop_is_told_as_such_whatever_becomes_of_the_gate() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.making = 60)]);
        let gate = Gate::open();
        let walk = through(&cloud, &gate);
        let cancel = walk.cancel.clone();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            cancel.cancel();
            gate.shut("somebody else acts now");
        };
        let (outcome, ()) = tokio::join!(walk.up(), stop);
        assert!(outcome.interrupted && outcome.shut.is_none(), "{outcome:?}");
    });
}

#[test]
fn what_is_deleted_last_goes_when_all_else_is_gone() {
    virtually(1, async {
        let others = [Spec::new().with(|s| s.ending = 90), Spec::new().with(|s| s.ending = 10), Spec::new().uses([0])];
        let cloud = cloud([&[Spec::new().with(|s| s.last = true)], &others[..]].concat());
        (0..3).for_each(|at| _ = cloud.put(at, &[], &[], 0));
        cloud.put(3, &[], &[0], 0);
        let outcome = walk(&cloud).down().await;
        assert!(outcome.ok() && outcome.took >= Duration::from_secs(90), "{outcome:?}");
        let mutations = cloud.state().mutations.clone();
        assert_eq!((mutations.len(), mutations.last().unwrap().as_str()), (4, "delete object-0"));
    });
}

#[test]
fn what_is_deleted_last_stays_where_something_else_does() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::new().with(|s| s.last = true), Spec::new().with(|s| s.delete_fatal = true)]);
        (0..2).for_each(|at| _ = cloud.put(at, &[], &[], 0));
        let outcome = walk(&cloud).down().await;
        assert_eq!((names(&outcome.exists), names(&outcome.blocked)), (vec!["object-0", "object-1"], vec!["object-0"]));
    });
}
