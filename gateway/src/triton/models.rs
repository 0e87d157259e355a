//! What Triton's models are doing: whether those that we answer with are ready, and what they take.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tritondeploy_wire::echo::Echo;

use super::known::KnownModels;
use super::{Error, Indexed, Metadata, State, Triton};
use crate::metrics;

/// Triton sends no event when a model comes or goes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// While something is missing, so that a pod is ready as soon as its models are.
const LOOK_SOON: Duration = Duration::from_millis(250);

/// A look that hangs is as bad as none.
const LOOK_PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of a model's name: it is a folder's (`NAME_MAX` of Linux).
pub(crate) const LONGEST_MODEL_NAME: usize = 255;

/// What was seen at the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Every required model is READY.
    pub ready: bool,
    /// Why Triton could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triton: Option<String>,
    /// Each required model.
    pub models: BTreeMap<String, ModelState>,
}

/// One model's state in Triton's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelState {
    /// READY, LOADING, UNAVAILABLE, ... or ABSENT where Triton's repository has no such model.
    pub state: &'static str,
    /// Triton's reason, where it gives one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl ModelState {
    fn of(version: &Indexed) -> Self {
        Self { state: version.state.as_str(), reason: version.reason.clone() }
    }

    /// Whether it answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready.as_str()
    }
}

/// Looks at Triton's models again and again; remembers what they take.
#[derive(Debug)]
pub struct Models {
    triton: Triton,
    needed: Vec<String>,
    seen: watch::Sender<Readiness>,
    index: Mutex<Option<Vec<Indexed>>>,
    known: KnownModels,
    /// Triton's repository, where the labels lie too.
    directory: PathBuf,
    labels: Mutex<HashMap<String, Option<Arc<Vec<String>>>>>,
}

impl Models {
    /// Watches nothing until [`Models::watch`] runs. `needed` are the models that readiness waits for.
    #[must_use]
    pub fn new(triton: Triton, needed: Vec<String>, directory: PathBuf) -> Self {
        let first = Readiness { triton: Some("Triton was not asked yet".to_owned()), ..Readiness::default() };
        let seen = watch::Sender::new(first);
        Self { triton, needed, seen, index: Mutex::default(), known: KnownModels::default(), directory, labels: Mutex::default() }
    }

    /// What is seen from now on, for whoever waits or runs elsewhere.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Readiness> {
        self.seen.subscribe()
    }

    /// What was seen last.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.seen.borrow().clone()
    }

    /// The required models as they were seen last, and whatever else is READY.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, ModelState> {
        let mut models = self.readiness().models;
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        for version in index.iter().flatten().filter(|version| version.state == State::Ready) {
            models.entry(version.name.clone()).or_insert_with(|| ModelState::of(version));
        }
        models
    }

    /// Looks for ever.
    pub async fn watch(&self) {
        loop {
            let ready = self.look().await;
            sleep(if ready { LOOK_EVERY } else { LOOK_SOON }).await;
        }
    }

    /// Looks once.
    pub async fn look(&self) -> bool {
        let index = match timeout(LOOK_PATIENCE, self.triton.index()).await {
            Ok(index) => index,
            Err(_) => Err(Error::Timeout(LOOK_PATIENCE.as_secs())),
        };
        let readiness = match &index {
            Ok(index) => readiness(&self.needed, index),
            Err(e) => Readiness { triton: Some(e.to_string()), ..Readiness::default() },
        };
        metrics::triton(&readiness, &self.needed);
        self.compare(index.ok());
        let ready = readiness.ready;
        // Greetings tell what the models take; what a pod waits for comes first, and is not waited for long.
        drop(timeout(LOOK_PATIENCE, self.learn(&readiness.models)).await);
        self.seen.send_if_modified(|seen| {
            let changed = *seen != readiness;
            if changed {
                tell(&readiness);
                *seen = readiness;
            }
            changed
        });
        drop(timeout(LOOK_PATIENCE, self.learn(&self.all())).await);
        ready
    }

    /// Remembers what those take that are READY, where it is not known yet.
    async fn learn(&self, models: &BTreeMap<String, ModelState>) {
        for (model, _) in models.iter().filter(|(_, state)| state.is_ready()) {
            if let Err(e) = self.metadata(model).await {
                tracing::debug!(model, "its metadata: {e}");
            }
        }
    }

    /// Another version, another config, another Triton: whatever was remembered may be wrong.
    fn compare(&self, index: Option<Vec<Indexed>>) {
        let mut last = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != index {
            *last = index;
            self.forget_all();
        }
        self.known.forget_absent();
    }

    /// What a model takes and gives.
    ///
    /// # Errors
    /// When Triton does not say.
    pub async fn metadata(&self, model: &str) -> Result<Arc<Metadata>, Error> {
        if model.len() > LONGEST_MODEL_NAME {
            return Err(no_model(model));
        }
        let ask = || {
            let (triton, model) = (self.triton.clone(), model.to_owned());
            async move { triton.metadata(&model).await }
        };
        self.known.get_or_ask(model, ask).await
    }

    /// What a model takes and gives, where it was asked for already.
    #[must_use]
    pub fn known(&self, model: &str) -> Option<Arc<Metadata>> {
        self.known.get(model)
    }

    /// The names of a model's classes: its `labels.txt`, one a line, where it has one.
    #[must_use]
    pub fn labels(&self, model: &str) -> Option<Arc<Vec<String>>> {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = labels.get(model) {
            return known.clone();
        }
        let text = self.folder(model).and_then(|folder| std::fs::read_to_string(folder.join("labels.txt")).ok());
        let lines = text.map(|text| Arc::new(text.lines().map(str::to_owned).collect::<Vec<_>>()));
        labels.insert(model.to_owned(), lines.clone());
        lines
    }

    /// Whether the release on disk has this model: where Triton does not, it is on its way.
    #[must_use]
    pub fn is_released(&self, model: &str) -> bool {
        self.folder(model).is_some_and(|folder| folder.is_dir())
    }

    /// A model's folder. A name that Triton took is a folder's name and no path; so much is not taken on trust here.
    fn folder(&self, model: &str) -> Option<PathBuf> {
        let is_name = !model.is_empty() && !model.contains(['/', '\\', '\0']) && model != "." && model != "..";
        is_name.then(|| self.directory.join(model))
    }

    /// After an inference that did not fit: the model may have changed since the last look.
    pub fn doubt(&self, model: &str) {
        self.known.doubt(model);
    }

    fn forget_all(&self) {
        self.known.forget_all();
        self.labels.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// What Triton says of a model that it does not know, without asking it.
pub(crate) fn no_model(model: &str) -> Error {
    Error::NoModel(format!("Request for unknown model: '{}' is not found", Echo(model)))
}

fn readiness(needed: &[String], index: &[Indexed]) -> Readiness {
    let mut models = BTreeMap::new();
    for name in needed {
        let versions: Vec<&Indexed> = index.iter().filter(|i| i.name == *name).collect();
        // One ready version answers, whatever became of the others.
        let best = versions.iter().find(|i| i.state == State::Ready).or_else(|| versions.last());
        let state = match best {
            Some(version) => ModelState::of(version),
            None => ModelState { state: "ABSENT", reason: "not in Triton's model repository".to_owned() },
        };
        models.insert(name.clone(), state);
    }
    let ready = models.values().all(ModelState::is_ready);
    Readiness { ready, triton: None, models }
}

fn tell(readiness: &Readiness) {
    if readiness.ready {
        tracing::info!("ready: every required model is READY");
    } else if let Some(why) = &readiness.triton {
        tracing::warn!("not ready: {why}");
    } else {
        for (model, state) in readiness.models.iter().filter(|(_, m)| !m.is_ready()) {
            tracing::warn!(model, state = state.state, reason = state.reason, "not ready");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexed(name: &str, version: &str, state: State) -> Indexed {
        Indexed { name: name.to_owned(), version: version.to_owned(), state, reason: String::new() }
    }

    #[test]
    fn ready_means_every_required_model_and_no_other() {
        let needed = ["a".to_owned(), "b".to_owned()];
        let mut index = vec![
            indexed("a", "1", State::Unavailable),
            indexed("a", "2", State::Ready),
            indexed("b", "1", State::Loading),
            indexed("other", "1", State::Unavailable),
        ];
        assert!(!readiness(&needed, &index).ready);
        index[2].state = State::Ready;
        assert!(readiness(&needed, &index).ready);
        assert_eq!(readiness(&needed, &index[..2]).models["b"].state, "ABSENT");
    }
}
