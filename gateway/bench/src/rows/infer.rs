//! What people type: a run of `tritondeploy infer`, from its start to its end.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Bar, Found, Table, Verdict};
use crate::compare::{Arm, Length, Side, alternate};
use crate::delay::Delay;
use crate::drive::Block;
use crate::failure::{Doing, Failure};
use crate::models::NULL;
use crate::path::v1::{self, Request};
use crate::world::{BUCKET, SMALL, World, small_key};

/// As many as keep two processors and the bucket busy.
const CLIENTS: usize = 16;

/// Of the delay, each way.
const EACH_WAY: Duration = Duration::from_millis(25);

/// One request at a time takes long: so many images tell its rate.
const ONE_BY_ONE: usize = 100;

/// Runs with 1,000 images beside clients that do nothing but ask, and through a delay beside one request at a time.
pub(super) fn run(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let program = std::env::current_exe().doing("finding this program")?.with_file_name("tritondeploy");
        let delay = Delay::start(ports.gateway, EACH_WAY).await?;
        let infer = |port, images, concurrency| Infer {
            program: program.clone(),
            folder: world.folder().to_owned(),
            port,
            images,
            concurrency,
        };
        let requests = Request::small_references(&world.small, &NULL)?;
        let mut near = [
            Arm::new("`infer`, 1,000 images", infer(ports.gateway, SMALL, "auto")),
            Arm::new("v1, by reference", v1::clients(ports.gateway, requests, CLIENTS).await?),
        ];
        let near = alternate(&mut near, length, &watched).await?;
        let mut far = [
            Arm::new("`infer`, 1,000 images, 25 ms each way", infer(delay.port, SMALL, "auto")),
            Arm::new("`infer --concurrency 1`, 100 images, 25 ms each way", infer(delay.port, ONE_BY_ONE, "1")),
        ];
        // A run takes as long as it takes; a third of the rounds is a minute.
        let far = alternate(&mut far, Length { blocks: length.blocks.div_ceil(3), ..length }, &watched).await?;
        let verdicts = vec![
            Verdict {
                what: "`infer`, 1,000 images: throughput by the gateway's own".to_owned(),
                found: near[0].rate_over(&near[1]),
                unit: "",
                bar: Bar::AtLeast(0.95),
            },
            Verdict {
                what: "`infer`, 25 ms each way: throughput by one request at a time".to_owned(),
                found: far[0].rate_over(&far[1]),
                unit: "",
                bar: Bar::AtLeast(10.0),
            },
        ];
        let arms = vec![Table { clients: CLIENTS, arms: near }, Table { clients: 1, arms: far }];
        Ok(Found { arms, verdicts, notes: Vec::new() })
    })
}

/// The program, which is started for each block: its start and its end count.
struct Infer {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    images: usize,
    concurrency: &'static str,
}

impl Side for Infer {
    /// However many seconds are asked for, it runs to its end; to warm up, with a tenth of its images.
    fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>> {
        let images = if seconds < 0.5 { self.images / 10 } else { self.images };
        Box::pin(async move {
            let url = format!("ws://127.0.0.1:{}/", self.port);
            let output = tempfile::tempdir_in(&self.folder).doing("making a folder")?;
            let mut command = Command::new(&self.program);
            command.args(["infer", "-", "--model", NULL.name, "--quiet", "--json", "--concurrency", self.concurrency]);
            command.args(["--url", &url, "--output"]).arg(output.path());
            command.env("XDG_STATE_HOME", output.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let list: String = (0..images).map(|number| format!("s3://{BUCKET}/{}\n", small_key(number))).collect();
            let begun = Instant::now();
            let mut run = command.spawn().doing(format!("starting {}", self.program.display()))?;
            if let Some(mut input) = run.stdin.take() {
                input.write_all(list.as_bytes()).await.doing("writing the list")?;
            }
            let ended = run.wait_with_output().await.doing("running infer")?;
            let elapsed = begun.elapsed();
            let said = String::from_utf8_lossy(&ended.stdout);
            let end: serde_json::Value = serde_json::from_str(said.trim()).doing("reading what infer says")?;
            if !ended.status.success() || end["successful"] != images {
                return Err(Failure(format!("infer: {said}")));
            }
            Ok(Block { elapsed, latencies: latencies(output.path()).await? })
        })
    }
}

/// The last column of its table.
async fn latencies(output: &std::path::Path) -> Result<Vec<Duration>, Failure> {
    let folder = output.join("inference_results");
    let mut entries = tokio::fs::read_dir(&folder).await.doing("reading the results")?;
    while let Some(entry) = entries.next_entry().await.doing("reading the results")? {
        if entry.path().extension().is_some_and(|suffix| suffix == "csv") {
            let text = tokio::fs::read_to_string(entry.path()).await.doing("reading the results")?;
            let seconds = text.lines().skip(1).filter_map(|row| row.rsplit(',').next()?.parse().ok());
            return Ok(seconds.map(Duration::from_secs_f64).collect());
        }
    }
    Err(Failure(format!("infer left no table in {}", folder.display())))
}
