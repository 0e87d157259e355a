//! What a client is told first.

use tritondeploy_wire::v1::{
    FEATURES, Greeting, ImageSize, LONGEST_HEADER, Limits, MODELS, ModelInput, ModelSight, Pipeline, PipelineModel, SUBPROTOCOL,
    Window,
};

use crate::inference::{Engine, Fit};

impl Engine {
    pub(super) fn hello(&self) -> Greeting {
        let limits = &self.config.limits;
        let pipelines = self.pipelines().map(|(name, targets)| Pipeline {
            name: name.to_owned(),
            models: targets
                .iter()
                .map(|target| PipelineModel { alias: target.alias.clone(), model: target.model.clone(), quality: target.quality })
                .collect(),
        });
        Greeting {
            protocol: SUBPROTOCOL.to_owned(),
            server: concat!("tritondeploy-gateway/", env!("CARGO_PKG_VERSION")).to_owned(),
            features: FEATURES.map(str::to_owned).to_vec(),
            window: Window { requests: limits.window_requests, bytes: limits.window_bytes as u64 },
            limits: Limits {
                message_bytes: limits.message_bytes as u64,
                object_bytes: self.config.storage.object_bytes,
                pixels: self.config.image.pixels,
                deadline_ms: limits.request_seconds * 1000,
                header_bytes: Some(LONGEST_HEADER as u64),
                models: Some(MODELS as u32),
            },
            models: self.models(),
            pipelines: pipelines.collect(),
        }
    }

    fn models(&self) -> Vec<ModelSight> {
        let sight = |(name, state): (&String, &crate::triton::models::ModelState)| {
            let metadata = self.models.known(name);
            let inputs = metadata.iter().flat_map(|metadata| &metadata.inputs);
            let input = |input: &crate::triton::TensorMetadata| ModelInput {
                name: input.name.clone(),
                datatype: input.datatype.as_str().to_owned(),
                shape: input.shape.clone(),
            };
            let fit = metadata.as_ref().and_then(|metadata| Fit::of(metadata).ok());
            ModelSight {
                name: name.clone(),
                ready: state.is_ready(),
                inputs: inputs.map(input).collect(),
                image: fit.map(|fit| ImageSize { width: fit.width as u32, height: fit.height as u32 }),
            }
        };
        self.models.all().iter().map(sight).collect()
    }
}
