//! A line to the gateway: one connection after another, and what is asked on them.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use super::connection::{self, Connection, Ended, Opened, Told};
use super::{Error, Reply};

/// Times that a request is sent before its loss is told: another loss may well be its own doing.
const TRIES: u32 = 4;

/// Between tries to connect: doubled each time.
const PAUSE: Duration = Duration::from_millis(50);

/// Tries to connect before those who wait are told.
const CONNECTS: u32 = 5;

pub(super) enum Command {
    Ask(Asked),
    Cancel(u64),
}

/// A request, with what is needed to send it again.
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) message: Message,
    pub(super) tries: u32,
    pub(super) answer: oneshot::Sender<Result<Reply, Error>>,
}

impl Asked {
    pub(super) fn done(self, answer: Result<Reply, Error>) {
        // Whoever asked may have gone.
        drop(self.answer.send(answer));
    }
}

pub(super) struct Line {
    url: String,
    told: mpsc::UnboundedSender<(u64, Told)>,
    /// Connections so far.
    number: u64,
    current: Option<mpsc::UnboundedSender<Command>>,
    /// Those that take nothing new, but cancels.
    leaving: Vec<(u64, mpsc::UnboundedSender<Command>)>,
}

impl Line {
    /// Runs until every handle is dropped.
    pub(super) fn start(url: &str, first: Option<Opened>) -> mpsc::UnboundedSender<Command> {
        let (asks, commands) = mpsc::unbounded_channel();
        let (told, tells) = mpsc::unbounded_channel();
        let mut line = Self { url: url.to_owned(), told, number: 0, current: None, leaving: Vec::new() };
        if let Some(opened) = first {
            line.take(opened);
        }
        tokio::spawn(line.run(commands, tells));
        asks
    }

    fn take(&mut self, opened: Opened) {
        let (commands, theirs) = mpsc::unbounded_channel();
        self.number += 1;
        tokio::spawn(Connection::run(opened, theirs, self.number, self.told.clone()));
        self.current = Some(commands);
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, mut tells: mpsc::UnboundedReceiver<(u64, Told)>) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Ask(asked)) => self.ask(vec![asked]).await,
                    Some(Command::Cancel(id)) => {
                        for connection in self.current.iter().chain(self.leaving.iter().map(|(_, sender)| sender)) {
                            drop(connection.send(Command::Cancel(id)));
                        }
                    }
                    None => return,
                },
                // Never None: we hold a sender.
                Some((number, told)) = tells.recv() => self.hear(number, told).await,
            }
        }
    }

    async fn hear(&mut self, number: u64, told: Told) {
        let is_current = number == self.number;
        match told {
            Told::Goaway(asked) => {
                if is_current && let Some(sender) = self.current.take() {
                    self.leaving.push((number, sender));
                }
                self.ask(asked).await;
            }
            Told::Ended(Ended { why, unanswered }) => {
                if is_current {
                    self.current = None;
                }
                self.leaving.retain(|(leaving, _)| *leaving != number);
                let (again, lost): (Vec<_>, Vec<_>) = unanswered.into_iter().partition(|asked| asked.tries < TRIES);
                for asked in lost {
                    let times = asked.tries;
                    asked.done(Err(Error::Lost { times, why: why.clone() }));
                }
                self.ask(again).await;
            }
        }
    }

    async fn ask(&mut self, mut all: Vec<Asked>) {
        // Nobody waits for those any more.
        all.retain(|asked| !asked.answer.is_closed());
        if all.is_empty() {
            return;
        }
        if self.current.as_ref().is_none_or(mpsc::UnboundedSender::is_closed)
            && let Err(e) = self.connect().await
        {
            all.into_iter().for_each(|asked| asked.done(Err(e.clone())));
            return;
        }
        for asked in all {
            if let Some(current) = &self.current
                && let Err(refused) = current.send(Command::Ask(asked))
                && let Command::Ask(asked) = refused.0
            {
                asked.done(Err(Error::Lost { times: 1, why: "the connection ended".to_owned() }));
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let mut pause = PAUSE;
        let mut tried = 1;
        loop {
            match connection::open(&self.url).await {
                Ok(opened) => {
                    self.take(opened);
                    return Ok(());
                }
                Err(e) if tried >= CONNECTS => return Err(e),
                Err(_) => {
                    sleep(pause).await;
                    pause *= 2;
                    tried += 1;
                }
            }
        }
    }
}
