//! From nothing to the first answer.

use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use tokio::time::{sleep, timeout};

use super::{Bar, Found, Verdict};
use crate::compare::Length;
use crate::failure::{Doing, Failure};
use crate::models::NULL_4K;
use crate::path::v0;
use crate::statistics::Estimate;
use crate::world::World;

/// A start that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the gateway as often as there are blocks, each time until a tensor is answered rightly; Triton is there already.
pub(super) fn run(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let mut milliseconds = Vec::new();
        for _ in 0..length.blocks {
            let start = Instant::now();
            world.launch("")?;
            timeout(PATIENCE, first_answer(world.ports.gateway)).await.doing("starting the gateway")?;
            milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
            world.watch_over()?;
        }
        let size = std::fs::metadata(&world.programs.gateway).doing("looking at the gateway's binary")?.len() as f64 / 1e6;
        Ok(Found {
            verdicts: vec![
                Verdict {
                    what: "cold start to the first answer".to_owned(),
                    found: Estimate::median(&milliseconds),
                    unit: "ms",
                    bar: Bar::AtMost(300.0),
                },
                Verdict {
                    what: "the gateway's binary".to_owned(),
                    found: Estimate { value: size, low: size, high: size },
                    unit: "MB",
                    bar: Bar::AtMost(20.0),
                },
            ],
            ..Found::default()
        })
    })
}

async fn first_answer(gateway: u16) {
    loop {
        if let Ok(mut clients) = v0::tensors(gateway, &NULL_4K, 1).await
            && let Some(client) = clients.first_mut()
            && client.ask(0).await.is_ok()
        {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}
