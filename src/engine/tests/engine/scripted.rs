//! Looks that tell what a test wants, one after the other: what no cloud shows in this order by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tritondeploy_engine::{Cx, Fact, Fault, Found, Graph, Observation, Observe, Outcome, Remedy, Resource, Walk};

use crate::cloud::Cloud;
use crate::{cloud, virtually, walk};

/// What a look tells.
#[derive(Clone, Copy)]
enum Sight {
    Absent,
    Present(u64),
    Broken(u64, Remedy),
}
use Sight::{Absent, Broken, Present};

/// The last of the looks is told again and again.
#[derive(Clone)]
struct Scripted(Arc<Mutex<(VecDeque<Sight>, Vec<&'static str>)>>);

impl Observe for Scripted {
    type World = Cloud;
    const KIND: &'static str = "scripted";
    type Within = ();
    type Uses = ();
    type State = ();
    type Output = u64;

    fn want(&self, _: &Cloud, (): &(), (): &()) {}

    async fn observe(&self, _: &Cx<Cloud>, (): &()) -> Result<Observation<Self>, Fault> {
        let mut script = self.0.lock().unwrap();
        let sight = script.0[0];
        if script.0.len() > 1 {
            script.0.pop_front();
        }
        Ok(match sight {
            Absent => Observation::Absent,
            Present(id) => Observation::Present(Found::one(id, ())),
            Broken(output, remedy) => Observation::Broken { output, why: "it broke".to_owned(), remedy },
        })
    }

    fn id(&self, found: &u64) -> Option<String> {
        Some(found.to_string())
    }

    fn facts(&self, found: &u64) -> Vec<Fact> {
        vec![Fact { key: "id", value: found.to_string() }]
    }
}

impl Resource for Scripted {
    async fn create(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        self.0.lock().unwrap().1.push("create");
        Ok(())
    }

    async fn delete(&self, _: &Cx<Cloud>, (): &(), _: &u64) -> Result<(), Fault> {
        self.0.lock().unwrap().1.push("delete");
        Ok(())
    }
}

/// How an `up` ends that sees this, and what it does.
async fn up(looks: impl Into<VecDeque<Sight>>) -> (Outcome, Vec<&'static str>) {
    let scripted = Scripted(Arc::new(Mutex::new((looks.into(), Vec::new()))));
    let mut graph = Graph::new();
    graph.add("scripted", scripted.clone(), (), ());
    let outcome = Walk { graph: Arc::new(graph), ..walk(&cloud(Vec::new())) }.up().await;
    let did = scripted.0.lock().unwrap().1.clone();
    (outcome, did)
}

#[test]
fn a_broken_one_that_was_asked_to_go_is_not_taken_for_the_new_one_while_it_still_seems_well() {
    virtually(1, async {
        let (outcome, did) = up([Broken(1, Remedy::Recreate), Present(1), Present(1), Absent, Present(2)]).await;
        assert!(outcome.ok() && did == ["delete", "create"], "{did:?} {outcome:?}");
        assert_eq!(outcome.facts[0].1.value, "2");
    });
}

#[test]
fn another_one_that_is_there_once_the_broken_one_was_asked_to_go_is_taken() {
    virtually(1, async {
        let (outcome, did) = up([Broken(1, Remedy::Recreate), Present(2)]).await;
        assert!(outcome.ok() && did == ["delete"], "{did:?} {outcome:?}");
    });
}

#[test]
fn a_broken_one_that_was_asked_to_go_is_asked_again_though_it_may_heal_now() {
    virtually(1, async {
        let (outcome, did) = up([Broken(1, Remedy::Recreate), Broken(1, Remedy::Wait)]).await;
        let why = "its deletion was accepted 3 times and failed each time: it broke";
        assert_eq!((outcome.failures[0].why.as_str(), did), (why, vec!["delete"; 3]));
        assert!((3 * 15..60).contains(&outcome.took.as_secs()), "{:?}", outcome.took);
    });
}
