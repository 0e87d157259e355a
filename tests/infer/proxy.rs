//! A network between a client and the gateway that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Passes bytes on, until it is cut.
pub(crate) struct Proxy {
    port: u16,
    to: u16,
    /// Bytes are kept where they are.
    is_stalled: Arc<AtomicBool>,
    accepting: Option<AbortHandle>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut proxy = Self { port, to, is_stalled: Arc::default(), accepting: None };
        proxy.accept(listener);
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }

    fn accept(&mut self, listener: TcpListener) {
        let (to, is_stalled) = (self.to, self.is_stalled.clone());
        let accepting = tokio::spawn(async move {
            // Its connections end with it.
            let mut passing = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                passing.spawn(pass(from_client, to_server, is_stalled.clone()));
                passing.spawn(pass(from_server, to_client, is_stalled.clone()));
            }
        });
        self.accepting = Some(accepting.abort_handle());
    }

    /// Nothing goes through for half of this time; for the other half, the connections are gone and none is taken.
    pub(crate) async fn cut(&mut self, time: Duration) {
        self.is_stalled.store(true, Ordering::SeqCst);
        tokio::time::sleep(time / 2).await;
        self.accepting.take().unwrap().abort();
        tokio::time::sleep(time / 2).await;
        self.is_stalled.store(false, Ordering::SeqCst);
        self.accept(TcpListener::bind(("127.0.0.1", self.port)).await.unwrap());
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_stalled: Arc<AtomicBool>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        while is_stalled.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
