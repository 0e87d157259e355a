//! Asks for what is found, many at once, and keeps what comes.

mod pace;
mod scores;
mod server;
mod v0;
mod v1;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::report::THUMBNAILS;
use super::results::record::{Answer, Failure, Image, NO_IMAGE, Record};
use super::results::{Meeting, Results};
use super::sources::{self, Found, Kind, Location, Seen, Skip};
use super::video::Videos;
use crate::error::Error;
use crate::report::batch::Batch;
pub(crate) use server::{Payload, Question, Server, Unreached};
pub(crate) use v0::Meaning;

/// Of files that are read and not answered yet, so many KiB are held.
const HELD_KIB: u32 = 64 << 10;

/// A server that says nothing at all for so long is given up.
pub(crate) const SILENCE: Duration = Duration::from_secs(120);

/// Of a thumbnail, the longer side in pixels.
pub(crate) const THUMBNAIL: u32 = 160;

/// What a run works with. Clones are the same.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) server: Server,
    pub(crate) results: Results,
    pub(crate) seen: Arc<Seen>,
    pub(crate) report: Arc<Batch>,
    pub(crate) cancel: CancellationToken,
    /// Whether a page is to be made.
    pub(crate) thumbnails: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything that was found has been asked for.
    Whole,
    /// The user stopped it.
    Stopped,
    /// The server does not answer any more.
    Silent,
}

/// Asks for all that is found. Videos go to `videos`.
///
/// # Errors
/// When the results cannot be kept: what is under way is dropped.
pub(crate) async fn run(context: &Context, mut found: mpsc::Receiver<Found>, videos: &mut Videos) -> Result<Ended, Error> {
    let images =
        Arc::new(Images { context: context.clone(), room: Semaphore::new(HELD_KIB as usize), thumbnails: AtomicU64::new(0) });
    let mut asked = JoinSet::new();
    let (mut next, mut is_end) = (None, false);
    loop {
        if is_end && next.is_none() && asked.is_empty() {
            return Ok(Ended::Whole);
        }
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => {
                // Those under way end by it, each with what came of it.
                while let Some(done) = asked.join_next().await {
                    ended(done)?;
                }
                return Ok(Ended::Stopped);
            },
            Some(done) = asked.join_next() => {
                if ended(done)? && context.server.silent_for() >= SILENCE {
                    return Ok(Ended::Silent);
                }
            },
            turn = context.server.turn(), if next.is_some() => if let Some((found, place)) = next.take() {
                asked.spawn(images.clone().one(found, place, turn));
            },
            one = found.recv(), if next.is_none() && !is_end => match one {
                None => is_end = true,
                Some(found) => match context.results.meet(&found.item) {
                    Meeting::Answered => context.report.known(),
                    Meeting::Twice => context.seen.skip_found(found.kind, Skip::Twice),
                    Meeting::Ask(place) if found.kind == Kind::Video => videos.take(found, place).await?,
                    Meeting::Ask(place) => next = Some((found, place)),
                },
            },
        }
        context.report.totals(context.seen.totals());
    }
}

/// What a task found; one that panicked has lost its item.
fn ended(done: Result<Result<bool, Error>, JoinError>) -> Result<bool, Error> {
    done.unwrap_or_else(|why| Err(Error::failed(format!("an image's task ended: {why}"), "run it again with --resume")))
}

struct Images {
    context: Context,
    /// KiB of files that may be held.
    room: Semaphore,
    /// So many were asked for.
    thumbnails: AtomicU64,
}

impl Images {
    /// Asks for one, and keeps what comes; says whether the server was silent.
    async fn one<T>(self: Arc<Self>, found: Found, place: u64, turn: T) -> Result<bool, Error> {
        let Some(answer) = self.answer(&found).await else { return Ok(false) };
        drop(turn);
        let is_silence = answer.is_silence();
        let is_none = answer.is_no_image();
        let image = Image { item: found.item, place, answer };
        let record = Record::Image(image);
        self.context.results.add(&record)?;
        if is_none {
            self.context.seen.skip_found(found.kind, Skip::NoImage);
        } else if let Record::Image(image) = &record {
            let failure = image.answer.failure().map(|failure| &*failure.message);
            let line = || super::told::image(image);
            self.context.report.image(&image.item.uri, failure, self.context.server.at_once(), line);
        }
        Ok(is_silence)
    }

    /// None: it was stopped.
    async fn answer(&self, found: &Found) -> Option<Answer> {
        if let Some(broken) = &found.broken {
            return Some(Answer::failed(broken.clone(), 0.0));
        }
        let thumbnail =
            (self.context.thumbnails && self.thumbnails.fetch_add(1, Ordering::Relaxed) < THUMBNAILS as u64).then_some(THUMBNAIL);
        let path = match &found.location {
            Location::Object { bucket, key } => {
                let payload = Payload::Object { bucket: bucket.clone(), key: key.clone() };
                let answer = self.context.server.ask(&payload, thumbnail).await?;
                return Some(if found.kind == Kind::Unknown { unless_no_image(answer) } else { answer });
            }
            Location::File(path) => path.clone(),
        };
        // A file that has grown since is still bounded: by what the server takes.
        let kib = u32::try_from(found.bytes >> 10).unwrap_or(HELD_KIB).clamp(1, HELD_KIB);
        // It is never closed.
        let _room = self.room.acquire_many(kib).await.ok();
        let most = self.context.server.largest_image();
        let read = spawn_blocking(move || sources::read(&path, most)).await;
        match read {
            Ok(Ok(bytes)) => self.context.server.ask(&Payload::Image(bytes.into()), thumbnail).await,
            Ok(Err(why)) => Some(Answer::failed(why, 0.0)),
            Err(why) => Some(Answer::failed(Failure::new("unreadable", why.to_string(), true), 0.0)),
        }
    }
}

/// Nothing promised that it is an image.
fn unless_no_image(answer: Answer) -> Answer {
    match answer.error {
        Some(error) if error.code == "unsupported_image" => {
            Answer { error: Some(Failure { code: NO_IMAGE.to_owned(), ..error }), ..answer }
        }
        error => Answer { error, ..answer },
    }
}
