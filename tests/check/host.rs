//! An address of the loopback network of a test's own, so that it may have Triton's usual ports.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// One host.
pub(crate) struct Host(pub(crate) Ipv4Addr);

impl Host {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(100);
        let [.., high, low] = std::process::id().to_be_bytes();
        Self(Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::SeqCst), high, low))
    }

    /// Its WebSocket.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}:8080/", self.0)
    }

    pub(crate) async fn listen(&self, port: u16) -> TcpListener {
        TcpListener::bind((self.0, port)).await.expect("a port of its own")
    }

    /// What comes to this port goes to one of 127.0.0.1.
    pub(crate) async fn forward(&self, port: u16, to: u16) {
        let listener = self.listen(port).await;
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
    }

    /// Whoever says something to this port gets these bytes, again and again with `endless`, and then the end.
    pub(crate) async fn answer(&self, port: u16, bytes: &'static [u8], endless: bool) {
        let listener = self.listen(port).await;
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let _ = client.read(&mut [0; 2000]).await;
                    while client.write_all(bytes).await.is_ok() && endless {}
                });
            }
        });
    }
}
