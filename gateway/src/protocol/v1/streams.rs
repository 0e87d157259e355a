//! Ordered streams of frames: answers in the order of the frames, a few frames at once, the rest wait.

use std::collections::{HashMap, VecDeque};

use tritondeploy_wire::v1::DropPolicy;
use tungstenite::Message;

use super::PendingRequest;

/// Frames of one stream that run at once: one is prepared while another is inferred.
const RUNNING: usize = 2;

/// Streams that one connection may have open; a camera each is many.
const STREAMS: usize = 64;

/// All streams of a connection.
#[derive(Default)]
pub(super) struct Streams(HashMap<u64, Stream>);

struct Stream {
    drop: DropPolicy,
    /// In order of arrival; closed requests are taken out.
    frames: VecDeque<Frame>,
    ended: bool,
}

struct Frame {
    number: u64,
    id: u64,
    state: State,
}

enum State {
    Waiting(Box<PendingRequest>),
    Running,
    Done(Message),
}

impl Streams {
    pub(super) fn open(&mut self, stream: u64, drop: DropPolicy) -> Result<(), String> {
        if self.0.contains_key(&stream) {
            return Err(format!("the stream {stream} is open already"));
        }
        if self.0.len() >= STREAMS {
            return Err(format!("{STREAMS} streams are open, the most that a connection may have"));
        }
        self.0.insert(stream, Stream { drop, frames: VecDeque::new(), ended: false });
        Ok(())
    }

    pub(super) fn end(&mut self, stream: u64) -> Result<(), String> {
        let found = self.0.get_mut(&stream).filter(|found| !found.ended);
        found.ok_or_else(|| format!("the stream {stream} is not open"))?.ended = true;
        self.forget(stream);
        Ok(())
    }

    /// Adds a frame; the id of the one that it takes the place of, if any.
    pub(super) fn push(&mut self, stream: u64, number: u64, asked: PendingRequest) -> Result<Option<u64>, String> {
        let found = self.0.get_mut(&stream).filter(|found| !found.ended);
        let found = found.ok_or_else(|| format!("the stream {stream} is not open"))?;
        let waits = |frame: &&Frame| matches!(frame.state, State::Waiting(_));
        let superseded = match found.drop {
            DropPolicy::All => None,
            DropPolicy::Newest => found.frames.iter().find(waits).map(|frame| frame.id),
        };
        found.frames.push_back(Frame { number, id: asked.infer.id, state: State::Waiting(Box::new(asked)) });
        Ok(superseded)
    }

    /// The next frame that may start; it counts as running from now on.
    pub(super) fn startable(&mut self, stream: u64) -> Option<(u64, PendingRequest)> {
        let frames = &mut self.0.get_mut(&stream)?.frames;
        if frames.iter().filter(|frame| matches!(frame.state, State::Running)).count() >= RUNNING {
            return None;
        }
        let frame = frames.iter_mut().find(|frame| matches!(frame.state, State::Waiting(_)))?;
        match std::mem::replace(&mut frame.state, State::Running) {
            State::Waiting(asked) => Some((frame.number, *asked)),
            _ => None,
        }
    }

    pub(super) fn finish(&mut self, stream: u64, number: u64, message: Message) {
        let frames = self.0.get_mut(&stream).map(|found| &mut found.frames);
        if let Some(frame) = frames.and_then(|frames| frames.iter_mut().find(|frame| frame.number == number)) {
            frame.state = State::Done(message);
        }
    }

    /// The first frame, if it is done: id and answer.
    pub(super) fn finished(&mut self, stream: u64) -> Option<(u64, Message)> {
        let frames = &mut self.0.get_mut(&stream)?.frames;
        let frame = frames.pop_front_if(|frame| matches!(frame.state, State::Done(_)))?;
        self.forget(stream);
        match frame.state {
            State::Done(message) => Some((frame.id, message)),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, stream: u64, number: u64) {
        if let Some(found) = self.0.get_mut(&stream) {
            found.frames.retain(|frame| frame.number != number);
        }
        self.forget(stream);
    }

    /// An ended stream without frames is no more.
    fn forget(&mut self, stream: u64) {
        if self.0.get(&stream).is_some_and(|found| found.ended && found.frames.is_empty()) {
            self.0.remove(&stream);
        }
    }
}
