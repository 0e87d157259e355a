//! A listener with a thread and a runtime of its own: what clients do on other ports cannot make its answers late, and what
//! they do on it cannot make others late.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::server::handshake::Answer;

/// What a connection may take that serves one request.
pub(crate) struct Bounds {
    /// Longest wait for the headers.
    pub(crate) headers: Duration,
    /// The longest headers.
    pub(crate) header_bytes: usize,
    /// The connection's longest life.
    pub(crate) life: Duration,
}

/// Listens on `address` and runs `serve` in a new thread of this name until the process ends. Where it listens.
///
/// # Errors
/// When `address` cannot be listened on, or there is no thread.
pub(crate) fn listen<F>(
    name: &str,
    address: &str,
    serve: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> io::Result<SocketAddr>
where
    F: Future<Output = ()>,
{
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (started, starts) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        // Made here: a runtime must not be dropped inside another one.
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(e) => return drop(started.send(Err(e))),
        };
        runtime.block_on(async {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    drop(started.send(Ok(())));
                    serve(listener).await;
                }
                Err(e) => drop(started.send(Err(e))),
            }
        });
    })?;
    starts.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has ended")))?;
    Ok(address)
}

/// Serves one request of a connection and closes it.
pub(crate) async fn one_request<F>(stream: TcpStream, bounds: Bounds, answer: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Answer>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.headers)
        .max_buf_size(bounds.header_bytes)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Errors are the client's: it left, sent no request, or did not read.
    drop(timeout(bounds.life, connection).await);
}
