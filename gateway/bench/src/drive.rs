//! The closed loop: each client asks again as soon as it is answered.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::failure::Failure;
use crate::path::Client;
use crate::payload;

/// More answers than any row needs; a block ends at whichever comes first.
const MOST: usize = 1 << 20;

/// What came of some seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) elapsed: Duration,
    /// In the order of the answers.
    pub(crate) latencies: Vec<Duration>,
}

impl Block {
    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Lets the clients ask for so long. Every answer is the one expected, or this is an error.
pub(crate) async fn drive(clients: &mut [Box<dyn Client>], seconds: f64) -> Result<Block, Failure> {
    let (length, most) = (Duration::from_secs_f64(seconds), MOST / clients.len().max(1));
    let apart = payload::COUNT / clients.len().clamp(1, payload::COUNT);
    let start = Instant::now();
    let mut all: FuturesUnordered<_> = clients
        .iter_mut()
        .enumerate()
        .map(|(number, client)| ask(client.as_mut(), number * apart, start, length, most))
        .collect();
    let mut block = Block::default();
    while let Some(latencies) = all.next().await {
        block.latencies.extend(latencies?);
    }
    block.elapsed = start.elapsed();
    Ok(block)
}

async fn ask(
    client: &mut dyn Client,
    first: usize,
    start: Instant,
    length: Duration,
    most: usize,
) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::new();
    for number in first..first + most {
        let asked = Instant::now();
        if asked - start >= length {
            break;
        }
        client.ask(number % payload::COUNT).await?;
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use futures::future::LocalBoxFuture;

    use super::*;

    struct Waits(Vec<usize>);

    impl Client for Waits {
        fn ask(&mut self, payload: usize) -> LocalBoxFuture<'_, Result<(), Failure>> {
            self.0.push(payload);
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(())
            })
        }
    }

    struct Fails;

    impl Client for Fails {
        fn ask(&mut self, _: usize) -> LocalBoxFuture<'_, Result<(), Failure>> {
            Box::pin(async { Err(Failure("wrong".to_owned())) })
        }
    }

    #[tokio::test]
    async fn every_answer_is_counted_and_takes_as_long_as_it_took() {
        let mut clients: Vec<Box<dyn Client>> = vec![Box::new(Waits(Vec::new())), Box::new(Waits(Vec::new()))];
        let block = drive(&mut clients, 0.1).await.unwrap();
        assert!(!block.latencies.is_empty());
        assert!(block.latencies.iter().all(|latency| *latency >= Duration::from_millis(1)));
        assert!(block.elapsed >= Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_wrong_answer_ends_it() {
        let mut clients: Vec<Box<dyn Client>> = vec![Box::new(Waits(Vec::new())), Box::new(Fails)];
        assert_eq!(drive(&mut clients, 10.0).await.unwrap_err(), Failure("wrong".to_owned()));
    }
}
