//! One request on its way: object, pixels, tensors, models.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};
use tritondeploy_wire::echo::Echo;
use tritondeploy_wire::v1::{Quality, Timings};

use super::fit::Fit;
use super::{Engine, Error, InferenceJob, InferenceResult, Source, Target};
use crate::image::{self, Preset, Thumbnail};
use crate::peer::{Client, Version};
use crate::triton::{self, Inference, Input, Metadata, Options, Payload};

/// Tensors up to this are copied to where Triton reads them without going to another thread: it takes less.
const SMALL: usize = 1 << 20;

/// Bytes of a tensor's name: more than any model's. Triton repeats a name that it does not know.
pub(crate) const LONGEST_TENSOR_NAME: usize = 1024;

/// An image's bytes, wherever they came from.
#[derive(Clone, Debug)]
enum Picture {
    Encoded(Bytes),
    Rgb8 { width: u32, height: u32, pixels: Bytes },
}

impl Picture {
    fn source(&self) -> image::Source<'_> {
        match self {
            Self::Encoded(bytes) => image::Source::Encoded(bytes),
            Self::Rgb8 { width, height, pixels } => image::Source::Rgb8 { width: *width, height: *height, pixels },
        }
    }
}

/// What a model takes and gives, or why that is not known.
type Known = Result<Arc<Metadata>, Error>;

/// One tensor of an image, and the targets that take it.
struct Shared {
    preset: Arc<Preset>,
    quality: Quality,
    fit: Fit,
    targets: Vec<(usize, Fit)>,
}

impl Engine {
    /// Runs a request until it is done or its time is over. Dropping the future gives it up, at Triton too.
    ///
    /// # Errors
    /// What concerns all of its models; what concerns one of them stands in its place.
    pub async fn run(&self, job: &InferenceJob) -> Result<InferenceResult, Error> {
        match timeout_at(job.deadline.at, self.stages(job)).await {
            Ok(done) => done,
            Err(_) => Err(Error::Deadline(job.deadline.millis())),
        }
    }

    async fn stages(&self, job: &InferenceJob) -> Result<InferenceResult, Error> {
        // Nothing is fetched, decoded or copied for models that do not exist, or would all refuse it.
        let known = self.known(job).await?;
        if let Some(refusal) = self.refusal(job, &known) {
            return Err(refusal);
        }
        let mut timings = Timings { queue: micros(job.deadline.since), ..Timings::default() };
        let (picture, of) = match &job.source {
            Source::Tensors(tensors) => {
                let inputs = self.written(job.client, tensors).await?;
                timings.prepare = micros(job.deadline.since) - timings.queue;
                let start = Instant::now();
                let asked = job.targets.iter().zip(known).map(async |(target, known)| {
                    known?;
                    self.infer(job, target, inputs.clone()).await
                });
                let models = join_all(asked).await;
                timings.infer = micros(start);
                return Ok(InferenceResult { models, thumbnail: None, timings });
            }
            Source::Object { bucket, key } => {
                let start = Instant::now();
                let bytes = self.storage.get(bucket, key).await?;
                timings.fetch = micros(start);
                (Picture::Encoded(bytes), key.as_str())
            }
            Source::Encoded(bytes) => (Picture::Encoded(bytes.clone()), "the image"),
            Source::Rgb8 { width, height, pixels } => {
                (Picture::Rgb8 { width: *width, height: *height, pixels: pixels.clone() }, "the image")
            }
        };
        self.image(job, known, picture, of, timings).await
    }

    /// What each model takes and gives, or why that is not known. A request that fails with one of its models fails here.
    async fn known(&self, job: &InferenceJob) -> Result<Vec<Known>, Error> {
        let known = job
            .targets
            .iter()
            .map(async |Target { model, .. }| self.models.metadata(model).await.map_err(|source| self.sort(model, source)));
        let mut known: Vec<Known> = join_all(known).await;
        let fails = match job.client.version() {
            Version::V0 => known.iter().position(Result::is_err),
            Version::V1 => known.iter().all(Result::is_err).then_some(0),
        };
        if let Some(first) = fails.filter(|first| *first < known.len()) {
            known.swap_remove(first)?;
        }
        Ok(known)
    }

    /// Whether all models that there are would refuse it just now.
    fn refusal(&self, job: &InferenceJob, known: &[Known]) -> Option<Error> {
        let mut limits =
            job.targets.iter().zip(known).filter(|(_, known)| known.is_ok()).map(|(of, _)| self.limits.of(&of.model));
        let usual = limits.clone().next().and_then(|limit| limit.usual());
        let may_refuse = job.client.version() == Version::V1;
        (may_refuse && limits.all(|limit| limit.is_full(job.client))).then(|| Error::Busy(usual.unwrap_or_default()))
    }

    /// Models that want the same tensor share one: it is made once, and lies in one place.
    async fn image(
        &self,
        job: &InferenceJob,
        known: Vec<Known>,
        picture: Picture,
        of: &str,
        mut timings: Timings,
    ) -> Result<InferenceResult, Error> {
        let fits = job.targets.iter().zip(known).map(|(target, known)| fit(target, &*known?));
        let mut models: Vec<Option<Result<Inference, Error>>> = Vec::new();
        let mut groups: Vec<Shared> = Vec::new();
        for (at, (target, fit)) in job.targets.iter().zip(fits).enumerate() {
            let fit = match fit {
                Ok(fit) => fit,
                Err(e) => {
                    models.push(Some(Err(e)));
                    continue;
                }
            };
            models.push(None);
            let same = |group: &&mut Shared| {
                group.quality == target.quality && group.preset == target.preset && group.fit.is_same_tensor(&fit)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.targets.push((at, fit)),
                None => groups.push(Shared {
                    preset: target.preset.clone(),
                    quality: target.quality,
                    fit: fit.clone(),
                    targets: vec![(at, fit)],
                }),
            }
        }
        let mut inputs = Vec::new();
        for group in groups {
            let (payload, decode, prepare) = self.tensor(job.client, &group, picture.clone(), of).await?;
            timings.decode += decode;
            timings.prepare += prepare;
            inputs.extend(group.targets.into_iter().map(|(at, fit)| (at, fit, payload.clone())));
        }
        let thumbnail = self.thumbnail(job.client, job.thumbnail, picture, of);
        let start = Instant::now();
        let asked = inputs.into_iter().map(async |(at, fit, data)| {
            let Fit { name, datatype, shape, .. } = fit;
            (at, self.infer(job, &job.targets[at], vec![Input { name, datatype, shape, data }]).await)
        });
        let (answers, thumbnail) = tokio::join!(join_all(asked), thumbnail);
        for (at, answer) in answers {
            models[at] = Some(answer);
        }
        timings.infer = micros(start);
        let models = models.into_iter().map(|model| model.unwrap_or(Err(Error::Internal))).collect();
        Ok(InferenceResult { models, thumbnail: thumbnail?, timings })
    }

    /// Decodes, resizes and writes one tensor, straight to where Triton reads it; microseconds of both halves.
    async fn tensor(&self, client: Client, group: &Shared, picture: Picture, of: &str) -> Result<(Payload, u64, u64), Error> {
        let (limits, of) = (self.config.image, of.to_owned());
        let (preset, fit, quality) = (group.preset.clone(), group.fit.clone(), group.quality);
        // A size that cannot be told beforehand counts as the largest.
        let header = image::header(&picture.source());
        let pixels = header.map_or(limits.pixels, |header| {
            preset.cost(header.size, (fit.width, fit.height), &limits).saturating_mul(header.work)
        });
        let triton = self.triton.clone();
        self.on_pixels(client, pixels, move || {
            let start = Instant::now();
            let mut buffer = triton.buffer(fit.bytes());
            let failed = |source| Error::Image { of, source };
            let written = preset.apply(picture.source(), (fit.width, fit.height), quality, &limits).and_then(|rgb| {
                let decoded = micros(start);
                preset.write(&rgb, fit.layout, fit.datatype, &mut buffer)?;
                Ok(decoded)
            });
            let decoded = written.map_err(failed)?;
            Ok((buffer.share(), decoded, micros(start) - decoded))
        })
        .await
    }

    async fn thumbnail(
        &self,
        client: Client,
        longest: Option<u32>,
        picture: Picture,
        of: &str,
    ) -> Result<Option<Thumbnail>, Error> {
        let Some(longest) = longest else { return Ok(None) };
        let (limits, of) = (self.config.image, of.to_owned());
        // It is made smaller, never larger.
        let header = image::header(&picture.source());
        let pixels = header.map_or(limits.pixels, |header| header.pixels().saturating_mul(header.work));
        let made = move || image::thumbnail(picture.source(), longest, &limits).map_err(|source| Error::Image { of, source });
        self.on_pixels(client, pixels, made).await.map(Some)
    }

    /// A client's tensors, where Triton reads them: long ones came there, the others are copied once.
    async fn written(&self, client: Client, tensors: &[Input]) -> Result<Vec<Input>, Error> {
        let slot = |input: &Input| if input.data.is_shared() { None } else { self.triton.slot(input.data.len()) };
        let written: Vec<_> = tensors.iter().map(|input| (input.clone(), slot(input))).collect();
        let total: usize = written.iter().filter_map(|(_, slot)| slot.as_ref()).map(|slot| slot.len()).sum();
        let write = move || {
            let one = |(mut input, slot): (Input, Option<triton::Buffer>)| {
                if let Some(mut slot) = slot {
                    slot.copy_from_slice(&input.data);
                    input.data = slot.share();
                }
                input
            };
            Ok(written.into_iter().map(one).collect())
        };
        if total < SMALL { write() } else { self.off_thread(client, write).await }
    }

    /// Memory for a tensor that is still on its way.
    pub(crate) fn place(&self, bytes: usize) -> Option<triton::Buffer> {
        self.triton.place(bytes)
    }

    async fn infer(&self, job: &InferenceJob, target: &Target, inputs: Vec<Input>) -> Result<Inference, Error> {
        let model = &target.model;
        // Only models that Triton knows come here, or clients could fill the memory with names.
        let limit = self.limits.of(model);
        let running = match job.client.version() {
            Version::V0 => limit.wait(job.client).await.ok_or(Error::Internal)?,
            Version::V1 => limit.enter(job.client).ok_or_else(|| Error::Busy(limit.usual().unwrap_or_default()))?,
        };
        let options = Options { deadline: Some(job.deadline.at.into_std()), outputs: Vec::new() };
        let answer = self.triton.infer_with(model, inputs, &options).await;
        if answer.is_ok() {
            running.answered();
        }
        answer.map_err(|source| {
            if matches!(source, triton::Error::Invalid(_) | triton::Error::NoModel(_)) {
                self.models.doubt(model);
            }
            self.sort(model, source)
        })
    }

    /// A model that we are meant to serve, by a pipeline or the release, and that Triton does not have is on its way; any
    /// other is unknown.
    fn sort(&self, model: &str, source: triton::Error) -> Error {
        let source = match source {
            triton::Error::NoModel(why) if self.serves(model) || self.models.is_released(model) => triton::Error::Busy(why),
            other => other,
        };
        Error::Model { model: model.to_owned(), source }
    }
}

fn fit(target: &Target, metadata: &Metadata) -> Result<Fit, Error> {
    Fit::of(metadata).map_err(|why| Error::Shape { model: target.model.clone(), why })
}

/// Of a tensor.
pub(crate) fn long_name(name: &str) -> Error {
    Error::Message(format!("input {}: a name has at most {LONGEST_TENSOR_NAME} bytes", Echo(name)))
}

/// Microseconds.
pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
