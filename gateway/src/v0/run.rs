//! What the log tells of a request; its payload is no part of it.

use tokio::time::Instant;
use tritondeploy_wire::v1::Timings;

use crate::protocol::RequestId;
use crate::request::{Error, micros};

#[derive(Debug)]
pub(super) struct Run {
    started: Instant,
    pub(super) bytes: usize,
    pub(super) form: &'static str,
    pub(super) model: Option<String>,
    parse_us: u64,
    pub(super) timings: Timings,
}

impl Run {
    pub(super) fn new(bytes: usize) -> Self {
        Self { started: Instant::now(), bytes, form: "unread", model: None, parse_us: 0, timings: Timings::default() }
    }

    pub(super) fn parsed(&mut self) {
        self.parse_us = micros(self.started);
    }

    pub(super) fn log(&self, id: RequestId, answer: Result<usize, &Error>) {
        let Self { bytes, form, model, parse_us, timings, .. } = self;
        let Timings { fetch, decode, prepare, infer, encode, .. } = timings;
        let (request, total_us) = (id.to_string(), micros(self.started));
        match answer {
            Ok(answer_bytes) => tracing::info!(
                request,
                form,
                model,
                bytes,
                answer_bytes,
                parse_us,
                fetch_us = fetch,
                decode_us = decode,
                prepare_us = prepare,
                infer_us = infer,
                encode_us = encode,
                total_us,
                "answered"
            ),
            Err(e) if e.is_ours() => tracing::error!(request, form, model, bytes, total_us, error = %e, "failed"),
            Err(e) => tracing::warn!(request, form, model, bytes, total_us, error = %e, "refused"),
        }
    }
}
