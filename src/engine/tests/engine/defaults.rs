//! A resource that says no more than it must, and what a call can tell.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tritondeploy_engine::{Cx, Event, Fault, Found, Graph, Observation, Observe, Outcome, Resource, Walk};

use crate::cloud::Cloud;
use crate::{cloud, told, virtually, walk};

/// There with this size, or never.
struct Plain(Option<u64>);

#[derive(Serialize)]
struct Size {
    size: u64,
}

impl Observe for Plain {
    type World = Cloud;
    const KIND: &'static str = "plain";
    type Within = ();
    type Uses = ();
    type State = Size;
    type Output = ();

    fn want(&self, _: &Cloud, (): &(), (): &()) -> Size {
        Size { size: 2 }
    }

    async fn observe(&self, _: &Cx<Cloud>, (): &()) -> Result<Observation<Self>, Fault> {
        let found = |size| Found { output: (), actual: Size { size }, twins: vec![()], ails: Vec::new() };
        Ok(self.0.map_or(Observation::Absent, |size| Observation::Present(found(size))))
    }
}

impl Resource for Plain {
    async fn create(&self, cx: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        cx.progress("steps", 1, 3);
        cx.say("a line");
        Ok(())
    }

    async fn delete(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        Ok(())
    }
}

fn of(cloud: &Arc<Cloud>, size: Option<u64>) -> Walk<Cloud> {
    let mut graph = Graph::new();
    graph.add("plain", Plain(size), (), ());
    Walk { graph: Arc::new(graph), ..walk(cloud) }
}

#[test]
fn what_differs_is_refused_and_has_no_id_facts_or_evidence() {
    virtually(1, async {
        let cloud = cloud(Vec::new());
        let seen = of(&cloud, Some(1)).look().await.nodes.remove(0);
        assert_eq!(seen.refused.as_deref(), Some("size is 1, wanted is 2, and that cannot be changed"));
        assert!(seen.facts.is_empty() && seen.evidence.is_empty() && seen.twins[0].id.is_none(), "{seen:?}");
        assert!(of(&cloud, Some(2)).look().await.nodes[0].refused.is_none());
    });
}

#[test]
fn what_is_never_seen_is_waited_for_two_minutes_and_its_calls_tell_what_they_do() {
    virtually(1, async {
        let (outcome, events) = told(of(&cloud(Vec::new()), None), async |walk| walk.up().await).await;
        assert!((120..140).contains(&outcome.took.as_secs()), "{outcome:?}");
        let is_progress = |event: &Event| matches!(event, Event::Progress { what, done: 1, total: 3, .. } if what == "steps");
        let is_line = |event: &Event| matches!(event, Event::Said { line, .. } if line == "a line");
        assert!(events.iter().any(is_progress) && events.iter().any(is_line), "{events:?}");
    });
}

#[test]
fn an_outcome_is_well_where_nothing_failed_was_blocked_or_was_stopped() {
    virtually(1, async {
        let well: Outcome = of(&cloud(Vec::new()), Some(2)).up().await;
        assert!(well.ok() && well.took < Duration::from_secs(1), "{well:?}");
        let failures = of(&cloud(Vec::new()), None).up().await.failures;
        assert!(!Outcome { failures, ..well.clone() }.ok());
        assert!(!Outcome { blocked: vec!["a".into()], ..well.clone() }.ok());
        assert!(!Outcome { interrupted: true, ..well.clone() }.ok());
        assert!(!Outcome { shut: Some("lost".into()), ..well }.ok());
    });
}
