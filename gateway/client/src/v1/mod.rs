//! Protocol v1: many requests at once, over connections that mend themselves.

mod connection;
mod error;
mod reconnector;
mod request;
mod requests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use tritondeploy_wire::v1::Greeting;

pub use error::Error;
pub use request::{Reply, Request};
pub use tritondeploy_wire::v1::{Class, Code, Failure, ModelResult, Outcome, Quality, Timings};

use self::reconnector::{Command, Reconnector, TRIES};
use self::requests::Asked;

/// A request over this goes on the second connection, where small ones do not wait behind it.
const BULK: usize = 256 << 10;

/// Before a refused request is asked again, where the gateway does not say; doubled each time.
const PAUSE: Duration = Duration::from_millis(5);

/// The longest of these.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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
        let quick = Reconnector::start(url, Some(first));
        // Its connection is made with the first bulky request.
        let bulk = Reconnector::start(url, None);
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
        let (mut refusals, mut pause) = (0, PAUSE);
        loop {
            let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
            // A copy shares the payload.
            let answer = self.try_ask(id, request.clone(), until).await;
            let Err(Error::Refused(failure)) = &answer else {
                return answer.map_err(|e| if matches!(e, Error::TimedOut(_)) { Error::TimedOut(time) } else { e });
            };
            refusals += 1;
            // Refused by the connection and not by who answers: another one, or the same in a moment, takes it.
            let is_of_connection = matches!(failure.code, Code::Draining | Code::FlowControl);
            let again = failure.retryable && (!once || is_of_connection && refusals < TRIES);
            let wait = failure.retry_after_ms.map_or(pause, Duration::from_millis).max(pause / 2);
            // Not all at the same moment: each waits a little longer than its neighbour.
            let wait = wait + wait.mul_f64((id % 16) as f64 / 16.0);
            if !again || Instant::now() + wait >= until {
                return answer;
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_ask(&self, id: u64, request: Request, until: Instant) -> Result<Reply, Error> {
        let message = request.encode(id)?;
        // The gateway would close the connection, with all else that is asked on it.
        let most = self.shared.greeting.limits.message_bytes;
        if message.len() as u64 > most {
            let why = format!("the request has {} bytes; the gateway takes {most}", message.len());
            return Err(Error::Refused(Failure::new(Code::TooLarge, why)));
        }
        let header = if message.is_text() { message.len() } else { 0 };
        if let Some(most) = self.shared.greeting.limits.header_bytes.filter(|most| header as u64 > *most) {
            let why = format!("the request, which has no parts, has {header} bytes; the gateway takes {most}");
            return Err(Error::Refused(Failure::new(Code::TooLarge, why)));
        }
        let line = if message.len() > BULK { &self.shared.bulk } else { &self.shared.quick };
        let (answer, answered) = oneshot::channel();
        let gone = || Error::Protocol("the client's own task ended".to_owned());
        line.send(Command::Ask(Asked { id, message, tries: 0, answer })).map_err(|_| gone())?;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures::SinkExt;
    use tokio::net::TcpListener;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response};

    use super::*;

    const HELLO: &str = r#"{"type":"hello","protocol":"triton-ws.v1","server":"test","features":[],"models":[],"pipelines":[],
        "window":{"requests":9,"bytes":999},"limits":{"message_bytes":999,"object_bytes":1,"pixels":1,"deadline_ms":1}}"#;

    const RESULT: &str = r#"{"type":"result","results":[],
        "timings":{"fetch":0,"decode":0,"prepare":0,"queue":0,"infer":0,"encode":0,"total":0},"id":"#;

    /// Here because only here the client's patience is short enough for a test.
    #[tokio::test]
    async fn a_connection_on_which_nothing_is_heard_any_more_is_left_and_one_that_pongs_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicU32::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            #[allow(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
            let agree = |_: &Upgrade, mut response: Response| {
                response.headers_mut().insert("sec-websocket-protocol", "triton-ws.v1".parse().unwrap());
                Ok(response)
            };
            let mut silent = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut socket = tokio_tungstenite::accept_hdr_async(stream, agree).await.unwrap();
                socket.send(Message::text(HELLO)).await.unwrap();
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    silent.push(socket);
                    continue;
                }
                // Reading answers pings.
                let reads = async { while let Some(Ok(_)) = socket.next().await {} };
                assert!(tokio::time::timeout(Duration::from_secs(1), reads).await.is_err(), "it is still asked for");
                socket.send(Message::text(format!("{RESULT}1}}"))).await.unwrap();
                while let Some(Ok(_)) = socket.next().await {}
            }
        });
        let client = Client::connect(&url).await.unwrap();
        let begun = Instant::now();
        client.ask(Request::object("a")).await.unwrap();
        assert!(begun.elapsed() > Duration::from_millis(1400), "{:?}", begun.elapsed());
        assert_eq!(connections.load(Ordering::SeqCst), 2);
    }
}
