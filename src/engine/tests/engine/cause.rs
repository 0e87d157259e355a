//! Why something is still changing, where that takes many calls to find out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_engine::{Action, Cx, Event, Fault, Found, Graph, Observation, Observe, Remedy, Resource, Walk};

use crate::cloud::Cloud;
use crate::{cloud, told, virtually, walk};

/// How long the first one is on its way, which then breaks, and the second one, which arrives.
const COMES: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(90)];

#[derive(Default)]
struct Seen {
    /// When each was created.
    created: Vec<Instant>,
    deleted: bool,
    looks: usize,
    /// When it was searched for the cause.
    searched: Vec<Instant>,
}

#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Seen>>);

impl Observe for Slow {
    type World = Cloud;
    const KIND: &'static str = "slow";
    type Within = ();
    type Uses = ();
    type State = ();
    type Output = ();

    fn want(&self, _: &Cloud, (): &(), (): &()) {}

    async fn observe(&self, cx: &Cx<Cloud>, (): &()) -> Result<Observation<Self>, Fault> {
        let (made, deleted) = {
            let mut seen = self.0.lock().unwrap();
            seen.looks += 1;
            (seen.created.clone(), seen.deleted)
        };
        let Some(since) = made.last().filter(|_| made.len() == 2 || !deleted) else { return Ok(Observation::Absent) };
        if since.elapsed() >= COMES[made.len() - 1] {
            return Ok(match made.len() {
                1 => Observation::Broken { output: (), why: "it broke".to_owned(), remedy: Remedy::Recreate },
                _ => Observation::Present(Found::one((), ())),
            });
        }
        let search = async {
            let mut seen = self.0.lock().unwrap();
            seen.searched.push(Instant::now());
            Some(format!("cause {} of {}", seen.searched.len(), made.len()))
        };
        Ok(Observation::Changing { why: cx.cause(search).await.unwrap(), found: None })
    }

    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(3600)
    }
}

impl Resource for Slow {
    async fn create(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        self.0.lock().unwrap().created.push(Instant::now());
        Ok(())
    }

    async fn delete(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        self.0.lock().unwrap().deleted = true;
        Ok(())
    }
}

#[test]
fn a_cause_is_searched_for_once_a_minute_and_anew_for_what_is_made_anew() {
    virtually(1, async {
        let slow = Slow::default();
        let mut graph = Graph::new();
        graph.add("slow", slow.clone(), (), ());
        let (outcome, events) = told(Walk { graph: Arc::new(graph), ..walk(&cloud(Vec::new())) }, Walk::up).await;
        assert!(outcome.ok(), "{outcome:?}");
        let seen = slow.0.lock().unwrap();
        let (first, second): (Vec<&Instant>, Vec<&Instant>) = seen.searched.iter().partition(|at| **at < seen.created[1]);
        assert!((9..=10).contains(&first.len()) && seen.looks > 60, "{} searches, {} looks", first.len(), seen.looks);
        assert!(first.windows(2).all(|two| two[1].duration_since(*two[0]) >= Duration::from_secs(60)), "{first:?}");
        // That of the first one is less than a minute old by then, and not the second one's.
        assert!(*second[0] - seen.created[1] < Duration::from_secs(1), "{second:?}");
        // Each is told, and none again and again.
        let why = |event: &Event| match event {
            Event::Waiting { why, .. } if why.starts_with("cause") => Some(why.clone()),
            _ => None,
        };
        let waited: Vec<String> = events.iter().filter_map(why).collect();
        let of = |at: usize| if at <= first.len() { 1 } else { 2 };
        let all: Vec<String> = (1..=seen.searched.len()).map(|at| format!("cause {at} of {}", of(at))).collect();
        assert_eq!(waited, all);
    });
}
