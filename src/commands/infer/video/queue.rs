//! Which videos are taken apart at once; the others wait.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio::task::JoinSet;
use tritondeploy_wire::v1::Greeting;

use super::super::results::record::Failure;
use super::super::run::{Context, Ended};
use super::super::sources::Found;
use super::able::Able;
use super::frames::Options;
use super::one;
use super::sampling::Sampling;
use super::scratch::{self, Scratch};
use super::size::Bounds;
use super::tool::{self, Tool};
use crate::cli::Infer;
use crate::error::Error;

/// Videos that wait. Beyond that the search for more of them waits, too.
const WAITING: usize = 10_000;

/// A frame is at most so large, whatever the models take: a message that passes a slow line in a minute.
const LARGEST_FRAME: u64 = 24 << 20;

/// What a model takes that takes any size.
const ANY_SIZE: u32 = 224;

/// Threads that decode one video: with more, ffmpeg holds more frames and is hardly faster.
const THREADS: usize = 8;

/// All videos of a run.
pub(crate) struct Videos {
    able: Able,
    plan: Plan,
    context: Context,
    sender: mpsc::Sender<(Found, u64)>,
    /// Until the first one comes.
    receiver: Option<mpsc::Receiver<(Found, u64)>>,
    workers: JoinSet<Result<Ended, Error>>,
}

/// What is known of the work before there is any.
struct Plan {
    at_once: usize,
    options: Options,
    frames: usize,
    s3: Option<aws_sdk_s3::Client>,
    place: PathBuf,
}

/// What each worker has.
#[derive(Clone)]
pub(super) struct Workshop {
    pub(super) context: Context,
    pub(super) tool: Tool,
    pub(super) options: Options,
    /// Frames of one video at once.
    pub(super) frames: usize,
    pub(super) s3: Option<aws_sdk_s3::Client>,
    /// Videos begun so far, of all workers: the page has pictures of the first ones.
    pub(super) begun: Arc<AtomicU64>,
    place: PathBuf,
    scratch: Arc<OnceCell<Scratch>>,
}

impl Videos {
    /// Nothing is run before the first one comes. `s3` reads those of a bucket.
    pub(crate) fn new(able: Able, context: Context, infer: &Infer, sampling: Sampling, s3: Option<aws_sdk_s3::Client>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let place = scratch::place();
        if let Able::Yes(_) = &able {
            // Also where this run downloads nothing: the killed one may have been through with its downloads.
            scratch::clean(&place);
        }
        let largest_model = context.server.greeting().map_or(ANY_SIZE, |greeting| largest(greeting, &infer.models));
        let bytes = context.server.largest_image().min(LARGEST_FRAME);
        let at_once = usize::from(infer.videos);
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let options = Options {
            sampling,
            bounds: Bounds { shorter_side: largest_model.saturating_mul(2), bytes },
            threads: (processors / at_once).clamp(1, THREADS),
        };
        let plan = Plan { at_once, options, frames: usize::from(infer.frames), s3, place };
        Self { able, plan, context, sender, receiver: Some(receiver), workers: JoinSet::new() }
    }

    /// A video that is to be asked for. Waits where very many wait already, and no longer than the run is not stopped.
    ///
    /// # Errors
    /// No video can be asked for; or the workers have ended early: [`Self::end`] tells why.
    pub(crate) async fn take(&mut self, found: Found, place: u64) -> Result<(), Error> {
        let Able::Yes(programs) = &self.able else { return Err(self.able.missing(&[found.item.uri], 1)) };
        if let Some(receiver) = self.receiver.take() {
            let tool = tokio::select! {
                biased;
                () = self.context.cancel.cancelled() => return Ok(()),
                tool = programs.proven() => tool.map_err(|why| tool::missing(&why, std::slice::from_ref(&found.item.uri), 1))?,
            };
            self.work(tool, receiver);
        }
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => {}
            // Nobody takes it any more where all workers failed, which is told at the end.
            sent = self.sender.send((found, place)) => drop(sent),
        }
        Ok(())
    }

    fn work(&mut self, tool: Tool, receiver: mpsc::Receiver<(Found, u64)>) {
        let Plan { at_once, options, frames, s3, place } = &self.plan;
        let workshop = Workshop {
            context: self.context.clone(),
            tool,
            options: *options,
            frames: *frames,
            s3: s3.clone(),
            begun: Arc::default(),
            place: place.clone(),
            scratch: Arc::default(),
        };
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..*at_once {
            self.workers.spawn(work(workshop.clone(), receiver.clone()));
        }
    }

    /// No more of them come: waits until all are through, or the run is stopped.
    ///
    /// # Errors
    /// When the results cannot be kept.
    pub(crate) async fn end(self) -> Result<Ended, Error> {
        let Self { sender, mut workers, .. } = self;
        drop(sender);
        let mut all = Ended::Whole;
        while let Some(ended) = workers.join_next().await {
            let ended =
                ended.map_err(|why| Error::failed(format!("a video's task ended: {why}"), "run it again with --resume"))?;
            match ended? {
                Ended::Whole => {}
                early => all = early,
            }
        }
        Ok(all)
    }
}

impl Workshop {
    /// The folder for videos of a bucket, made with the first of them.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) async fn scratch(&self) -> Result<&Scratch, Failure> {
        let made = self.scratch.get_or_try_init(|| async { Scratch::open(&self.place) }).await;
        made.map_err(|why| {
            let folder = self.place.display();
            Failure::new("no_space", format!("no folder can be made in {folder} ({why}); name another with TMPDIR"), true)
        })
    }
}

/// Takes one video after another until there are no more.
async fn work(workshop: Workshop, waiting: Arc<Mutex<mpsc::Receiver<(Found, u64)>>>) -> Result<Ended, Error> {
    loop {
        let next = async { waiting.lock().await.recv().await };
        let next = tokio::select! {
            biased;
            () = workshop.context.cancel.cancelled() => return Ok(Ended::Stopped),
            next = next => next,
        };
        let Some((found, place)) = next else { return Ok(Ended::Whole) };
        match one::run(&workshop, &found, place).await? {
            Ended::Whole => {}
            early => return Ok(early),
        }
    }
}

/// The longest side of an image as the models that are asked take it, in pixels.
fn largest(greeting: &Greeting, asked: &[String]) -> u32 {
    let pipelines = greeting.pipelines.iter().filter(|pipeline| !asked.is_empty() || pipeline.name == "default");
    let known = pipelines.flat_map(|pipeline| &pipeline.models);
    let known = known.filter(|known| asked.is_empty() || asked.contains(&known.alias)).map(|known| known.model.as_str());
    let names: Vec<&str> = known.chain(asked.iter().map(String::as_str)).collect();
    let models = greeting.models.iter().filter(|model| names.contains(&model.name.as_str()));
    models.filter_map(|model| model.image).map(|image| image.width.max(image.height)).max().unwrap_or(ANY_SIZE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_largest_of_the_models_that_are_asked_says_how_large_a_frame_is() {
        let model =
            |name: &str, side: u32| json!({"name": name, "ready": true, "inputs": [], "image": {"width": side, "height": 10}});
        let greeting: Greeting = serde_json::from_value(json!({
            "protocol": "triton-ws.v1", "server": "t", "features": [], "window": {"requests": 1, "bytes": 1},
            "limits": {"message_bytes": 1, "object_bytes": 1, "pixels": 1, "deadline_ms": 1},
            "models": [model("small", 224), model("middle", 299), model("large", 640)],
            "pipelines": [{"name": "default", "models": [{"alias": "s", "model": "small", "quality": "exact"}, {"alias": "m", "model": "middle", "quality": "exact"}]},
                {"name": "other", "models": [{"alias": "l", "model": "large", "quality": "exact"}]}],
        }))
        .unwrap();
        let of = |asked: &[&str]| largest(&greeting, &asked.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), 299);
        assert_eq!(of(&["small"]), 224);
        assert_eq!(of(&["l"]), 640);
        assert_eq!(of(&["s", "large"]), 640);
        assert_eq!(of(&["unheard_of"]), 224);
    }
}
