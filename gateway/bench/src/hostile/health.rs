//! Asks for the gateway's health as a kubelet does, only more often: each time on a connection of its own.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::peer;
use crate::failure::{Doing, Failure};
use crate::statistics::quantile;

const EVERY: Duration = Duration::from_millis(100);

/// After which a probe has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What probes found.
#[derive(Debug, Default)]
pub(super) struct Probes {
    latencies: RefCell<Vec<Duration>>,
    /// Of these, those without a 200.
    failed: Cell<u64>,
}

/// Asks a port until `stopped`, and counts the probes that began before `over`. Each probe begins on time, whether those
/// before it have ended or not: otherwise a slow gateway would get fewer probes, and few of them slow.
pub(super) async fn probe(port: u16, probes: &Probes, over: &Cell<bool>, stopped: &Cell<bool>) {
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let (mut ticks, mut open) = (interval(EVERY), FuturesUnordered::new());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if stopped.get() {
                    break;
                }
                let counts = !over.get();
                open.push(async move { (counts, one(to).await) });
            }
            Some((counts, probe)) = open.next() => probes.add(counts, probe),
        }
    }
    while let Some((counts, probe)) = open.next().await {
        probes.add(counts, probe);
    }
}

async fn one(to: SocketAddr) -> (Duration, bool) {
    let start = Instant::now();
    let asked = timeout(PATIENCE, ask(to)).await;
    (start.elapsed(), matches!(asked, Ok(Ok(true))))
}

/// Whether the answer is a 200.
async fn ask(to: SocketAddr) -> Result<bool, Failure> {
    let mut stream = peer::connect(peer::HEALTH, to, None).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.doing("asking")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.doing("waiting for an answer")?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

impl Probes {
    fn add(&self, counts: bool, (latency, healthy): (Duration, bool)) {
        if counts {
            self.latencies.borrow_mut().push(latency);
            self.failed.set(self.failed.get() + u64::from(!healthy));
        }
    }

    /// How many there were, and how many of them failed.
    pub(super) fn count(&self) -> (usize, u64) {
        (self.latencies.borrow().len(), self.failed.get())
    }

    /// The latency that a share of the probes does not exceed, in ms.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.latencies.borrow().clone();
        sorted.sort_unstable();
        quantile(&sorted, share).map(|latency| latency.as_secs_f64() * 1e3)
    }
}
