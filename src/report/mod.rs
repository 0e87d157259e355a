//! The only place that prints or draws; fed by the engine's events and by what commands found.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the place that prints")]

#[macro_use]
mod out;

mod bars;
pub mod batch;
pub mod checks;
mod json;
mod lines;
mod logs;
pub mod orphans;
pub mod plan;
pub mod show;
pub mod videos;
pub mod words;
mod work;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::engine::{Event, Events};
use crate::error::Error;

pub use logs::Logs;
pub use out::stop_when_closed;
pub use work::Work;

/// Where this run's log is.
static LOG: OnceLock<PathBuf> = OnceLock::new();

/// Remembers where the log is, to say it when something fails.
pub fn logged_at(path: PathBuf) {
    let _ = LOG.set(path);
}

/// How a command tells what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Live bars on a terminal.
    Bars,
    /// Plain lines elsewhere.
    Lines,
    /// One JSON object a line.
    Json,
}

impl Mode {
    /// Bars where a person watches, lines where nobody does.
    #[must_use]
    pub fn choose(json: bool) -> Self {
        match json {
            true => Self::Json,
            false if std::io::stderr().is_terminal() => Self::Bars,
            false => Self::Lines,
        }
    }
}

/// Draws what comes over [`Self::events`] until it is ended.
pub struct Reporter {
    events: Events,
    drawing: JoinHandle<()>,
}

impl Reporter {
    /// Begins to draw.
    #[must_use]
    pub fn start(mode: Mode) -> Self {
        let (sender, receiver) = unbounded_channel();
        let drawing = tokio::spawn(draw(mode, receiver));
        Self { events: Events::to(sender), drawing }
    }

    /// Where events go.
    #[must_use]
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Draws what is left; every clone of [`Self::events`] must be gone.
    pub async fn end(self) {
        drop(self.events);
        let _ = self.drawing.await;
    }
}

async fn draw(mode: Mode, mut receiver: UnboundedReceiver<Event>) {
    let mut bars = bars::Bars::new(mode == Mode::Bars);
    let mut lines = lines::Lines::default();
    while let Some(event) = receiver.recv().await {
        tracing::info!(target: "walk", event = %json::line(&event));
        match mode {
            _ if event.is_timing() => {}
            Mode::Json => outln!("{}", json::line(&event)),
            Mode::Lines => lines.of(&event).into_iter().for_each(|line| errln!("{line}")),
            Mode::Bars => bars.show(&event),
        }
    }
    bars.end();
}

/// How a command ended badly: cause, what exists, what to type next.
pub fn error(error: &Error, as_json: bool) {
    let log = LOG.get().map(PathBuf::as_path);
    if as_json {
        outln!("{}", json::error(error, log));
        return;
    }
    let label = if matches!(error, Error::Interrupted { .. }) { "" } else { "error: " };
    let cause: Vec<String> = error.to_string().lines().map(words::harmless).collect();
    errln!("{label}{}", cause.join("\n"));
    if !error.exists().is_empty() {
        errln!("exists now: {}", words::brief(error.exists()));
    }
    if !error.may_exist().is_empty() {
        errln!("may exist (could not be read): {}", words::brief(error.may_exist()));
    }
    if !error.next().is_empty() {
        errln!("next: {}", error.next());
    }
    if let (Some(log), Error::Failed { .. }) = (log, error) {
        errln!("log: {}", log.display());
    }
}

/// Asks a question that is answered with yes; everything else is no.
///
/// # Errors
/// [`Error::Usage`] without a terminal, [`Error::Interrupted`] where the answer is no.
pub async fn confirm(question: &str, cancel: &CancellationToken) -> Result<(), Error> {
    let otherwise = "check what is listed above, then run the same command with --yes";
    match ask(question, "[y/N]", otherwise, cancel).await? {
        Some(answer) if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") => Ok(()),
        _ => Err(Error::unchanged()),
    }
}

/// Asks for a line; `otherwise`: what to do where nobody can answer.
///
/// # Errors
/// [`Error::Usage`] without a terminal, [`Error::Interrupted`] on Ctrl-C.
pub async fn ask(question: &str, hint: &str, otherwise: &str, cancel: &CancellationToken) -> Result<Option<String>, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::usage("there is no terminal to ask on", otherwise));
    }
    eprint!("{question} {hint} ");
    let _ = std::io::stderr().flush();
    // The reading thread may stay behind: nothing waits for it at the end.
    let answer = spawn_blocking(|| {
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer).unwrap_or(0);
        (read > 0).then(|| answer.trim().to_owned())
    });
    tokio::select! {
        () = cancel.cancelled() => {
            errln!();
            Err(Error::unchanged())
        }
        answer = answer => Ok(answer.unwrap_or_default()),
    }
}
