//! A client that minds its own business while others attack.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::SinkExt;
use tokio::task::JoinHandle;
use tungstenite::Message;

use crate::{Running, text};

/// What an exchange may take while somebody attacks; milliseconds, but on a busy machine. Whoever waits for one of the
/// usual limits, half a minute and more, waits longer.
const UNHARMED: Duration = Duration::from_secs(10);

/// Asks and reads, one request after another, on one connection.
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    talking: JoinHandle<(u32, Duration)>,
}

impl Neighbour {
    pub(crate) async fn of(running: &Running) -> Self {
        let mut client = running.client().await;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let talking = tokio::spawn(async move {
            let (mut count, mut slowest) = (0, Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) || count < 10 {
                let asked = format!("0 neighbour {count}");
                let start = Instant::now();
                client.send(Message::text(&asked)).await.unwrap();
                assert_eq!(text(&mut client).await, asked);
                (count, slowest) = (count + 1, slowest.max(start.elapsed()));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (count, slowest)
        });
        Self { stop, talking }
    }

    /// Its connection lived on, and every answer came in time.
    pub(crate) async fn unharmed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, slowest) = self.talking.await.unwrap();
        assert!(slowest < UNHARMED, "{count} exchanges, the slowest took {slowest:?}");
    }
}
