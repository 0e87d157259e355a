//! gRPC's unary calls, as HTTP/2 carries them: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::header::{CONTENT_TYPE, TE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use prost::Message;
use tonic::{Code, Status};

use super::channel::Channel;

/// In front of every message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Memory that a claimed length gets before any of it has come.
const BELIEVED: usize = 8 << 20;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A request of Triton's service.
pub(super) trait Call: Message {
    const PATH: &'static str;
    type Answer: Message + Default;
}

/// A client; clones share the connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    channel: Channel,
    /// The longest message either way.
    longest: usize,
}

impl Client {
    pub(super) fn new(channel: Channel, longest: usize) -> Self {
        Self { channel, longest }
    }

    /// Asks, and waits for the answer however long it takes. Dropping the future cancels the request at Triton.
    ///
    /// # Errors
    /// What Triton says; or, with a source, what happened on the way, and nobody knows what became of the request.
    pub(super) async fn call<C: Call>(&self, call: &C) -> Result<C::Answer, Status> {
        self.unary(call, None).await
    }

    /// Asks as [`Client::call`] does; Triton gives up after so long.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    pub(super) async fn call_within<C: Call>(&self, call: &C, limit: Duration) -> Result<C::Answer, Status> {
        self.unary(call, Some(limit)).await
    }

    async fn unary<C: Call>(&self, call: &C, limit: Option<Duration>) -> Result<C::Answer, Status> {
        let message = self.written(call)?;
        let request = self.request(C::PATH, limit)?;
        let (mut sender, _busy) = self.channel.open().await.map_err(lost)?;
        let (answer, mut body) = sender.send_request(request, false).map_err(lost)?;
        body.send_data(message, true).map_err(lost)?;
        let (head, mut body) = answer.await.map_err(lost)?.into_parts();
        if head.status != StatusCode::OK {
            return Err(lost(Broken(format!("it answers with HTTP {}", head.status.as_u16()))));
        }
        // An answer without a message has its status right here.
        status(&head.headers).unwrap_or(Ok(()))?;
        let message = self.read(&mut body).await?;
        let trailers = body.trailers().await.map_err(lost)?;
        let ended = trailers.as_ref().and_then(status);
        ended.unwrap_or_else(|| Err(lost(Broken("its answer has no end".to_owned()))))?;
        C::Answer::decode(message).map_err(|e| lost(Broken(format!("its answer cannot be read: {e}"))))
    }

    fn written(&self, call: &impl Message) -> Result<Bytes, Status> {
        let length = call.encoded_len();
        let (Ok(prefix), true) = (u32::try_from(length), length <= self.longest) else {
            return Err(Status::out_of_range(format!("a message of {length} bytes; {} are allowed", self.longest)));
        };
        let mut message = BytesMut::with_capacity(PREFIX + length);
        message.put_u8(0);
        message.put_u32(prefix);
        call.encode_raw(&mut message);
        Ok(message.freeze())
    }

    fn request(&self, path: &'static str, limit: Option<Duration>) -> Result<Request<()>, Status> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.channel.authority().clone());
        uri.path_and_query = Some(PathAndQuery::from_static(path));
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_parts(uri).map_err(|e| Status::internal(e.to_string()))?;
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if let Some(mut limit) = limit.and_then(|limit| HeaderValue::try_from(timeout(limit)).ok()) {
            // Another one each time: not worth a place among those that HTTP/2 remembers.
            limit.set_sensitive(true);
            headers.insert(TIMEOUT, limit);
        }
        Ok(request)
    }

    /// The one message of an answer; empty where there is none, which its status explains.
    async fn read(&self, body: &mut RecvStream) -> Result<Bytes, Status> {
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(piece) = body.data().await {
            let piece = piece.map_err(lost)?;
            body.flow_control().release_capacity(piece.len()).map_err(lost)?;
            if first.is_empty() && all.is_empty() {
                first = piece;
                continue;
            }
            if all.is_empty() {
                all.reserve(PREFIX.max(claimed(&first)).min(BELIEVED) + PREFIX);
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&piece);
            if all.len() > self.longest + PREFIX {
                return Err(Status::out_of_range(format!("an answer of more than {} bytes", self.longest)));
            }
        }
        let mut message = if all.is_empty() { first } else { all.freeze() };
        if message.is_empty() {
            return Ok(message);
        }
        if message.len() < PREFIX || message[0] != 0 || claimed(&message) != message.len() - PREFIX {
            return Err(lost(Broken("its answer is no message of gRPC".to_owned())));
        }
        message.advance(PREFIX);
        Ok(message)
    }
}

/// The length that a message's prefix says.
fn claimed(message: &[u8]) -> usize {
    message.get(1..PREFIX).and_then(|length| length.try_into().ok()).map_or(0, |length| u32::from_be_bytes(length) as usize)
}

/// How a call ended, where these headers say it.
fn status(headers: &HeaderMap) -> Option<Result<(), Status>> {
    match headers.get(Status::GRPC_STATUS)?.as_bytes() {
        b"0" => Some(Ok(())),
        _ => Status::from_header_map(headers).map(Err),
    }
}

/// At most eight digits, and a unit.
fn timeout(limit: Duration) -> String {
    match limit.as_micros() {
        micros @ ..=99_999_999 => format!("{micros}u"),
        _ => format!("{}m", limit.as_millis().min(99_999_999)),
    }
}

/// What Triton answered, and is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(String);

/// What happened to a request on its way.
fn lost(why: impl Error + Send + Sync + 'static) -> Status {
    let mut status = Status::new(Code::Unknown, why.to_string());
    status.set_source(Arc::new(why));
    status
}
