//! One request on its way: object, pixels, tensors, models, text.

use std::time::Instant;

use futures::future::try_join_all;
use tritondeploy_wire::v0::{self as wire, Object, View};

use super::{Error, V0, micros};
use crate::image;
use crate::protocol::RequestId;
use crate::triton::{self, Datatype, Inference, Input, Metadata, Payload, Tensor};

/// What the log tells of a request; its payload is no part of it.
#[derive(Debug)]
pub(super) struct Run {
    started: Instant,
    pub(super) bytes: usize,
    pub(super) form: &'static str,
    pub(super) model: Option<String>,
    parse_us: u64,
    fetch_us: u64,
    decode_us: u64,
    infer_us: u64,
    encode_us: u64,
}

impl Run {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            started: Instant::now(),
            bytes,
            form: "unread",
            model: None,
            parse_us: 0,
            fetch_us: 0,
            decode_us: 0,
            infer_us: 0,
            encode_us: 0,
        }
    }

    pub(super) fn parsed(&mut self) {
        self.parse_us = micros(self.started);
    }

    pub(super) fn log(&self, id: RequestId, answer: Result<usize, &Error>) {
        let Self { bytes, form, model, parse_us, fetch_us, decode_us, infer_us, encode_us, .. } = self;
        let (request, total_us) = (id.to_string(), micros(self.started));
        match answer {
            Ok(answer_bytes) => tracing::info!(
                request,
                form,
                model,
                bytes,
                answer_bytes,
                parse_us,
                fetch_us,
                decode_us,
                infer_us,
                encode_us,
                total_us,
                "answered"
            ),
            Err(e) if e.is_ours() => tracing::error!(request, form, model, bytes, total_us, error = %e, "failed"),
            Err(e) => tracing::warn!(request, form, model, bytes, total_us, error = %e, "refused"),
        }
    }
}

impl V0 {
    /// Form 1: one image through every pipeline.
    pub(super) async fn pipelines(&self, object: &Object, run: &mut Run) -> Result<String, Error> {
        let pixels = self.pixels(object, run).await?;
        let start = Instant::now();
        let pipelines = self.config.pipeline.iter();
        let answers = try_join_all(pipelines.map(|p| self.infer_image(&p.model, pixels.clone()))).await?;
        run.infer_us = micros(start);
        let aliases: Vec<_> = self.config.pipeline.iter().map(|p| (p.alias.clone(), p.model.clone())).collect();
        let start = Instant::now();
        let text = self.off_thread(move || {
            let all = aliases.iter().zip(&answers);
            wire::aliased(all.map(|((alias, _), answer)| (alias.as_str(), answer.outputs.iter().map(view)))).map_err(|source| {
                Error::Malformed { model: aliases.iter().map(|(_, m)| m.as_str()).collect::<Vec<_>>().join(", "), source }
            })
        });
        let text = text.await?;
        run.encode_us = micros(start);
        Ok(text)
    }

    /// Form 2: one image through one model.
    pub(super) async fn image(&self, model: &str, object: &Object, run: &mut Run) -> Result<String, Error> {
        let pixels = self.pixels(object, run).await?;
        let start = Instant::now();
        let answer = self.infer_image(model, pixels).await?;
        run.infer_us = micros(start);
        self.write(model, answer, run).await
    }

    /// Form 3: tensors through one model.
    pub(super) async fn tensors(&self, model: &str, inputs: Vec<wire::Tensor>, run: &mut Run) -> Result<String, Error> {
        let inputs =
            inputs.into_iter().map(|t| Input { name: t.name, datatype: t.datatype, shape: t.shape, data: t.data.into() });
        let start = Instant::now();
        let answer = self.infer(model, inputs.collect()).await?;
        run.infer_us = micros(start);
        self.write(model, answer, run).await
    }

    /// An object's pixels as the models take them: little-endian f32, 3 x 224 x 224.
    async fn pixels(&self, object: &Object, run: &mut Run) -> Result<Payload, Error> {
        let start = Instant::now();
        let bytes = self.storage.get(&object.bucket, &object.key).await?;
        run.fetch_us = micros(start);
        let start = Instant::now();
        let (limits, key) = (self.config.image, object.key.clone());
        let pixels = self.off_thread(move || {
            let pixels = image::unit(&bytes, &limits).map_err(|source| Error::Image { key, source })?;
            Ok(pixels.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into())
        });
        let pixels = pixels.await?;
        run.decode_us = micros(start);
        Ok(pixels)
    }

    async fn infer_image(&self, model: &str, pixels: Payload) -> Result<Inference, Error> {
        let failed = |source| Error::Model { model: model.to_owned(), source };
        let metadata = self.models.metadata(model).await.map_err(failed)?;
        let tensor = image_tensor(&metadata, pixels).map_err(|why| Error::Shape { model: model.to_owned(), why })?;
        self.infer(model, vec![tensor]).await
    }

    async fn infer(&self, model: &str, inputs: Vec<Input>) -> Result<Inference, Error> {
        self.triton.infer(model, inputs).await.map_err(|source| {
            if matches!(source, triton::Error::Invalid(_) | triton::Error::NoModel(_)) {
                self.models.forget(model);
            }
            Error::Model { model: model.to_owned(), source }
        })
    }

    async fn write(&self, model: &str, answer: Inference, run: &mut Run) -> Result<String, Error> {
        let model = model.to_owned();
        let start = Instant::now();
        let text = self
            .off_thread(move || wire::flat(answer.outputs.iter().map(view)).map_err(|source| Error::Malformed { model, source }));
        let text = text.await?;
        run.encode_us = micros(start);
        Ok(text)
    }
}

fn view(tensor: &Tensor) -> View<'_> {
    View { name: &tensor.name, datatype: tensor.datatype, shape: &tensor.shape, data: &tensor.data }
}

/// The one input of the model, filled with an image: of FP32, with or without a batch dimension in front.
fn image_tensor(metadata: &Metadata, pixels: Payload) -> Result<Input, String> {
    let [input] = metadata.inputs.as_slice() else {
        return Err(format!("it has {} inputs", metadata.inputs.len()));
    };
    let side = image::SIDE as i64;
    let image = [1, 3, side, side];
    let wanted = match input.shape.len() {
        3 => &image[1..],
        _ => &image[..],
    };
    let fits = input.shape.len() == wanted.len() && input.shape.iter().zip(wanted).all(|(m, w)| *m == -1 || m == w);
    if !fits || input.datatype != Datatype::Fp32 {
        return Err(format!("its input {} is {} {:?}, an image is FP32 {image:?}", input.name, input.datatype, input.shape));
    }
    Ok(Input { name: input.name.clone(), datatype: Datatype::Fp32, shape: wanted.to_vec(), data: pixels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triton::TensorMetadata;

    fn shape(datatype: Datatype, shape: &[i64]) -> Result<Vec<i64>, String> {
        let input = TensorMetadata { name: "x".into(), datatype, shape: shape.to_vec() };
        let metadata =
            Metadata { name: "m".into(), versions: vec![], platform: String::new(), inputs: vec![input], outputs: vec![] };
        image_tensor(&metadata, Vec::new().into()).map(|t| t.shape)
    }

    #[test]
    fn an_image_fits_with_any_batch_dimension_or_none() {
        for (given, wanted) in [
            (vec![1, 3, 224, 224], vec![1, 3, 224, 224]),
            (vec![-1, 3, 224, 224], vec![1, 3, 224, 224]),
            (vec![-1, 3, -1, -1], vec![1, 3, 224, 224]),
            (vec![3, 224, 224], vec![3, 224, 224]),
        ] {
            assert_eq!(shape(Datatype::Fp32, &given), Ok(wanted));
        }
        for given in [vec![-1, 224, 224, 3], vec![2, 3, 224, 224], vec![1, 3, 299, 299], vec![3]] {
            assert!(shape(Datatype::Fp32, &given).is_err(), "{given:?}");
        }
        assert!(shape(Datatype::Fp16, &[1, 3, 224, 224]).is_err());
    }
}
