//! A listener with a thread and a runtime of its own: what clients do on other ports cannot make its answers late, and what
//! they do on it cannot make others late.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

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
