//! Triton itself, over gRPC: with the tensors in the messages, or in shared memory.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use serde_json::json;
use tonic::transport::{Channel, Endpoint};

use super::{Client, Clients, wrong};
use crate::failure::{Doing, Failure};
use crate::http;
use crate::models::Model;
use crate::payload;
use proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use proto::infer_parameter::ParameterChoice;
use proto::model_infer_request::InferInputTensor;
use proto::{InferParameter, ModelInferRequest};

/// Below it, h2's window updates are what is measured.
const WINDOW: u32 = 8 << 20;

const LARGEST: usize = 128 << 20;

struct Direct {
    client: GrpcInferenceServiceClient<Channel>,
    requests: Arc<Vec<ModelInferRequest>>,
    answers: Arc<Vec<Bytes>>,
}

/// Clients that send the tensors inside the requests, each on a connection of its own.
pub(crate) async fn inline(grpc: u16, model: &Model, count: usize) -> Result<Clients, Failure> {
    let tensors = payload::tensors(model.numbers());
    let answers = tensors.iter().map(|tensor| model.answer_to(tensor)).collect();
    let requests = tensors.into_iter().map(|tensor| {
        let mut request = request(model, HashMap::new());
        request.raw_input_contents.push(tensor);
        request
    });
    connect(grpc, requests.collect(), answers, count).await
}

/// Clients that name a place in a region: no tensor moves at all.
pub(crate) async fn shared(grpc: u16, model: &Model, region: &Region, count: usize) -> Result<Clients, Failure> {
    let requests = (0..payload::COUNT).map(|number| {
        let parameters = HashMap::from([
            parameter("shared_memory_region", ParameterChoice::StringParam(region.name.clone())),
            parameter("shared_memory_byte_size", ParameterChoice::Int64Param(region.each as i64)),
            parameter("shared_memory_offset", ParameterChoice::Int64Param((region.each * number) as i64)),
        ]);
        request(model, parameters)
    });
    connect(grpc, requests.collect(), region.answers.clone(), count).await
}

fn parameter(name: &str, value: ParameterChoice) -> (String, InferParameter) {
    (name.to_owned(), InferParameter { parameter_choice: Some(value) })
}

fn request(model: &Model, parameters: HashMap<String, InferParameter>) -> ModelInferRequest {
    let input =
        InferInputTensor { name: model.input.to_owned(), datatype: "FP32".to_owned(), shape: model.shape.to_vec(), parameters };
    ModelInferRequest { model_name: model.name.to_owned(), inputs: vec![input], ..Default::default() }
}

async fn connect(grpc: u16, requests: Vec<ModelInferRequest>, answers: Vec<Bytes>, count: usize) -> Result<Clients, Failure> {
    let (requests, answers) = (Arc::new(requests), Arc::new(answers));
    let mut clients = Clients::new();
    for _ in 0..count {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{grpc}")).doing("Triton's address")?;
        let endpoint = endpoint.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW).tcp_nodelay(true);
        let channel = endpoint.connect().await.doing("connecting to Triton")?;
        let client =
            GrpcInferenceServiceClient::new(channel).max_decoding_message_size(LARGEST).max_encoding_message_size(LARGEST);
        clients.push(Box::new(Direct { client, requests: requests.clone(), answers: answers.clone() }));
    }
    Ok(clients)
}

impl Client for Direct {
    fn ask(&mut self, payload: usize) -> LocalBoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let answer = self.client.model_infer(self.requests[payload].clone()).await.doing("asking Triton")?;
            if answer.into_inner().raw_output_contents != [&self.answers[payload][..]] {
                return Err(wrong(payload, "the tensor differs"));
            }
            Ok(())
        })
    }
}

/// All payloads of a model in system shared memory, known to Triton; gone when this is dropped.
pub(crate) struct Region {
    http: u16,
    name: String,
    file: PathBuf,
    each: usize,
    answers: Vec<Bytes>,
}

impl Region {
    /// Writes and registers it.
    /// <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_shared_memory.html>
    pub(crate) fn new(http: u16, model: &Model) -> Result<Self, Failure> {
        let tensors = payload::tensors(model.numbers());
        let answers = tensors.iter().map(|tensor| model.answer_to(tensor)).collect();
        let name = format!("tritondeploy-bench-{}-{}", std::process::id(), model.name);
        let file = PathBuf::from("/dev/shm").join(&name);
        let region = Self { http, name, file, each: model.numbers() * 4, answers };
        fs::write(&region.file, tensors.concat()).doing("writing shared memory")?;
        let body = json!({ "key": format!("/{}", region.name), "offset": 0, "byte_size": region.each * payload::COUNT });
        http::post(http, &region.path("register"), &body.to_string())?;
        Ok(region)
    }

    fn path(&self, what: &str) -> String {
        format!("/v2/systemsharedmemory/region/{}/{what}", self.name)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // A Triton that is gone already has forgotten it.
        drop(http::post(self.http, &self.path("unregister"), ""));
        drop(fs::remove_file(&self.file));
    }
}

/// The generated messages and client.
#[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic, reason = "generated code")]
mod proto {
    tonic::include_proto!("inference");
}
