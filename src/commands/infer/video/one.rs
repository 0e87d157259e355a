//! One video, from its file to its record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::super::report::{PICTURES, THUMBNAILS};
use super::super::results::record::{self, Failure, Item, Record, Video};
use super::super::run::{Ended, Payload, SILENCE, THUMBNAIL};
use super::super::sources::{Found, Location};
use super::super::told;
use super::download::{self, Object};
use super::frames::{Frame, Frames};
use super::probe::probe;
use super::queue::Workshop;
use super::unreadable;
use crate::error::Error;
use crate::report::videos::VideoBar;

/// Asks for its sampled frames and keeps what comes; of a video that ended, also its own record.
///
/// # Errors
/// When the results cannot be kept.
pub(super) async fn run(workshop: &Workshop, found: &Found, place: u64) -> Result<Ended, Error> {
    let context = &workshop.context;
    let bar = context.report.video(&found.item.uri);
    let is_shown = context.thumbnails && workshop.begun.fetch_add(1, Ordering::Relaxed) < (THUMBNAILS / PICTURES) as u64;
    let (frames, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let asking = Asking { workshop, item: &found.item, bar: &bar, is_shown, frames, failed };
    let begun = Instant::now();
    let through = tokio::select! {
        biased;
        // What is under way is dropped, and ffmpeg with it.
        () = context.cancel.cancelled() => return Ok(Ended::Stopped),
        through = asking.all(found) => through,
    };
    let error = match through {
        Ok(()) => None,
        Err(Stop::Unreadable(why)) => Some(why),
        Err(Stop::Unkept(why)) => return Err(why),
        Err(Stop::Early(ended)) => return Ok(ended),
    };
    let (frames, failed) = (asking.frames.into_inner(), asking.failed.into_inner());
    let video = Video { item: found.item.clone(), place, frames, failed, seconds: begun.elapsed().as_secs_f64(), error };
    let record = Record::Video(video);
    context.results.add(&record)?;
    if let Record::Video(video) = &record {
        let error = video.error.as_ref().map(|error| &*error.message);
        bar.end(video.frames, video.failed, error, || told::video(video));
    }
    Ok(Ended::Whole)
}

/// Why it does not go on.
enum Stop {
    /// The video, or the rest of it.
    Unreadable(Failure),
    /// The results.
    Unkept(Error),
    /// The user, or a silent server.
    Early(Ended),
}

struct Asking<'a> {
    workshop: &'a Workshop,
    item: &'a Item,
    bar: &'a VideoBar,
    /// Whether the page shows pictures of it.
    is_shown: bool,
    /// Sampled so far, and of these without an answer.
    frames: AtomicU64,
    failed: AtomicU64,
}

impl Asking<'_> {
    async fn all(&self, found: &Found) -> Result<(), Stop> {
        if let Some(broken) = &found.broken {
            return Err(Stop::Unreadable(broken.clone()));
        }
        match &found.location {
            Location::File(path) => self.file(path).await,
            Location::Object { bucket, key } => {
                let etag = &found.item.version;
                let Some(s3) = &self.workshop.s3 else {
                    return Err(Stop::Unreadable(Failure::new("unreadable", "without AWS it cannot be read", true)));
                };
                let scratch = self.workshop.scratch().await.map_err(Stop::Unreadable)?;
                let object = Object { bucket, key, etag };
                let progress = |done, total| self.bar.downloaded(done, total);
                // It is removed with this.
                let temporary = download::fetch(s3, scratch, &object, progress).await.map_err(Stop::Unreadable)?;
                self.file(&temporary.path).await
            }
        }
    }

    async fn file(&self, path: &Path) -> Result<(), Stop> {
        let Workshop { tool, options, context, frames: at_once, .. } = self.workshop;
        let probe = probe(tool, path).await.map_err(Stop::Unreadable)?;
        let expected = options.sampling.expect(probe.frames, probe.duration);
        self.bar.expect(expected);
        // One frame in so many goes onto the page as a picture.
        let apart = expected.map_or(PICTURES as u64, |frames| frames.div_ceil(PICTURES as u64).max(1));
        let mut index = 0;
        let known = context.results.answered_frames(self.item);
        let mut frames = Frames::open(tool, path, &probe, *options).map_err(Stop::Unreadable)?;
        // One frame waits here and one in the task: ffmpeg waits with the others.
        let (send, mut decoded) = mpsc::channel(1);
        let decoding = AbortOnDropHandle::new(tokio::spawn(async move {
            while let Some(frame) = frames.next().await? {
                if send.send(frame).await.is_err() {
                    break;
                }
            }
            Ok(())
        }));
        let mut asked = FuturesUnordered::new();
        let mut is_end = false;
        while !is_end || !asked.is_empty() {
            tokio::select! {
                Some(done) = asked.next() => done?,
                frame = decoded.recv(), if !is_end && asked.len() < *at_once => match frame {
                    Some(frame) => {
                        let is_shown = self.is_shown && index % apart == 0;
                        asked.push(self.frame(frame, &known, is_shown.then_some(THUMBNAIL)));
                        index += 1;
                    }
                    None => is_end = true,
                },
            }
        }
        let ended = decoding.await.unwrap_or_else(|why| Err(unreadable(why.to_string())));
        ended.map_err(Stop::Unreadable)
    }

    /// Asks for one frame, unless its answer is `known`: whether it was a success.
    async fn frame(&self, frame: Frame, known: &BTreeMap<u64, bool>, thumbnail: Option<u32>) -> Result<(), Stop> {
        let Frame { number, at, width, height, pixels } = frame;
        if let Some(is_success) = known.get(&number) {
            self.count(*is_success);
            self.bar.known();
            return Ok(());
        }
        let server = &self.workshop.context.server;
        let turn = server.turn().await;
        let answer = server.ask(&Payload::Rgb8 { width, height, pixels }, thumbnail).await;
        drop(turn);
        let answer = answer.ok_or(Stop::Early(Ended::Stopped))?;
        let is_silent = answer.is_silence() && server.silent_for() >= SILENCE;
        let record = Record::Frame(record::Frame { item: self.item.clone(), frame: number, at, answer });
        self.workshop.context.results.add(&record).map_err(Stop::Unkept)?;
        if let Record::Frame(frame) = &record {
            self.count(frame.answer.is_success());
            let failure = frame.answer.failure().map(|failure| &*failure.message);
            self.bar.answered(number, failure, || told::frame(frame));
        }
        if is_silent { Err(Stop::Early(Ended::Silent)) } else { Ok(()) }
    }

    fn count(&self, is_success: bool) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(!is_success), Ordering::Relaxed);
    }
}
