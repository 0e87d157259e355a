//! HTTP on the port of the WebSockets: the upgrade, and the two health paths.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tritondeploy_wire::v1::SUBPROTOCOL;

use crate::triton::models::Readiness;

/// Every answer is small and whole.
pub type Answer = Response<Full<Bytes>>;

/// Only subprotocols that are not spoken here are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsupportedSubprotocol;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whether the process lives.
    Health,
    /// Whether requests can be answered.
    Ready,
    /// A WebSocket, on any path that is not reserved.
    WebSocket,
    /// Something that we do not have.
    Other,
}

/// Tells what a request wants.
pub fn wanted<B>(request: &Request<B>) -> Wanted {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    match request.uri().path() {
        "/healthz" if reads => Wanted::Health,
        "/readyz" if reads => Wanted::Ready,
        "/healthz" | "/readyz" => Wanted::Other,
        _ if request.headers().contains_key(UPGRADE) => Wanted::WebSocket,
        _ => Wanted::Other,
    }
}

/// `/healthz`.
#[must_use]
pub fn health() -> Answer {
    text(StatusCode::OK, "ok\n")
}

/// `/readyz`: 200, or 503 with what is missing.
#[must_use]
pub fn ready(readiness: &Readiness, draining: bool) -> Answer {
    let status = if readiness.ready && !draining { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = serde_json::json!({ "ready": status == StatusCode::OK, "draining": draining, "models": readiness.models });
    if let Some(why) = &readiness.triton {
        body["triton"] = why.as_str().into();
    }
    let mut answer = text(status, format!("{body}\n"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The subprotocol of an upgrade: None where the client offers none, which is protocol v0.
///
/// # Errors
/// When only others are offered: [`unspoken`] is the answer.
pub fn subprotocol<B>(request: &Request<B>) -> Result<Option<&'static str>, UnsupportedSubprotocol> {
    let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut words = offers.iter().flat_map(|offer| offer.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii).peekable();
    if words.peek().is_none() {
        return Ok(None);
    }
    if words.any(|word| word == SUBPROTOCOL.as_bytes()) {
        return Ok(Some(SUBPROTOCOL));
    }
    Err(UnsupportedSubprotocol)
}

/// What a client hears that offers only subprotocols that are not spoken here.
#[must_use]
pub fn unspoken() -> Answer {
    let why = format!("none of the offered subprotocols is spoken here; offer {SUBPROTOCOL}, or none for protocol v0\n");
    text(StatusCode::BAD_REQUEST, why)
}

/// The answer to an upgrade that we take, or why we do not. No extension is ever agreed to.
#[must_use]
pub fn upgrade<B>(request: &Request<B>, subprotocol: Option<&'static str>) -> Answer {
    // What follows the headers is frames: a body would be read as such.
    let has_body = request.headers().contains_key(TRANSFER_ENCODING)
        || request.headers().get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        return no_handshake("it has a body");
    }
    match tungstenite::handshake::server::create_response_with_body(request, Full::default) {
        Ok(mut response) => {
            if let Some(word) = subprotocol {
                response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(word));
            }
            response
        }
        Err(e) => no_handshake(&e.to_string()),
    }
}

fn no_handshake(why: &str) -> Answer {
    let mut answer = text(StatusCode::BAD_REQUEST, format!("no WebSocket handshake of RFC 6455: {why}\n"));
    answer.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
    answer
}

/// What this port is for.
#[must_use]
pub fn upgrade_required() -> Answer {
    let mut answer = text(StatusCode::UPGRADE_REQUIRED, "this port speaks WebSocket, /healthz and /readyz\n");
    answer.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer
}

/// Nothing is there.
#[must_use]
pub fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "only /healthz and /readyz are here\n")
}

/// Not now.
#[must_use]
pub fn unavailable(why: impl Into<Bytes>) -> Answer {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, why);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
