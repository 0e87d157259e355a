//! Protocol v1: one request at a time on each connection, its frame made beforehand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use tritondeploy_gateway::image::Quality;
use tritondeploy_wire::v1::{self, ClientMessage, Code, Frame, Infer, Outcome, ServerMessage, Source, TensorHeader};

use super::{Client, Clients, wrong};
use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::models::{DENSENET, Model};
use crate::payload;
use crate::socket::Socket;

/// Classes asked for.
const TOP: u32 = 5;

/// A request but for its id, and what must come back.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    infer: Infer,
    part: Option<Bytes>,
    answer: Answer,
}

/// What a request must be answered with.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    /// One model's only output.
    Tensor(Bytes),
    /// The best classes of each model.
    Top { models: usize, classes: Vec<u32> },
}

impl Request {
    /// Tensors of one model.
    pub(crate) fn tensors(model: &Model) -> Vec<Self> {
        let request = |tensor: Bytes| {
            let (name, shape) = (model.input.to_owned(), model.shape.to_vec());
            let source = Source::Tensors(vec![TensorHeader { name, datatype: "FP32".to_owned(), shape }]);
            let infer = Infer { source, models: Some(vec![model.name.to_owned()]), ..Infer::default() };
            Self { infer, answer: Answer::Tensor(model.answer_to(&tensor)), part: Some(tensor) }
        };
        payload::tensors(model.numbers()).into_iter().map(request).collect()
    }

    /// Photographs for one model, of which the best classes are wanted.
    pub(crate) fn photos(photos: &[Bytes], model: &Model, quality: Quality) -> Result<Vec<Self>, Failure> {
        let request = |photo: &Bytes| {
            let wire_quality = match quality {
                Quality::Exact => v1::Quality::Exact,
                Quality::Fast => v1::Quality::Fast,
            };
            let infer = Infer {
                source: Source::Image {},
                models: Some(vec![model.name.to_owned()]),
                top_k: Some(TOP),
                quality: Some(wire_quality),
                ..Infer::default()
            };
            let classes = payload::top(&model.answer_to(&payload::pixels(photo, quality)?), TOP as usize);
            Ok(Self { infer, part: Some(photo.clone()), answer: Answer::Top { models: 1, classes } })
        };
        photos.iter().map(request).collect()
    }

    /// Photographs in the bucket for the reference pair, of which the best classes are wanted.
    pub(crate) fn references(photos: &[Bytes]) -> Result<Vec<Self>, Failure> {
        let request = |(number, photo): (usize, &Bytes)| {
            let source = Source::S3 { bucket: None, key: crate::world::key(number) };
            let infer = Infer { source, top_k: Some(TOP), ..Infer::default() };
            let classes = payload::top(&DENSENET.answer_to(&payload::pixels(photo, Quality::Exact)?), TOP as usize);
            Ok(Self { infer, part: None, answer: Answer::Top { models: 2, classes } })
        };
        photos.iter().enumerate().map(request).collect()
    }

    /// Small photographs in the bucket for one model, of which the best classes are wanted.
    pub(crate) fn small_references(photos: &[Bytes], model: &Model) -> Result<Vec<Self>, Failure> {
        let request = |(number, photo): (usize, &Bytes)| {
            let source = Source::S3 { bucket: None, key: crate::world::small_key(number) };
            let infer = Infer { source, models: Some(vec![model.name.to_owned()]), top_k: Some(TOP), ..Infer::default() };
            let classes = payload::top(&model.answer_to(&payload::pixels(photo, Quality::Exact)?), TOP as usize);
            Ok(Self { infer, part: None, answer: Answer::Top { models: 1, classes } })
        };
        photos.iter().enumerate().map(request).collect()
    }

    /// The message with an id.
    pub(crate) fn message(&self, id: u64) -> Result<(Opcode, Vec<u8>), Failure> {
        let message = ClientMessage::Infer(Infer { id, ..self.infer.clone() });
        let made = match &self.part {
            Some(part) => v1::encode(&message, &[part]).map(|frame| (Opcode::Binary, frame)),
            None => serde_json::to_vec(&message).map(|text| (Opcode::Text, text)),
        };
        made.doing("writing a request")
    }

    /// Holds a result against what is expected: nothing when it is as it must be.
    pub(crate) fn differs(&self, result: &v1::Answer, parts: &[&[u8]]) -> Option<String> {
        let as_expected = match &self.answer {
            Answer::Tensor(tensor) => {
                let one = matches!(&result.results[..], [one] if matches!(one.outcome, Outcome::Outputs { .. }));
                one && *parts == [&tensor[..]]
            }
            Answer::Top { models, classes } => {
                let is_it = |outcome: &Outcome| match outcome {
                    Outcome::Top { top, .. } => top.iter().map(|class| class.index).eq(classes.iter().copied()),
                    _ => false,
                };
                result.results.len() == *models && result.results.iter().all(|result| is_it(&result.outcome))
            }
        };
        if as_expected { None } else { Some(format!("{result:?}, expected {:?}", self.answer).chars().take(600).collect()) }
    }
}

/// Reads a message of the gateway: what it says, and its parts.
pub(crate) fn read(message: &[u8]) -> Result<(ServerMessage, Vec<&[u8]>), Failure> {
    // JSON begins with a brace and has no byte that is 0; so does the length of a header of 123 bytes, but for its zeros.
    if message.first() == Some(&b'{') && message.get(3) != Some(&0) {
        return Ok((serde_json::from_slice(message).doing("reading a message")?, Vec::new()));
    }
    let frame = Frame::parse(message).doing("reading a frame")?;
    let said = serde_json::from_slice(frame.header).doing("reading a frame's header")?;
    Ok((said, frame.parts.into_iter().map(|part| &message[part]).collect()))
}

/// A connection that was greeted.
pub(crate) async fn greeted(gateway: u16) -> Result<Socket, Failure> {
    greeting(Socket::connect(gateway, Some(v1::SUBPROTOCOL)).await?).await
}

/// Waits for the greeting.
pub(crate) async fn greeting(mut socket: Socket) -> Result<Socket, Failure> {
    match read(&socket.receive().await?)? {
        (ServerMessage::Hello(_), _) => Ok(socket),
        (other, _) => Err(Failure(format!("the gateway's first message is {other:?}"))),
    }
}

struct V1 {
    socket: Socket,
    requests: Arc<Vec<Request>>,
    messages: Arc<Vec<(Opcode, Vec<u8>)>>,
}

/// Clients on a connection each.
pub(crate) async fn clients(gateway: u16, requests: Vec<Request>, count: usize) -> Result<Clients, Failure> {
    let messages = requests.iter().enumerate().map(|(number, request)| request.message(number as u64));
    let messages = Arc::new(messages.collect::<Result<Vec<_>, _>>()?);
    let requests = Arc::new(requests);
    let mut clients = Clients::new();
    for _ in 0..count {
        let socket = greeted(gateway).await?;
        clients.push(Box::new(V1 { socket, requests: requests.clone(), messages: messages.clone() }));
    }
    Ok(clients)
}

impl Client for V1 {
    fn ask(&mut self, payload: usize) -> LocalBoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let (opcode, message) = &self.messages[payload];
            loop {
                self.socket.send(*opcode, message).await?;
                let answer = self.socket.receive().await?;
                match read(&answer)? {
                    (ServerMessage::Result(result), parts) if result.id == payload as u64 => {
                        return self.requests[payload].differs(&result, &parts).map_or(Ok(()), |what| Err(wrong(payload, &what)));
                    }
                    // As every client should: it counts as one request that took the longer.
                    (ServerMessage::Error { id: Some(id), failure }, _)
                        if id == payload as u64 && failure.code == Code::Overloaded =>
                    {
                        tokio::time::sleep(Duration::from_millis(failure.retry_after_ms.unwrap_or_default())).await;
                    }
                    (other, _) => return Err(wrong(payload, &format!("{other:?}"))),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tritondeploy_wire::v1::{Class, ModelResult, Timings};

    use super::*;
    use crate::models::NULL_4K;

    fn result(outcome: Outcome) -> v1::Answer {
        let results = vec![ModelResult { alias: "null4k".into(), model: "null4k".into(), outcome }];
        v1::Answer { id: 1, results, thumbnail: None, timings: Timings::default() }
    }

    #[test]
    fn a_tensor_of_another_request_is_noticed() {
        let requests = Request::tensors(&NULL_4K);
        let outcome = Outcome::Outputs { version: "1".into(), outputs: Vec::new() };
        let of = |request: &Request| NULL_4K.answer_to(request.part.as_ref().unwrap());
        assert_eq!(requests[3].differs(&result(outcome.clone()), &[&of(&requests[3])]), None);
        assert!(requests[3].differs(&result(outcome.clone()), &[&of(&requests[4])]).is_some());
        assert!(requests[3].differs(&result(outcome), &[]).is_some());
    }

    #[test]
    fn classes_in_another_order_are_noticed() {
        let class = |index| Class { index, score: 0.5, label: None };
        let top = |order: [u32; 2]| result(Outcome::Top { version: "1".into(), top: order.map(class).to_vec() });
        let request = Request { infer: Infer::default(), part: None, answer: Answer::Top { models: 1, classes: vec![7, 2] } };
        assert_eq!(request.differs(&top([7, 2]), &[]), None);
        assert!(request.differs(&top([2, 7]), &[]).is_some());
    }

    #[test]
    fn text_and_binary_messages_are_told_apart() {
        let message = ServerMessage::Result(result(Outcome::Outputs { version: "1".into(), outputs: Vec::new() }));
        let frame = v1::encode(&message, &[b"abc"]).unwrap();
        let (said, parts) = read(&frame).unwrap();
        assert_eq!((said, parts), (message.clone(), vec![&b"abc"[..]]));
        assert_eq!(read(&serde_json::to_vec(&message).unwrap()).unwrap(), (message, Vec::new()));
    }
}
