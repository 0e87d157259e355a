//! The released models in the bucket: what every pod serves.
//!
//! Uploaded before there is a cluster; later changes are rolled out to the running pods as
//! `push-models` does it, so that on failure the former version still answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use super::bucket::Bucket;
use crate::cloud::kube::Serving;
use crate::cloud::{Cloud, Cx};
use crate::engine::{
    Action, Change, Fact, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode, format_duration,
};
use crate::models::{self, Checked, Repository, Strangers, served};
use crate::resources::kube::{once_admitted, serving, telling};

/// A Kubernetes API that does not list the pods in this time is one that cannot be asked.
const TELLS: Duration = Duration::from_secs(8);

/// The model repository of the configuration, as released.
pub struct Models {
    local: Option<Arc<Checked>>,
}

impl Models {
    /// Without the local repository it can be looked at and deleted, and nothing of it is compared. What is wrong with
    /// the local one is told when it is needed.
    #[must_use]
    pub fn new(local: Option<Arc<Checked>>) -> Self {
        Self { local }
    }

    fn local(&self) -> Result<&Repository, Fault> {
        let told = |problems: &Vec<models::Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        match self.local.as_deref() {
            Some(Ok(local)) => Ok(local),
            Some(Err(why)) => Err(Fault::fatal(format!("the model repository is not in order: {}", told(why)))),
            None => Err(Fault::fatal("the local model repository was not read")),
        }
    }
}

#[derive(Serialize)]
pub struct State {
    /// Digest by model; null where the local repository was not read, or cannot be.
    models: Option<BTreeMap<String, String>>,
    /// How many: a removed model differs too.
    count: Option<usize>,
    /// Pods that serve another release than the published one: one that nobody published, or a former one.
    pods_with_another_release: Option<Vec<String>>,
}

/// What is released.
#[derive(Clone)]
pub struct Released {
    models: Vec<String>,
    strangers: Strangers,
}

impl State {
    fn of(models: BTreeMap<String, String>, pods: Vec<String>) -> Self {
        Self { count: Some(models.len()), models: Some(models), pods_with_another_release: Some(pods) }
    }
}

impl Observe for Models {
    type World = Cloud;
    const KIND: &'static str = "models";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Bucket>;
    type Uses = ();
    type State = State;
    type Output = Released;

    fn want(&self, _: &Cloud, _: &Given<String>, (): &()) -> State {
        let digests = |local: &Repository| local.models.iter().map(|(name, model)| (name.clone(), model.digest())).collect();
        match self.local() {
            Ok(local) => State::of(digests(local), Vec::new()),
            Err(_) => State { models: None, count: None, pods_with_another_release: None },
        }
    }

    async fn observe(&self, cx: &Cx, bucket: &String) -> Result<Observation<Self>, Fault> {
        let bucket = models::Bucket { aws: &cx.world.aws, name: bucket };
        let Some(published) = bucket.released().await? else { return Ok(Observation::Absent) };
        // Of pods that cannot be asked nothing is said here: this node is made before the pods, and must not wait for one that
        // may be mended only after it. `models/served` tells of them.
        let pods = if self.local.is_some() { elsewhere(&cx.world, &published.digest).await.differ } else { Vec::new() };
        let strangers = bucket.strangers(&published.manifest).await?;
        let models: BTreeMap<String, String> =
            published.manifest.models.into_iter().map(|(name, model)| (name, model.digest)).collect();
        let released = Released { models: models.keys().cloned().collect(), strangers };
        Ok(Observation::Present(Found::one(released, State::of(models, pods))))
    }

    /// Gigabytes over a slow line.
    fn patience(&self, action: Action) -> Duration {
        if action == Action::Delete { Duration::from_secs(120) } else { Duration::from_secs(3600) }
    }

    fn facts(&self, released: &Released) -> Vec<Fact> {
        let models = Fact { key: "models", value: released.models.join(", ") };
        let strangers = &released.strangers;
        let left = (strangers.count > 0).then(|| Fact { key: "not_released", value: strangers.to_string() });
        std::iter::once(models).chain(left).collect()
    }
}

impl Resource for Models {
    async fn create(&self, cx: &Cx, bucket: &String, (): &()) -> Result<(), Fault> {
        self.release(cx, bucket).await
    }

    async fn update(&self, cx: &Cx, bucket: &String, (): &(), _: &Self::Output, _: &[Change]) -> Result<(), Fault> {
        self.release(cx, bucket).await
    }

    async fn delete(&self, cx: &Cx, bucket: &String, _: &Self::Output) -> Result<(), Fault> {
        models::Bucket { aws: &cx.world.aws, name: bucket }.withdraw().await
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}

impl Models {
    async fn release(&self, cx: &Cx, bucket: &str) -> Result<(), Fault> {
        let bucket = models::Bucket { aws: &cx.world.aws, name: bucket };
        let progress = |done, total| cx.progress("uploading", done, total);
        // This node does not wait for the access entry: the files are uploaded while the cluster is made.
        let pods = || once_admitted(&cx.cancel, || serving(&cx.world));
        let report = models::release(bucket, self.local()?, pods, &cx.cancel, progress).await?;
        if let Some(why) = &report.not_cleaned_up {
            cx.say(format!("what no release needs any more is still in the bucket, and goes with the next release: {why}"));
        }
        report.accepted().map(drop)
    }
}

/// What the pods serve, beside what is published.
#[derive(Default)]
pub struct Elsewhere {
    /// The names of those that serve another release.
    pub differ: Vec<String>,
    /// Why it is not known of some.
    pub unknown: Vec<String>,
}

/// Pods that serve another release than this.
pub async fn elsewhere(cloud: &Cloud, published: &str) -> Elsewhere {
    let mut found = Elsewhere::default();
    let pods = match timeout(TELLS, telling(cloud)).await {
        Ok(Ok(pods)) => pods,
        Ok(Err(why)) => {
            found.unknown.push(format!("it is not known what the pods serve: {why}"));
            return found;
        }
        Err(_) => {
            found.unknown.push(format!("it is not known what the pods serve: no answer within {}", format_duration(TELLS)));
            return found;
        }
    };
    let told = join_all(pods.into_iter().map(async |pod: Serving| (pod.name().to_owned(), served(&pod).await))).await;
    for (name, told) in told {
        match told {
            Ok(told) if !told.releasing && told.differs(published).is_some() => found.differ.push(name),
            Ok(_) => {}
            Err(why) => found.unknown.push(format!("it is not known what {name} serves: {why}")),
        }
    }
    found.differ.sort();
    found
}
