//! A connection to one address, with TLS where it is asked for, and one HTTP request over it.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::target::Target;
use crate::engine::format_duration;

/// For TCP's handshake, and as long again for that of TLS.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// From a request's first byte to its answer's last.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// The longest answer that is read: Triton's metrics have a few KiB for each model and GPU.
const LARGEST: usize = 4 << 20;

/// Bytes, in clear or not.
pub(super) trait Bidirectional: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bidirectional for S {}

/// Why nothing came of a connection or a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No packet came back.
    TimedOut(Duration),
    /// The machine is there, and nothing listens.
    Refused,
    /// It was taken, and ended without an answer.
    Closed,
    /// What came is not HTTP.
    NotHttp,
    /// More than we read.
    TooLong,
    /// Anything else, in its own words.
    Other(String),
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(time) => write!(f, "nothing within {}", format_duration(*time)),
            Self::Refused => f.write_str("connection refused"),
            Self::Closed => f.write_str("closed without an answer"),
            Self::NotHttp => f.write_str("what it answers is not HTTP"),
            Self::TooLong => write!(f, "its answer is longer than {} MiB", LARGEST >> 20),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut(CONNECT),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Self {
        let io = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
        match io {
            Some(io) => io::Error::from(io.kind()).into(),
            None if error.is_parse() || error.is_parse_too_large() => Self::NotHttp,
            None if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => Self::Closed,
            None => Self::Other(error.to_string()),
        }
    }
}

/// # Errors
/// Why there is no connection within [`CONNECT`].
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await.map_err(|_| Fault::TimedOut(CONNECT))??;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Checks the certificate against the public roots, as the clients do.
///
/// # Errors
/// Why there is no TLS within [`CONNECT`].
pub(super) async fn secure(stream: TcpStream, host: &str) -> Result<Box<dyn Bidirectional>, Fault> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| Fault::Other(why.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|why| Fault::Other(why.to_string()))?;
    let secured = timeout(CONNECT, TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    let secured = secured.map_err(|_| Fault::TimedOut(CONNECT))??;
    Ok(Box::new(secured))
}

/// The gateway's port, behind TLS where its address says so.
///
/// # Errors
/// Why there is none.
pub(super) async fn open(target: &Target, address: SocketAddr) -> Result<Box<dyn Bidirectional>, Fault> {
    let stream = connect(address).await?;
    if target.tls { secure(stream, &target.host).await } else { Ok(Box::new(stream)) }
}

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Page {
    /// The first line of what it says, for people.
    pub(super) fn told(&self) -> String {
        let start = &self.body[..self.body.len().min(1000)];
        let text = String::from_utf8_lossy(start);
        match text.lines().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("HTTP {}: {line}", self.status),
            None => format!("HTTP {}", self.status),
        }
    }
}

/// One request without a body. `authority`: the header `Host`.
///
/// # Errors
/// Why no whole answer came within [`ANSWER`].
pub(super) async fn ask(stream: Box<dyn Bidirectional>, authority: &str, method: Method, path: &str) -> Result<Page, Fault> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", authority)
        .header("user-agent", concat!("tritondeploy/", env!("CARGO_PKG_VERSION")))
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|why| Fault::Other(why.to_string()))?;
    let asking = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(unread)?.to_bytes();
            Ok(Page { status: head.status, body })
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection may end with the answer's last byte.
            ended = connection => match (ended, answer.await) {
                (_, Ok(page)) => Ok(page),
                (Err(why), _) => Err(why.into()),
                (Ok(()), Err(why)) => Err(why),
            },
        }
    };
    timeout(ANSWER, asking).await.map_err(|_| Fault::TimedOut(ANSWER))?
}

fn unread(why: Box<dyn std::error::Error + Send + Sync>) -> Fault {
    if why.is::<LengthLimitError>() {
        return Fault::TooLong;
    }
    match why.downcast::<hyper::Error>() {
        Ok(why) => (*why).into(),
        Err(why) => Fault::Other(why.to_string()),
    }
}

/// What begins an answer that is not HTTP, after a plain request: a few bytes at most.
pub(super) async fn first_bytes(address: SocketAddr) -> Vec<u8> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut bytes = [0; 64];
    let reading = async {
        let mut stream = connect(address).await.ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.ok()?;
        stream.read(&mut bytes).await.ok()
    };
    let read = timeout(PATIENCE, reading).await.ok().flatten().unwrap_or(0);
    bytes[..read].to_vec()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What comes of a request to a server that answers with this and closes, or not.
    async fn answered(answer: Vec<u8>, closes: bool) -> Result<Page, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1000]).await;
            let _ = stream.write_all(&answer).await;
            if closes { None } else { Some(stream) }
        });
        let page = ask(Box::new(connect(address).await.unwrap()), "t", Method::GET, "/").await;
        serving.abort();
        page
    }

    #[tokio::test]
    async fn every_kind_of_answer_is_told_apart() {
        let page = answered(b"HTTP/1.1 503 x\r\n\r\n\n why\nmore".to_vec(), true).await.unwrap();
        assert_eq!(page.told(), "HTTP 503 Service Unavailable:  why");
        assert_eq!(answered(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), true).await.unwrap_err(), Fault::NotHttp);
        assert_eq!(answered(Vec::new(), true).await.unwrap_err(), Fault::Closed);
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_vec();
        assert_eq!(answered(cut, true).await.unwrap_err(), Fault::Closed);
        let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        long.resize(LARGEST + 1000, b'x');
        assert_eq!(answered(long, true).await.unwrap_err(), Fault::TooLong);
        let headers = [&b"HTTP/1.1 200 OK\r\nx: "[..], &vec![b'y'; 1 << 20]].concat();
        assert_eq!(answered(headers, true).await.unwrap_err(), Fault::NotHttp);
    }

    #[tokio::test]
    async fn nothing_listens_and_nothing_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = connect(address).await.unwrap();
        tokio::time::pause();
        let silent = ask(Box::new(stream), "t", Method::GET, "/").await;
        assert_eq!(silent.unwrap_err(), Fault::TimedOut(ANSWER));
        tokio::time::resume();
        drop(listener);
        assert_eq!(connect(address).await.unwrap_err(), Fault::Refused);
    }
}
