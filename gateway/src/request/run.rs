//! One request on its way: object, pixels, tensors, models.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};
use tritondeploy_wire::v1::{Quality, Timings};

use super::fit::Fit;
use super::{Done, Engine, Error, Job, Source, Target};
use crate::image::{self, Preset, Thumbnail};
use crate::triton::{self, Inference, Input, Options, Payload};

/// Tensors up to this are copied to where Triton reads them without going to another thread: it takes less.
const SMALL: usize = 1 << 20;

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
    pub async fn run(&self, job: &Job) -> Result<Done, Error> {
        match timeout_at(job.until.deadline, self.stages(job)).await {
            Ok(done) => done,
            Err(_) => Err(job.until.passed()),
        }
    }

    async fn stages(&self, job: &Job) -> Result<Done, Error> {
        // Nothing is fetched and decoded for models that would all refuse it.
        let full = |target: &Target| self.models.known(&target.model).is_some() && self.limits.of(&target.model).is_full();
        if job.may_refuse && job.targets.iter().all(full) {
            let usual = job.targets.first().and_then(|target| self.limits.of(&target.model).usual());
            return Err(Error::Busy(usual.unwrap_or_default()));
        }
        let mut timings = Timings { queue: micros(job.until.since), ..Timings::default() };
        let (picture, of) = match &job.source {
            Source::Tensors(tensors) => {
                let inputs = self.written(tensors).await?;
                timings.prepare = micros(job.until.since) - timings.queue;
                let start = Instant::now();
                let asked = job.targets.iter().map(|target| self.infer(job, target, inputs.clone()));
                let models = join_all(asked).await;
                timings.infer = micros(start);
                return Ok(Done { models, thumbnail: None, timings });
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
        self.image(job, picture, of, timings).await
    }

    /// Models that want the same tensor share one: it is made once, and lies in one place.
    async fn image(&self, job: &Job, picture: Picture, of: &str, mut timings: Timings) -> Result<Done, Error> {
        let fits = join_all(job.targets.iter().map(|target| self.fit(target))).await;
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
            let (payload, decode, prepare) = self.tensor(&group, picture.clone(), of).await?;
            timings.decode += decode;
            timings.prepare += prepare;
            inputs.extend(group.targets.into_iter().map(|(at, fit)| (at, fit, payload.clone())));
        }
        let thumbnail = self.thumbnail(job.thumbnail, picture, of);
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
        Ok(Done { models, thumbnail: thumbnail?, timings })
    }

    async fn fit(&self, target: &Target) -> Result<Fit, Error> {
        let model = &target.model;
        let metadata = self.models.metadata(model).await.map_err(|source| self.sort(model, source))?;
        Fit::of(&metadata).map_err(|why| Error::Shape { model: model.clone(), why })
    }

    /// Decodes, resizes and writes one tensor, straight to where Triton reads it; microseconds of both halves.
    async fn tensor(&self, group: &Shared, picture: Picture, of: &str) -> Result<(Payload, u64, u64), Error> {
        let mut buffer = self.triton.buffer(group.fit.bytes());
        let (limits, of) = (self.config.image, of.to_owned());
        let (preset, fit, quality) = (group.preset.clone(), group.fit.clone(), group.quality);
        let source = picture.clone();
        self.on_pixels(&source.source(), move || {
            let start = Instant::now();
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

    async fn thumbnail(&self, longest: Option<u32>, picture: Picture, of: &str) -> Result<Option<Thumbnail>, Error> {
        let Some(longest) = longest else { return Ok(None) };
        let (limits, of) = (self.config.image, of.to_owned());
        let source = picture.clone();
        let made = move || image::thumbnail(picture.source(), longest, &limits).map_err(|source| Error::Image { of, source });
        self.on_pixels(&source.source(), made).await.map(Some)
    }

    /// A client's tensors, where Triton reads them: long ones came there, the others are copied once.
    async fn written(&self, tensors: &[Input]) -> Result<Vec<Input>, Error> {
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
        if total < SMALL { write() } else { self.off_thread(write).await }
    }

    /// Memory for a tensor that is still on its way.
    pub(crate) fn place(&self, bytes: usize) -> Option<triton::Buffer> {
        self.triton.place(bytes)
    }

    async fn infer(&self, job: &Job, target: &Target, inputs: Vec<Input>) -> Result<Inference, Error> {
        let model = &target.model;
        // Only models that Triton knows are counted, or clients could fill the memory with names.
        let limit = self.models.metadata(model).await.ok().map(|_| self.limits.of(model));
        let running = match &limit {
            Some(limit) if job.may_refuse => Some(limit.enter().ok_or_else(|| Error::Busy(limit.usual().unwrap_or_default()))?),
            Some(limit) => Some(limit.push_in()),
            None => None,
        };
        let options = Options { deadline: Some(job.until.deadline.into_std()), outputs: Vec::new() };
        let answer = self.triton.infer_with(model, inputs, &options).await;
        if answer.is_ok()
            && let Some(running) = running
        {
            running.answered();
        }
        answer.map_err(|source| {
            if matches!(source, triton::Error::Invalid(_) | triton::Error::NoModel(_)) {
                self.models.forget(model);
            }
            self.sort(model, source)
        })
    }

    /// A model that we are meant to serve and that Triton does not have is on its way; any other is unknown.
    fn sort(&self, model: &str, source: triton::Error) -> Error {
        let source = match source {
            triton::Error::NoModel(why) if self.serves(model) => triton::Error::Busy(why),
            other => other,
        };
        Error::Model { model: model.to_owned(), source }
    }
}

/// Microseconds.
pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
