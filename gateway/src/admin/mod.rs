//! The port on which models are released and metrics are read. It listens on the pod's loopback and no Service exposes it; whoever may
//! open a port-forward into the pod may use it.

mod host;
pub mod loader;
mod probe;
mod release;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tritondeploy_wire::echo::Quoted;

use crate::metrics;
use crate::sync::{self, Mirror};
use crate::triton::Triton;

/// What the port works on.
#[derive(Clone, Debug)]
pub struct Admin {
    triton: Triton,
    mirror: Arc<Mirror>,
    /// Held by whoever changes models.
    turn: Arc<Mutex<()>>,
    /// One permit, held by a release from its first byte to its answer.
    releasing: Arc<Semaphore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    manifest: String,
}

impl Admin {
    /// `turn` is shared with the loader.
    #[must_use]
    pub fn new(triton: Triton, mirror: Arc<Mirror>, turn: Arc<Mutex<()>>) -> Self {
        Self { triton, mirror, turn, releasing: Arc::new(Semaphore::new(1)) }
    }

    /// Serves until `stop`; a release in progress is finished.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let router = Router::new()
            .route("/v1/release", get(current).post(post))
            .route("/metrics", get(measured))
            .layer(from_fn(host::local_only))
            .with_state(self);
        axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

async fn measured(State(admin): State<Admin>) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&admin.triton.slots())).into_response()
}

async fn current(State(admin): State<Admin>) -> Response {
    match admin.current().await {
        Ok(current) => Json(current).into_response(),
        Err(e) => error(StatusCode::BAD_GATEWAY, &e),
    }
}

async fn post(State(admin): State<Admin>, wanted: Result<Json<Wanted>, JsonRejection>) -> Response {
    let wanted = match wanted {
        Ok(Json(wanted)) => wanted,
        Err(e) => return error(e.status(), &format!("no JSON of the form {{\"manifest\":\"KEY\"}}: {}", Quoted(&e.body_text()))),
    };
    let Ok(releasing) = admin.releasing.clone().try_acquire_owned() else {
        return error(StatusCode::CONFLICT, &"another release is in progress; try again when it has ended");
    };
    // A task of its own: an asker that goes away must not leave half a release.
    let work = tokio::spawn(async move {
        let done = admin.release(&wanted.manifest).await;
        drop(releasing);
        done
    });
    match work.await {
        Ok(Ok(report)) => Json(report).into_response(),
        Ok(Err(e @ (sync::Error::Manifest(_) | sync::Error::Key { .. }))) => error(StatusCode::BAD_REQUEST, &e),
        Ok(Err(e)) => error(StatusCode::BAD_GATEWAY, &e),
        Err(e) => error(StatusCode::INTERNAL_SERVER_ERROR, &e),
    }
}

fn error(status: StatusCode, why: &dyn std::fmt::Display) -> Response {
    tracing::warn!(%status, "{why}");
    (status, Json(json!({ "error": why.to_string() }))).into_response()
}
