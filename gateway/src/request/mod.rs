//! The data path, the same for every protocol: fetch, decode, prepare, infer. Every stage is bounded, and work for a
//! processor happens off the threads that serve the sockets.

mod classes;
mod error;
mod fit;
mod job;
mod limit;
mod report;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

pub use classes::top;
pub use error::Error;
pub use fit::Fit;
pub use job::{Done, Job, Source, Target, Until};
pub(crate) use report::Report;
pub(crate) use run::micros;

use crate::config::{Config, DEFAULT};
use crate::models::Models;
use crate::storage::Storage;
use crate::triton::Triton;

/// Everything that requests share.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) models: Arc<Models>,
    storage: Storage,
    triton: Triton,
    pipelines: BTreeMap<String, Vec<Target>>,
    /// Requests that may run at once, of all connections.
    requests: Semaphore,
    /// KiB of messages of requests that run, of all connections.
    bytes: Arc<Semaphore>,
    /// Requests in flight of each model.
    limits: limit::Models,
    /// Decoding, reading and writing that may run at once: as many as there are cores.
    work: Semaphore,
}

impl Engine {
    /// Needs a storage and a Triton that the same configuration describes.
    #[must_use]
    pub fn new(config: Config, storage: Storage, triton: Triton, models: Arc<Models>) -> Self {
        let mut pipelines: BTreeMap<String, Vec<Target>> = BTreeMap::new();
        for model in &config.pipeline {
            pipelines.entry(model.pipeline.clone()).or_default().push(Target {
                alias: model.alias.clone(),
                model: model.model.clone(),
                preset: Arc::new(config.preset(&model.preset).unwrap_or_default()),
                quality: model.quality,
                scores: model.scores,
            });
        }
        let requests = Semaphore::new(config.limits.requests);
        let bytes = Arc::new(Semaphore::new(kib(config.limits.bytes).min(Semaphore::MAX_PERMITS)));
        let limits = limit::Models::new(config.limits.model_requests_least, config.limits.model_requests);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { config, models, storage, triton, pipelines, requests, bytes, limits, work: Semaphore::new(cores) }
    }

    /// Every pipeline, by name.
    pub fn pipelines(&self) -> impl Iterator<Item = (&str, &[Target])> {
        self.pipelines.iter().map(|(name, targets)| (name.as_str(), targets.as_slice()))
    }

    /// The models of a pipeline.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn pipeline(&self, name: &str) -> Result<Vec<Target>, Error> {
        let known = || self.pipelines.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.pipelines
            .get(name)
            .cloned()
            .ok_or_else(|| Error::Unknown(format!("there is no pipeline {name:?}; there is: {known}", known = known())))
    }

    /// A model by its alias in a pipeline, or by its name in Triton, which need not be in any.
    #[must_use]
    pub fn target(&self, name: &str) -> Target {
        let all = || self.pipelines.get(DEFAULT).into_iter().chain(self.pipelines.values()).flatten();
        let known = all().find(|target| target.alias == name).or_else(|| all().find(|target| target.model == name));
        let target = known.cloned().unwrap_or_default();
        if known.is_some() { target } else { Target { alias: name.to_owned(), model: name.to_owned(), ..target } }
    }

    /// Whether a pipeline uses this model.
    pub(crate) fn serves(&self, model: &str) -> bool {
        self.pipelines.values().flatten().any(|target| target.model == model)
    }

    /// A turn among all that run; whoever waits here costs nothing but memory.
    ///
    /// # Errors
    /// Never in practice: the turns do not end.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.requests.acquire().await.map_err(|_| Error::Internal)
    }

    /// A turn at once, or a refusal that is worth another try.
    ///
    /// # Errors
    /// When too many run.
    pub fn turn_now(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.requests.try_acquire().map_err(|_| Error::Overloaded("too many requests run"))
    }

    /// Room for a message at once, or None: all requests together hold as many bytes as they may.
    #[must_use]
    pub fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.bytes.clone().try_acquire_many_owned(u32::try_from(kib(bytes)).ok()?).ok()
    }

    /// Work for a processor, where it does not hold up the sockets.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn off_thread<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        let _core = self.work.acquire().await.map_err(|_| Error::Internal)?;
        tokio::task::spawn_blocking(work).await.map_err(|e| {
            tracing::error!("work ended without a result: {e}");
            Error::Internal
        })?
    }
}

/// Rounded up, so that nothing is free.
fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024).max(1)
}
