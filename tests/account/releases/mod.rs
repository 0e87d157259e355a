//! Releases of models against the bucket of a local AWS: two at once, killed, with answers that get lost, and with what
//! others put beside them. No pod runs: what pods do is tested with real ones (`tests/whole`).

mod at_once;
mod crash;
mod local_models;
mod lost;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tritondeploy::cloud::Cloud;
use tritondeploy::config::Config;
use tritondeploy::engine::Fault;
use tritondeploy::models::{Bucket, Local, LocalFile, Report, Repository, release};

use tritondeploy_support::local_aws::LocalAws;

/// A bucket, and a folder with models of which only the bytes matter.
pub(crate) struct Place {
    pub(crate) local: LocalAws,
    pub(crate) cloud: Arc<Cloud>,
    folder: tempfile::TempDir,
}

impl Place {
    /// An empty bucket.
    pub(crate) async fn new() -> Self {
        let local = LocalAws::start(600);
        let cloud = local.cloud(Config::default()).await;
        cloud.aws.s3.create_bucket().bucket(cloud.bucket()).send().await.unwrap();
        Self { local, cloud, folder: tempfile::tempdir().unwrap() }
    }

    /// Models with a file of weights, a configuration and labels each.
    pub(crate) fn models(&self, models: &[(&str, &str, &str)]) -> Repository {
        let file = |content: &str| file(self.folder.path(), content);
        let one = |(name, weights, config): &(&str, &str, &str)| {
            let model = Local {
                name: (*name).to_owned(),
                beside: BTreeMap::from([("config.pbtxt".to_owned(), file(config)), ("labels.txt".to_owned(), file("cat"))]),
                weights: BTreeMap::from([("model.onnx".to_owned(), file(weights))]),
                version: 1,
                wants_gpu: None,
            };
            ((*name).to_owned(), model)
        };
        Repository { models: models.iter().map(one).collect() }
    }

    pub(crate) async fn release(&self, models: &Repository) -> Result<Report, Fault> {
        released(&self.cloud, models).await
    }

    /// The same, beside what else goes on.
    pub(crate) fn releasing(&self, models: &Repository) -> tokio::task::JoinHandle<Result<Report, Fault>> {
        let (cloud, models) = (self.cloud.clone(), models.clone());
        tokio::spawn(async move { released(&cloud, &models).await })
    }

    /// Holds the nth call from now on, of this action where one is named.
    pub(crate) fn hold(&self, nth: usize, when: &str, action: &str) {
        let action = if action.is_empty() { String::new() } else { format!("&action={action}") };
        self.local.ask("POST", &format!("hold?nth={nth}&when={when}&who={action}"));
    }

    /// Until the call is held; false: the work ended without it.
    pub(crate) async fn held<T>(&self, work: &tokio::task::JoinHandle<T>) -> bool {
        let begun = Instant::now();
        while self.local.ask("GET", "hold")["held"].is_null() {
            if work.is_finished() {
                return false;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "the call never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    pub(crate) async fn put(&self, key: &str, content: &str) {
        let call = self.cloud.aws.s3.put_object().bucket(self.cloud.bucket()).key(key);
        call.body(content.as_bytes().to_vec().into()).send().await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> String {
        let call = self.cloud.aws.s3.get_object().bucket(self.cloud.bucket()).key(key);
        let body = call.send().await.unwrap_or_else(|why| panic!("{key}: {why:?}")).body.collect().await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Every key in the bucket.
    pub(crate) async fn keys(&self) -> BTreeSet<String> {
        let listed = self.cloud.aws.s3.list_objects_v2().bucket(self.cloud.bucket()).send().await.unwrap();
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// The weights that are published of each model, read where the manifest says that they are; every other object that it
    /// names is read too.
    pub(crate) async fn published(&self) -> BTreeMap<String, String> {
        let bucket = self.cloud.bucket();
        let published = Bucket { aws: &self.cloud.aws, name: &bucket }.released().await.unwrap().expect("a release");
        let mut weights = BTreeMap::new();
        for (name, model) in &published.manifest.models {
            for (path, file) in &model.files {
                let content = self.get(&file.key.clone().unwrap_or_else(|| format!("models/{name}/{path}"))).await;
                assert_eq!(content.len() as u64, file.size, "{name}/{path}");
                if path.ends_with(".onnx") {
                    weights.insert(name.clone(), content);
                }
            }
        }
        weights
    }

    /// Every key that is there and not of the published release.
    pub(crate) async fn beside(&self) -> BTreeSet<String> {
        let bucket = self.cloud.bucket();
        let published = Bucket { aws: &self.cloud.aws, name: &bucket }.released().await.unwrap().expect("a release").manifest;
        let mut keys = self.keys().await;
        keys.remove("release/manifest.json");
        keys.remove(&format!("release/drafts/{}.json", published.release.as_ref().expect("its id").id));
        for (name, model) in &published.models {
            for (path, file) in &model.files {
                assert!(keys.remove(&format!("models/{name}/{path}")), "{name}/{path} is not where people look for it");
                file.key.as_ref().map(|key| keys.remove(key));
            }
        }
        keys
    }
}

async fn released(cloud: &Cloud, models: &Repository) -> Result<Report, Fault> {
    let (bucket, cancel) = (cloud.bucket(), CancellationToken::new());
    release(Bucket { aws: &cloud.aws, name: &bucket }, models, || async { Ok(Vec::new()) }, &cancel, |_, _| {}).await
}

fn file(folder: &Path, content: &str) -> LocalFile {
    use sha2::{Digest, Sha256};
    let sha256 = tritondeploy_wire::manifest::hex(&Sha256::digest(content));
    let path = folder.join(&sha256);
    std::fs::write(&path, content).unwrap();
    LocalFile { path, size: content.len() as u64, sha256 }
}

/// One model's weights, as [`Place::published`] tells them.
pub(crate) fn weights(name: &str, content: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), content.to_owned())])
}
