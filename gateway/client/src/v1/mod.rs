//! Protocol v1: many requests at once, over connections that mend themselves.

mod connection;
mod line;
mod request;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tritondeploy_wire::v1::{Failure, Greeting};

pub use request::{Reply, Request};
pub use tritondeploy_wire::v1::{Class, Code, ModelResult, Outcome, Quality, Timings};

use self::line::{Command, Line};

/// A request over this goes on the second connection, where small ones do not wait behind it.
const BULK: usize = 256 << 10;

/// Before a refused request is asked again, where the gateway does not say; doubled each time.
const PAUSE: Duration = Duration::from_millis(5);

/// The longest of these.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error("{url} does not answer: {why}")]
    Connect {
        /// Where it was tried.
        url: String,
        /// The cause.
        why: String,
    },
    /// The connection was lost again and again.
    #[error("the connection was lost {times} times; the last time: {why}")]
    Lost {
        /// Times that the request was sent.
        times: u32,
        /// The cause.
        why: String,
    },
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The gateway's own reason.
    #[error("{}: {}", .0.code, .0.message)]
    Refused(Failure),
    /// What was asked cannot be written, or what came is no protocol v1.
    #[error("not protocol v1: {0}")]
    Protocol(String),
}

impl Error {
    /// Whether the same request may succeed when asked again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Lost { .. } => true,
            Self::TimedOut(_) | Self::Protocol(_) => false,
            Self::Refused(failure) => failure.retryable,
        }
    }
}

/// A client of one gateway; clones share its connections. Requests run at once, as many as the gateway's window
/// allows; the others wait here. A lost connection is made again, and what was not answered on it is sent again.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    greeting: Greeting,
    next: AtomicU64,
    quick: mpsc::UnboundedSender<Command>,
    bulk: mpsc::UnboundedSender<Command>,
}

impl Client {
    /// Connects to a `ws://` or `wss://` address.
    ///
    /// # Errors
    /// When nothing there speaks protocol v1 within ten seconds.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let first = connection::open(url).await?;
        let greeting = first.greeting.clone();
        let quick = Line::start(url, Some(first));
        // Its connection is made with the first bulky request.
        let bulk = Line::start(url, None);
        Ok(Self { shared: Arc::new(Shared { greeting, next: AtomicU64::new(1), quick, bulk }) })
    }

    /// What the gateway said of itself when the client connected: models, pipelines, limits.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.shared.greeting
    }

    /// Asks, and waits for the answer. What is refused for the moment is asked again when the gateway says so, unless
    /// the request is to be asked once. Dropping the future cancels the request at the gateway.
    ///
    /// # Errors
    /// The gateway's refusal, or why no answer came.
    pub async fn ask(&self, request: Request) -> Result<Reply, Error> {
        let (time, once) = (request.time(), request.is_once());
        let until = Instant::now() + time;
        let mut pause = PAUSE;
        loop {
            let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
            // A copy shares the payload.
            let answer = self.try_ask(id, request.clone(), until).await;
            let Err(Error::Refused(failure)) = &answer else {
                return answer.map_err(|e| if matches!(e, Error::TimedOut(_)) { Error::TimedOut(time) } else { e });
            };
            let wait = failure.retry_after_ms.map_or(pause, Duration::from_millis).max(pause / 2);
            // Not all at the same moment: each waits a little longer than its neighbour.
            let wait = wait + wait.mul_f64((id % 16) as f64 / 16.0);
            if once || !failure.retryable || Instant::now() + wait >= until {
                return answer;
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_ask(&self, id: u64, request: Request, until: Instant) -> Result<Reply, Error> {
        let message = request.encode(id)?;
        let line = if message.len() > BULK { &self.shared.bulk } else { &self.shared.quick };
        let (answer, answered) = oneshot::channel();
        let gone = || Error::Protocol("the client's own task ended".to_owned());
        line.send(Command::Ask(line::Asked { id, message, tries: 0, answer })).map_err(|_| gone())?;
        let cancel = Cancel { line, id, done: false };
        match timeout_at(until, answered).await {
            Err(_) => Err(Error::TimedOut(Duration::ZERO)),
            Ok(Err(_)) => Err(gone()),
            Ok(Ok(answer)) => {
                cancel.not();
                answer
            }
        }
    }

    /// Asks for each, at most `at_once` at a time; answers come in the order of the requests.
    pub fn ask_all<I>(&self, requests: I, at_once: usize) -> impl Stream<Item = Result<Reply, Error>> + use<I>
    where
        I: IntoIterator<Item = Request>,
    {
        let client = self.clone();
        let ask = move |request| {
            let client = client.clone();
            async move { client.ask(request).await }
        };
        stream::iter(requests).map(ask).buffered(at_once)
    }
}

/// Cancels what nobody waits for any more.
struct Cancel<'l> {
    line: &'l mpsc::UnboundedSender<Command>,
    id: u64,
    done: bool,
}

impl Cancel<'_> {
    fn not(mut self) {
        self.done = true;
    }
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        if !self.done {
            // A line that is gone has nothing to cancel.
            drop(self.line.send(Command::Cancel(self.id)));
        }
    }
}
