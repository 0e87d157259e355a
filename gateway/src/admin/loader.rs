//! Keeps the models of the release on disk loaded: at the start, and again after a restart of Triton.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::sync::Mirror;
use crate::triton::{Indexed, State, Triton};

/// Triton sends no event when it has restarted.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// While something is missing.
const LOOK_SOON: Duration = Duration::from_millis(250);

/// First and longest wait after a failed load. The same files fail the same way, but memory may have come free.
const WAITS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Loads what is not loaded.
#[derive(Debug)]
pub struct Loader {
    triton: Triton,
    mirror: Arc<Mirror>,
    turn: Arc<Mutex<()>>,
}

/// A model whose load failed.
struct Failed {
    again: Instant,
    wait: Duration,
}

impl Loader {
    /// `turn` is held by whoever changes models: this loader, or a release.
    #[must_use]
    pub fn new(triton: Triton, mirror: Arc<Mirror>, turn: Arc<Mutex<()>>) -> Self {
        Self { triton, mirror, turn }
    }

    /// Loads for ever.
    pub async fn run(self) {
        let mut failed = HashMap::new();
        loop {
            let whole = self.round(&mut failed).await;
            sleep(if whole { LOOK_EVERY } else { LOOK_SOON }).await;
        }
    }

    /// Loads what is missing; tells whether nothing was.
    async fn round(&self, failed: &mut HashMap<String, Failed>) -> bool {
        let _turn = self.turn.lock().await;
        let Some(release) = self.mirror.current() else { return true };
        let Ok(index) = self.triton.index().await else {
            // It is told by whoever watches Triton's models. What comes back is a fresh Triton.
            failed.clear();
            return false;
        };
        let mut missing = Vec::new();
        for name in release.manifest.models.keys() {
            match state(&index, name) {
                State::Ready => drop(failed.remove(name)),
                State::Loading | State::Unloading => {}
                _ if failed.get(name).is_none_or(|f| f.again <= Instant::now()) => missing.push(name.as_str()),
                _ => {}
            }
        }
        let whole = missing.is_empty();
        for (name, loaded) in join_all(missing.into_iter().map(|name| self.load(name))).await {
            if loaded {
                failed.remove(name);
            } else {
                let wait = failed.get(name).map_or(WAITS.0, |f| (f.wait * 2).min(WAITS.1));
                failed.insert(name.to_owned(), Failed { again: Instant::now() + wait, wait });
            }
        }
        whole
    }

    async fn load<'a>(&self, name: &'a str) -> (&'a str, bool) {
        let start = Instant::now();
        let loaded = self.triton.load(name).await;
        match &loaded {
            Ok(()) => tracing::info!(model = name, ms = start.elapsed().as_millis() as u64, "loaded"),
            Err(e) => tracing::error!(model = name, "not loaded: {e}"),
        }
        (name, loaded.is_ok())
    }
}

/// A model is as ready as its readiest version.
fn state(index: &[Indexed], name: &str) -> State {
    let states = index.iter().filter(|i| i.name == name).map(|i| i.state);
    states.reduce(|a, b| if a == State::Ready || b == State::Unknown { a } else { b }).unwrap_or(State::Unknown)
}
