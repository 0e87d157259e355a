//! Protocol v0: JSON over a WebSocket, with tensors as lists of numbers or with references to objects.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use tritondeploy_gateway::image::Quality;
use tritondeploy_wire::Datatype;
use tritondeploy_wire::v0::{self, Object, Request, Tensor};

use super::{Client, Clients, wrong};
use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::models::{DENSENET, Model, RESNET};
use crate::payload;
use crate::socket::Socket;
use crate::world::{BUCKET, key};

struct V0 {
    socket: Socket,
    requests: Arc<Vec<String>>,
    answers: Arc<Vec<String>>,
}

/// Clients that send tensors as nested lists.
pub(crate) async fn tensors(gateway: u16, model: &Model, count: usize) -> Result<Clients, Failure> {
    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    for tensor in payload::tensors(model.numbers()) {
        answers.push(payload::flat(model, &model.answer_to(&tensor))?);
        let tensor =
            Tensor { name: model.input.to_owned(), datatype: Datatype::Fp32, shape: model.shape.to_vec(), data: tensor.to_vec() };
        let request = Request::Tensors { model: model.name.to_owned(), inputs: vec![tensor] };
        requests.push(request.to_json().doing("writing a request")?);
    }
    connect(gateway, requests, answers, count).await
}

/// Clients that name photographs in the bucket, for the reference pair.
pub(crate) async fn references(gateway: u16, photos: &[Bytes], count: usize) -> Result<Clients, Failure> {
    let (mut requests, mut answers) = (Vec::new(), Vec::new());
    for (number, photo) in photos.iter().enumerate() {
        let request = Request::Pipelines(Object { bucket: BUCKET.to_owned(), key: key(number) });
        requests.push(request.to_json().doing("writing a request")?);
        let answer = DENSENET.answer_to(&payload::pixels(photo, Quality::Exact)?);
        answers.push(pair(&answer, &answer)?);
    }
    connect(gateway, requests, answers, count).await
}

/// The answer to a reference.
pub(crate) fn pair(densenet: &[u8], resnet: &[u8]) -> Result<String, Failure> {
    let pipelines = [("densenet", [payload::view(&DENSENET, densenet)]), ("resnet", [payload::view(&RESNET, resnet)])];
    v0::aliased(pipelines).doing("writing an answer")
}

async fn connect(gateway: u16, requests: Vec<String>, answers: Vec<String>, count: usize) -> Result<Clients, Failure> {
    let (requests, answers) = (Arc::new(requests), Arc::new(answers));
    let mut clients = Clients::new();
    for _ in 0..count {
        let socket = Socket::connect(gateway, None).await?;
        clients.push(Box::new(V0 { socket, requests: requests.clone(), answers: answers.clone() }));
    }
    Ok(clients)
}

impl Client for V0 {
    fn ask(&mut self, payload: usize) -> LocalBoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            self.socket.send(Opcode::Text, self.requests[payload].as_bytes()).await?;
            let answer = self.socket.receive().await?;
            // The gateway's own writer wrote what is expected, from numbers that went no further than this process.
            if answer != self.answers[payload].as_bytes() {
                let beginning = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
                return Err(wrong(payload, &beginning));
            }
            Ok(())
        })
    }
}
