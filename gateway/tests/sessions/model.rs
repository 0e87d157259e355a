//! What a session does, by the words of docs/protocol.md: lists, looked through anew each time.

use std::collections::VecDeque;

use serde_json::Value;
use tritondeploy_wire::v1::LARGEST_ID;

use crate::hands::Fate;

/// Frames of a stream that are worked on at once.
const TOGETHER: usize = 2;

/// A message of the gateway, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Hello,
    Goaway,
    Window { requests: u64, bytes: u64 },
    Error { id: Option<u64>, code: &'static str },
    Cancelled { id: u64, superseded: bool },
    Result { id: u64, number: u64 },
}

impl Said {
    /// Whether `message` is it.
    pub(crate) fn is(&self, message: &Value) -> bool {
        let says = |key: &str, value: &str| message[key] == *value;
        match *self {
            Self::Hello => says("type", "hello"),
            Self::Goaway => says("type", "goaway"),
            Self::Window { requests, bytes } => {
                says("type", "window") && message["requests"] == requests && message["bytes"] == bytes
            }
            Self::Error { id, code } => {
                let retryable = ["flow_control", "overloaded", "draining"].contains(&code);
                says("type", "error") && says("code", code) && message["id"].as_u64() == id && message["retryable"] == retryable
            }
            Self::Cancelled { id, superseded } => {
                let reason = if superseded { "superseded" } else { "asked" };
                says("type", "cancelled") && message["id"] == id && says("reason", reason)
            }
            Self::Result { id, number } => says("type", "result") && message["id"] == id && message["number"] == number,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    /// Its model is done; the session has not heard of it.
    Ended(Fate),
    /// The session has; its stream's earlier frames are not.
    Held(Fate),
}

#[derive(Clone, Debug)]
struct Request {
    id: u64,
    number: u64,
    bytes: u64,
    stream: Option<u64>,
    state: State,
}

#[derive(Clone, Debug)]
struct Stream {
    id: u64,
    newest: bool,
    ended: bool,
}

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    largest: (u64, u64),
    window: (u64, u64),
    /// In the order of arrival.
    open: Vec<Request>,
    streams: Vec<Stream>,
    /// Numbers of requests whose models are done, in that order.
    ended: VecDeque<u64>,
    said: VecDeque<Said>,
    count: u64,
    draining: bool,
    pub(crate) full: bool,
}

impl Model {
    pub(crate) fn new(requests: u64, bytes: u64) -> Self {
        let window = (requests, bytes);
        Self {
            largest: window,
            window,
            open: vec![],
            streams: vec![],
            ended: VecDeque::new(),
            said: [Said::Hello].into(),
            count: 0,
            draining: false,
            full: false,
        }
    }

    pub(crate) fn garbage(&mut self) {
        self.said.push_back(Said::Error { id: None, code: "bad_request" });
    }

    /// A message of so many bytes.
    pub(crate) fn infer(&mut self, id: u64, stream: Option<u64>, bytes: u64) {
        self.count += 1;
        if id > LARGEST_ID || self.open.iter().any(|request| request.id == id) {
            return self.garbage();
        }
        let sum: u64 = self.open.iter().map(|request| request.bytes).sum();
        let unknown = |stream| !self.streams.iter().any(|known| known.id == stream && !known.ended);
        let refused = if self.draining {
            Some("draining")
        } else if self.open.len() as u64 + 1 > self.window.0 || !self.open.is_empty() && sum + bytes > self.window.1 {
            Some("flow_control")
        } else if self.full {
            Some("overloaded")
        } else if stream.is_some_and(unknown) {
            Some("bad_request")
        } else {
            None
        };
        if let Some(code) = refused {
            return self.said.push_back(Said::Error { id: Some(id), code });
        }
        let Some(stream) = stream else {
            return self.open.push(Request { id, number: self.count, bytes, stream: None, state: State::Running });
        };
        let newest = self.streams.iter().any(|known| known.id == stream && known.newest);
        let waits = |request: &Request| newest && request.stream == Some(stream) && request.state == State::Waiting;
        if let Some(old) = self.open.iter().find(|request| waits(request)).map(|request| request.id) {
            self.close(old);
            self.said.push_back(Said::Cancelled { id: old, superseded: true });
        }
        self.open.push(Request { id, number: self.count, bytes, stream: Some(stream), state: State::Waiting });
        self.go_on();
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        if self.open.iter().any(|request| request.id == id) {
            self.close(id);
            self.said.push_back(Said::Cancelled { id, superseded: false });
            self.go_on();
        }
    }

    pub(crate) fn window(&mut self, requests: Option<u64>, bytes: Option<u64>) {
        self.window.0 = requests.unwrap_or(self.window.0).min(self.largest.0).max(1);
        self.window.1 = bytes.unwrap_or(self.window.1).min(self.largest.1).max(1);
        self.said.push_back(Said::Window { requests: self.window.0, bytes: self.window.1 });
    }

    pub(crate) fn stream(&mut self, id: u64, newest: bool) {
        if self.streams.iter().any(|known| known.id == id) {
            return self.garbage();
        }
        self.streams.push(Stream { id, newest, ended: false });
    }

    pub(crate) fn end_stream(&mut self, id: u64) {
        match self.streams.iter_mut().find(|known| known.id == id && !known.ended) {
            Some(known) => known.ended = true,
            None => return self.garbage(),
        }
        self.go_on();
    }

    pub(crate) fn drain(&mut self) {
        self.draining = true;
        self.said.push_back(Said::Goaway);
    }

    /// Numbers of the requests that are being worked on.
    pub(crate) fn running(&self) -> Vec<u64> {
        self.open.iter().filter(|request| request.state == State::Running).map(|request| request.number).collect()
    }

    /// The model is done with a request.
    pub(crate) fn finish(&mut self, number: u64, fate: Fate) {
        for request in self.open.iter_mut().filter(|request| request.number == number) {
            request.state = State::Ended(fate);
            self.ended.push_back(number);
        }
    }

    /// The next message to the client.
    pub(crate) fn next(&mut self) -> Option<Said> {
        while self.said.is_empty() {
            let number = self.ended.pop_front()?;
            for request in self.open.iter_mut().filter(|request| request.number == number) {
                if let State::Ended(fate) = request.state {
                    request.state = State::Held(fate);
                }
            }
            self.go_on();
        }
        self.said.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.said.is_empty()
    }

    /// Bytes of what is open, and how many it is.
    pub(crate) fn taken(&self) -> (usize, u64) {
        (self.open.len(), self.open.iter().map(|request| request.bytes).sum())
    }

    fn close(&mut self, id: u64) {
        self.open.retain(|request| request.id != id);
    }

    /// Whether a frame of the same stream stands before it.
    fn is_first(&self, request: &Request) -> bool {
        let before = |other: &&Request| other.number < request.number && other.stream == request.stream;
        request.stream.is_none() || !self.open.iter().any(|other| before(&other))
    }

    /// Tells what may be told, starts what may run, forgets streams that are over.
    fn go_on(&mut self) {
        let held = |request: &Request| match request.state {
            State::Held(fate) => Some(fate),
            _ => None,
        };
        while let Some((request, fate)) =
            self.open.iter().filter(|request| self.is_first(request)).find_map(|request| Some((request.clone(), held(request)?)))
        {
            self.close(request.id);
            self.said.push_back(match fate {
                Fate::Result => Said::Result { id: request.id, number: request.number },
                Fate::Panic => Said::Error { id: Some(request.id), code: "internal" },
            });
        }
        for at in 0..self.open.len() {
            let (stream, state) = (self.open[at].stream, self.open[at].state);
            // What the session has not heard of still counts.
            let busy = |other: &&Request| other.stream == stream && matches!(other.state, State::Running | State::Ended(_));
            if state == State::Waiting && self.open.iter().filter(busy).count() < TOGETHER {
                self.open[at].state = State::Running;
            }
        }
        let open = &self.open;
        self.streams.retain(|known| !known.ended || open.iter().any(|request| request.stream == Some(known.id)));
    }
}
