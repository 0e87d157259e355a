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

use crate::config::{self, Config, DEFAULT};
use crate::image;
use crate::models::Models;
use crate::space::Space;
use crate::storage::Storage;
use crate::triton::Triton;

/// Thousands of pixels of an image that does not wait for others.
const SMALL: u32 = 4_000;

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
    /// Messages of requests that run, of all connections.
    bytes: Space,
    /// Requests in flight of each model.
    limits: limit::Models,
    /// Decoding, reading and writing that may run at once: as many as there are cores.
    work: Arc<Semaphore>,
    /// Thousands of pixels of large images that may be decoded at once.
    pixels: Arc<Semaphore>,
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
        let bytes = Space::new(config.limits.bytes as u64);
        let limits = limit::Models::new(config.limits.model_requests_least, config.limits.model_requests);
        let work = Arc::new(Semaphore::new(config::cores()));
        let pixels = Arc::new(Semaphore::new(thousands(config.image.pixels_at_once) as usize));
        Self { config, models, storage, triton, pipelines, requests, bytes, limits, work, pixels }
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
        self.bytes.take(bytes as u64)
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
        let core = self.work.clone().acquire_owned().await.map_err(|_| Error::Internal)?;
        // Work that has begun goes on though nobody wants it any more, and is still counted.
        let counted = move || {
            let _core = core;
            work()
        };
        tokio::task::spawn_blocking(counted).await.map_err(|e| {
            tracing::error!("work ended without a result: {e}");
            Error::Internal
        })?
    }

    /// Work on an image's pixels: of a large one, once there is room for it beside other large ones.
    ///
    /// # Errors
    /// Those of the work.
    async fn on_pixels<T, F>(&self, picture: &image::Source<'_>, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        let most = self.config.image.pixels;
        // What is too large is refused before it costs anything.
        let pixels = image::pixels(picture).unwrap_or(most).min(most);
        let room = match thousands(pixels) {
            // Nobody's photograph waits behind somebody's posters; of these there are no more than cores.
            small if small <= SMALL => None,
            large => Some(self.pixels.clone().acquire_many_owned(large).await.map_err(|_| Error::Internal)?),
        };
        self.off_thread(move || {
            let _room = room;
            work()
        })
        .await
    }
}

fn thousands(pixels: u64) -> u32 {
    u32::try_from(pixels / 1000).unwrap_or(u32::MAX)
}
