//! An async client for the gateway. [`v1::Client`] speaks protocol v1: many requests at once, over connections that mend
//! themselves. [`Client`] speaks protocol v0, as the first clients do: one connection, answers in the order of the requests.
//!
//! ```no_run
//! # async fn classify() -> Result<(), tritondeploy_client::v1::Error> {
//! use tritondeploy_client::v1::{Client, Request};
//!
//! let client = Client::connect("ws://localhost:8080/").await?;
//! let reply = client.ask(Request::object("images/cat.jpg").top(5)).await?;
//! # Ok(()) }
//! ```

mod socket;
pub mod v1;

use std::time::Duration;

use futures::{SinkExt, StreamExt};
pub use socket::address_without_secrets;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
pub use tritondeploy_wire::v0::{Answer, Object, Output, Request, Tensor, Values};

/// From a request to its answer: a model's first inference may take some seconds.
const ANSWER: Duration = Duration::from_secs(60);
/// The Close handshake.
const CLOSE: Duration = Duration::from_secs(2);
/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error("{url} does not answer: {why}")]
    Connect {
        /// Where it was tried.
        url: String,
        /// The cause.
        why: String,
    },
    /// The connection was lost, or closed.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// There was no answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The gateway's own reason.
    #[error("the gateway refused it: {0}")]
    Refused(String),
    /// What came is no answer of protocol v0, or what was asked no request.
    #[error("not protocol v0: {0}")]
    Protocol(String),
}

/// A connection to a gateway.
pub struct Client {
    socket: socket::Socket,
}

impl Client {
    /// Connects to a `ws://` or `wss://` address.
    ///
    /// # Errors
    /// When nothing answers there as a WebSocket within ten seconds.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let failed = |why: String| Error::Connect { url: socket::address_without_secrets(url), why };
        Ok(Self { socket: socket::connect(url).await.map_err(|why| failed(why.into_words()))? })
    }

    /// Asks, and waits for the answer. After an error other than `Refused` the connection is of no
    /// further use.
    ///
    /// # Errors
    /// The gateway's refusal, or why no answer came.
    pub async fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        let request = request.to_json().map_err(|why| Error::Protocol(why.to_string()))?;
        let asked = async {
            self.socket.send(Message::text(request)).await.map_err(|why| Error::Lost(why.to_string()))?;
            self.next().await
        };
        let answer = timeout(ANSWER, asked).await.map_err(|_| Error::TimedOut(ANSWER))??;
        match Answer::parse(&answer).map_err(|why| Error::Protocol(why.to_string()))? {
            Answer::Error(why) => Err(Error::Refused(why)),
            answer => Ok(answer),
        }
    }

    async fn next(&mut self) -> Result<String, Error> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    let why = socket::closed(frame.as_ref());
                    return Err(Error::Lost(why));
                }
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err(Error::Lost(why.to_string())),
                None => return Err(Error::Lost("closed without a word".to_owned())),
            }
        }
    }

    /// Says goodbye, and waits a moment for the gateway's.
    pub async fn close(mut self) {
        let closing = async {
            if self.socket.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        let _ = timeout(CLOSE, closing).await;
    }
}
