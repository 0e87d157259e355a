//! The data path, the same for every protocol: fetch, decode, prepare, infer. Every stage is bounded, and work for a
//! processor happens off the threads that serve the sockets.

mod classes;
mod error;
mod fit;
mod job;
mod report;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tritondeploy_wire::echo::Quoted;

pub use crate::admission::run_permits::RunPermit;
pub use classes::top;
pub use error::Error;
pub use fit::Fit;
pub use job::{Deadline, InferenceJob, InferenceResult, Source, Target};
pub(crate) use report::Report;
pub(crate) use run::{LONGEST_TENSOR_NAME, long_name, micros};

use crate::admission::memory::{self, Space};
use crate::admission::model;
use crate::admission::run_permits::RunPermits;
use crate::admission::threads::Threads;
use crate::config::{self, Config, DEFAULT};
use crate::peer::Client;
use crate::storage::Storage;
use crate::triton::Triton;
use crate::triton::models::Models;

/// Everything that requests share.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) models: Arc<Models>,
    storage: Storage,
    triton: Triton,
    pipelines: BTreeMap<String, Vec<Target>>,
    /// Requests that may run at once, of all connections.
    permits: Arc<RunPermits>,
    /// Messages of requests that run, and what is read from them, of all connections.
    bytes: Space,
    /// Answers that no socket has taken yet, of all connections.
    answers: Space,
    /// Requests in flight of each model.
    limits: model::Models,
    /// Decoding, reading and writing that may run at once: as many as there are cores, at least two.
    threads: Arc<Threads>,
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
        let permits = RunPermits::new(config.limits.requests);
        let limits = &config.limits;
        let bytes = Space::shared(limits.bytes as u64, limits.message_bytes as u64);
        let answers = Space::shared(limits.answer_bytes as u64, 0);
        let limits = model::Models::new(config.limits.model_requests_least, config.limits.model_requests);
        let threads = Threads::new(config::cores(), thousands(config.image.pixels_at_once));
        Self { config, models, storage, triton, pipelines, permits, bytes, answers, limits, threads }
    }

    /// Requests that were ever let run.
    pub(crate) fn begun(&self) -> u64 {
        self.permits.begun()
    }

    /// Whether none runs.
    pub(crate) fn is_quiet(&self) -> bool {
        self.permits.are_free()
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
            .ok_or_else(|| Error::Unknown(format!("there is no pipeline {}; there is: {}", Quoted(name), known())))
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

    /// Waits until a request of a client of protocol v0 may run; whoever waits here costs nothing but memory.
    ///
    /// # Errors
    /// Never in practice: the permits do not end.
    pub async fn permit(&self, client: Client) -> Result<RunPermit, Error> {
        self.permits.wait(client).await.ok_or(Error::Internal)
    }

    /// Whether a request of a client of protocol v1 may run at once; else a refusal that is worth another try.
    ///
    /// # Errors
    /// When too many run, or nearly all that run are this client's.
    pub fn permit_now(&self, client: Client) -> Result<RunPermit, Error> {
        self.permits.now(client).ok_or(Error::Overloaded("too many requests run"))
    }

    /// Room for a client's message at once, or None: all requests together, or those of its address, hold as many bytes as
    /// they may.
    #[must_use]
    pub fn room(&self, client: Client, bytes: usize) -> Option<memory::Room> {
        self.bytes.take(client, bytes as u64)
    }

    /// What the messages of one address may take.
    pub(crate) fn share_of_bytes(&self) -> u64 {
        self.bytes.share()
    }

    /// An answer that is counted until the socket has taken it, beside what else is counted for it.
    ///
    /// # Errors
    /// When it is longer than all answers may be, or those that all clients, or this one's address, have not read are.
    pub(crate) fn count_answer(
        &self,
        client: Client,
        bytes: impl AsRef<[u8]> + Send + 'static,
        more: impl Send + 'static,
    ) -> Result<Bytes, Error> {
        let (length, most) = (bytes.as_ref().len(), self.config.limits.answer_bytes);
        if length > most {
            return Err(Error::LongAnswer { length, most });
        }
        let room = self.answers.take(client, length as u64);
        let room = room.ok_or(Error::Overloaded("too many bytes of answers wait to be read, by all clients or by yours"))?;
        Ok(memory::held(bytes, (room, more)))
    }

    /// Work for a processor, where it does not hold up the sockets.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn off_thread<T, F>(&self, client: Client, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        self.on_pixels(client, 0, work).await
    }

    /// Work on so many pixels: on many, once there is room for them beside those of others.
    ///
    /// # Errors
    /// Those of the work.
    async fn on_pixels<T, F>(&self, client: Client, pixels: u64, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        // What is too large is refused before it costs anything.
        let pixels = thousands(pixels.min(self.config.image.pixels));
        let thread = self.threads.enter(client, pixels).await.ok_or(Error::Internal)?;
        // Work that has begun goes on though nobody wants it any more, and is still counted.
        let counted = move || {
            let _thread = thread;
            work()
        };
        tokio::task::spawn_blocking(counted).await.map_err(|e| {
            tracing::error!("work ended without a result: {e}");
            Error::Internal
        })?
    }
}

fn thousands(pixels: u64) -> u32 {
    u32::try_from(pixels / 1000).unwrap_or(u32::MAX)
}
