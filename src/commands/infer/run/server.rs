//! Asks a server, again where that may help, for a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tritondeploy_client::v1;
use tritondeploy_wire::v1::Greeting;

use super::super::results::record::{Answer, Failure};
use super::pace::{Pace, Turn};
use super::v0::{Meaning, V0};
use super::v1::V1;
use crate::cli::{Concurrency, Protocol};
use crate::error::Error;

/// For so long an item is asked for again: as long as a gateway or a Triton takes to restart with its models loaded.
const PATIENCE: Duration = Duration::from_secs(120);

/// Before the second try, where the server does not say; doubled each time.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest of these.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Connections of protocol v0 at once: 4 requests run on each, and each has one of ours.
const V0_CONNECTIONS: u32 = 16;

/// What is asked of whom.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The WebSocket.
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    /// Empty: the pipeline.
    pub(crate) models: Vec<String>,
    /// Classes kept.
    pub(crate) top: u16,
    pub(crate) concurrency: Concurrency,
    /// The deployment's bucket, where it is known.
    pub(crate) bucket: Option<String>,
    /// What protocol v0 does not tell of the models.
    pub(crate) meanings: Vec<Meaning>,
}

/// What to look at.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// The gateway reads it.
    Object { bucket: String, key: String },
    /// An encoded image.
    Image(Bytes),
    /// Rows of red, green and blue bytes: `3 * width * height` of them.
    Rgb8 { width: u32, height: u32, pixels: Bytes },
}

/// Why a try has no answer.
pub(super) struct Refusal {
    pub(super) error: Failure,
    pub(super) retry_after_ms: Option<u64>,
    /// The server has too much.
    pub(super) is_overload: bool,
    /// The server said nothing at all.
    pub(super) is_silence: bool,
}

/// A server; clones share its connections and its pace.
#[derive(Clone)]
pub(crate) struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    protocol: Spoken,
    question: Question,
    pace: Arc<Pace>,
    cancel: CancellationToken,
    begun: Instant,
    /// Milliseconds since `begun` of the last sign of life.
    heard: AtomicU64,
}

enum Spoken {
    V0(V0),
    V1(V1),
}

impl Server {
    /// Connects. `cancel` stops what is asked later.
    ///
    /// # Errors
    /// The client's own, where nothing at the address speaks the protocol: `next` is what to do about it.
    pub(crate) async fn connect(question: Question, cancel: CancellationToken, next: &str) -> Result<Self, Error> {
        let (protocol, most) = match question.protocol {
            Protocol::V1 => {
                let connected = V1::connect(question.clone()).await.map_err(|why| match why {
                    v1::Error::Unspoken { .. } => {
                        let next = "ask with --protocol v0, or bring the deployment up to date with `tritondeploy up`";
                        Error::failed(format!("the gateway is older than this tritondeploy: {why}"), next)
                    }
                    why => Error::failed(why.to_string(), next),
                })?;
                let most = connected.client().greeting().window.requests;
                (Spoken::V1(connected), most)
            }
            Protocol::V0 => {
                let connected = V0::connect(question.clone()).await;
                (Spoken::V0(connected.map_err(|why| Error::failed(why.to_string(), next))?), V0_CONNECTIONS)
            }
        };
        let pace = Arc::new(Pace::new(question.concurrency, most));
        let shared = Shared { protocol, question, pace, cancel, begun: Instant::now(), heard: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What protocol v1 told when we connected.
    pub(crate) fn greeting(&self) -> Option<&Greeting> {
        match &self.shared.protocol {
            Spoken::V1(v1) => Some(v1.client().greeting()),
            Spoken::V0(_) => None,
        }
    }

    /// The aliases of the answers, in their order.
    pub(crate) fn aliases(&self) -> Vec<String> {
        let Question { models, meanings, .. } = &self.shared.question;
        let pipelines = self.greeting().map(|greeting| greeting.pipelines.as_slice());
        let known: Vec<(&str, &str)> = match pipelines {
            Some(pipelines) => {
                let default = pipelines.iter().filter(|pipeline| !models.is_empty() || pipeline.name == "default");
                default.flat_map(|pipeline| &pipeline.models).map(|model| (&*model.alias, &*model.model)).collect()
            }
            None => meanings
                .iter()
                .filter(|known| known.is_in_pipeline || !models.is_empty())
                .map(|known| (&*known.alias, &*known.model))
                .collect(),
        };
        if models.is_empty() {
            return known.iter().map(|(alias, _)| (*alias).to_owned()).collect();
        }
        let named =
            |asked: &String| known.iter().find(|(alias, model)| asked == alias || asked == model).map(|(alias, _)| *alias);
        models.iter().map(|asked| named(asked).unwrap_or(asked).to_owned()).collect()
    }

    /// The largest message that the server takes, in bytes, and what stands before an image in it.
    pub(crate) fn largest_image(&self) -> u64 {
        const HEADER: u64 = 4 << 10;
        self.greeting().map_or(u64::MAX, |greeting| greeting.limits.message_bytes.saturating_sub(HEADER))
    }

    /// Requests at once, just now.
    pub(crate) fn at_once(&self) -> usize {
        self.shared.pace.limit()
    }

    /// Waits until one more request may run.
    pub(crate) async fn turn(&self) -> Turn {
        self.shared.pace.turn().await
    }

    /// For how long the server has said nothing at all.
    pub(crate) fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.shared.heard.load(Ordering::Relaxed));
        self.shared.begun.elapsed().saturating_sub(heard)
    }

    /// Asks, and again while that may help: not longer than two minutes. None: it was stopped.
    pub(crate) async fn ask(&self, payload: &Payload, thumbnail: Option<u32>) -> Option<Answer> {
        let asked = self.ask_until(payload, thumbnail);
        tokio::select! {
            // What came is kept.
            biased;
            answer = asked => Some(answer),
            () = self.shared.cancel.cancelled() => None,
        }
    }

    async fn ask_until(&self, payload: &Payload, thumbnail: Option<u32>) -> Answer {
        let begun = Instant::now();
        let mut pause = PAUSE;
        loop {
            let answer = match &self.shared.protocol {
                Spoken::V1(v1) => v1.ask(payload, thumbnail).await,
                Spoken::V0(v0) => v0.ask(payload).await,
            };
            let refusal = match answer {
                Ok(answer) => {
                    self.heard();
                    // A model that is not there just now is there in a moment.
                    if answer.is_final() || begun.elapsed() + pause >= PATIENCE {
                        self.shared.pace.answered();
                        return Answer { seconds: begun.elapsed().as_secs_f64(), ..answer };
                    }
                    None
                }
                Err(refusal) => Some(refusal),
            };
            let mut wait = pause;
            if let Some(refusal) = refusal {
                if !refusal.is_silence {
                    self.heard();
                }
                match refusal.is_overload {
                    true => self.shared.pace.overloaded(),
                    false if !refusal.is_silence => self.shared.pace.answered(),
                    false => {}
                }
                wait = refusal.retry_after_ms.map_or(pause, |ms| Duration::from_millis(ms).max(PAUSE / 4));
                if !refusal.error.retryable || begun.elapsed() + wait >= PATIENCE {
                    return Answer::failed(refusal.error, begun.elapsed().as_secs_f64());
                }
            }
            // Not all at the same moment.
            sleep(wait + wait.mul_f64(fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn heard(&self) {
        let now = u64::try_from(self.shared.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.heard.fetch_max(now, Ordering::Relaxed);
    }
}
