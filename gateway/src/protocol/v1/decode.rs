//! From a request of protocol v1 to a job of the data path.

use std::sync::Arc;
use std::time::Duration;

use tritondeploy_wire::echo::{Echo, Quoted};
use tritondeploy_wire::elements;
use tritondeploy_wire::v1::{self as wire, Infer, MODELS, RANK, TensorHeader};

use super::PendingRequest;
use crate::config::DEFAULT;
use crate::image::{ImageError, THUMBNAILS};
use crate::inference::{Deadline, Engine, Error, InferenceJob, LONGEST_TENSOR_NAME, Source, Target, long_name};
use crate::triton::{Datatype, Input, Payload};

impl Engine {
    /// # Errors
    /// When it makes no sense: what does not.
    pub(super) fn job(&self, asked: &PendingRequest) -> Result<InferenceJob, Error> {
        let PendingRequest { infer, parts, client, .. } = asked;
        let source = self.source(infer, parts)?;
        if infer.thumbnail.is_some() && matches!(source, Source::Tensors(_)) {
            return bad("tensors have no thumbnail");
        }
        if let Some(longest) = infer.thumbnail.filter(|longest| !THUMBNAILS.contains(longest)) {
            return Err(Error::Image { of: "the image".to_owned(), source: ImageError::Thumbnail { longest } });
        }
        Ok(InferenceJob {
            source,
            targets: self.targets(infer)?,
            thumbnail: infer.thumbnail,
            deadline: self.deadline(asked),
            client: *client,
        })
    }

    /// When its answer is too late.
    pub(super) fn deadline(&self, asked: &PendingRequest) -> Deadline {
        let most = Duration::from_secs(self.config.limits.request_seconds);
        let time = asked.infer.deadline_ms.map_or(most, |ms| Duration::from_millis(ms).min(most));
        Deadline::after(asked.received, time)
    }

    fn targets(&self, infer: &Infer) -> Result<Vec<Target>, Error> {
        let mut targets = match (&infer.pipeline, &infer.models) {
            (Some(_), Some(_)) => return bad("both a pipeline and models are asked for"),
            (pipeline, None) => self.pipeline(pipeline.as_deref().unwrap_or(DEFAULT))?,
            (None, Some(models)) if models.is_empty() || models.len() > MODELS => {
                return bad(format!("between 1 and {MODELS} models can be asked for at once"));
            }
            (None, Some(models)) => models.iter().map(|model| self.target(model)).collect(),
        };
        // Each model gets the input, and each alias is one in the answer.
        for (at, target) in targets.iter().enumerate() {
            if targets[..at].iter().any(|other| other.alias == target.alias) {
                return bad(format!("the model {} is asked for twice", Quoted(&target.alias)));
            }
        }
        if let Some(name) = &infer.preset {
            let preset = self.config.preset(name).map(Arc::new);
            let preset = preset.ok_or_else(|| Error::Unknown(format!("there is no preset {}", Quoted(name))))?;
            targets.iter_mut().for_each(|target| target.preset = preset.clone());
        }
        if let Some(quality) = infer.quality {
            targets.iter_mut().for_each(|target| target.quality = quality);
        }
        Ok(targets)
    }

    fn source(&self, infer: &Infer, parts: &[Payload]) -> Result<Source, Error> {
        let wanted = match &infer.source {
            wire::Source::S3 { .. } => 0,
            wire::Source::Image {} | wire::Source::Rgb8 { .. } => 1,
            wire::Source::Tensors(tensors) => tensors.len(),
        };
        if parts.len() != wanted {
            return bad(format!("the source takes {wanted} parts; the message has {}", parts.len()));
        }
        Ok(match &infer.source {
            wire::Source::S3 { bucket, key } => {
                Source::Object { bucket: bucket.clone().unwrap_or_else(|| self.config.storage.bucket.clone()), key: key.clone() }
            }
            wire::Source::Image {} => Source::Encoded(parts[0].to_bytes()),
            wire::Source::Rgb8 { width, height } if u64::from(*width) * u64::from(*height) * 3 != parts[0].len() as u64 => {
                return bad(format!("{width} x {height} pixels do not have {} bytes", parts[0].len()));
            }
            wire::Source::Rgb8 { width, height } => Source::Rgb8 { width: *width, height: *height, pixels: parts[0].to_bytes() },
            wire::Source::Tensors(tensors) => Source::Tensors(tensors.iter().zip(parts).map(tensor).collect::<Result<_, _>>()?),
        })
    }
}

fn tensor((header, data): (&TensorHeader, &Payload)) -> Result<Input, Error> {
    let TensorHeader { name, datatype, shape } = header;
    if name.len() > LONGEST_TENSOR_NAME {
        return Err(long_name(name));
    }
    let Some(datatype) = Datatype::parse(datatype) else {
        return bad(format!("input {}: {} is no datatype of Triton's", Echo(name), Quoted(datatype)));
    };
    if shape.len() > RANK {
        return bad(format!("input {}: a shape has at most {RANK} dimensions", Echo(name)));
    }
    let Some(elements) = elements(shape) else {
        return bad(format!("input {}: {shape:?} is no shape", Echo(name)));
    };
    // BYTES elements carry their own lengths; Triton checks them.
    if let Some(size) = datatype.size()
        && elements.checked_mul(size) != Some(data.len())
    {
        return bad(format!("input {}: {datatype} {shape:?} does not have {} bytes", Echo(name), data.len()));
    }
    Ok(Input { name: name.clone(), datatype, shape: shape.clone(), data: data.clone() })
}

fn bad<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Message(why.into()))
}
