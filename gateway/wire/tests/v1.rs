//! The vectors of protocol v1: frames and messages.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use serde_json::Value;
use tritondeploy_wire::v1::{Cancel, ClientMessage, Frame, Malformed, ServerMessage, encode};

const FRAMES: &str = include_str!("../vectors/v1/frames.json");
const MESSAGES: &str = include_str!("../vectors/v1/messages.json");

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn frames_are_read_and_written_as_the_vectors_say() {
    let vectors: Vec<Value> = serde_json::from_str(FRAMES).unwrap();
    for vector in &vectors {
        let (name, frame) = (&vector["name"], bytes(&vector["frame"]));
        match (Frame::parse(&frame), vector["error"].as_str()) {
            (Ok(read), None) => {
                assert_eq!(serde_json::from_slice::<Value>(read.header).unwrap(), vector["header"], "{name}");
                let parts: Vec<Vec<u8>> = vector["parts"].as_array().unwrap().iter().map(bytes).collect();
                assert_eq!(read.parts.iter().map(|part| &frame[part.clone()]).collect::<Vec<_>>(), parts, "{name}");
                // Written again: the same parts, however the header's fields are ordered.
                let mut header = vector["header"].clone();
                header.as_object_mut().unwrap().remove("parts");
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let again = encode(&header, &parts).unwrap();
                let again_read = Frame::parse(&again).unwrap();
                assert_eq!(again_read.parts.iter().map(|part| &again[part.clone()]).collect::<Vec<_>>(), parts, "{name}");
            }
            (Err(Malformed::Short { .. }), Some("short")) => {}
            (Err(Malformed::Header(_)), Some("header")) => {}
            (Err(Malformed::Length { .. }), Some("length")) => {}
            (read, wanted) => panic!("{name}: {read:?} instead of {wanted:?}"),
        }
    }
    assert!(vectors.len() > 15);
}

#[test]
fn messages_are_read_and_written_without_loss() {
    let vectors: Value = serde_json::from_str(MESSAGES).unwrap();
    for message in vectors["client"].as_array().unwrap() {
        let read = ClientMessage::parse(message.to_string().as_bytes()).unwrap_or_else(|e| panic!("{message}: {e}"));
        assert_eq!(&serde_json::to_value(&read).unwrap(), message);
    }
    for message in vectors["gateway"].as_array().unwrap() {
        let read: ServerMessage = serde_json::from_value(message.clone()).unwrap_or_else(|e| panic!("{message}: {e}"));
        assert_eq!(&serde_json::to_value(&read).unwrap(), message);
    }
    for refused in vectors["refused"].as_array().unwrap() {
        let read = ClientMessage::parse(refused["message"].to_string().as_bytes());
        assert!(read.is_err(), "{}: {read:?}", refused["why"]);
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over_wherever_they_stand() {
    let padding = format!("[{}0]", "0,".repeat(30_000));
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    for unknown in [padding.as_str(), deep.as_str(), r#"{"type":"infer","id":{}}"#, "\"\\u00e9\"", "1e400", "null"] {
        for text in [
            format!(r#"{{"x":{unknown},"type":"cancel","id":7}}"#),
            format!(r#"{{"type":"cancel","x":{unknown},"id":7}}"#),
            format!(r#"{{"id":7,"type":"cancel","source":{unknown}}}"#),
        ] {
            let read = ClientMessage::parse(text.as_bytes());
            assert_eq!(read, Ok(ClientMessage::Cancel(Cancel { id: 7 })), "{}", &text[..60.min(text.len())]);
        }
    }
}

#[test]
fn what_is_no_message_is_refused_in_few_words() {
    let long = "x".repeat(50_000);
    for text in [
        "[]".to_owned(),
        "7".to_owned(),
        r#"["cancel",7]"#.to_owned(),
        r#"{"type":{"cancel":null},"id":7}"#.to_owned(),
        r#"{"type":0,"id":7}"#.to_owned(),
        r#"{"type":"cancel","type":"cancel","id":7}"#.to_owned(),
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"cancel","id":"{long}"}}"#),
        format!(r#"{{"type":"infer","id":1,"source":{{"{long}":1}}}}"#),
        format!(r#"{{"type":"cancel","id":7,"x":"{long}{long}"}}"#),
    ] {
        let why = ClientMessage::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(why.len() < 300, "{why}");
    }
}
