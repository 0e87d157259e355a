//! The calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use super::memory::{Memory, Slots};
use super::proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use super::proto::{
    ModelMetadataRequest, RepositoryIndexRequest, RepositoryModelLoadRequest, RepositoryModelUnloadRequest, ServerLiveRequest,
    ServerMetadataRequest, model_metadata_response,
};
use super::stream::Connector;
use super::{Config, Datatype, Error, Indexed, Metadata, State, TensorMetadata, Transport};

/// The generated client.
pub(super) type Client = GrpcInferenceServiceClient<Channel>;

/// With h2's 64 KiB windows a 602 KB tensor would wait for ten round trips of window updates.
const WINDOW: u32 = 4 << 20;

/// For the calls that read only what Triton has at hand.
pub(super) const QUICK: Duration = Duration::from_secs(5);

/// A client of one Triton; clones share the connection.
#[derive(Clone, Debug)]
pub struct Triton {
    pub(super) client: Client,
    pub(super) memory: Arc<Memory>,
    pub(super) infer_timeout: Duration,
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
            // A stuck Triton (its process stopped, its node frozen) is noticed without any request in flight.
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10))
            .connect_with_connector_lazy(Connector);
        let client = GrpcInferenceServiceClient::new(channel)
            .max_decoding_message_size(config.message_bytes)
            .max_encoding_message_size(config.message_bytes);
        let memory = match config.transport {
            Transport::SharedMemory => Memory::offer(client.clone(), config.slot_bytes, config.slots),
            Transport::Inline => Memory::inline(client.clone()),
        };
        Ok(Self {
            client,
            memory,
            infer_timeout: Duration::from_secs(config.infer_seconds),
            load_timeout: Duration::from_secs(config.load_seconds),
        })
    }

    /// The slots of shared memory, and why they are not used where they are not.
    #[must_use]
    pub fn slots(&self) -> Slots {
        self.memory.slots()
    }

    /// Slots that Triton may still read though their requests were given up.
    #[must_use]
    pub fn quarantined(&self) -> usize {
        self.slots().quarantined
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

pub(super) fn datatype(name: &str) -> Result<Datatype, Error> {
    Datatype::parse(name).ok_or_else(|| Error::Garbled(format!("it names the datatype {name:?}")))
}
