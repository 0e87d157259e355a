//! A video's sampled frames, one after the other, while ffmpeg decodes it.
//!
//! ffmpeg's standard output is read only when a frame is asked for, so that it waits when nobody has room.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::ChildStdout;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::results::record::Failure;
use super::numbers::{self, DECODED, Numbered, SAMPLED, Tally};
use super::probe::{Probe, Promise};
use super::process::{self, Running};
use super::sampling::Sampling;
use super::size::{self, Bounds};
use super::tool::Tool;
use super::{timed_out, unreadable};

#[cfg(test)]
mod tests;

/// For the next frame to be decoded, sampled or not. The largest ones take a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sampled frame, upright.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// From 0, in the order of presentation, of all frames of the video.
    pub(crate) number: u64,
    /// Seconds from the video's start, where the container tells them.
    pub(crate) at: Option<f64>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Rows of red, green and blue bytes.
    pub(crate) pixels: Bytes,
}

/// How a video is taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) sampling: Sampling,
    pub(crate) bounds: Bounds,
    /// Threads that decode.
    pub(crate) threads: usize,
}

/// The frames of one video. Dropping it ends ffmpeg.
pub(crate) struct Frames {
    running: Running,
    stdout: ChildStdout,
    sampled: UnboundedReceiver<Numbered>,
    numbers: JoinHandle<Tally>,
    messages: JoinHandle<Vec<u8>>,
    decoded: Arc<AtomicU64>,
    promise: Promise,
    sampling: Sampling,
    size: (u32, u32),
    patience: Duration,
}

impl Frames {
    /// Starts to decode.
    ///
    /// # Errors
    /// ffmpeg does not start.
    pub(crate) fn open(tool: &Tool, file: &Path, probe: &Probe, options: Options) -> Result<Self, Failure> {
        let (width, height) = size::fit(probe, options.bounds);
        let failed = |why: std::io::Error| unreadable(format!("{}: {why}", tool.ffmpeg.display()));
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
        let mut command = process::command(&tool.ffmpeg);
        command.args(arguments(tool, file, probe, options, (width, height)));
        // The numbers' way out: of the three files that a program begins with, the one that ffmpeg does not use.
        command.stdin(Stdio::from(OwnedFd::from(writer)));
        let mut running = Running::start(&mut command).map_err(failed)?;
        // It holds an end of the pipe, which would never close.
        drop(command);
        let no_pipe = || unreadable("ffmpeg has no standard output");
        let stdout = running.child.stdout.take().ok_or_else(no_pipe)?;
        let (send, sampled) = unbounded_channel();
        let decoded = Arc::new(AtomicU64::new(0));
        let numbers = tokio::spawn(numbers::read(reader, options.sampling, send, decoded.clone()));
        let messages = tokio::spawn(process::messages(running.child.stderr.take()));
        let size = if probe.quarter_turns % 2 == 1 { (height, width) } else { (width, height) };
        let (promise, sampling, patience) = (probe.promise, options.sampling, PATIENCE);
        Ok(Self { running, stdout, sampled, numbers, messages, decoded, promise, sampling, size, patience })
    }

    /// The next frame; None after the last one. A video that can only be read in part gives that part first. A call
    /// that is not awaited to its end loses the place.
    ///
    /// # Errors
    /// Why the rest cannot be read: no frame comes after that.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        let (width, height) = self.size;
        let bytes = width as usize * height as usize * 3;
        let mut pixels = Vec::with_capacity(bytes);
        let decoded = self.decoded.clone();
        let read = async {
            let mut whole = (&mut self.stdout).take(bytes as u64);
            while pixels.len() < bytes {
                match whole.read_buf(&mut pixels).await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(why) => return Err(unreadable(format!("ffmpeg's output: {why}"))),
                }
            }
            Ok(())
        };
        while_it_moves(self.patience, &decoded, read).await?;
        if pixels.len() < bytes {
            return self.end().await.map(|()| None);
        }
        // Told before the frame was written.
        let frame = while_it_moves(self.patience, &decoded, async { Ok(self.sampled.recv().await) }).await?;
        let Some(Numbered { number, at }) = frame else {
            return Err(unreadable("ffmpeg does not report which frame it decoded: is it older than 4.2?"));
        };
        if at.is_none() && matches!(self.sampling, Sampling::Fps(_)) {
            return Err(unreadable("its frames have no times, which --fps goes by; use --every"));
        }
        Ok(Some(Frame { number, at, width, height, pixels: pixels.into() }))
    }

    /// After the last frame: whether that was all.
    async fn end(&mut self) -> Result<(), Failure> {
        let decoded = self.decoded.clone();
        let ending = async {
            let status = self.running.wait().await.map_err(|why| unreadable(format!("ffmpeg: {why}")))?;
            let gone = |why| unreadable(format!("ffmpeg's messages: {why}"));
            Ok((status, (&mut self.messages).await.map_err(gone)?, (&mut self.numbers).await.map_err(gone)?))
        };
        let (status, messages, tally) = while_it_moves(self.patience, &decoded, ending).await?;
        verdict(status.success(), &process::cause(&messages), tally, self.promise)
    }
}

/// Waits for it as long as frames are decoded meanwhile.
async fn while_it_moves<T>(
    patience: Duration,
    decoded: &AtomicU64,
    what: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut what = std::pin::pin!(what);
    loop {
        let before = decoded.load(Ordering::Relaxed);
        match timeout(patience, &mut what).await {
            Ok(done) => return done,
            Err(_) if decoded.load(Ordering::Relaxed) != before => {}
            Err(_) => {
                let seconds = patience.as_secs_f64();
                return Err(timed_out(format!("ffmpeg decoded nothing for {seconds} s, after {before} frames")));
            }
        }
    }
}

/// ffmpeg ends well on most files that lack their end. It has then told of an error, and less came than the header
/// says; where the header says nothing, its word is enough.
fn verdict(ended_well: bool, said: &str, tally: Tally, promise: Promise) -> Result<(), Failure> {
    let Tally { decoded, seconds, torn } = tally;
    let why = |what: String| Err(unreadable(if said.is_empty() { what } else { format!("{what}: {said}") }));
    if decoded == 0 {
        return why("no frame of it could be decoded".to_owned());
    }
    if torn {
        return why(format!("the count of its frames broke off among {decoded}"));
    }
    if !ended_well {
        return why(format!("it could not be read on after frame {}", decoded - 1));
    }
    // One frame and some time more: the last frame lasts, too, and sound may be longer.
    let interval = seconds / decoded.saturating_sub(1).max(1) as f64;
    let is_short = match promise {
        Promise { frames: Some(frames), .. } => decoded < frames,
        Promise { seconds: Some(promised), .. } => seconds + interval + 0.1 < promised,
        Promise { .. } => true,
    };
    if said.is_empty() || !is_short {
        return Ok(());
    }
    let of = promise.frames.map_or(String::new(), |frames| format!(" of {frames}"));
    why(format!("it is damaged or lacks its end; {decoded}{of} frames could be decoded"))
}

/// ffmpeg's command line.
fn arguments(tool: &Tool, file: &Path, probe: &Probe, options: Options, size: (u32, u32)) -> Vec<OsString> {
    let print = |key: &str| format!("metadata=mode=add:key={key}:value=1,metadata=mode=print:key={key}:file='pipe\\:0':direct=1");
    let (width, height) = size;
    let mut filters = vec!["settb=1/1000000".to_owned(), print(DECODED), format!("select='{}'", options.sampling.expression())];
    if let Sampling::Fps(_) = options.sampling {
        filters.push(print(SAMPLED));
    }
    filters.push(format!("scale={width}:{height}:flags=area+accurate_rnd"));
    filters.push("format=rgb24".to_owned());
    filters.extend(match probe.quarter_turns {
        1 => Some("transpose=clock".to_owned()),
        2 => Some("hflip,vflip".to_owned()),
        3 => Some("transpose=cclock".to_owned()),
        _ => None,
    });
    let mut arguments = process::reading();
    let mut add = |some: &[&str]| arguments.extend(some.iter().map(OsString::from));
    // Turned here, after a size that does not change: where the video's changes, ffmpeg would begin to count again.
    let threads = options.threads.to_string();
    add(&["-nostdin", "-hide_banner", "-noautorotate", "-reinit_filter", "0", "-threads", &threads, "-i"]);
    arguments.push(process::file(file));
    let mut add = |some: &[&str]| arguments.extend(some.iter().map(OsString::from));
    add(&["-map", &format!("0:{}", probe.stream), "-an", "-sn", "-dn", "-filter_threads", "1", "-vf", &filters.join(",")]);
    add(&tool.passthrough);
    add(&["-c:v", "rawvideo", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]);
    arguments
}
