//! One release: fetch, put in place, load, try; or put back what was there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde::Serialize;
use tokio::time::sleep;
use tritondeploy_wire::manifest::Model;

use super::{Admin, probe};
use crate::sync::{Error, Plan, Swap};
use crate::triton::{self, Indexed, State};

/// How long the index may take to agree with a load that has succeeded.
const SETTLE: Duration = Duration::from_secs(30);

/// The answer to GET.
#[derive(Debug, Serialize)]
pub(super) struct Current {
    /// SHA-256 of the manifest on disk.
    digest: Option<String>,
    models: BTreeMap<String, Seen>,
    ready: bool,
    /// A release is in progress: what is on disk may be another one soon.
    releasing: bool,
}

#[derive(Debug, Serialize)]
struct Seen {
    digest: String,
    version: String,
    state: &'static str,
    reason: String,
}

/// The answer to POST.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    ok: bool,
    digest: String,
    models: Vec<Outcome>,
}

/// What became of one model.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    name: String,
    action: Action,
    version: String,
    state: &'static str,
    reason: String,
    load_ms: u64,
    infer_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Loaded,
    Unchanged,
    Removed,
    Failed,
}

impl Admin {
    /// What is on disk and what Triton does with it.
    pub(super) async fn current(&self) -> Result<Current, triton::Error> {
        // Asked before the disk: a release that ends in between is then seen with its digest.
        let releasing = self.releasing.available_permits() == 0;
        let index = self.triton.index().await?;
        let release = self.mirror.current();
        let mut models = BTreeMap::new();
        for (name, model) in release.iter().flat_map(|r| &r.manifest.models) {
            let (version, state, reason) = best(&index, name);
            models.insert(name.clone(), Seen { digest: model.digest.clone(), version, state: state.as_str(), reason });
        }
        let ready = release.is_some() && models.values().all(|m| m.state == State::Ready.as_str());
        Ok(Current { digest: release.map(|r| r.digest.clone()), models, ready, releasing })
    }

    /// Makes the release of a manifest the current one, or leaves everything as it was.
    pub(super) async fn release(&self, key: &str) -> Result<Report, Error> {
        let release = self.mirror.release(key).await?;
        tracing::info!(key, digest = release.digest, "a release begins");
        let plan = self.mirror.plan(&release)?;
        self.mirror.stage(&plan).await?;
        let _turn = self.turn.lock().await;
        let swap = self.mirror.swap(&plan)?;
        let mut outcomes = self.load(&release.manifest.models, &plan).await;
        let ok = outcomes.iter().all(|o| o.action != Action::Failed);
        let digest = release.digest.clone();
        if ok {
            outcomes.extend(join_all(plan.removed.iter().map(|name| self.retire(name))).await);
            self.mirror.keep(swap, release)?;
        } else {
            self.put_back(swap, &plan).await?;
        }
        outcomes.sort_by(|a, b| a.name.cmp(&b.name));
        tracing::info!(key, digest, ok, "the release ended");
        Ok(Report { ok, digest, models: outcomes })
    }

    /// Loads and tries what changed, and what did not but does not answer; parts of an ensemble before the ensemble.
    async fn load(&self, models: &BTreeMap<String, Model>, plan: &Plan) -> Vec<Outcome> {
        let index = self.triton.index().await.unwrap_or_default();
        let (mut outcomes, mut due) = (Vec::new(), Vec::new());
        for (name, model) in models {
            let (version, state, reason) = best(&index, name);
            if plan.changed.contains_key(name) || state != State::Ready {
                due.push((name, model));
            } else {
                let (name, action, state) = (name.clone(), Action::Unchanged, state.as_str());
                outcomes.push(Outcome { name, action, version, state, reason, load_ms: 0, infer_ms: 0 });
            }
        }
        let (ensembles, single): (Vec<_>, Vec<_>) = due.into_iter().partition(|(name, _)| self.is_ensemble(name));
        for group in [single, ensembles] {
            outcomes.extend(join_all(group.into_iter().map(|(name, model)| self.renew(name, model))).await);
        }
        outcomes
    }

    /// Loads a changed model and tries it.
    async fn renew(&self, name: &str, model: &Model) -> Outcome {
        let start = Instant::now();
        let loaded = self.triton.load(name).await.map_err(|e| e.to_string());
        let settled = match loaded {
            Ok(()) => self.settled(name, newest(model)).await,
            Err(why) => Err((String::new(), State::Unavailable, why)),
        };
        let load_ms = millis(start);
        let start = Instant::now();
        let tried = match settled {
            Ok(version) => match probe::run(&self.triton, name).await {
                Ok(()) => Ok(version),
                Err(why) => Err((version, State::Ready, format!("the test inference failed: {why}"))),
            },
            Err(failed) => Err(failed),
        };
        let infer_ms = millis(start);
        let (action, (version, state, reason)) = match tried {
            Ok(version) => (Action::Loaded, (version, State::Ready, String::new())),
            Err(failed) => (Action::Failed, failed),
        };
        if action == Action::Failed {
            tracing::error!(model = name, "not released: {reason}");
        }
        Outcome { name: name.to_owned(), action, version, state: state.as_str(), reason, load_ms, infer_ms }
    }

    /// Waits until the version answers: a load that succeeded may still be seen as LOADING for a moment.
    async fn settled(&self, name: &str, version: Option<u64>) -> Result<String, (String, State, String)> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let seen = match self.triton.index().await {
                Ok(index) => best(&index, name),
                Err(e) => (String::new(), State::Unknown, e.to_string()),
            };
            let right = version.is_none_or(|v| seen.0.parse() == Ok(v));
            if seen.1 == State::Ready && right {
                return Ok(seen.0);
            }
            if Instant::now() >= deadline {
                let (was, state, reason) = seen;
                let wanted = version.map_or_else(String::new, |v| format!("version {v} did not become READY. "));
                return Err((was, state, format!("{wanted}{reason}")));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Unloads a model that the release does not name.
    async fn retire(&self, name: &str) -> Outcome {
        // Its folder is gone, and Triton forgets it with that; one that was never loaded cannot be unloaded.
        let reason = self.triton.unload(name).await.err().map_or_else(String::new, |e| e.to_string());
        Outcome {
            name: name.to_owned(),
            action: Action::Removed,
            version: String::new(),
            state: State::Unavailable.as_str(),
            reason,
            load_ms: 0,
            infer_ms: 0,
        }
    }

    /// The former files back in place and back in Triton.
    async fn put_back(&self, swap: Swap, plan: &Plan) -> Result<(), Error> {
        let gone = swap.undo()?;
        let gone = &gone;
        let back = plan.changed.keys().map(|name| async move {
            let done = if gone.contains(name) { self.triton.unload(name).await } else { self.triton.load(name).await };
            if let Err(e) = done {
                tracing::warn!(model = name, "not put back into Triton: {e}");
            }
        });
        join_all(back).await;
        Ok(())
    }

    fn is_ensemble(&self, name: &str) -> bool {
        let config = std::fs::read_to_string(self.mirror.directory().join(name).join("config.pbtxt"));
        config.is_ok_and(|text| text.contains("ensemble_scheduling"))
    }
}

/// What Triton says of a model: of the newest version that answers, else of the newest that it tried.
fn best(index: &[Indexed], name: &str) -> (String, State, String) {
    let number = |i: &&Indexed| (i.state == State::Ready, i.version.parse::<u64>().unwrap_or(0));
    match index.iter().filter(|i| i.name == name).max_by_key(number) {
        Some(i) => (i.version.clone(), i.state, i.reason.clone()),
        None => (String::new(), State::Unknown, "Triton does not see it in its repository".to_owned()),
    }
}

/// The newest version folder of a model.
fn newest(model: &Model) -> Option<u64> {
    model.files.keys().filter_map(|path| path.split_once('/')?.0.parse().ok()).max()
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
