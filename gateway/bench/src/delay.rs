//! A network that takes its time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::failure::{Doing, Failure};

/// Pieces that are on their way on one connection, in one direction: enough for a long, fat line.
const PIECES: usize = 4096;

/// Takes connections for another port, and brings each byte there, and back, so much later.
pub(crate) struct Delay {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Delay {
    pub(crate) async fn start(to: u16, each_way: Duration) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.doing("listening")?;
        let port = listener.local_addr().doing("listening")?.port();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                // Nothing waits for a full packet but what we let wait.
                drop((client.set_nodelay(true), server.set_nodelay(true)));
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                pass(from_client, to_server, each_way);
                pass(from_server, to_client, each_way);
            }
        });
        Ok(Self { port, accepting })
    }
}

fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, each_way: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    tokio::spawn(async move {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if sender.send((Instant::now() + each_way, bytes[..count].to_vec())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        drop(to.shutdown().await);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_follows_closely_arrives_closely() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let delay = Delay::start(listener.local_addr().unwrap().port(), Duration::from_secs(25)).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", delay.port)).await.unwrap();
        let begun = Instant::now();
        client.write_all(b"a").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"b").await.unwrap();
        let mut two = [0; 2];
        server.read_exact(&mut two).await.unwrap();
        let took = begun.elapsed();
        assert!(two == *b"ab" && (Duration::from_secs(25)..Duration::from_secs(50)).contains(&took), "{took:?}");
    }
}
