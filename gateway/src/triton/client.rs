//! The calls.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;

use super::channel::Channel;
use super::grpc::{Call, Client};
use super::proto::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse, RepositoryIndexRequest,
    RepositoryIndexResponse, RepositoryModelLoadRequest, RepositoryModelLoadResponse, RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse, ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    SystemSharedMemoryRegisterRequest, SystemSharedMemoryRegisterResponse, SystemSharedMemoryStatusRequest,
    SystemSharedMemoryStatusResponse, SystemSharedMemoryUnregisterRequest, SystemSharedMemoryUnregisterResponse,
    model_metadata_response,
};
use super::shm::{Memory, Slots};
use super::{Config, Datatype, Error, Indexed, Metadata, State, TensorMetadata, Transport};

macro_rules! calls {
    ($($name:literal: $request:ident -> $answer:ident;)*) => {$(
        impl Call for $request {
            const PATH: &'static str = concat!("/inference.GRPCInferenceService/", $name);
            type Answer = $answer;
        }
    )*};
}

calls! {
    "ServerLive": ServerLiveRequest -> ServerLiveResponse;
    "ServerMetadata": ServerMetadataRequest -> ServerMetadataResponse;
    "ModelMetadata": ModelMetadataRequest -> ModelMetadataResponse;
    "ModelInfer": ModelInferRequest -> ModelInferResponse;
    "RepositoryIndex": RepositoryIndexRequest -> RepositoryIndexResponse;
    "RepositoryModelLoad": RepositoryModelLoadRequest -> RepositoryModelLoadResponse;
    "RepositoryModelUnload": RepositoryModelUnloadRequest -> RepositoryModelUnloadResponse;
    "SystemSharedMemoryStatus": SystemSharedMemoryStatusRequest -> SystemSharedMemoryStatusResponse;
    "SystemSharedMemoryRegister": SystemSharedMemoryRegisterRequest -> SystemSharedMemoryRegisterResponse;
    "SystemSharedMemoryUnregister": SystemSharedMemoryUnregisterRequest -> SystemSharedMemoryUnregisterResponse;
}

/// For the calls that read only what Triton has at hand.
pub(super) const QUICK: Duration = Duration::from_secs(5);

/// A client of one Triton; clones share its connections.
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
        let channel = || {
            let channel = Channel::new(&config.grpc, config.connect_timeout());
            channel.ok_or_else(|| Error::Endpoint(config.grpc.clone()))
        };
        let client = Client::new(channel()?, channel()?, config.message_bytes);
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
        Ok(within(QUICK, self.client.call(&ServerLiveRequest {})).await?.live)
    }

    /// Triton's own version, such as "2.51.0".
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, Error> {
        Ok(within(QUICK, self.client.call(&ServerMetadataRequest {})).await?.version)
    }

    /// What a model takes and gives.
    ///
    /// # Errors
    /// When the model is not ready, or Triton does not answer.
    pub async fn metadata(&self, model: &str) -> Result<Metadata, Error> {
        let request = ModelMetadataRequest { name: model.to_owned(), version: String::new() };
        let answer = within(QUICK, self.client.call(&request)).await?;
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
        let answer = within(QUICK, self.client.call(&RepositoryIndexRequest::default())).await?;
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
        within(self.load_timeout, self.client.call(&request)).await.map(drop)
    }

    /// Unloads a model; Triton goes on answering the requests it already has.
    ///
    /// # Errors
    /// When Triton refuses or does not answer.
    pub async fn unload(&self, model: &str) -> Result<(), Error> {
        let request = RepositoryModelUnloadRequest { model_name: model.to_owned(), ..Default::default() };
        within(self.load_timeout, self.client.call(&request)).await.map(drop)
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
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
