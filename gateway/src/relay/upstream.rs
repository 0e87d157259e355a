//! Triton's side: one request over a connection of its own, of which a client decides nothing but which it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::route::Asked;
use crate::server::handshake::Answer;

/// Bytes of the longest answer. A model is 3 KiB of metrics, and less of everything else.
const LONGEST: usize = 4 << 20;

/// Answers that are read from Triton at once: so many connections to it, and [`LONGEST`] bytes for each. An answer keeps
/// what it takes of this until its client has read it.
const AT_ONCE: usize = 4;

/// The unit in which memory is counted.
const UNIT: usize = 1 << 10;

/// A port of Triton.
#[derive(Debug)]
pub(super) struct Upstream {
    triton: Authority,
    /// Longest time from a request to the end of Triton's answer, waiting for [`AT_ONCE`] included.
    patience: Duration,
    /// Memory for answers, in [`UNIT`]s.
    memory: Arc<Semaphore>,
}

/// Bytes that are counted until they are dropped.
struct Counted {
    bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Upstream {
    pub(super) fn new(triton: Authority, patience: Duration) -> Self {
        Self { triton, patience, memory: Arc::new(Semaphore::new(AT_ONCE * LONGEST / UNIT)) }
    }

    /// Triton's answer: status, content type and body.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn ask(&self, asked: Asked) -> Result<Answer, String> {
        let patience = self.patience.as_secs_f64();
        let answer = timeout(self.patience, self.answer(asked)).await;
        answer.unwrap_or_else(|_| Err(format!("no whole answer within {patience} s")))
    }

    async fn answer(&self, asked: Asked) -> Result<Answer, String> {
        let most = u32::try_from(LONGEST / UNIT).unwrap_or(u32::MAX);
        let mut memory = self.memory.clone().acquire_many_owned(most).await.map_err(|e| e.to_string())?;
        let stream = TcpStream::connect(self.triton.as_str()).await.map_err(|e| e.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        // It ends with this request, however that ends.
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = self.request(asked).map_err(|e| e.to_string())?;
        let (head, body) = sender.send_request(request).await.map_err(|e| e.to_string())?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|e| match e.downcast::<LengthLimitError>() {
            Ok(_) => format!("its answer is longer than {} MiB", LONGEST >> 20),
            Err(e) => e.to_string(),
        })?;
        let bytes = body.to_bytes();
        let memory = memory.split(bytes.len().div_ceil(UNIT));
        let mut answer = Response::new(Full::new(Bytes::from_owner(Counted { bytes, _memory: memory })));
        *answer.status_mut() = head.status;
        if let Some(kind) = head.headers.get(CONTENT_TYPE) {
            answer.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        Ok(answer)
    }

    fn request(&self, asked: Asked) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder().uri(asked.path).header(HOST, self.triton.as_str()).header(CONNECTION, "close");
        if asked.method == Method::POST {
            request = request.header(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        request.method(asked.method).body(Full::default())
    }
}
