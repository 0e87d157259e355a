//! How every Kubernetes object is looked at, applied and deleted: server-side apply with our own field manager.
//!
//! Wanted and actual are compared field by field, only where we set something. A hash of the
//! manifest stands in an annotation, so that a field that we once set and no longer want is seen too.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;

use super::manifest::{self, Error};
use super::pods;
use crate::cloud::kube::{FIELD_MANAGER, OrFault};
use crate::cloud::{Cloud, Cx};
use crate::config::Config;
use crate::engine::{Action, Change, Fact, Fault, Found, Given, Inputs, Observation, Observe, Resource, UpdateMode};
use crate::resources::eks::ClusterOutput;

/// Where an object lies.
pub struct Place<'a> {
    /// In this cluster.
    pub cluster: &'a ClusterOutput,
    /// In this namespace; None: the object has none.
    pub namespace: Option<&'a str>,
}

/// What differs from one Kubernetes object to the next.
pub trait Object: Send + Sync + 'static {
    /// Its name in plans, e.g. `service-account`.
    const KIND: &'static str;
    /// What it hangs from.
    type Within: Inputs;
    /// What it is made from.
    type Uses: Inputs;
    /// What others may use.
    type Output: Clone + Send + Sync + 'static;

    /// The API that serves it.
    fn api() -> ApiResource;
    /// Its name in the cluster.
    fn name(&self) -> &str;
    /// Where it lies.
    fn place(within: &<Self::Within as Inputs>::Values) -> Place<'_>;
    /// What it should be.
    fn manifest(
        &self,
        within: &<Self::Within as Inputs>::Givens,
        uses: &<Self::Uses as Inputs>::Givens,
    ) -> Given<Result<Value, Error>>;
    /// What others may use of it.
    fn output(&self, within: &<Self::Within as Inputs>::Values, found: &DynamicObject) -> Self::Output;

    /// How long it may take to go.
    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }
    /// The label `app.kubernetes.io/name` of pods that end with it, and that nobody can reach any more by then.
    fn pods(&self) -> Option<&str> {
        None
    }
    /// What is said before it is changed.
    fn warning(&self) -> Option<String> {
        None
    }
    /// What a user wants to read of it at the end.
    fn facts(&self, _found: &Self::Output) -> Vec<Fact> {
        Vec::new()
    }
}

/// An object that we apply.
pub struct Applied<O> {
    object: O,
    /// Whose label it carries.
    deployment: String,
}

/// The fields of an object, lists keyed by what names their elements.
#[derive(Serialize)]
#[serde(untagged)]
pub enum State {
    /// All of them.
    Fields(Value),
    /// Not known yet.
    After {
        /// Which node it waits for.
        manifest: Given<()>,
    },
    /// Our own fault: the template does not fit.
    Wrong {
        /// Why.
        manifest: String,
    },
}

impl<O: Object> Applied<O> {
    /// `object`, as this deployment's own.
    #[must_use]
    pub fn new(config: &Config, object: O) -> Self {
        Self { object, deployment: config.name.clone() }
    }

    async fn reach(cx: &Cx, within: &<O::Within as Inputs>::Values) -> Result<Api<DynamicObject>, Fault> {
        let place = O::place(within);
        let client = cx.world.kube.client(&cx.world.aws, place.cluster).await?;
        Ok(match place.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &O::api()),
            None => Api::all_with(client, &O::api()),
        })
    }

    /// The manifest with our marks on it.
    fn wanted(&self, within: &<O::Within as Inputs>::Givens, uses: &<O::Uses as Inputs>::Givens) -> Given<Result<Value, Error>> {
        self.object
            .manifest(within, uses)
            .map(|manifest| manifest.as_ref().map(|manifest| manifest::marked(manifest, &self.deployment)).map_err(Clone::clone))
    }

    async fn apply(
        &self,
        cx: &Cx,
        within: &<O::Within as Inputs>::Values,
        uses: &<O::Uses as Inputs>::Values,
        force: bool,
    ) -> Result<(), Fault> {
        let wanted = match self.wanted(&O::Within::given(within), &O::Uses::given(uses)) {
            Given::Known(manifest) => manifest.map_err(|why| Fault::fatal(why.to_string()))?,
            Given::Unknown { until: node } => return Err(Fault::fatal(format!("{node} is not known"))),
        };
        let params = PatchParams { force, ..PatchParams::apply(FIELD_MANAGER) };
        let api = Self::reach(cx, within).await?;
        api.patch(self.object.name(), &params, &Patch::Apply(&wanted)).await.fault().map(drop)
    }
}

impl<O: Object> Observe for Applied<O> {
    type World = Cloud;
    const KIND: &'static str = O::KIND;
    const ENDS_WITH_PARENT: bool = true;
    type Within = O::Within;
    type Uses = O::Uses;
    type State = State;
    type Output = O::Output;

    fn want(&self, _: &Cloud, within: &<O::Within as Inputs>::Givens, uses: &<O::Uses as Inputs>::Givens) -> State {
        match self.wanted(within, uses) {
            Given::Known(Ok(manifest)) => State::Fields(manifest::keyed(&manifest)),
            Given::Known(Err(why)) => State::Wrong { manifest: why.to_string() },
            Given::Unknown { until } => State::After { manifest: Given::Unknown { until } },
        }
    }

    async fn observe(&self, cx: &Cx, within: &<O::Within as Inputs>::Values) -> Result<Observation<Self>, Fault> {
        let api = Self::reach(cx, within).await?;
        let Some(found) = api.get(self.object.name()).await.fault_or_absent()? else { return Ok(Observation::Absent) };
        if let Some(owner) = manifest::foreign(&found.metadata, &self.deployment) {
            return Ok(Observation::Foreign(format!("the {} {} is there and {owner}", O::KIND, self.object.name())));
        }
        let output = self.object.output(within, &found);
        let going = found.metadata.deletion_timestamp.is_some().then(|| manifest::going(&found));
        let actual = State::Fields(manifest::keyed(&serde_json::to_value(&found).unwrap_or_default()));
        let found = Found::one(output, actual);
        Ok(match going {
            Some(why) => Observation::Changing { why, found: Some(found) },
            None => Observation::Present(found),
        })
    }

    fn patience(&self, action: Action) -> Duration {
        match action {
            Action::Delete => self.object.patience(),
            Action::Create | Action::Update | Action::Watch => Duration::from_secs(180),
        }
    }

    async fn evidence(&self, cx: &Cx, within: &<O::Within as Inputs>::Values) -> Vec<String> {
        let place = O::place(within);
        let Ok(client) = cx.world.kube.client(&cx.world.aws, place.cluster).await else { return Vec::new() };
        let namespace = place.namespace.unwrap_or("default");
        pods::events(&client, namespace, &O::api().kind, self.object.name()).await
    }

    fn facts(&self, found: &O::Output) -> Vec<Fact> {
        self.object.facts(found)
    }
}

impl<O: Object> Resource for Applied<O> {
    /// Without force: what somebody else made since the look is not taken from them.
    async fn create(
        &self,
        cx: &Cx,
        within: &<O::Within as Inputs>::Values,
        uses: &<O::Uses as Inputs>::Values,
    ) -> Result<(), Fault> {
        self.apply(cx, within, uses, false).await
    }

    /// With force: it is ours, and so is every field that we set.
    async fn update(
        &self,
        cx: &Cx,
        within: &<O::Within as Inputs>::Values,
        uses: &<O::Uses as Inputs>::Values,
        _: &O::Output,
        _: &[Change],
    ) -> Result<(), Fault> {
        if let Some(warning) = self.object.warning() {
            cx.say(warning);
        }
        self.apply(cx, within, uses, true).await
    }

    async fn delete(&self, cx: &Cx, within: &<O::Within as Inputs>::Values, _: &O::Output) -> Result<(), Fault> {
        let api = Self::reach(cx, within).await?;
        // Before the object, whose end gives them their usual time: a kubelet does not shorten what has begun.
        if let (Some(app), Some(namespace)) = (self.object.pods(), O::place(within).namespace) {
            pods::hurry(api.clone().into_client(), namespace, app).await?;
        }
        api.delete(self.object.name(), &DeleteParams::foreground()).await.fault_or_absent().map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
