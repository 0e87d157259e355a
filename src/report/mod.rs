//! The only place that prints or draws; fed by the engine's events and by what commands found.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the place that prints")]

mod bars;
mod json;
mod lines;
mod words;
mod work;
pub mod show;

use std::io::{IsTerminal, Write};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::engine::{Event, Events};
use crate::error::Error;

pub use work::Work;

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
    while let Some(event) = receiver.recv().await {
        tracing::info!(target: "walk", event = %json::line(&event));
        match mode {
            Mode::Json => println!("{}", json::line(&event)),
            Mode::Lines => lines::of(&event).into_iter().for_each(|line| eprintln!("{line}")),
            Mode::Bars => bars.show(&event),
        }
    }
    bars.end();
}

/// How a command ended badly: cause, what exists, what to type next.
pub fn error(error: &Error, as_json: bool) {
    if as_json {
        println!("{}", json::error(error));
        return;
    }
    eprintln!("error: {error}");
    if !error.exists().is_empty() {
        eprintln!("exists now: {}", error.exists().join(", "));
    }
    if !error.next().is_empty() {
        eprintln!("next: {}", error.next());
    }
}

/// Asks a question that is answered with yes or no; no where nobody can answer.
///
/// # Errors
/// [`Error::Usage`] without a terminal.
pub fn confirm(question: &str) -> Result<bool, Error> {
    Ok(ask(question, "[y/N]")?.is_some_and(|answer| matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// Asks for a line.
///
/// # Errors
/// [`Error::Usage`] without a terminal.
pub fn ask(question: &str, hint: &str) -> Result<Option<String>, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::usage(
            "there is no terminal to ask on",
            "say it on the command line (--yes; see --help), once you have read what `tritondeploy plan` shows",
        ));
    }
    eprint!("{question} {hint} ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer).unwrap_or(0);
    Ok((read > 0).then(|| answer.trim().to_owned()))
}
