//! The log of every Kubernetes call: what was asked, how it ended, and the audit id by which the
//! API server's own log knows it. Neither bodies nor headers are in it, so that no secret can be.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Method, Request, Response};
use tower::{Layer, Service};

/// The API server's id of a request (`k8s.io/apiserver`, audit).
const AUDIT_ID: &str = "audit-id";

/// Writes each call to the `kubernetes` target: reads at debug, all else at info, failures at warn.
#[derive(Clone, Copy)]
pub(super) struct CallLog;

impl<S> Layer<S> for CallLog {
    type Service = Logged<S>;

    fn layer(&self, inner: S) -> Logged<S> {
        Logged { inner }
    }
}

/// A service whose calls are written down.
pub(super) struct Logged<S> {
    inner: S,
}

impl<S, Asked, Answered> Service<Request<Asked>> for Logged<S>
where
    S: Service<Request<Asked>, Response = Response<Answered>>,
    S::Future: Send + 'static,
    S::Error: std::fmt::Display,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Asked>) -> Self::Future {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let begun = Instant::now();
            let answer = answer.await;
            match &answer {
                Ok(response) => {
                    let audit = response.headers().get(AUDIT_ID).and_then(|id| id.to_str().ok()).unwrap_or("-");
                    written(&method, &path, response.status().as_u16(), audit, begun.elapsed().as_millis());
                }
                Err(why) => {
                    let ms = begun.elapsed().as_millis();
                    tracing::warn!(target: "kubernetes", %method, path, %why, ms, "no answer");
                }
            }
            answer
        })
    }
}

/// That something is not there is an answer like any other.
fn written(method: &Method, path: &str, status: u16, request: &str, ms: u128) {
    match status {
        100..400 | 404 if method == Method::GET => {
            tracing::debug!(target: "kubernetes", %method, path, status, request, ms);
        }
        100..400 => tracing::info!(target: "kubernetes", %method, path, status, request, ms),
        _ => tracing::warn!(target: "kubernetes", %method, path, status, request, ms, "failed"),
    }
}
