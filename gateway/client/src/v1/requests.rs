//! The requests of one connection: those that wait for room in the window, and those that the gateway has.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tritondeploy_wire::v1::{Failure, Window};

use super::{Error, Reply};

/// A request, with what is needed to send it again.
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) message: Message,
    /// Times that it was sent.
    pub(super) tries: u32,
    pub(super) answer: oneshot::Sender<Result<Reply, Error>>,
}

impl Asked {
    pub(super) fn done(self, answer: Result<Reply, Error>) {
        // Whoever asked may have gone.
        drop(self.answer.send(answer));
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }
}

pub(super) struct Requests {
    window: Window,
    waiting: VecDeque<Asked>,
    open: HashMap<u64, Asked>,
    /// Of the messages of the open ones.
    bytes: u64,
    /// Errors without an id: each means that one message of ours was none for the gateway.
    complaints: VecDeque<Failure>,
    /// Open requests that they may mean; who is answered is none of them.
    suspects: BTreeSet<u64>,
}

impl Requests {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            waiting: VecDeque::new(),
            open: HashMap::new(),
            bytes: 0,
            complaints: VecDeque::new(),
            suspects: BTreeSet::new(),
        }
    }

    pub(super) fn resize(&mut self, window: Window) {
        self.window = window;
    }

    pub(super) fn push(&mut self, asked: Asked) {
        self.waiting.push_back(asked);
    }

    /// The next message that the window allows; its request is open from now on.
    pub(super) fn next(&mut self) -> Option<Message> {
        while self.waiting.front()?.is_given_up() {
            self.waiting.pop_front();
        }
        let bytes = self.waiting.front()?.message.len() as u64;
        // One alone may be larger than the window, or it could never be sent.
        let fits = self.open.len() < self.window.requests as usize && self.bytes + bytes <= self.window.bytes;
        if !fits && !self.open.is_empty() {
            return None;
        }
        let mut asked = self.waiting.pop_front()?;
        asked.tries += 1;
        let message = asked.message.clone();
        self.bytes += bytes;
        self.open.insert(asked.id, asked);
        Some(message)
    }

    /// Forgets one that waits; says whether the gateway has it.
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        self.waiting.retain(|asked| asked.id != id);
        self.open.contains_key(&id)
    }

    /// The request whose terminal message came; None where none of ours is open by that id.
    pub(super) fn close(&mut self, id: u64) -> Option<Asked> {
        let asked = self.open.remove(&id)?;
        self.bytes -= asked.message.len() as u64;
        self.suspects.remove(&id);
        self.settle();
        Some(asked)
    }

    /// An error without an id came: the message that it means gets no other answer. Which one it was shows when the
    /// others have theirs.
    pub(super) fn complain(&mut self, failure: Failure) {
        self.suspects.extend(self.open.keys());
        self.complaints.push_back(failure);
        self.settle();
    }

    fn settle(&mut self) {
        if self.suspects.len() > self.complaints.len() {
            return;
        }
        let complaints = std::mem::take(&mut self.complaints);
        for (id, failure) in std::mem::take(&mut self.suspects).into_iter().zip(complaints) {
            if let Some(asked) = self.close(id) {
                asked.done(Err(Error::Refused(failure)));
            }
        }
    }

    pub(super) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Those that were not sent.
    pub(super) fn unsent(&mut self) -> Vec<Asked> {
        self.waiting.drain(..).collect()
    }

    /// Those that were sent, in the order of their ids.
    pub(super) fn sent(&mut self) -> Vec<Asked> {
        self.bytes = 0;
        let mut sent: Vec<Asked> = self.open.drain().map(|(_, asked)| asked).collect();
        sent.sort_by_key(|asked| asked.id);
        sent
    }
}
