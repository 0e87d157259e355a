use serde::Serialize;
use std::fmt::Debug;
use tritondeploy_wire::v1::{ClientMessage, Frame, LONGEST_HEADER, ServerMessage, encode};

/// A frame's parts lie in it where the specification says, and what is read of a message survives being written.
///
/// # Panics
/// When it does not hold.
pub fn v1(bytes: &[u8]) {
    messages(bytes, &[]);
    let Ok(frame) = Frame::parse(bytes) else { return };
    let mut end = 4 + frame.header.len();
    for part in &frame.parts {
        assert!(part.start % 8 == 0 && (end..end + 8).contains(&part.start) && part.end >= part.start, "{part:?} after {end}");
        end = part.end;
    }
    assert_eq!(end, bytes.len(), "nothing follows the last part");
    let parts: Vec<&[u8]> = frame.parts.iter().map(|part| &bytes[part.clone()]).collect();
    messages(frame.header, &parts);
}

fn messages(json: &[u8], parts: &[&[u8]]) {
    message(json, parts, |json| ClientMessage::parse(json).ok());
    message::<ServerMessage>(json, parts, |json| serde_json::from_slice(json).ok());
}

fn message<M: Serialize + PartialEq + Debug>(json: &[u8], parts: &[&[u8]], read: impl Fn(&[u8]) -> Option<M>) {
    let Some(message) = read(json) else { return };
    let text = serde_json::to_string(&message).expect("a message is written");
    // What is written may be longer than what was read, and too long for a client: spaces may be missing in that, not here.
    if text.len() > LONGEST_HEADER {
        return;
    }
    assert_eq!(read(text.as_bytes()).as_ref(), Some(&message), "written as {text}");
    let bytes = encode(&message, parts).expect("a frame is written");
    let frame = Frame::parse(&bytes).expect("our own frame is read");
    assert_eq!(frame.parts.iter().map(|part| &bytes[part.clone()]).collect::<Vec<_>>(), parts);
    if frame.header.len() <= LONGEST_HEADER {
        assert_eq!(read(frame.header), Some(message), "in the frame of {text}");
    }
}
