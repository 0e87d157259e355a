//! The released models in the bucket: what every pod serves.
//!
//! Uploaded before there is a cluster; later changes are rolled out to the running pods as
//! `push-models` does it, so that on failure the former version still answers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::bucket::Bucket;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Change, Fact, Fault, Found, Given, Node, Observation, Observe, Resource, UpdateMode};
use crate::models::{self, Repository};
use crate::resources::kube::serving;

/// The model repository of the configuration, as released.
pub struct Models {
    local: Result<Repository, String>,
}

impl Models {
    /// Reads the local repository; what is wrong with it is told when it is needed.
    #[must_use]
    pub fn new(directory: &std::path::Path, serve: &[String]) -> Self {
        let local = Repository::open(directory, serve);
        let told = |problems: Vec<models::Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { local: local.map_err(told) }
    }

    fn local(&self) -> Result<&Repository, Fault> {
        self.local.as_ref().map_err(|why| Fault::fatal(format!("the model repository is not in order: {why}")))
    }
}

#[derive(Serialize)]
pub struct State {
    /// Digest by model; null where the local repository cannot be read, so that `status` and `down` need none.
    models: Option<BTreeMap<String, String>>,
    /// How many: a removed model differs too.
    count: Option<usize>,
}

impl State {
    fn of(models: BTreeMap<String, String>) -> Self {
        Self { count: Some(models.len()), models: Some(models) }
    }
}

impl Observe for Models {
    type World = Cloud;
    const KIND: &'static str = "models";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Bucket>;
    type Uses = ();
    type State = State;
    /// Model names with their digests.
    type Output = BTreeMap<String, String>;

    fn want(&self, _: &Cloud, _: &Given<String>, (): &()) -> State {
        let digests = |local: &Repository| local.models.iter().map(|(name, model)| (name.clone(), model.digest())).collect();
        self.local.as_ref().map_or(State { models: None, count: None }, |local| State::of(digests(local)))
    }

    async fn observe(&self, cx: &Cx, bucket: &String) -> Result<Observation<Self>, Fault> {
        let bucket = models::Bucket { aws: &cx.world.aws, name: bucket };
        let Some(manifest) = bucket.released().await? else { return Ok(Observation::Absent) };
        let models: BTreeMap<String, String> = manifest.models.into_iter().map(|(name, model)| (name, model.digest)).collect();
        Ok(Observation::Present(Found::one(models.clone(), State::of(models))))
    }

    /// Gigabytes over a slow line.
    fn patience(&self, doing: Action) -> Duration {
        if doing == Action::Delete { Duration::from_secs(120) } else { Duration::from_secs(3600) }
    }

    fn facts(&self, output: &Self::Output) -> Vec<Fact> {
        vec![Fact { key: "models", value: output.keys().cloned().collect::<Vec<_>>().join(", ") }]
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
        let report = models::release(bucket, self.local()?, serving(&cx.world), &cx.cancel, progress).await?;
        report.accepted().map(drop)
    }
}
