//! Any frames at all, in any pieces, held against what another implementation makes of the same bytes: tungstenite's.

use std::io::{Cursor, Read, Write};
use std::sync::Mutex;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tritondeploy_gateway::admission::memory::MessageRoom;
use tritondeploy_gateway::config::Limits;
use tritondeploy_gateway::peer::{Client, RequestId};
use tritondeploy_gateway::protocol::v0::Protocol;
use tungstenite::Message;
use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

use crate::Running;
use crate::raw::{BINARY, CONTINUATION, FIN, PING, TEXT, upgraded};

const LONGEST: usize = 4096;
const CLOSE: u8 = 8;
const PONG: u8 = 10;

/// Answers with what it was asked, and remembers what it was handed.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<usize>>);

impl Protocol for Recorder {
    async fn answer(&self, _: RequestId, _: Client, message: Message, _: MessageRoom) -> Message {
        message
    }

    fn room(&self, _: Client, bytes: usize) -> Option<MessageRoom> {
        self.0.lock().unwrap().push(bytes);
        Some(None)
    }
}

/// A frame as it goes over the wire, right or wrong.
fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>, long: bool) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        // Longer than need be, which nobody minds.
        length if long || length > 0xffff => {
            bytes.push(masked | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
        length if length > 125 => {
            bytes.push(masked | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => bytes.push(masked | length as u8),
    }
    bytes.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key.map_or(0, |key| key[i % 4])));
    bytes
}

/// A whole message in fragments, with pings between them; its frames are right, its text need not be.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![8 => any::<String>().prop_map(String::into_bytes), 1 => vec(any::<u8>(), 1..40)];
    let payload = prop_oneof![
        text.prop_map(|payload| (TEXT, payload)),
        prop_oneof![vec(any::<u8>(), 0..130), vec(any::<u8>(), 1000..2000)].prop_map(|payload| (BINARY, payload)),
    ];
    let cuts = prop_oneof![3 => Just(Vec::new()), 2 => vec(0..2000usize, 1..5)];
    (payload, cuts, any::<[u8; 4]>(), any::<bool>(), prop::option::of(vec(any::<u8>(), 0..126))).prop_map(
        |((kind, payload), mut cuts, key, long, ping)| {
            cuts.iter_mut().for_each(|cut| *cut %= payload.len() + 1);
            cuts.extend([0, payload.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &payload[cut[0]..cut[1]]).collect();
            let mut bytes = Vec::new();
            for (i, piece) in pieces.iter().enumerate() {
                let last = if i + 1 == pieces.len() { FIN } else { 0 };
                bytes.extend(frame(last | if i == 0 { kind } else { CONTINUATION }, piece, Some(key), long));
                // Behind the last, too.
                if let Some(ping) = &ping {
                    bytes.extend(frame(FIN | PING, ping, Some(key), false));
                }
            }
            bytes
        },
    )
}

/// What ends a connection, or leaves it waiting.
fn last() -> impl Strategy<Value = Vec<u8>> {
    let key = Some([7, 0, 255, 9]);
    let close = move |payload: Vec<u8>| frame(FIN | CLOSE, &payload, key, false);
    prop_oneof![
        4 => Just(Vec::new()),
        1 => (1..8u8).prop_map(move |bits| frame(FIN | bits << 4 | TEXT, b"x", key, false)),
        1 => prop_oneof![3..8u8, 11..16u8].prop_map(move |opcode| frame(FIN | opcode, b"x", key, false)),
        1 => Just(frame(FIN | TEXT, b"x", None, false)),
        1 => prop_oneof![Just(CLOSE), Just(PING), Just(PONG)].prop_map(move |opcode| frame(opcode, b"", key, false)),
        1 => prop_oneof![Just(CLOSE), Just(PING), Just(PONG)].prop_map(move |opcode| frame(FIN | opcode, &[b'x'; 126], key, false)),
        1 => any::<bool>().prop_map(move |fin| frame(if fin { FIN } else { 0 } | CONTINUATION, b"x", key, false)),
        1 => Just([frame(TEXT, b"x", key, false), frame(FIN | BINARY, b"x", key, false)].concat()),
        1 => (LONGEST - 2..LONGEST + 3).prop_map(move |length| frame(FIN | BINARY, &vec![1; length], key, false)),
        1 => (1..LONGEST).prop_map(move |first| {
            [frame(TEXT, &vec![b'x'; first], key, false), frame(FIN, &vec![b'x'; LONGEST + 1 - first], key, true)].concat()
        }),
        1 => vec(any::<u8>(), 0..4).prop_map(close),
        2 => (any::<u16>(), "[a-z\u{e9}]{0,20}").prop_map(move |(code, why)| close([&code.to_be_bytes()[..], why.as_bytes()].concat())),
        1 => (1000..1016u16).prop_map(move |code| close([&code.to_be_bytes()[..], b"bye"].concat())),
        // A frame that does not come to its end.
        2 => (1..100usize).prop_map(move |cut| frame(FIN | TEXT, &[b'x'; 200], key, false)[..cut].to_vec()),
    ]
}

/// What a connection heard, and the code that it was closed with.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<Vec<u8>>,
    pings: Vec<Vec<u8>>,
    /// None: it was not.
    code: Option<u16>,
}

/// Bytes to read, and what is written.
struct Wire(Cursor<Vec<u8>>, Vec<u8>);

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        Read::read(&mut self.0, into)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Write::write(&mut self.1, bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn by_tungstenite(bytes: &[u8]) -> Heard {
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    let wire = Wire(Cursor::new(bytes.to_vec()), Vec::new());
    let mut socket = WebSocket::from_raw_socket(wire, Role::Server, Some(config));
    let mut heard = Heard::default();
    heard.code = loop {
        match socket.read() {
            Ok(Message::Text(text)) => heard.messages.push(text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => heard.messages.push(bytes.to_vec()),
            Ok(Message::Ping(payload)) => heard.pings.push(payload.to_vec()),
            Ok(Message::Close(frame)) => break Some(frame.map_or(1005, |frame| frame.code.into())),
            Ok(_) => {}
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => break Some(1009),
            Err(Error::Utf8(_)) => break Some(1007),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break None,
            Err(Error::Protocol(_)) => break Some(1002),
            Err(other) => panic!("{other:?}"),
        }
    };
    heard
}

/// What comes back until the connection is closed, or until so many messages did where nothing closes it.
async fn by_the_gateway(running: &Running<Recorder>, pieces: &[&[u8]], enough: Option<usize>) -> Heard {
    let mut stream = upgraded(running).await;
    let mut heard = Heard::default();
    for piece in pieces {
        // It may be closed already.
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    while enough != Some(heard.messages.len()) {
        let Ok(first) = stream.read_u8().await else { break };
        let length = match stream.read_u8().await.unwrap() {
            126 => usize::from(stream.read_u16().await.unwrap()),
            127 => stream.read_u64().await.unwrap() as usize,
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        match first & 0x0f {
            CLOSE => {
                heard.code = Some(payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)));
                break;
            }
            PONG => heard.pings.push(payload),
            _ => heard.messages.push(payload),
        }
    }
    heard
}

async fn same(running: &Running<Recorder>, bytes: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let wanted = by_tungstenite(bytes);
    // What a case that failed has left.
    running.protocol.0.lock().unwrap().clear();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
    let enough = wanted.code.is_none().then_some(wanted.messages.len());
    let got = timeout(Duration::from_secs(10), by_the_gateway(running, &pieces, enough)).await;
    let got = got.map_err(|_| TestCaseError::fail(format!("nothing comes; wanted was {wanted:?}")))?;
    prop_assert_eq!(got.code, wanted.code, "{:?}", got);
    // What is in the works when a connection is closed is given up; else all is answered.
    prop_assert!(wanted.messages.starts_with(&got.messages), "{:?} instead of {:?}", got.messages, wanted.messages);
    prop_assert!(enough.is_none_or(|enough| enough == got.messages.len()));
    let handed = std::mem::take(&mut *running.protocol.0.lock().unwrap());
    prop_assert_eq!(handed, wanted.messages.iter().map(Vec::len).collect::<Vec<_>>());
    let mut pings = wanted.pings.iter();
    prop_assert!(got.pings.iter().all(|pong| pings.any(|ping| ping == pong)), "{:?} answer {:?}", got.pings, wanted.pings);
    Ok(())
}

#[test]
fn any_frames_are_heard_as_another_implementation_hears_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let limits = Limits { message_bytes: LONGEST, running: 1000, ..Limits::default() };
    let running = runtime.block_on(Running::serving(Recorder::default(), limits));
    let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };
    let case = (vec(message(), 0..4), last(), vec(any::<usize>(), 0..6));
    let outcome = TestRunner::new(config).run(&case, |(messages, last, cuts)| {
        let bytes = [messages.concat(), last].concat();
        runtime.block_on(same(&running, &bytes, &cuts))
    });
    if let Err(e) = outcome {
        panic!("{e}");
    }
}
