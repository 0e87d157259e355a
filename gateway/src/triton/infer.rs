//! Inference: tensors named where they lie in shared memory, or carried inline.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tonic::{Code, Status};

use super::client::datatype;
use super::grpc::TRIES;
use super::payload::Place;
use super::proto::{
    InferParameter, ModelInferRequest, ModelInferResponse,
    infer_parameter::ParameterChoice,
    model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
};
use super::shm::InFlightGuard;
use super::{Buffer, Error, Inference, Input, Tensor, Triton};

/// Parts of a long message from this length on are worth a slot of their own.
pub const WORTH: usize = 16 << 10;

/// What an inference may ask for besides its inputs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When nobody wants the answer any more.
    pub deadline: Option<Instant>,
    /// The outputs that are wanted; all of them where this is empty.
    pub outputs: Vec<String>,
}

impl Triton {
    /// Room for the elements of one tensor, `len` bytes, to be written once and shared by every model that takes it: in
    /// shared memory where a slot is free and large enough, else in memory of our own.
    #[must_use]
    pub fn buffer(&self, len: usize) -> Buffer {
        self.slot(len).unwrap_or_else(|| Buffer::inline(len))
    }

    /// Room in shared memory only.
    #[must_use]
    pub fn slot(&self, len: usize) -> Option<Buffer> {
        self.memory.lease(len).map(|lease| Buffer::slot(lease, len))
    }

    /// Room for a part of a long message that is still on its way, which may take long. None: there is none in shared
    /// memory just now. What is short gets memory of our own, or a message of many small parts would take many slots.
    #[must_use]
    pub fn place(&self, len: usize) -> Option<Buffer> {
        if len < WORTH {
            return Some(Buffer::inline(len));
        }
        self.memory.lease_early(len).map(|lease| Buffer::slot(lease, len))
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
        let start = Instant::now();
        let left = options.deadline.map(|deadline| deadline.saturating_duration_since(start));
        let limit = left.map_or(self.infer_timeout, |left| left.min(self.infer_timeout));
        let late = || if left == Some(limit) { Error::Deadline } else { Error::Timeout(limit.as_secs()) };
        if limit.is_zero() {
            return Err(late());
        }
        match tokio::time::timeout(limit, self.ask(model, &inputs, options, limit)).await {
            Ok(Ok(answer)) => outputs(answer),
            // Triton's clock ends together with ours, and may be first: even before ours has moved so far.
            Ok(Err(Error::Deadline)) => Err(late()),
            Ok(Err(Error::Failed(_) | Error::Unreachable(_))) if start.elapsed() >= limit => Err(late()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late()),
        }
    }

    async fn ask(&self, model: &str, inputs: &[Input], options: &Options, limit: Duration) -> Result<ModelInferResponse, Error> {
        let (mut again, mut tries) = (true, 1);
        loop {
            let (message, contents, mut naming) = self.message(model, inputs, options).await?;
            // Triton gives up by itself too.
            let answer = self.client.infer(&message, &contents, limit).await;
            let named = match &answer {
                // What it named stays away from others: it may still run at Triton.
                Err(status) if tries < TRIES && Error::is_given_up(status) => {
                    tries += 1;
                    continue;
                }
                Err(status) if !Error::is_final(status) => return Err(Error::of(status)),
                _ => naming.answered(),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                // Triton has restarted.
                Err(status) if again && !named.is_empty() && is_unknown_region(&status) => {
                    again = false;
                    for lease in named {
                        lease.is_unknown().await;
                    }
                }
                Err(status) if is_unknown_region(&status) => return Err(Error::Busy(status.message().to_owned())),
                Err(status) => return Err(Error::of(&status)),
            }
        }
    }

    /// The message without its contents, these, and the slots that it names.
    async fn message(
        &self,
        model: &str,
        inputs: &[Input],
        options: &Options,
    ) -> Result<(ModelInferRequest, Vec<Bytes>, InFlightGuard), Error> {
        let outputs = options.outputs.iter();
        let mut message = ModelInferRequest {
            model_name: model.to_owned(),
            outputs: outputs.map(|name| InferRequestedOutputTensor { name: name.clone(), ..Default::default() }).collect(),
            ..Default::default()
        };
        let (mut contents, mut named) = (Vec::new(), Vec::new());
        for input in inputs {
            let mut parameters = HashMap::new();
            // Triton takes the raw contents in the order of those inputs that are not in shared memory.
            match &input.data.0 {
                Place::Inline(bytes) => contents.push(bytes.clone()),
                Place::Slot(lease, len) if self.memory.register(lease).await? => {
                    let region = ParameterChoice::StringParam(lease.region().to_owned());
                    let bytes = ParameterChoice::Int64Param(i64::try_from(*len).unwrap_or(i64::MAX));
                    parameters.insert("shared_memory_region".to_owned(), InferParameter { parameter_choice: Some(region) });
                    parameters.insert("shared_memory_byte_size".to_owned(), InferParameter { parameter_choice: Some(bytes) });
                    named.push(lease.clone());
                }
                Place::Slot(..) => contents.push(Bytes::from_owner(input.data.clone())),
            }
            message.inputs.push(InferInputTensor {
                name: input.name.clone(),
                datatype: input.datatype.as_str().to_owned(),
                shape: input.shape.clone(),
                parameters,
            });
        }
        Ok((message, contents, InFlightGuard::of(named)))
    }
}

fn is_unknown_region(status: &Status) -> bool {
    status.code() == Code::NotFound && status.message().contains("shared memory region")
}

fn outputs(answer: ModelInferResponse) -> Result<Inference, Error> {
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
