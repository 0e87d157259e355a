//! How ffmpeg and ffprobe are run: with no more of our environment than they need, and never beyond our own end.
//!
//! They read files that strangers made. They get neither credentials nor standard input, read no format that names
//! other files, open nothing but files and pipes, and hold no more memory than a large frame needs.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::super::results::record::Failure;
use super::{timed_out, unreadable};
use crate::engine::format_duration;

/// Formats in which a video is one file. Playlists and scripts (HLS, DASH, concat, image sequences) name others, so
/// that a file named .mp4 could make ffmpeg read any other file; they are not among them.
const FORMATS: &str =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,ogg,mxf,rm,nut,wtv,dv,yuv4mpegpipe";

/// Pixels of a frame: 8192 x 4320. A larger video is refused by its header, and a frame that is larger than that by the decoder.
pub(super) const PIXELS: u64 = 8192 * 4320;

/// Bytes of one allocation. A frame of [`PIXELS`] with four channels of 16 bits takes half of it.
const ALLOCATION: &str = "536870912";

/// A program that only looks at a file takes milliseconds; over a slow network file system, seconds.
const LOOKING: Duration = Duration::from_secs(60);

/// Bytes kept of what a program writes, where it should write little.
const KEPT: usize = 1 << 20;

/// Bytes kept of its messages.
const SAID: usize = 16 << 10;

/// Messages that are told: the last ones, as the cause comes before ffmpeg's summary of it.
const TOLD: usize = 2;

/// Kills the program and what it started when it is dropped.
pub(super) struct Running {
    pub(super) child: Child,
    group: Option<Pid>,
}

impl Running {
    /// In a process group of its own: Ctrl-C at the terminal is ours, and a wrapper's own children end with it.
    pub(super) fn start(command: &mut Command) -> std::io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, group })
    }

    pub(super) async fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        let status = self.child.wait().await;
        // Its id may be another's from here on.
        self.group = None;
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not yet waited for, so the id is still its own. One that has just ended needs no signal.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// One of the programs, with all of its pipes closed but standard output and the messages.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("AV_LOG_FORCE_NOCOLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What stands before `-i` and the file, for both programs.
pub(super) fn reading() -> Vec<OsString> {
    let pixels = PIXELS.to_string();
    let options = [
        "-v",
        "error",
        "-protocol_whitelist",
        "file,pipe",
        "-format_whitelist",
        FORMATS,
        "-max_alloc",
        ALLOCATION,
        "-max_pixels",
    ];
    options.into_iter().map(OsString::from).chain([pixels.into()]).collect()
}

/// A file's name as both programs take it: nothing in it is an option, a protocol or a pattern.
pub(super) fn file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// What came of a program that was run to its end.
pub(super) struct Ended {
    pub(super) ok: bool,
    pub(super) stdout: Vec<u8>,
    /// Its last messages.
    pub(super) said: String,
}

/// Runs a program that only looks.
///
/// # Errors
/// It does not start, writes more than it should, or does not end in time.
pub(super) async fn output(program: &Path, arguments: &[&OsStr]) -> Result<Ended, Failure> {
    let mut command = command(program);
    command.args(arguments);
    let mut running = Running::start(&mut command).map_err(|why| unreadable(format!("{}: {why}", program.display())))?;
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let all = async {
        let mut written = Vec::new();
        let reads = async {
            if let Some(stdout) = stdout {
                drop(stdout.take(KEPT as u64 + 1).read_to_end(&mut written).await);
            }
        };
        let ((), said) = tokio::join!(reads, messages(stderr));
        (written, said, running.wait().await)
    };
    let Ok((stdout, said, status)) = timeout(LOOKING, all).await else {
        return Err(timed_out(format!("{} did not end within {}", program.display(), format_duration(LOOKING))));
    };
    if stdout.len() > KEPT {
        return Err(unreadable(format!("{} wrote more than {KEPT} bytes about one file", program.display())));
    }
    Ok(Ended { ok: status.is_ok_and(|status| status.success()), stdout, said: cause(&said) })
}

/// Reads messages to their end, so that the program never waits, and keeps the last ones.
pub(super) async fn messages(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        if kept.len() > 2 * SAID {
            kept.drain(..kept.len() - SAID);
        }
    }
    kept
}

/// The last messages in one line, without addresses and control characters.
pub(super) fn cause(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let mut told: Vec<String> = Vec::new();
    for line in said.lines().rev().map(plain).filter(|line| !line.is_empty()) {
        if told.len() == TOLD {
            break;
        }
        if !told.contains(&line) {
            told.insert(0, line);
        }
    }
    told.join("; ")
}

/// A message without what is only of use in ffmpeg: `[h264 @ 0x55f8] no frame` is `h264: no frame`.
fn plain(line: &str) -> String {
    let line = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((part, said)) => format!("{}: {said}", part.split(" @ ").next().unwrap_or(part)),
        None => line.to_owned(),
    };
    line.trim().chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_the_last_messages_once_each_and_fit_for_a_terminal() {
        let said =
            b"[mov @ 0x5]\tfirst\n[h264 @ 0x55f8] no frame!\n[h264 @ 0x55f9] no frame!\nfile:a\x1b[31m.mp4: Invalid data\n\n";
        assert_eq!(cause(said), "h264: no frame!; file:a[31m.mp4: Invalid data");
        assert_eq!(cause(b""), "");
    }

    #[tokio::test]
    async fn messages_without_end_take_no_memory_and_the_last_ones_are_kept() {
        let sh = Path::new("/bin/sh");
        let script = "yes some noise | head -c 9000000 >&2; echo the cause >&2; exit 3";
        let ended = output(sh, &["-c".as_ref(), script.as_ref()]).await.unwrap();
        assert!(!ended.ok && ended.said.ends_with("the cause"), "{}", ended.said);
        let noise = messages(Some(&vec![b'x'; 5_000_000][..])).await;
        assert!(noise.len() <= 2 * SAID, "{}", noise.len());
        let much = output(sh, &["-c".as_ref(), "yes | head -c 2000000".as_ref()]).await;
        assert!(much.is_err_and(|why| why.message.contains("wrote more than")));
    }

    #[tokio::test]
    async fn what_a_program_started_ends_with_it_and_it_sees_no_secret_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        // Started behind the program, so that only its group is a way to it.
        let script = format!("env; (sleep 600 & echo $! > {}; wait)", alive.display());
        let mut command = command(Path::new("/bin/sh"));
        let mut running = Running::start(command.args(["-c", &script])).unwrap();
        let mut stdout = running.child.stdout.take().unwrap();
        while !std::fs::read_to_string(&alive).is_ok_and(|id| id.ends_with('\n')) {
            tokio::task::yield_now().await;
        }
        let id = std::fs::read_to_string(&alive).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
        // Forked is not yet begun.
        while !state().contains("sleep") {
            tokio::task::yield_now().await;
        }
        drop(running);
        let mut environment = String::new();
        stdout.read_to_string(&mut environment).await.unwrap();
        while state().contains("sleep") && !state().contains(") Z") {
            tokio::task::yield_now().await;
        }
        assert!(environment.contains("PATH=") && !environment.contains("HOME="), "{environment}");
    }
}
