//! Where the frames of a WebSocket begin and end, told from their headers alone.

use tokio::time::Instant;

/// The longest header: two bytes, eight of length, four of mask.
const LONGEST: usize = 14;

/// Follows a client's bytes. What breaks the protocol is for others to mind.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; LONGEST],
    /// Bytes of the header that have come.
    have: usize,
    /// Bytes of the payload that have not.
    missing: u64,
    /// Whether the frame is part of a message; else it is one of control.
    data: bool,
    /// Whether it is the last of its message.
    last: bool,
    message: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    since: Instant,
    bytes: usize,
    frames: u32,
}

impl Frames {
    pub(super) fn follow(&mut self, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() {
            if self.missing > 0 {
                let here = bytes.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                bytes = &bytes[here..];
                self.missing -= here as u64;
                if self.data
                    && let Some(message) = &mut self.message
                {
                    message.bytes += here;
                }
            } else {
                self.header[self.have] = bytes[0];
                self.have += 1;
                bytes = &bytes[1..];
                if self.have < 2 || self.have < self.header_length() {
                    continue;
                }
                self.begin(now);
            }
            if self.missing == 0 && self.data && self.last {
                self.message = None;
            }
        }
    }

    fn header_length(&self) -> usize {
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if self.header[1] & 0x80 == 0 { 0 } else { 4 }
    }

    fn begin(&mut self, now: Instant) {
        let short = u64::from(self.header[1] & 0x7f);
        let long = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.missing = match short {
            126 => long(&self.header[2..4]),
            127 => long(&self.header[2..10]),
            _ => short,
        };
        (self.data, self.last) = (self.header[0] & 0x0f < 8, self.header[0] & 0x80 != 0);
        if self.data {
            let message = self.message.get_or_insert(Unfinished { since: now, bytes: 0, frames: 0 });
            message.frames = message.frames.saturating_add(1);
            message.bytes += self.have;
        }
        self.have = 0;
    }

    /// Since when a message is unfinished.
    pub(super) fn since(&self) -> Option<Instant> {
        self.message.as_ref().map(|message| message.since)
    }

    /// What has come of the unfinished message, headers included.
    pub(super) fn bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.bytes)
    }

    /// Frames of the unfinished message so far.
    pub(super) fn count(&self) -> u32 {
        self.message.as_ref().map_or(0, |message| message.frames)
    }

    /// Counts an unfinished message's time from here.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Some(message) = &mut self.message {
            message.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
    use tungstenite::protocol::frame::{Frame, FrameHeader};

    use super::*;

    fn frame(opcode: OpCode, last: bool, length: usize, mask: bool) -> Vec<u8> {
        let header = FrameHeader { is_final: last, opcode, mask: mask.then_some([1, 2, 3, 4]), ..FrameHeader::default() };
        let mut bytes = Vec::new();
        Frame::from_payload(header, vec![0x81; length].into()).format(&mut bytes).unwrap();
        bytes
    }

    /// Each frame with the count of frames of the unfinished message after it.
    fn sample() -> Vec<(Vec<u8>, u32)> {
        let (text, binary, go_on) = (OpCode::Data(Data::Text), OpCode::Data(Data::Binary), OpCode::Data(Data::Continue));
        let ping = OpCode::Control(Control::Ping);
        vec![
            (frame(text, true, 5, true), 0),
            (frame(binary, true, 0, true), 0),
            (frame(text, false, 0, true), 1),
            (frame(ping, true, 125, true), 1),
            (frame(go_on, false, 126, true), 2),
            (frame(ping, true, 0, true), 2),
            (frame(go_on, false, 65_536, true), 3),
            (frame(go_on, true, 3, true), 0),
            (frame(ping, true, 9, true), 0),
            (frame(text, true, 65_535, false), 0),
        ]
    }

    #[test]
    fn messages_end_where_they_do_however_the_bytes_come() {
        for piece in [1, 2, 3, 7, 64, 1000, 100_000] {
            let (mut frames, mut bytes) = (Frames::default(), 0);
            for (frame, count) in sample() {
                for part in frame.chunks(piece) {
                    frames.follow(part, Instant::now());
                }
                let is_data = frame[0] & 0x0f < 8;
                bytes = if count == 0 { 0 } else { bytes + if is_data { frame.len() } else { 0 } };
                assert_eq!((frames.count(), frames.bytes()), (count, bytes), "in pieces of {piece}");
                assert_eq!(frames.since().is_some(), count > 0);
            }
            // All at once, too.
            let all: Vec<u8> = sample().into_iter().flat_map(|(frame, _)| frame).collect();
            let mut frames = Frames::default();
            frames.follow(&all[..all.len() - 1], Instant::now());
            assert_eq!((frames.count(), frames.bytes()), (1, 65_535 + 4 - 1));
        }
    }
}
