//! The calls.

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use super::proto::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, RepositoryIndexRequest, RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest, ServerLiveRequest, ServerMetadataRequest,
    model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
    model_metadata_response,
};
use super::{Buffer, Config, Datatype, Error, Indexed, Inference, Input, Metadata, State, Tensor, TensorMetadata};

/// With h2's 64 KiB windows a 602 KB tensor would wait for ten round trips of window updates.
const WINDOW: u32 = 4 << 20;

/// For the calls that read only what Triton has at hand.
const QUICK: Duration = Duration::from_secs(5);

/// What an inference may ask for besides its inputs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When nobody wants the answer any more.
    pub deadline: Option<Instant>,
    /// The outputs that are wanted; all of them where this is empty.
    pub outputs: Vec<String>,
}

/// A client of one Triton; clones share the connection.
#[derive(Clone, Debug)]
pub struct Triton {
    client: GrpcInferenceServiceClient<Channel>,
    infer_timeout: Duration,
    load_timeout: Duration,
}

impl Triton {
    /// A client that connects with its first call, and again whenever the connection is lost.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the configured endpoint is no URL.
    pub fn connect(config: &Config) -> Result<Self, Error> {
        let channel = Endpoint::from_shared(config.grpc.clone())
            .map_err(|_| Error::Endpoint(config.grpc.clone()))?
            .connect_timeout(config.connect_timeout())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .tcp_nodelay(true)
            // A stuck Triton (its process stopped, its node frozen) is noticed without any request in flight.
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10))
            .connect_lazy();
        let client = GrpcInferenceServiceClient::new(channel)
            .max_decoding_message_size(config.message_bytes)
            .max_encoding_message_size(config.message_bytes);
        Ok(Self {
            client,
            infer_timeout: Duration::from_secs(config.infer_seconds),
            load_timeout: Duration::from_secs(config.load_seconds),
        })
    }

    /// Whether Triton's process answers; no matter which models do.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn live(&self) -> Result<bool, Error> {
        let mut client = self.client.clone();
        Ok(within(QUICK, client.server_live(ServerLiveRequest {})).await?.live)
    }

    /// Triton's own version, such as "2.51.0".
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, Error> {
        let mut client = self.client.clone();
        Ok(within(QUICK, client.server_metadata(ServerMetadataRequest {})).await?.version)
    }

    /// What a model takes and gives.
    ///
    /// # Errors
    /// When the model is not ready, or Triton does not answer.
    pub async fn metadata(&self, model: &str) -> Result<Metadata, Error> {
        let request = ModelMetadataRequest { name: model.to_owned(), version: String::new() };
        let mut client = self.client.clone();
        let answer = within(QUICK, client.model_metadata(request)).await?;
        Ok(Metadata {
            name: answer.name,
            versions: answer.versions,
            platform: answer.platform,
            inputs: answer.inputs.into_iter().map(tensor_metadata).collect::<Result<_, _>>()?,
            outputs: answer.outputs.into_iter().map(tensor_metadata).collect::<Result<_, _>>()?,
        })
    }

    /// Room for the elements of one tensor, `len` bytes, to be written once and shared by every model that takes it.
    #[must_use]
    pub fn buffer(&self, len: usize) -> Buffer {
        Buffer::inline(len)
    }

    /// Runs a model's latest version. Dropping the future cancels the request at Triton.
    ///
    /// # Errors
    /// When the inputs do not fit, the model is not ready or fails, or no answer comes in time.
    pub async fn infer(&self, model: &str, inputs: Vec<Input>) -> Result<Inference, Error> {
        self.infer_with(model, inputs, &Options::default()).await
    }

    /// Runs a model as [`Triton::infer`] does, with a deadline, or for some of its outputs.
    ///
    /// # Errors
    /// Those of [`Triton::infer`], and when the deadline passes.
    pub async fn infer_with(&self, model: &str, inputs: Vec<Input>, options: &Options) -> Result<Inference, Error> {
        let outputs = options.outputs.iter();
        let mut message = ModelInferRequest {
            model_name: model.to_owned(),
            outputs: outputs.map(|name| InferRequestedOutputTensor { name: name.clone(), ..Default::default() }).collect(),
            ..Default::default()
        };
        for input in inputs {
            message.inputs.push(InferInputTensor {
                name: input.name,
                datatype: input.datatype.as_str().to_owned(),
                shape: input.shape,
                parameters: HashMap::new(),
            });
            message.raw_input_contents.push(input.data.inline());
        }
        let mut client = self.client.clone();
        let mut request = Request::new(message);
        let left = options.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let Some(left) = left {
            if left.is_zero() {
                return Err(Error::Deadline);
            }
            // As grpc-timeout: Triton gives up by itself too.
            request.set_timeout(left);
        }
        let limit = left.map_or(self.infer_timeout, |left| left.min(self.infer_timeout));
        let answer = within(limit, client.model_infer(request)).await;
        match answer {
            // Ours and Triton's clocks end together; whichever is first.
            Err(_) if options.deadline.is_some_and(|deadline| deadline <= Instant::now()) => Err(Error::Deadline),
            answer => outputs_of(answer?),
        }
    }

    /// Every model that Triton sees in its repository, with all versions it has tried.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn index(&self) -> Result<Vec<Indexed>, Error> {
        let mut client = self.client.clone();
        let answer = within(QUICK, client.repository_index(RepositoryIndexRequest::default())).await?;
        let indexed = answer.models.into_iter().map(|m| Indexed {
            state: State::parse(&m.state),
            name: m.name,
            version: m.version,
            reason: m.reason,
        });
        Ok(indexed.collect())
    }

    /// Loads a model, or loads it again; returns when Triton is done. That nothing changed on disk is a success too.
    ///
    /// # Errors
    /// When the load fails: Triton's reason.
    pub async fn load(&self, model: &str) -> Result<(), Error> {
        let request = RepositoryModelLoadRequest { model_name: model.to_owned(), ..Default::default() };
        let mut client = self.client.clone();
        within(self.load_timeout, client.repository_model_load(request)).await.map(drop)
    }

    /// Unloads a model; Triton goes on answering the requests it already has.
    ///
    /// # Errors
    /// When Triton refuses or does not answer.
    pub async fn unload(&self, model: &str) -> Result<(), Error> {
        let request = RepositoryModelUnloadRequest { model_name: model.to_owned(), ..Default::default() };
        let mut client = self.client.clone();
        within(self.load_timeout, client.repository_model_unload(request)).await.map(drop)
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Error::of(&status)),
        Err(_) => Err(Error::Timeout(limit.as_secs())),
    }
}

fn tensor_metadata(t: model_metadata_response::TensorMetadata) -> Result<TensorMetadata, Error> {
    Ok(TensorMetadata { datatype: datatype(&t.datatype)?, name: t.name, shape: t.shape })
}

fn datatype(name: &str) -> Result<Datatype, Error> {
    Datatype::parse(name).ok_or_else(|| Error::Garbled(format!("it names the datatype {name:?}")))
}

fn outputs_of(answer: ModelInferResponse) -> Result<Inference, Error> {
    if answer.outputs.len() != answer.raw_output_contents.len() {
        return Err(Error::Garbled(format!(
            "{} outputs came with the bytes of {}",
            answer.outputs.len(),
            answer.raw_output_contents.len()
        )));
    }
    let outputs = answer.outputs.into_iter().zip(answer.raw_output_contents);
    let outputs = outputs.map(|(o, data)| Ok(Tensor { datatype: datatype(&o.datatype)?, name: o.name, shape: o.shape, data }));
    Ok(Inference { version: answer.model_version, outputs: outputs.collect::<Result<_, _>>()? })
}
