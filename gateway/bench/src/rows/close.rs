//! Saying goodbye, with the library that most clients use.

use futures::future::LocalBoxFuture;
use serde_json::json;
use tokio::process::Command;

use super::{Bar, Found, Verdict};
use crate::compare::Length;
use crate::failure::{Doing, Failure};
use crate::models::NULL_4K;
use crate::statistics::Estimate;
use crate::world::World;

/// Runs Python with a version of the library.
const LIBRARY: &str = "gateway/bench/websockets";

const SCRIPT: &str = "gateway/bench/close.py";

/// The old asyncio client, its end, the new one, and the newest that was tried.
const VERSIONS: [&str; 4] = ["10.4", "12.0", "14.2", "17.0"];

/// Of each version; the bar is on their median.
const TIMES: &str = "50";

/// Connects, asks by protocol v0, reads the answer, and measures what closing adds.
pub(super) fn run(world: &mut World, _: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let address = format!("ws://127.0.0.1:{}/", world.ports.gateway);
        let tensor = vec![0; NULL_4K.numbers()];
        let input = json!({"name": NULL_4K.input, "shape": NULL_4K.shape, "datatype": "FP32", "data": tensor});
        let request = json!({"model_name": NULL_4K.name, "inputs": [input]}).to_string();
        let mut verdicts = Vec::new();
        for version in VERSIONS {
            let mut command = Command::new(LIBRARY);
            command.args([version, SCRIPT, &address, &request, TIMES]).kill_on_drop(true);
            let output = command.output().await.doing(format!("running {LIBRARY}"))?;
            let said = String::from_utf8_lossy(&output.stdout);
            let milliseconds: Vec<f64> = said.lines().filter_map(|line| line.parse().ok()).collect();
            if !output.status.success() || milliseconds.len().to_string() != TIMES {
                let why = String::from_utf8_lossy(&output.stderr);
                return Err(Failure(format!("websockets {version}: {}", why.trim().lines().last().unwrap_or("no words"))));
            }
            verdicts.push(Verdict {
                what: format!("what closing adds, websockets {version}"),
                found: Estimate::median(&milliseconds),
                unit: "ms",
                bar: Bar::AtMost(50.0),
            });
        }
        Ok(Found { verdicts, ..Found::default() })
    })
}
