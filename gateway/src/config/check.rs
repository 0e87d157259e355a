//! What a configuration may not say, and why.

use std::collections::{BTreeMap, BTreeSet};

use tritondeploy_wire::v1::MODELS;

use super::{Config, DEFAULT, Error};
use crate::triton;

/// The most that `limits.message_bytes` may be.
const MESSAGE_BYTES: usize = 1 << 30;

impl Config {
    /// How many models each pipeline has.
    fn pipeline_sizes(&self) -> impl Iterator<Item = usize> {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for model in &self.pipeline {
            *sizes.entry(&model.pipeline).or_default() += 1;
        }
        sizes.into_values()
    }

    /// Refuses values that cannot be, alone or beside each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let least = [
            limits.message_bytes,
            limits.incoming_bytes,
            limits.connections,
            limits.handshakes,
            limits.handshakes_per_address,
            limits.running,
            limits.waiting,
            limits.waiting_bytes,
            limits.window_requests as usize,
            limits.window_bytes,
            limits.requests,
            limits.bytes,
            limits.answer_bytes,
            limits.unread_bytes,
            limits.model_requests,
            limits.model_requests_least,
        ];
        let seconds = [
            limits.header_seconds,
            limits.message_seconds,
            limits.request_seconds,
            limits.write_seconds,
            limits.ping_seconds,
            limits.idle_seconds,
        ];
        let aliases: BTreeSet<_> = self.pipeline.iter().map(|p| (&p.pipeline, &p.alias)).collect();
        let has_default = self.pipeline.iter().any(|p| p.pipeline == DEFAULT);
        let has_presets = self.pipeline.iter().all(|p| self.preset(&p.preset).is_some());
        let wrong = if self.storage.bucket.is_empty() {
            "storage.bucket is missing; name the bucket that holds images and models"
        } else if self.threads == 0 {
            "threads is 0; at least one must serve the sockets"
        } else if triton::authority(&self.triton.http).is_none() {
            "triton.http is no URL of the form http://HOST:PORT"
        } else if triton::authority(&self.triton.metrics).is_none() {
            "triton.metrics is no URL of the form http://HOST:PORT"
        } else if least.contains(&0) || seconds.contains(&0) {
            "a limit is 0; each must be at least 1"
        } else if limits.message_bytes > MESSAGE_BYTES {
            "limits.message_bytes is over 1 GiB (1073741824)"
        } else if limits.incoming_bytes < limits.message_bytes {
            "limits.incoming_bytes is less than limits.message_bytes, so the longest message could never come"
        } else if self.storage.bytes_at_once < self.storage.object_bytes {
            "storage.bytes_at_once is less than storage.object_bytes, so the largest object could never be read"
        } else if self.image.pixels_at_once < self.image.pixels {
            "image.pixels_at_once is less than image.pixels, so the largest image could never be decoded"
        } else if limits.bytes < limits.message_bytes {
            "limits.bytes is less than limits.message_bytes, so the longest message could never be taken"
        } else if limits.idle_seconds <= limits.ping_seconds {
            "limits.idle_seconds must be longer than limits.ping_seconds, or clients that only answer pings are dropped"
        } else if self.pipeline_sizes().any(|size| size > MODELS) {
            "a pipeline has more than 16 models, the most that one request may ask for"
        } else if self.pipeline.is_empty() {
            "there is no [[pipeline]]"
        } else if !has_default {
            "no [[pipeline]] belongs to the pipeline \"default\", which requests that name none ask for"
        } else if !has_presets {
            "a [[pipeline]] names a preset that is not there; write a [preset.NAME], or name unit or imagenet"
        } else if aliases.len() != self.pipeline.len() {
            "two models of a pipeline have the same alias"
        } else {
            return Ok(());
        };
        Err(Error::Value(wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, wanted) in [
            ("", "storage.bucket"),
            ("storage.bucket = \"b\"\nthreads = 0", "threads"),
            ("storage.bucket = \"b\"\ntriton.http = \"127.0.0.1:8000\"", "triton.http"),
            ("storage.bucket = \"b\"\ntriton.metrics = \"http://127.0.0.1:8002/metrics\"", "triton.metrics"),
            ("storage.bucket = \"b\"\nlimits.running = 0", "at least 1"),
            ("storage.bucket = \"b\"\nlimits.message_bytes = 1073741825", "1 GiB"),
            ("storage.bucket = \"b\"\nlimits.incoming_bytes = 9", "incoming_bytes"),
            ("storage.bucket = \"b\"\nlimits.bytes = 9", "limits.bytes"),
            ("storage.bucket = \"b\"\nstorage.bytes_at_once = 9", "bytes_at_once"),
            ("storage.bucket = \"b\"\nimage.pixels_at_once = 9", "pixels_at_once"),
            ("storage.bucket = \"b\"\nlimits.idle_seconds = 60", "idle_seconds"),
            ("storage.bucket = \"b\"\npipeline = []", "pipeline"),
            ("storage.bucket = \"b\"\npipeline = [{alias=\"a\", model=\"m\"}, {alias=\"a\", model=\"n\"}]", "alias"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let pipeline = |models: usize| {
            let models: Vec<_> = (0..models).map(|i| format!("{{alias=\"{i}\", model=\"m\"}}")).collect();
            Config::parse(&format!("storage.bucket = \"b\"\npipeline = [{}]", models.join(", ")))
        };
        assert!(pipeline(MODELS).is_ok());
        assert!(pipeline(MODELS + 1).unwrap_err().to_string().contains("more than 16 models"));
    }
}
