//! The way to the gateway: one connection after another, and what is asked on them.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Error;
use super::connection::{self, Connection, ConnectionEvent, Opened};
use super::requests::Asked;

/// Times that a request is sent before its loss is told: another loss may well be its own doing.
pub(super) const TRIES: u32 = 4;

/// Before another connection after one that was of no use: doubled each time.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest of these.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connections in a row that were of no use, or could not be made, before those who wait are told.
const CONNECTS: u32 = 5;

pub(super) enum Command {
    Ask(Asked),
    Cancel(u64),
}

pub(super) struct Reconnector {
    url: String,
    told: mpsc::UnboundedSender<(u64, ConnectionEvent)>,
    /// Connections so far.
    number: u64,
    current: Option<mpsc::UnboundedSender<Command>>,
    /// Those that take nothing new, but cancels.
    leaving: Vec<(u64, mpsc::UnboundedSender<Command>)>,
    /// Asked for while there is no connection.
    waiting: VecDeque<Asked>,
    connecting: Option<BoxFuture<'static, Result<Opened, Error>>>,
    /// Connections in a row that were of no use, or could not be made.
    fruitless: u32,
}

impl Reconnector {
    /// Runs until every handle is dropped.
    pub(super) fn start(url: &str, first: Option<Opened>) -> mpsc::UnboundedSender<Command> {
        let (asks, commands) = mpsc::unbounded_channel();
        let (told, tells) = mpsc::unbounded_channel();
        let mut reconnector = Self {
            url: url.to_owned(),
            told,
            number: 0,
            current: None,
            leaving: Vec::new(),
            waiting: VecDeque::new(),
            connecting: None,
            fruitless: 0,
        };
        if let Some(opened) = first {
            reconnector.take(opened);
        }
        tokio::spawn(reconnector.run(commands, tells));
        asks
    }

    fn take(&mut self, opened: Opened) {
        let (commands, theirs) = mpsc::unbounded_channel();
        self.number += 1;
        tokio::spawn(Connection::run(opened, theirs, self.number, self.told.clone()));
        self.current = Some(commands);
    }

    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut tells: mpsc::UnboundedReceiver<(u64, ConnectionEvent)>,
    ) {
        loop {
            self.send();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Ask(asked)) => self.waiting.push_back(asked),
                    Some(Command::Cancel(id)) => self.cancel(id),
                    None => return,
                },
                // Never None: we hold a sender.
                Some((number, told)) = tells.recv() => self.hear(number, told),
                opened = made(&mut self.connecting) => self.connected(opened),
            }
        }
    }

    /// What waits goes to the connection; where there is none, one is made.
    fn send(&mut self) {
        // Nobody waits for those any more.
        self.waiting.retain(|asked| !asked.is_given_up());
        while let Some(current) = &self.current
            && let Some(asked) = self.waiting.pop_front()
        {
            if let Err(refused) = current.send(Command::Ask(asked)) {
                // It has ended, and its word on that is on its way.
                self.current = None;
                if let Command::Ask(asked) = refused.0 {
                    self.waiting.push_front(asked);
                }
            }
        }
        if !self.waiting.is_empty() && self.connecting.is_none() {
            let (url, pause) = (self.url.clone(), pause(self.fruitless));
            let connect = async move {
                sleep(pause).await;
                connection::open(&url).await
            };
            self.connecting = Some(connect.boxed());
        }
    }

    fn cancel(&mut self, id: u64) {
        self.waiting.retain(|asked| asked.id != id);
        for connection in self.current.iter().chain(self.leaving.iter().map(|(_, sender)| sender)) {
            drop(connection.send(Command::Cancel(id)));
        }
    }

    fn connected(&mut self, opened: Result<Opened, Error>) {
        self.connecting = None;
        match opened {
            Ok(opened) => self.take(opened),
            Err(e) => {
                self.fruitless += 1;
                if self.fruitless >= CONNECTS || matches!(e, Error::UnsupportedSubprotocol { .. }) {
                    self.fruitless = 0;
                    self.waiting.drain(..).for_each(|asked| asked.done(Err(e.clone())));
                }
            }
        }
    }

    fn hear(&mut self, number: u64, told: ConnectionEvent) {
        let is_current = number == self.number;
        match told {
            ConnectionEvent::Goaway { unsent, was_of_use } => {
                if is_current && let Some(sender) = self.current.take() {
                    self.leaving.push((number, sender));
                    self.fruitless = if was_of_use { 0 } else { self.fruitless + 1 };
                }
                self.waiting.extend(unsent);
            }
            ConnectionEvent::Ended { why, unanswered, was_of_use } => {
                let was_leaving = self.leaving.extract_if(.., |(leaving, _)| *leaving == number).next().is_some();
                let nothing_was_owed = unanswered.is_empty();
                let (again, lost): (Vec<_>, Vec<_>) = unanswered.into_iter().partition(|asked| asked.tries < TRIES);
                if is_current && !was_leaving {
                    self.current = None;
                    // One that ends with the request that may have been its undoing was of some use too.
                    let was_of_use = was_of_use || nothing_was_owed || !lost.is_empty();
                    self.fruitless = if was_of_use { 0 } else { self.fruitless + 1 };
                }
                for asked in lost {
                    let times = asked.tries;
                    asked.done(Err(Error::Lost { times, why: why.clone() }));
                }
                self.waiting.extend(again);
                if self.fruitless >= CONNECTS && !was_leaving {
                    let lost = Error::Lost { times: self.fruitless, why };
                    self.fruitless = 0;
                    self.waiting.drain(..).for_each(|asked| asked.done(Err(lost.clone())));
                }
            }
        }
    }
}

/// The connection that is being made; never, where none is.
async fn made(connecting: &mut Option<BoxFuture<'static, Result<Opened, Error>>>) -> Result<Opened, Error> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}

fn pause(fruitless: u32) -> Duration {
    match fruitless {
        0 => Duration::ZERO,
        n => PAUSE.saturating_mul(1 << (n - 1).min(8)).min(LONGEST_PAUSE),
    }
}
