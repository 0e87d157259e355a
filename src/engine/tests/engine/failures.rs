//! What an outcome tells of a call that failed.

use std::sync::Arc;
use std::time::Duration;

use tritondeploy_engine::{Cx, Fault, Graph, Observation, Observe, Origin, Resource, Walk};

use crate::cloud::Cloud;
use crate::{cloud, names, virtually, walk};

/// Its creation is refused with this code.
struct Refused(&'static str);

impl Observe for Refused {
    type World = Cloud;
    const KIND: &'static str = "refused";
    type Within = ();
    type Uses = ();
    type State = ();
    type Output = ();

    fn want(&self, _: &Cloud, (): &(), (): &()) {}

    async fn observe(&self, _: &Cx<Cloud>, (): &()) -> Result<Observation<Self>, Fault> {
        Ok(Observation::Absent)
    }
}

impl Resource for Refused {
    async fn create(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        let origin = Origin { call: String::new(), code: self.0.to_owned(), request_id: Some("7".to_owned()) };
        Err(Fault::fatal("no more of them").from_origin(origin))
    }

    async fn delete(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn a_failure_tells_the_code_and_the_request_where_the_service_gave_any() {
    virtually(1, async {
        let cloud = cloud(Vec::new());
        let mut graph = Graph::new();
        graph.add("with", Refused("LimitExceeded"), (), ());
        graph.add("without", Refused(""), (), ());
        let outcome = Walk { graph: Arc::new(graph), ..walk(&cloud) }.up().await;
        let told = outcome.failures.iter().map(|failure| serde_json::to_value(failure).unwrap());
        let told: Vec<_> = told.map(|told| (told["code"].clone(), told["request_id"].clone())).collect();
        assert_eq!(told, [("LimitExceeded".into(), "7".into()), (serde_json::Value::Null, "7".into())]);
        assert_eq!((outcome.failures[0].why.as_str(), outcome.failures[0].kind), ("no more of them", "refused"));
    });
}

/// Its creation has no answer, and the user stops meanwhile; then this is seen.
struct Lost(fn() -> Result<Observation<Lost>, Fault>);

impl Observe for Lost {
    type World = Cloud;
    const KIND: &'static str = "lost";
    type Within = ();
    type Uses = ();
    type State = ();
    type Output = ();

    fn want(&self, _: &Cloud, (): &(), (): &()) {}

    async fn observe(&self, cx: &Cx<Cloud>, (): &()) -> Result<Observation<Self>, Fault> {
        if cx.cancel.is_cancelled() { self.0() } else { Ok(Observation::Absent) }
    }
}

impl Resource for Lost {
    async fn create(&self, cx: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        cx.cancel.cancel();
        Err(Fault::unsure("connection reset"))
    }

    async fn delete(&self, _: &Cx<Cloud>, (): &(), (): &()) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn what_may_have_been_made_and_may_not_be_seen_or_is_not_ours_is_told_at_once_as_not_known_when_the_user_stops() {
    virtually(1, async {
        let denied = || Err(Fault::denied("not allowed to look"));
        for seen in [denied, || Ok(Observation::Foreign("made by somebody else".to_owned()))] {
            let cloud = cloud(Vec::new());
            let mut graph = Graph::new();
            graph.add("lost", Lost(seen), (), ());
            let outcome = Walk { graph: Arc::new(graph), ..walk(&cloud) }.up().await;
            assert!(outcome.interrupted && outcome.took < Duration::from_secs(1), "{outcome:?}");
            assert_eq!((names(&outcome.exists), names(&outcome.unknown)), (vec![], vec!["lost"]));
        }
    });
}
