//! What became of a request, for every protocol: a line of the log and its metrics. Its payload is no part of either.

use tokio::time::Instant;
use tritondeploy_wire::v1::Timings;

use super::{Error, micros};
use crate::metrics::Running;
use crate::peer::{RequestId, Version};

/// A request that runs, and what is known of it so far.
#[derive(Debug)]
pub(crate) struct Report<'r> {
    id: RequestId,
    protocol: Version,
    received: Instant,
    running: Running,
    /// What is sent, or named.
    pub(crate) form: &'static str,
    /// The model that v0 asks for by name.
    pub(crate) model: Option<String>,
    /// Of what was received.
    pub(crate) bytes: usize,
    /// Microseconds that reading the message took, where that is something.
    pub(crate) parse: Option<u64>,
    /// The client's own number of the request.
    pub(crate) client_id: Option<u64>,
    /// The client's trace context.
    pub(crate) trace: Option<&'r str>,
}

impl Report<'_> {
    /// The request is in flight from now on.
    pub(crate) fn begin(protocol: Version, id: RequestId, received: Instant) -> Self {
        let running = Running::begin(protocol);
        let (form, model, bytes, parse, client_id, trace) = ("unread", None, 0, None, None, None);
        Self { id, protocol, received, running, form, model, bytes, parse, client_id, trace }
    }

    /// The request has its answer, of so many bytes, or none.
    pub(crate) fn end(self, answer: Result<(&Timings, usize), &Error>) {
        let Self { id, protocol, received, running, form, model, bytes, parse, client_id, trace } = self;
        let (request, protocol, total_us) = (id.to_string(), protocol.as_str(), micros(received));
        let (timings, answer_bytes) = match answer {
            Ok(answered) => answered,
            Err(e) => {
                let code = e.code();
                running.failed(code);
                let code = code.as_str();
                if e.is_ours() {
                    tracing::error!(
                        request,
                        protocol,
                        client_id,
                        trace,
                        form,
                        model,
                        bytes,
                        total_us,
                        code,
                        error = e.text(),
                        "failed"
                    );
                } else {
                    tracing::warn!(
                        request,
                        protocol,
                        client_id,
                        trace,
                        form,
                        model,
                        bytes,
                        total_us,
                        code,
                        error = e.text(),
                        "refused"
                    );
                }
                return;
            }
        };
        running.answered(timings, total_us);
        let Timings { fetch, decode, prepare, queue, infer, encode, .. } = timings;
        tracing::info!(
            request,
            protocol,
            client_id,
            trace,
            form,
            model,
            bytes,
            answer_bytes,
            parse_us = parse,
            fetch_us = fetch,
            decode_us = decode,
            prepare_us = prepare,
            queue_us = queue,
            infer_us = infer,
            encode_us = encode,
            total_us,
            "answered"
        );
    }
}
