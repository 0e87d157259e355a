//! WebSocket frames (RFC 6455, section 5.2) as a client writes and reads them, with nothing in between: what a load tool
//! spends, it takes from what it measures.

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    fn of(number: u8) -> Option<Self> {
        [Self::Continuation, Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong]
            .into_iter()
            .find(|opcode| opcode.number() == number)
    }
}

/// The first bytes of a frame from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) last: bool,
    pub(crate) opcode: Opcode,
    /// Bytes that these first bytes take.
    pub(crate) size: usize,
    /// Bytes that follow.
    pub(crate) length: usize,
}

impl Head {
    /// Reads the beginning of a frame; nothing while it is not all there.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if second & 0x80 != 0 {
            return Err("the server masks its frames");
        }
        if first & 0x70 != 0 {
            return Err("the server uses an extension that was not agreed to");
        }
        let opcode = Opcode::of(first & 0x0f).ok_or("the server's opcode is unknown")?;
        let (size, length) = match second {
            126 => match rest.first_chunk::<2>() {
                Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (10, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            short => (2, u64::from(*short)),
        };
        let length = usize::try_from(length).map_err(|_| "the server's frame is too long")?;
        Ok(Some(Self { last: first & 0x80 != 0, opcode, size, length }))
    }
}

/// Appends a whole frame, masked.
pub(crate) fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    head(out, opcode, payload.len(), key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], key);
}

/// Appends the first bytes of a whole frame, up to its payload.
pub(crate) fn head(out: &mut Vec<u8>, opcode: Opcode, length: usize, key: [u8; 4]) {
    out.push(0x80 | opcode.number());
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&key);
}

/// Masks or unmasks, eight bytes at a time: compilers make vector instructions of it.
pub(crate) fn mask(bytes: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
    // What is left after whole eights has at most seven bytes, and the key four.
    for (byte, key) in rest.iter_mut().skip(4).zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The masked "Hello" of RFC 6455, section 5.7.
    #[test]
    fn the_example_of_the_standard_is_written() {
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn the_unmasked_examples_of_the_standard_are_read() {
        let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        let head = Head { last: true, opcode: Opcode::Text, size: 2, length: 5 };
        assert_eq!(Head::parse(&hello), Ok(Some(head)));
        let part = Head { last: false, opcode: Opcode::Text, size: 2, length: 3 };
        assert_eq!(Head::parse(&[0x01, 0x03, 0x48]), Ok(Some(part)));
        let medium = Head { last: true, opcode: Opcode::Binary, size: 4, length: 256 };
        assert_eq!(Head::parse(&[0x82, 0x7e, 0x01, 0x00]), Ok(Some(medium)));
        let long = Head { last: true, opcode: Opcode::Binary, size: 10, length: 65536 };
        assert_eq!(Head::parse(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]), Ok(Some(long)));
    }

    #[test]
    fn a_beginning_is_waited_for() {
        for bytes in [&[][..], &[0x82], &[0x82, 0x7e, 1], &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0]] {
            assert_eq!(Head::parse(bytes), Ok(None), "{bytes:?}");
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        for bytes in [[0x81, 0x85], [0xc1, 0x05], [0x83, 0x00]] {
            assert!(Head::parse(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn every_length_has_its_shortest_form_and_every_byte_its_key() {
        let key = [1, 2, 4, 8];
        for (length, head) in [(0, 6), (1, 6), (7, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14), (70_003, 14)] {
            let payload: Vec<u8> = (0..length).map(|i: usize| (i * 7) as u8).collect();
            let mut out = Vec::new();
            write(&mut out, Opcode::Binary, &payload, key);
            assert_eq!(out.len(), head + length);
            assert!(out[head..].iter().enumerate().all(|(i, byte)| byte ^ key[i % 4] == payload[i]), "{length}");
            mask(&mut out[head..], key);
            assert_eq!(out[head..], payload);
        }
    }
}
