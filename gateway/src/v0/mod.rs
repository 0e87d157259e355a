//! Protocol v0: reads a request, runs it, writes its answer.

mod error;
mod run;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;
use tritondeploy_wire::v0::{self as wire, Request};
use tungstenite::Message;

pub use error::Error;

use crate::config::Config;
use crate::models::Models;
use crate::protocol::{Protocol, RequestId};
use crate::storage::Storage;
use crate::triton::Triton;
use run::Run;

/// Below this, reading a message takes less than handing it to another thread.
const SMALL: usize = 16 << 10;

/// Answers v0 requests.
#[derive(Debug)]
pub struct V0 {
    config: Config,
    storage: Storage,
    triton: Triton,
    models: Arc<Models>,
    /// Requests that may run at once, of all connections.
    requests: Semaphore,
    /// Decoding, reading and writing that may run at once: as many as there are cores.
    work: Semaphore,
}

impl V0 {
    /// Needs a storage and a Triton that the same configuration describes.
    #[must_use]
    pub fn new(config: Config, storage: Storage, triton: Triton, models: Arc<Models>) -> Self {
        let requests = Semaphore::new(config.limits.requests);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { config, storage, triton, models, requests, work: Semaphore::new(cores) }
    }

    async fn try_answer(&self, message: Message, run: &mut Run) -> Result<String, Error> {
        let _running = self.requests.acquire().await.map_err(|_| Error::Internal)?;
        let limit = self.config.limits.request_seconds;
        match timeout(Duration::from_secs(limit), self.run(message, run)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout(limit)),
        }
    }

    async fn run(&self, message: Message, run: &mut Run) -> Result<String, Error> {
        let read = move || Ok(Request::parse(message.to_text().map_err(|_| Error::NotUtf8)?)?);
        let request = if run.bytes < SMALL { read()? } else { self.off_thread(read).await? };
        run.parsed();
        match request {
            Request::Pipelines(object) => {
                run.form = "pipelines";
                self.pipelines(&object, run).await
            }
            Request::Image { model, object } => {
                run.form = "image";
                run.model = Some(model.clone());
                self.image(&model, &object, run).await
            }
            Request::Tensors { model, inputs } => {
                run.form = "tensors";
                run.model = Some(model.clone());
                self.tensors(&model, inputs, run).await
            }
        }
    }

    /// Work for a processor, where it does not hold up the sockets.
    async fn off_thread<T, F>(&self, work: F) -> Result<T, Error>
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

impl Protocol for V0 {
    async fn answer(&self, id: RequestId, message: Message) -> Message {
        let mut run = Run::new(message.len());
        let answer = self.try_answer(message, &mut run).await;
        run.log(id, answer.as_ref().map(String::len));
        Message::text(answer.unwrap_or_else(|e| wire::error(&e.to_string())))
    }
}

/// Microseconds, for logs.
fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
