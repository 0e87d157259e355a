//! The first bytes of a client's frame (RFC 6455, section 5.2).

/// The longest payload of a control frame.
const CONTROL: u64 = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether it is the last of its message.
    pub(super) last: bool,
    pub(super) opcode: Opcode,
    pub(super) key: [u8; 4],
    /// Bytes of the head itself.
    pub(super) size: usize,
    /// Bytes of the payload, as the client claims.
    pub(super) length: u64,
}

impl Head {
    /// Reads a head; None while it is not all there.
    ///
    /// # Errors
    /// What breaks the protocol.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err("reserved bits are set");
        }
        let opcode = Opcode::of(first & 0x0f).ok_or("the opcode is reserved")?;
        let last = first & 0x80 != 0;
        if second & 0x80 == 0 {
            return Err("a client's frame is not masked");
        }
        let (length, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if opcode.is_control() && (!last || length > CONTROL) {
            return Err("a control frame is fragmented or longer than 125 bytes");
        }
        let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some(Self { last, opcode, key: *key, size: bytes.len() - rest.len(), length }))
    }
}

/// Unmasks a piece of a payload that begins `from` bytes after the payload does.
pub(super) fn unmask(bytes: &mut [u8], key: [u8; 4], from: usize) {
    let at = |i: usize| key[(from + i) % 4];
    // Eight bytes at a time: compilers make vector instructions of it.
    let wide = u64::from_ne_bytes(std::array::from_fn(at));
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (i, byte) in rest.iter_mut().enumerate() {
        *byte ^= at(i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_every_length_are_read_as_they_come() {
        let cases = [
            (vec![0x81, 0x85, 1, 2, 3, 4], true, Opcode::Text, 5),
            (vec![0x02, 0xfe, 0x01, 0x00, 1, 2, 3, 4], false, Opcode::Binary, 256),
            (vec![0x80, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], true, Opcode::Continuation, 65_536),
            (vec![0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4], true, Opcode::Binary, u64::MAX),
            (vec![0x89, 0xfd, 1, 2, 3, 4], true, Opcode::Ping, 125),
        ];
        for (bytes, last, opcode, length) in cases {
            for end in 0..bytes.len() {
                assert_eq!(Head::parse(&bytes[..end]), Ok(None), "{bytes:?} up to {end}");
            }
            let size = bytes.len();
            let head = Head { last, opcode, key: [1, 2, 3, 4], size, length };
            let more = [bytes, vec![7; 20]].concat();
            assert_eq!(Head::parse(&more), Ok(Some(head)));
        }
    }

    #[test]
    fn what_a_client_must_not_send_is_refused_at_once() {
        for bytes in [[0x81, 0x05], [0xc1, 0x85], [0x83, 0x80], [0x8b, 0x80], [0x09, 0x80]] {
            assert!(Head::parse(&bytes).is_err() || Head::parse(&[bytes[0], bytes[1], 0, 0, 0, 0]).is_err(), "{bytes:?}");
        }
        assert!(Head::parse(&[0x89, 0xfe, 0, 126, 0, 0, 0, 0]).is_err(), "a long ping");
    }

    #[test]
    fn pieces_are_unmasked_wherever_they_begin() {
        let (key, plain): (_, Vec<u8>) = ([1, 20, 4, 80], (0..100).collect());
        let masked: Vec<u8> = plain.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
        for cut in 0..plain.len() {
            let mut bytes = masked.clone();
            let (first, second) = bytes.split_at_mut(cut);
            unmask(first, key, 0);
            unmask(second, key, cut);
            assert_eq!(bytes, plain, "cut at {cut}");
        }
    }
}
