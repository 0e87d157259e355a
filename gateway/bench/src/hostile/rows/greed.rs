//! Small requests, many of them: what they leave behind, and whom they keep out.

use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tritondeploy_wire::v1::{self, ClientMessage, Infer, Source};

use super::bombs::framed;
use super::pictures::{OPEN, never_reads};
use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::hostile::attack::{Attack, Protocol};
use crate::models::RESNET;

/// Connections that leave errors unread: in one process, a thousand would be more than its open files.
const CONNECTIONS: usize = 300;

/// Texts that are no message, beside the requests of each connection.
const TEXTS: usize = 200;

/// Connections that keep long shapes waiting.
const SHAPES: usize = 24;

/// From one round to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// Errors as long as they can be, which nobody reads.
pub(super) fn unread_errors(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(async {
        let pipeline = Some("\u{10ffff}".repeat(200));
        let source = || Source::S3 { bucket: None, key: "k".to_owned() };
        let requests = (0..OPEN).map(|id| Infer { id, source: source(), pipeline: pipeline.clone(), ..Infer::default() });
        let mut frames: Vec<Vec<u8>> =
            requests.map(|infer| text(attack, &ClientMessage::Infer(infer))).collect::<Result<_, _>>()?;
        let nonsense = format!(r#"{{"type":"{}"}}"#, "\\u0001".repeat(190));
        frames.extend((0..TEXTS).map(|_| framed(attack.seed, Opcode::Text, nonsense.as_bytes())));
        attack.begin();
        let all: FuturesUnordered<_> = (0..CONNECTIONS).map(|_| never_reads(attack, &frames)).collect();
        all.collect::<Vec<()>>().await;
        std::future::pending().await
    })
}

/// Shapes of thousands of lengths, which wait behind two frames of their stream.
pub(super) fn long_shapes(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(async {
        let mut frames = vec![framed(attack.seed, Opcode::Text, br#"{"type":"stream","stream":1}"#)];
        let shape = vec!["0"; 32_000].join(",");
        frames.extend((0..OPEN).map(|id| {
            let tensors = format!(r#"[{{"name":"x","datatype":"FP32","shape":[{shape}]}}]"#);
            let request = format!(r#"{{"type":"infer","id":{id},"stream":1,"source":{{"tensors":{tensors}}},"models":["m"]}}"#);
            framed(attack.seed, Opcode::Text, request.as_bytes())
        }));
        attack.begin();
        let all: FuturesUnordered<_> = (0..SHAPES).map(|_| never_reads(attack, &frames)).collect();
        all.collect::<Vec<()>>().await;
        std::future::pending().await
    })
}

/// One model, always asked for by as many requests as a connection may have open, each of one pixel.
pub(super) fn hog(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(async {
        let frames: Vec<Vec<u8>> = (0..OPEN - 4)
            .map(|id| {
                let models = Some(vec![RESNET.name.to_owned()]);
                let source = Source::Rgb8 { width: 1, height: 1 };
                let infer = Infer { id, source, models, top_k: Some(1), ..Infer::default() };
                let message = v1::encode(&ClientMessage::Infer(infer), &[&[7; 3]]).doing("writing a message")?;
                Ok(framed(attack.seed, Opcode::Binary, &message))
            })
            .collect::<Result<_, Failure>>()?;
        attack.begin();
        attack.repeat(&frames, Protocol::V1, PAUSE).await
    })
}

fn text(attack: &Attack, message: &ClientMessage) -> Result<Vec<u8>, Failure> {
    let text = serde_json::to_vec(message).doing("writing a message")?;
    Ok(framed(attack.seed, Opcode::Text, &text))
}
