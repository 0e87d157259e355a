//! Single messages that cost the gateway many times their own bytes.

use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tritondeploy_wire::v1::{self, ClientMessage, Infer, Source, TensorHeader};

use crate::failure::{Doing, Failure};
use crate::frame::{self, Opcode};
use crate::hostile::attack::{Attack, Protocol};
use crate::models::{ALL, NULL, RESNET};

/// Just within the window and the longest message that the gateway takes.
const LONG: usize = 60 << 20;

/// Models that one message names: more than the gateway takes.
const NAMED: usize = 64;

/// The most parts that a frame may have.
const PARTS: usize = 1024;

/// Of v0's numbers: each costs two bytes here, and eight there.
const NUMBERS: usize = 15 << 20;

/// Connections that send them.
const CONNECTIONS: usize = 4;

/// From the answer to one to the next: what is attacked is memory, not the network.
const PAUSE: Duration = Duration::from_secs(1);

/// One tensor for models that do not exist.
pub(super) fn many_models(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    let tensors = vec![tensor("x", &[LONG as i64 / 4])];
    Box::pin(async { bomb(attack, message(attack.seed, tensors, missing())?).await })
}

/// One tensor for a model that exists, many times over.
pub(super) fn same_model(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    // The first length is the model's to choose: as many pictures as fit.
    let picture = RESNET.numbers() * 4;
    let shape = [&[(LONG / picture) as i64], &RESNET.shape[1..]].concat();
    let models = vec![RESNET.name.to_owned(); NAMED];
    Box::pin(async move { bomb(attack, message(attack.seed, vec![tensor(RESNET.input, &shape)], models)?).await })
}

/// One tensor for every model that there is, as many as one message may name: each of them is sent all of it.
pub(super) fn every_model(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    let picture = RESNET.numbers() * 4;
    let shape = [&[(LONG / picture) as i64], &RESNET.shape[1..]].concat();
    let models = ALL.iter().map(|model| model.name.to_owned()).collect();
    Box::pin(async move { bomb(attack, message(attack.seed, vec![tensor(RESNET.input, &shape)], models)?).await })
}

/// Many tensors for models that do not exist.
pub(super) fn many_parts(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    let tensors = (0..PARTS).map(|part| tensor(&format!("x{part}"), &[(LONG / PARTS / 4) as i64])).collect();
    Box::pin(async { bomb(attack, message(attack.seed, tensors, missing())?).await })
}

/// A text that is almost all in a field that nobody knows.
pub(super) fn long_text(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    let (start, end) = (r#"{"type":"infer","id":1,"source":{"image":{}},"nobody":["#, "0]}");
    let text = [start.as_bytes(), &b"0,".repeat((LONG - start.len() - end.len()) / 2), end.as_bytes()].concat();
    Box::pin(async move { bomb(attack, framed(attack.seed, Opcode::Text, &text)).await })
}

/// Numbers of v0, as short as they can be.
pub(super) fn long_v0(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    let start = format!(
        r#"{{"model_name":{:?},"inputs":[{{"name":{:?},"shape":[{}],"datatype":"INT64","data":["#,
        NULL.name,
        NULL.input,
        NUMBERS + 1
    );
    let text = [start.as_bytes(), &b"0,".repeat(NUMBERS), b"0]}]}"].concat();
    Box::pin(async move {
        let frames = [framed(attack.seed, Opcode::Text, &text)];
        attack.begin();
        let all: FuturesUnordered<_> = (0..CONNECTIONS).map(|_| attack.repeat(&frames, Protocol::V0, PAUSE)).collect();
        all.collect::<Vec<_>>().await.into_iter().collect()
    })
}

async fn bomb(attack: &Attack, frame: Vec<u8>) -> Result<(), Failure> {
    attack.begin();
    attack.repeat(&[frame], Protocol::V1, PAUSE).await
}

fn missing() -> Vec<String> {
    (0..NAMED).map(|number| format!("missing-{number}")).collect()
}

fn tensor(name: &str, shape: &[i64]) -> TensorHeader {
    TensorHeader { name: name.to_owned(), datatype: "FP32".to_owned(), shape: shape.to_vec() }
}

/// A request with a part of random bytes for each tensor.
fn message(seed: u64, tensors: Vec<TensorHeader>, models: Vec<String>) -> Result<Vec<u8>, Failure> {
    let mut random = fastrand::Rng::with_seed(seed);
    let parts: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| {
            let mut part = vec![0; tensor.shape.iter().product::<i64>() as usize * 4];
            random.fill(&mut part);
            part
        })
        .collect();
    let infer = Infer { id: 1, source: Source::Tensors(tensors), models: Some(models), ..Infer::default() };
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let message = v1::encode(&ClientMessage::Infer(infer), &parts).doing("writing a message")?;
    Ok(framed(seed, Opcode::Binary, &message))
}

/// A whole frame, so that nothing but the network costs the attacker anything later.
pub(super) fn framed(seed: u64, opcode: Opcode, message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 14);
    frame::write(&mut frame, opcode, message, (seed as u32).to_ne_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_same_for_the_same_seed() {
        let of = |seed| message(seed, vec![tensor("x", &[1000])], missing()).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
