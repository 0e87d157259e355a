//! The same work without a gateway: two threads, no connection, no queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use tritondeploy_gateway::image::Quality;
use tritondeploy_gateway::storage::{self, Storage};

use crate::compare::Side;
use crate::drive::Block;
use crate::failure::{Doing, Failure};
use crate::models::DENSENET;
use crate::path::v0;
use crate::payload;
use crate::world::{BUCKET, key};

/// As many as the machine has processors for.
const THREADS: usize = 2;

/// Photographs to tensors: decode, resize, and write where a model would read them.
pub(crate) struct Pixels {
    photos: Vec<Bytes>,
    quality: Quality,
}

impl Pixels {
    pub(crate) fn new(photos: &[Bytes], quality: Quality) -> Self {
        Self { photos: photos.to_vec(), quality }
    }
}

impl Side for Pixels {
    fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>> {
        let block = threads(seconds, |thread, until| {
            let mut latencies = Vec::new();
            let mut place = vec![0; payload::PIXELS];
            for number in (thread * payload::COUNT / THREADS..).map(|n| n % payload::COUNT) {
                let start = Instant::now();
                if start >= until {
                    break;
                }
                payload::write_pixels(&self.photos[number], self.quality, &mut place)?;
                std::hint::black_box(&mut place);
                latencies.push(start.elapsed());
            }
            Ok(latencies)
        });
        Box::pin(async { block })
    }
}

/// References to answers of protocol v0: GetObject, the pixels, and the JSON of two models.
pub(crate) struct References {
    /// Always there, until the end.
    runtime: Option<tokio::runtime::Runtime>,
    storage: Storage,
}

impl References {
    /// Reads from a server of objects. Credentials come from the environment, as the gateway's do.
    pub(crate) async fn new(objects: u16) -> Result<Self, Failure> {
        let config = storage::Config {
            bucket: BUCKET.to_owned(),
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(format!("http://127.0.0.1:{objects}")),
            ..storage::Config::default()
        };
        let storage = Storage::new(&config).await.doing("making a client of S3")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
        Ok(Self { runtime: Some(runtime.doing("making a runtime")?), storage })
    }
}

impl Drop for References {
    fn drop(&mut self) {
        // The usual way waits, which no runtime may do inside another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Side for References {
    fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>> {
        Box::pin(async move {
            let start = Instant::now();
            let until = start + Duration::from_secs_f64(seconds);
            let runtime = self.runtime.iter().flat_map(|runtime| (0..THREADS).map(move |thread| (runtime, thread)));
            let tasks: Vec<_> =
                runtime.map(|(runtime, thread)| runtime.spawn(references(self.storage.clone(), thread, until))).collect();
            let mut block = Block::default();
            for task in tasks {
                block.latencies.extend(task.await.doing("a loop")??);
            }
            block.elapsed = start.elapsed();
            Ok(block)
        })
    }
}

async fn references(storage: Storage, thread: usize, until: Instant) -> Result<Vec<Duration>, Failure> {
    let (mut latencies, mut place) = (Vec::new(), vec![0; payload::PIXELS]);
    for number in (thread * payload::COUNT / THREADS..).map(|n| n % payload::COUNT) {
        let start = Instant::now();
        if start >= until {
            break;
        }
        let photo = storage.get(BUCKET, &key(number)).await.doing("GetObject (credentials are in the environment?)")?;
        payload::write_pixels(&photo, Quality::Exact, &mut place)?;
        let answer = DENSENET.answer_to(&place);
        std::hint::black_box(v0::pair(&answer, &answer)?);
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

fn threads(
    seconds: f64,
    work: impl Fn(usize, Instant) -> Result<Vec<Duration>, Failure> + Send + Sync,
) -> Result<Block, Failure> {
    let start = Instant::now();
    let until = start + Duration::from_secs_f64(seconds);
    let work = Arc::new(work);
    let latencies: Result<Vec<Vec<Duration>>, Failure> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..THREADS)
            .map(|thread| {
                let work = work.clone();
                scope.spawn(move || work(thread, until))
            })
            .collect();
        all.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(Failure("a loop panicked".to_owned())))).collect()
    });
    Ok(Block { latencies: latencies?.concat(), elapsed: start.elapsed() })
}
