//! `gateway.toml`, as the gateway's own `config` module reads it.

use serde::Serialize;

use super::endpoint::Exposed;
use crate::config::{Config, Preset, Quality, Scores};

/// The gateway's configuration, but for the bucket, whose name is known later.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    region: String,
    endpoint_url: Option<String>,
    /// Certificates that the gateway trusts beside the public ones, PEM.
    pub(super) roots: Option<String>,
    pipeline: Vec<Pipeline>,
    open: Vec<Exposed>,
    /// How long requests in work may take once the pod is asked to go.
    pub drain_seconds: u32,
}

#[derive(Serialize)]
struct File<'a> {
    listen: &'a str,
    admin: &'a str,
    health: &'a str,
    metrics: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    triton_http: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    triton_metrics: Option<String>,
    drain_seconds: u32,
    triton: Triton<'a>,
    storage: Storage<'a>,
    repository: Repository<'a>,
    pipeline: &'a [Pipeline],
}

#[derive(Serialize)]
struct Triton<'a> {
    grpc: &'a str,
}

#[derive(Serialize)]
struct Storage<'a> {
    bucket: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_bundle: Option<&'a str>,
    prefixes: [&'a str; 2],
}

#[derive(Serialize)]
struct Repository<'a> {
    directory: &'a str,
    prefix: &'a str,
    manifest: &'a str,
}

/// A key that says what the gateway does anyway is left out: another text would be a change, and a change new pods.
#[derive(Clone, Debug, Serialize)]
struct Pipeline {
    alias: String,
    model: String,
    scores: Scores,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<Preset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<Quality>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
}

/// The region that the configuration names, else the reference deployment's.
pub(super) fn region(config: &Config) -> String {
    config.region.clone().unwrap_or_else(|| crate::cloud::aws::DEFAULT_REGION.to_owned())
}

impl GatewayConfig {
    /// The name of the ConfigMap that it lies in.
    pub const MAP: &str = "gateway";
    /// Where the pod finds [`Self::roots`]: in the folder of its configuration.
    const ROOTS: &str = "/etc/gateway/ca.pem";
    /// The pod's admin port, on its loopback only.
    pub const ADMIN_PORT: u16 = 8081;
    /// The pod's port of the health paths alone, for the kubelet and `status`.
    pub const HEALTH_PORT: u16 = 8082;
    /// The pod's port of the metrics of both programs, for what scrapes pods.
    pub const METRICS_PORT: u16 = 8083;
    /// The pipeline of the proof's model, where one is configured.
    pub const PROOF: &str = "proof";

    /// As configured.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let pipeline = config.pipeline.iter().map(|model| Pipeline {
            alias: model.alias.clone(),
            model: model.model.clone(),
            scores: model.scores,
            pipeline: None,
            preset: Some(model.preset).filter(|preset| *preset != Preset::default()),
            quality: Some(model.quality).filter(|quality| *quality != Quality::default()),
            required: None,
        });
        // As bare tensors any model would do; its classes want to know what its numbers are.
        let proof = config.proof.model.as_ref().map(|model| Pipeline {
            alias: model.clone(),
            model: model.clone(),
            scores: config.proof.scores,
            pipeline: Some(Self::PROOF),
            preset: Some(config.proof.preset),
            quality: None,
            // The pod is ready without it.
            required: Some(false),
        });
        Self {
            region: region(config),
            endpoint_url: config.endpoint_url.clone(),
            roots: config.roots.clone(),
            pipeline: pipeline.chain(proof).collect(),
            open: Exposed::of(config).collect(),
            drain_seconds: 20,
        }
    }

    /// The file, for this bucket.
    #[must_use]
    pub fn toml(&self, bucket: &str) -> String {
        let listener = |of: Exposed| self.open.contains(&of).then(|| format!("0.0.0.0:{}", of.pod_port()));
        let file = File {
            listen: "0.0.0.0:8080",
            admin: "127.0.0.1:8081",
            health: "0.0.0.0:8082",
            metrics: "0.0.0.0:8083",
            triton_http: listener(Exposed::Http),
            triton_metrics: listener(Exposed::Metrics),
            drain_seconds: self.drain_seconds,
            triton: Triton { grpc: "http://127.0.0.1:8001" },
            storage: Storage {
                bucket,
                region: &self.region,
                endpoint_url: self.endpoint_url.as_deref(),
                ca_bundle: self.roots.as_ref().map(|_| Self::ROOTS),
                prefixes: ["images/", "temp_frames/"],
            },
            repository: Repository {
                directory: "/repository/models",
                prefix: "models/",
                manifest: tritondeploy_wire::manifest::KEY,
            },
            pipeline: &self.pipeline,
        };
        // Strings, numbers and lists of them: there is nothing in it that TOML could not say.
        toml::to_string(&file).unwrap_or_default()
    }

    /// All that the pod reads when it starts.
    pub(super) fn content(&self, bucket: &str) -> String {
        self.toml(bucket) + self.roots.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_deployment_serves_the_pair() {
        let config = Config { endpoint_url: Some("http://aws.example:1".to_owned()), ..Config::default() };
        let text = GatewayConfig::new(&config).toml("b");
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(read["storage"]["bucket"].as_str(), Some("b"));
        assert_eq!(read["storage"]["endpoint_url"].as_str(), Some("http://aws.example:1"));
        assert_eq!(read["pipeline"][1]["alias"].as_str(), Some("resnet"));
        assert_eq!(read["pipeline"][0]["scores"].as_str(), Some("logits"));
        assert_eq!(read["pipeline"].as_array().map(Vec::len), Some(2));
        // What says nothing new is not written: the pods of a running deployment stay.
        assert_eq!(read["pipeline"][0].as_table().map(toml::Table::len), Some(3), "{text}");
    }

    #[test]
    fn a_pipeline_says_how_its_pixels_are_made() {
        let pair = "[[pipeline]]\nalias = 'a'\nmodel = 'm'\npreset = 'imagenet'\nquality = 'fast'\n\
                    [proof]\nmodel = 'm'\npreset = 'imagenet'";
        let config: Config = toml::from_str(pair).unwrap();
        let read: toml::Table = toml::from_str(&GatewayConfig::new(&config).toml("b")).unwrap();
        let own = "alias = 'a'\nmodel = 'm'\nscores = 'logits'\npreset = 'imagenet'\nquality = 'fast'";
        assert_eq!(read["pipeline"][0].as_table(), Some(&toml::from_str::<toml::Table>(own).unwrap()));
        assert_eq!(read["pipeline"][1]["preset"].as_str(), Some("imagenet"));
        for wrong in ["preset = 'imagnet'", "quality = 'best'"] {
            let text = format!("[[pipeline]]\nalias = 'a'\nmodel = 'm'\n{wrong}");
            assert!(toml::from_str::<Config>(&text).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_proof_s_model_has_a_pipeline_of_its_own_that_nobody_waits_for() {
        let mut config = Config::default();
        config.proof.model = Some("lite".to_owned());
        config.proof.scores = Scores::Probabilities;
        let read: toml::Table = toml::from_str(&GatewayConfig::new(&config).toml("b")).unwrap();
        let proof = read["pipeline"][2].as_table().unwrap();
        let wanted =
            "alias = 'lite'\nmodel = 'lite'\nscores = 'probabilities'\npipeline = 'proof'\npreset = 'unit'\nrequired = false";
        assert_eq!(proof, &toml::from_str::<toml::Table>(wanted).unwrap());
    }
}
