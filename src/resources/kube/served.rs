//! What the running pods serve, watched: the release that is published, and no other.
//!
//! A pod can serve another one: a draft, when a release was killed after it had asked the pod, or the former release, when
//! the pod read it just before another one was published. `up` and `push-models` release to such a pod again.

use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;

use super::applied::Applied;
use super::deployment::{Deployment, DeploymentOutput};
use super::pods::telling;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Fault, Found, Given, Node, Observation, Observe, Remedy};
use crate::models::{self, served};
use crate::resources::storage;

/// The released models in the pods.
pub struct Served;

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

impl Observe for Served {
    type World = Cloud;
    const KIND: &'static str = "served-models";
    const ENDS_WITH_PARENT: bool = true;
    type Within = (Node<Applied<Deployment>>, Node<storage::Bucket>);
    /// Without values: the rollout and the release, so that pods have what they should.
    type Uses = (After, After);
    type State = State;
    type Output = ();

    fn want(&self, _: &Cloud, _: &(Given<DeploymentOutput>, Given<String>), _: &((), ())) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, (_, bucket): &(DeploymentOutput, String)) -> Result<Observation<Self>, Fault> {
        let pods = telling(&cx.world).await?;
        let told = join_all(pods.iter().map(|pod| async move { (pod.name(), served(pod).await) })).await;
        // Read after the pods have answered: what is published meanwhile they may have already.
        let published = models::Bucket { aws: &cx.world.aws, name: bucket }.released().await?;
        let Some(published) = published else {
            return Ok(Observation::Changing { why: "no models are released".to_owned(), found: None });
        };
        let mut differs = Vec::new();
        let mut unknown = None;
        for (name, told) in told {
            match told {
                Ok(told) => differs.extend(told.differs(&published.digest).map(|why| format!("the pod {name} {why}"))),
                Err(why) => drop(unknown.get_or_insert(why)),
            }
        }
        match (differs.is_empty(), unknown) {
            (false, _) => {
                let why = differs.join("; ");
                Ok(Observation::Broken { output: (), why, remedy: Remedy::Wait })
            }
            (true, Some(why)) => Err(why),
            (true, None) => Ok(Observation::Present(Found::one((), State))),
        }
    }

    /// A release that is going on beside us may load for minutes.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(5 * 60)
    }
}
