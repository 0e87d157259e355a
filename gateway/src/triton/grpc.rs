//! gRPC's unary calls, as HTTP/2 carries them: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::header::{CONTENT_TYPE, TE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use prost::{Message, encoding};
use tonic::{Code, Status};

use super::channel::Channel;
use super::pieces::Pieces;
use super::proto::{ModelInferRequest, ModelInferResponse};

/// In front of every message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// How often is asked, in all, what was on a connection that our own side gives up. Triton 2.51 may answer a call twice that
/// was cancelled before all of it was sent; HTTP/2 allows no second answer, and what else is on the connection goes with it.
pub(super) const TRIES: u32 = 3;

/// The field `raw_input_contents` of a ModelInferRequest. Fields may come in any order, so it can be written last.
const CONTENTS: u32 = 7;

/// Memory that a claimed length gets before any of it has come.
const BELIEVED: usize = 8 << 20;

/// Contents up to this are copied behind what stands before them: it takes less than a piece of their own.
const SHORT: usize = 4 << 10;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A request of Triton's service.
pub(super) trait Call: Message {
    const PATH: &'static str;
    type Answer: Message + Default;
}

/// Messages from this length on have a connection of their own: short ones do not wait behind them, and a cancel in the
/// middle of one, which may cost the connection, costs no short one.
const BULK: usize = 2 << 20;

/// A client; clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct Client {
    channel: Channel,
    bulk: Channel,
    /// The longest message either way.
    longest: usize,
}

impl Client {
    pub(super) fn new(channel: Channel, bulk: Channel, longest: usize) -> Self {
        Self { channel, bulk, longest }
    }

    /// Asks, and waits for the answer however long it takes. Dropping the future cancels the request at Triton.
    ///
    /// # Errors
    /// What Triton says; or, with a source, what happened on the way, and nobody knows what became of the request.
    pub(super) async fn call<C: Call>(&self, call: &C) -> Result<C::Answer, Status> {
        self.unary(call, &[], None).await
    }

    /// Asks as [`Client::call`] does, and again where our own side gives the connection up: what may be asked twice.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    pub(super) async fn call_again<C: Call>(&self, call: &C) -> Result<C::Answer, Status> {
        for _ in 1..TRIES {
            match self.call(call).await {
                Err(status) if super::Error::is_given_up(&status) => {}
                answer => return answer,
            }
        }
        self.call(call).await
    }

    /// Asks as [`Client::call`] does; Triton gives up after so long. `contents` are the message's own, and are not copied.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    pub(super) async fn infer(
        &self,
        call: &ModelInferRequest,
        contents: &[Bytes],
        limit: Duration,
    ) -> Result<ModelInferResponse, Status> {
        self.unary(call, contents, Some(limit)).await
    }

    async fn unary<C: Call>(&self, call: &C, contents: &[Bytes], limit: Option<Duration>) -> Result<C::Answer, Status> {
        let message = self.written(call, contents)?;
        let request = self.request(C::PATH, limit)?;
        let channel = if message.remaining() < BULK { &self.channel } else { &self.bulk };
        let (mut sender, _busy) = channel.open().await.map_err(lost)?;
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

    /// A message whose `contents` are its elements of [`CONTENTS`].
    fn written(&self, call: &impl Message, contents: &[Bytes]) -> Result<Pieces, Status> {
        let behind = |bytes: &Bytes| encoding::encoded_len_varint(bytes.len() as u64) + bytes.len();
        let keys = encoding::key_len(CONTENTS) * contents.len();
        let length = call.encoded_len() + keys + contents.iter().map(behind).sum::<usize>();
        let (Ok(prefix), true) = (u32::try_from(length), length <= self.longest) else {
            return Err(Status::out_of_range(format!("a message of {length} bytes; {} are allowed", self.longest)));
        };
        let mut pieces = Pieces::default();
        let mut head = BytesMut::with_capacity(PREFIX + call.encoded_len() + keys);
        head.put_u8(0);
        head.put_u32(prefix);
        call.encode_raw(&mut head);
        for bytes in contents {
            encoding::encode_key(CONTENTS, encoding::WireType::LengthDelimited, &mut head);
            encoding::encode_varint(bytes.len() as u64, &mut head);
            if bytes.len() <= SHORT {
                head.extend_from_slice(bytes);
            } else {
                pieces.push(head.split().freeze());
                pieces.push(bytes.clone());
            }
        }
        pieces.push(head.freeze());
        Ok(pieces)
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
                all.reserve(PREFIX + claimed(&first).min(BELIEVED));
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

#[cfg(test)]
mod tests {
    use h2::server::{self, SendResponse};
    use http::Response;
    use tokio::net::{TcpListener, TcpStream};

    use super::super::Error as Sorted;
    use super::super::proto::{ServerMetadataRequest, ServerMetadataResponse};
    use super::super::{Config, Transport, Triton};
    use super::*;

    type Respond = SendResponse<Bytes>;

    /// Of whoever is there.
    fn client(url: &str, longest: usize) -> Client {
        let channel = || Channel::new(url, Duration::from_secs(2)).unwrap();
        Client::new(channel(), channel(), longest)
    }

    /// A server that answers each call with what `answer` makes of it, and a client of it. A connection ends after so many.
    async fn served(calls: usize, answer: impl Fn(Bytes, Respond) + Send + 'static) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let mut connection = server::handshake(listener.accept().await.unwrap().0).await.unwrap();
                for _ in 0..calls {
                    let Some(Ok((mut request, respond))) = connection.accept().await else { break };
                    // The connection moves only while it is polled.
                    let body = async { request.body_mut().data().await.unwrap().unwrap() };
                    let body = tokio::select! {
                        body = body => body,
                        _ = std::future::poll_fn(|cx| connection.poll_closed(cx)) => break,
                    };
                    assert_eq!(request.uri().path(), "/inference.GRPCInferenceService/ServerMetadata");
                    answer(body, respond);
                }
                connection.graceful_shutdown();
                while connection.accept().await.is_some() {}
            }
        });
        client(&url, 1 << 20)
    }

    fn named(name: &str) -> ServerMetadataResponse {
        ServerMetadataResponse { name: name.to_owned(), ..ServerMetadataResponse::default() }
    }

    fn message(answer: &impl Message) -> Vec<u8> {
        let body = answer.encode_to_vec();
        [&[0][..], &(body.len() as u32).to_be_bytes(), &body].concat()
    }

    fn trailers(status: &'static str, message: &'static str) -> HeaderMap {
        let pairs = [("grpc-status", status), ("grpc-message", message)];
        pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).into_iter().collect()
    }

    /// Sends a body in pieces of so many bytes, and how it ended.
    fn send(mut respond: Respond, body: &[u8], piece: usize, end: HeaderMap) {
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        for piece in body.chunks(piece) {
            stream.send_data(Bytes::copy_from_slice(piece), false).unwrap();
        }
        stream.send_trailers(end).unwrap();
    }

    async fn ask(client: &Client) -> Result<String, Status> {
        client.call(&ServerMetadataRequest {}).await.map(|answer| answer.name)
    }

    #[tokio::test]
    async fn an_answer_comes_whole_however_it_is_cut_and_after_the_connection_ended_by_another() {
        let name = "n".repeat(3000);
        for piece in [1, 4, 5, 6, 1000, 4000] {
            let body = message(&named(&name));
            let client = served(2, move |_, respond| send(respond, &body, piece, trailers("0", ""))).await;
            for _ in 0..5 {
                assert_eq!(ask(&client).await.unwrap(), name, "pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_on_a_connection_that_our_side_gives_up_is_asked_again_on_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let grpc = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let first = listener.accept().await.unwrap().0.into_std().unwrap();
            let mut aside = first.try_clone().unwrap();
            let mut connection = server::handshake(TcpStream::from_std(first).unwrap()).await.unwrap();
            let _asked = connection.accept().await.unwrap().unwrap();
            // DATA of a stream that nobody opened.
            std::io::Write::write_all(&mut aside, b"\0\0\0\0\0\0\0\0\x63").unwrap();
            let mut second: server::Connection<_, Bytes> = server::handshake(listener.accept().await.unwrap().0).await.unwrap();
            let (_asked, respond) = second.accept().await.unwrap().unwrap();
            let answer = ModelInferResponse { model_version: "again".to_owned(), ..ModelInferResponse::default() };
            send(respond, &message(&answer), 100, trailers("0", ""));
            while second.accept().await.is_some() {}
        });
        let triton = Triton::connect(&Config { grpc, transport: Transport::Inline, ..Config::default() }).unwrap();
        assert_eq!(triton.infer("any", Vec::new()).await.unwrap().version, "again");
    }

    #[tokio::test]
    async fn what_triton_gives_up_by_its_own_clock_is_told_as_our_clock_would_tell_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let grpc = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut connection = server::handshake(listener.accept().await.unwrap().0).await.unwrap();
            while let Some(Ok((_asked, respond))) = connection.accept().await {
                send(respond, &[], 1, trailers("4", "Deadline Exceeded"));
            }
        });
        let triton = Triton::connect(&Config { grpc, transport: Transport::Inline, ..Config::default() }).unwrap();
        let deadline = Some(std::time::Instant::now() + Duration::from_secs(20));
        let options = super::super::Options { deadline, ..super::super::Options::default() };
        assert_eq!(triton.infer_with("any", Vec::new(), &options).await.unwrap_err(), Sorted::Deadline);
        assert!(matches!(triton.infer("any", Vec::new()).await, Err(Sorted::Timeout(_))));
    }

    #[tokio::test]
    async fn what_triton_says_is_final_and_what_happens_on_the_way_is_not() {
        let client = served(9, |_, respond| send(respond, &[], 1, trailers("5", "there%20is none"))).await;
        let status = ask(&client).await.unwrap_err();
        assert!(Sorted::is_final(&status));
        assert_eq!(Sorted::of(&status), Sorted::NoModel("there is none".to_owned()));

        let only_headers = |_, mut respond: Respond| {
            let mut head = Response::new(());
            *head.headers_mut() = trailers("14", "not now");
            respond.send_response(head, true).unwrap();
        };
        assert_eq!(Sorted::of(&ask(&served(9, only_headers).await).await.unwrap_err()), Sorted::Busy("not now".to_owned()));

        let broken: [(&str, Vec<u8>, HeaderMap); 4] = [
            ("no message", b"\0\0".to_vec(), trailers("0", "")),
            ("a longer one was said", b"\0\0\0\0\x09abc".to_vec(), trailers("0", "")),
            ("compressed", b"\x01\0\0\0\0".to_vec(), trailers("0", "")),
            ("no end", message(&named("n")), HeaderMap::new()),
        ];
        for (what, body, end) in broken {
            let client = served(9, move |_, respond| send(respond, &body, 100, end.clone())).await;
            let status = ask(&client).await.unwrap_err();
            assert!(!Sorted::is_final(&status), "{what}: {status}");
            assert!(matches!(Sorted::of(&status), Sorted::Unreachable(_)), "{what}: {status}");
        }

        let reset = |_, mut respond: Respond| respond.send_reset(h2::Reason::INTERNAL_ERROR);
        let status = ask(&served(9, reset).await).await.unwrap_err();
        assert!(!Sorted::is_final(&status), "{status}");
    }

    #[tokio::test]
    async fn messages_that_are_too_long_are_refused() {
        let body = message(&named(&"n".repeat(2 << 20)));
        let client = served(9, move |_, respond| send(respond, &body, 16 << 10, trailers("0", ""))).await;
        assert_eq!(ask(&client).await.unwrap_err().code(), Code::OutOfRange);
        let long = super::super::proto::ModelMetadataRequest { name: "n".repeat(2 << 20), version: String::new() };
        assert_eq!(client.call(&long).await.unwrap_err().code(), Code::OutOfRange);
    }

    #[tokio::test]
    async fn a_long_message_has_a_connection_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&format!("http://{}", listener.local_addr().unwrap()), BULK * 2);
        let both = async {
            let (_first, _second) = (listener.accept().await.unwrap(), listener.accept().await.unwrap());
        };
        let long = [vec![0; BULK].into()];
        let call = ModelInferRequest::default();
        tokio::select! {
            met = tokio::time::timeout(Duration::from_secs(20), both) => met.unwrap(),
            _ = client.infer(&call, &long, Duration::from_secs(60)) => panic!("nobody answers"),
            _ = ask(&client) => panic!("nobody answers"),
        }
    }

    #[tokio::test]
    async fn contents_are_sent_from_where_they_lie() {
        let client = client("http://127.0.0.1:1", 1 << 20);
        let contents: Vec<Bytes> = [0, 1, SHORT, SHORT + 1, 200_000, 3].map(|len| vec![len as u8; len].into()).into();
        let call = ModelInferRequest { model_name: "m".to_owned(), ..ModelInferRequest::default() };
        let mut pieces = client.written(&call, &contents).unwrap();
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let count = pieces.chunks_vectored(&mut slices);
        let is_there = |bytes: &Bytes| slices[..count].iter().any(|slice| slice.as_ptr() == bytes.as_ptr());
        assert_eq!(contents.iter().map(is_there).collect::<Vec<_>>(), [false, false, false, true, true, false]);
        let whole = pieces.copy_to_bytes(pieces.remaining());
        assert_eq!(claimed(&whole), whole.len() - PREFIX);
        let read = ModelInferRequest::decode(&whole[PREFIX..]).unwrap();
        assert_eq!(read, ModelInferRequest { raw_input_contents: contents.clone(), ..call.clone() });
        let most = Client { longest: whole.len() - PREFIX, ..client };
        assert!(most.written(&call, &contents).is_ok());
        assert!(Client { longest: most.longest - 1, ..most }.written(&call, &contents).is_err());
    }

    #[tokio::test]
    async fn nobody_there_is_told_by_its_cause_and_found_once_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = client(&format!("http://{address}"), 1 << 20);
        for _ in 0..2 {
            let error = Sorted::of(&ask(&client).await.unwrap_err());
            assert!(matches!(&error, Sorted::Unreachable(why) if why.contains("refused")), "{error}");
        }
        assert!(["", "127.0.0.1:1", "https://a:1", "http://"].iter().all(|url| Channel::new(url, Duration::ZERO).is_none()));
    }

    #[tokio::test]
    async fn a_dropped_call_is_cancelled() {
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let cancelled = move |_, mut respond: Respond| {
            let told = told.clone();
            tokio::spawn(async move {
                let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
                told.send(reason).unwrap();
            });
        };
        let client = served(9, cancelled).await;
        let given_up = tokio::time::timeout(Duration::from_millis(300), ask(&client)).await;
        assert!(given_up.is_err());
        assert_eq!(heard.recv().await.unwrap().unwrap(), h2::Reason::CANCEL);
    }

    #[test]
    fn a_time_has_at_most_eight_digits() {
        let said = [1, 99_999, 100_000, u64::MAX].map(|ms| timeout(Duration::from_millis(ms)));
        assert_eq!(said, ["1000u", "99999000u", "100000m", "99999999m"]);
    }
}
