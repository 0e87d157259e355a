//! Asks a server, again where that may help, for a bounded time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    /// Something answers, and does not speak the protocol.
    #[error("{0}")]
    UnsupportedSubprotocol(String),
    #[error("{0}")]
    Otherwise(String),
}

/// Why a try has no answer.
pub(super) struct Refusal {
    pub(super) error: Failure,
    pub(super) retry_after_ms: Option<u64>,
    /// The server has too much.
    pub(super) is_overload: bool,
    /// The server said nothing at all.
    pub(super) is_silence: bool,
    /// It is not asked more often, though it may be worth it later.
    pub(super) tries: u32,
}

/// As often as there is time for.
pub(super) const ANY: u32 = u32::MAX;

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
    /// Models that have no answer for now, and since when.
    down: Mutex<HashMap<String, Instant>>,
}

enum Spoken {
    V0(V0),
    V1(V1),
}

impl Server {
    /// Connects. `cancel` stops what is asked later.
    ///
    /// # Errors
    /// Nothing at the address speaks the protocol.
    pub(crate) async fn connect(question: Question, cancel: CancellationToken) -> Result<Self, Unreached> {
        let (protocol, most) = match question.protocol {
            Protocol::V1 => {
                let connected = V1::connect(question.clone()).await.map_err(|why| match why {
                    v1::Error::UnsupportedSubprotocol { .. } => Unreached::UnsupportedSubprotocol(why.to_string()),
                    why => Unreached::Otherwise(why.to_string()),
                })?;
                let most = connected.client().greeting().window.requests;
                (Spoken::V1(connected), most)
            }
            Protocol::V0 => {
                let connected = V0::connect(question.clone()).await;
                (Spoken::V0(connected.map_err(|why| Unreached::Otherwise(why.to_string()))?), V0_CONNECTIONS)
            }
        };
        let pace = Arc::new(Pace::new(question.concurrency, most));
        let shared =
            Shared { protocol, question, pace, cancel, begun: Instant::now(), heard: AtomicU64::new(0), down: Mutex::default() };
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

    /// For how long the server has said nothing at all, while it owes an answer.
    pub(crate) fn owes_for(&self) -> Duration {
        if self.shared.pace.running() == 0 { Duration::ZERO } else { self.silent_for() }
    }

    /// For how long the server has said nothing at all.
    pub(crate) fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.shared.heard.load(Ordering::Relaxed));
        self.shared.begun.elapsed().saturating_sub(heard)
    }

    /// Asks, and again while that may help: not longer than two minutes. None: it was stopped.
    pub(crate) async fn ask(&self, payload: &Payload, thumbnail: Option<u32>) -> Option<Answer> {
        let partial = Mutex::new(None);
        let asked = self.ask_until(payload, thumbnail, &partial);
        tokio::select! {
            // What came is kept.
            biased;
            answer = asked => return Some(answer),
            () = self.shared.cancel.cancelled() => {}
        }
        partial.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// `partial`: the last answer that some models gave while others are asked again.
    async fn ask_until(&self, payload: &Payload, thumbnail: Option<u32>, partial: &Mutex<Option<Answer>>) -> Answer {
        let begun = Instant::now();
        let (mut pause, mut tries) = (PAUSE, 0);
        loop {
            tries += 1;
            let answer = match &self.shared.protocol {
                Spoken::V1(v1) => v1.ask(payload, thumbnail).await,
                Spoken::V0(v0) => v0.ask(payload).await,
            };
            let refusal = match answer {
                Ok(answer) => {
                    self.heard();
                    let answer = Answer { seconds: begun.elapsed().as_secs_f64(), ..answer };
                    // A model that is not there just now is there in a moment; one that has been away for long may stay so.
                    let is_down = self.is_down(&answer);
                    if answer.is_final() || is_down || begun.elapsed() + pause >= PATIENCE {
                        self.shared.pace.answered();
                        return answer;
                    }
                    *partial.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
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
                let is_last = !refusal.error.retryable || tries >= refusal.tries || begun.elapsed() + wait >= PATIENCE;
                if is_last {
                    return Answer::failed(refusal.error, begun.elapsed().as_secs_f64());
                }
            }
            // Not all at the same moment.
            sleep(wait + wait.mul_f64(fastrand::f64())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Notes which models answer, and which are away for now; whether all of those have been for as long as anything is
    /// waited for, so that each further item need not wait as long again.
    fn is_down(&self, answer: &Answer) -> bool {
        let mut down = self.shared.down.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = true;
        for outcome in &answer.results {
            match &outcome.error {
                Some(error) if error.retryable => {
                    let since = *down.entry(outcome.model.clone()).or_insert_with(Instant::now);
                    all &= since.elapsed() >= PATIENCE;
                }
                _ => drop(down.remove(&outcome.model)),
            }
        }
        all && !answer.is_final()
    }

    fn heard(&self) {
        let now = u64::try_from(self.shared.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.heard.fetch_max(now, Ordering::Relaxed);
    }
}
