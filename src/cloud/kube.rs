//! Kubernetes clients, one a cluster: its own CA, and an EKS token renewed before it ends.

mod calls;
pub mod contents;
pub mod exec;
mod fault;
mod forward;
mod patient;

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Uri};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::Client;
use kube::client::ClientBuilder;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Mutex;

use calls::CallLog;
pub use fault::OrFault;
pub use forward::Serving;

use super::aws::Aws;
use super::cluster::ClusterOutput;
use super::proxy::{self, Proxy};
use super::token::eks_token;
use crate::engine::Fault;

/// Who we are in server-side apply.
pub const FIELD_MANAGER: &str = "tritondeploy";

/// Label: the deployment whose object it is.
pub const LABEL: &str = "tritondeploy/deployment";

/// Whether we have applied the object for this deployment. Its label alone says less: whoever copies a manifest of ours copies
/// that too, and the copy is theirs.
#[must_use]
pub fn is_ours(metadata: &ObjectMeta, deployment: &str) -> bool {
    let owner = metadata.labels.as_ref().and_then(|labels| labels.get(LABEL));
    let by_us = |entry: &ManagedFieldsEntry| entry.manager.as_deref() == Some(FIELD_MANAGER);
    owner.is_some_and(|owner| owner == deployment) && metadata.managed_fields.iter().flatten().any(by_us)
}

/// A token is renewed while it is still good for this long: the longest call must end before it does.
const SPARE: SignedDuration = SignedDuration::from_secs(120);

/// A call in which nothing moves for so long has no answer.
const SILENCE: Duration = Duration::from_secs(60);

/// Kubernetes clients, one a cluster.
#[derive(Default)]
pub struct Clusters {
    clients: Mutex<HashMap<String, Cached>>,
}

struct Cached {
    /// A cluster made anew under its old name has another endpoint and CA.
    endpoint: String,
    certificate_authority: String,
    client: Client,
    until: Timestamp,
}

impl Clusters {
    /// A client of this cluster, with a token that is good for a while.
    ///
    /// # Errors
    /// `Denied` without usable AWS credentials, `Fatal` when what EKS says of the cluster makes no sense.
    pub async fn client(&self, aws: &Aws, cluster: &ClusterOutput) -> Result<Client, Fault> {
        let mut clients = self.clients.lock().await;
        if let Some(cached) = clients.get(&cluster.arn)
            && cached.endpoint == cluster.endpoint
            && cached.certificate_authority == cluster.certificate_authority
            && cached.until.duration_since(Timestamp::now()) > SPARE
        {
            return Ok(cached.client.clone());
        }
        let (token, until) = eks_token(&aws.sdk, &cluster.name).await?;
        let client = connect(&cluster.endpoint, &cluster.certificate_authority, &token, Some(SILENCE))?;
        let cached = Cached {
            endpoint: cluster.endpoint.clone(),
            certificate_authority: cluster.certificate_authority.clone(),
            client: client.clone(),
            until,
        };
        clients.insert(cluster.arn.clone(), cached);
        Ok(client)
    }

    /// A client that waits for each answer as long as it takes.
    ///
    /// # Errors
    /// As [`Self::client`].
    pub async fn patient(&self, aws: &Aws, cluster: &ClusterOutput) -> Result<Client, Fault> {
        let (token, _) = eks_token(&aws.sdk, &cluster.name).await?;
        connect(&cluster.endpoint, &cluster.certificate_authority, &token, None)
    }
}

/// A client that trusts only this cluster's CA (base64 of PEM, as EKS tells it). The walk retries, so the client does not.
fn connect(endpoint: &str, certificate_authority: &str, token: &str, silence: Option<Duration>) -> Result<Client, Fault> {
    let nonsense = |what: &str, why: &dyn std::fmt::Display| {
        Fault::fatal(format!("the cluster's {what} cannot be used: {why}; look at `aws eks describe-cluster`"))
    };
    let url: Uri = endpoint.parse().map_err(|why| nonsense("endpoint", &why))?;
    let pem = STANDARD.decode(certificate_authority).map_err(|why| nonsense("certificate authority", &why))?;
    let roots: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&pem)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|why| nonsense("certificate authority", &why))?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|why| nonsense("token", &why))?;
    bearer.set_sensitive(true);
    let mut config = kube::Config::new(url.clone());
    let proxy = Proxy::from_env().map_err(|why| Fault::fatal(format!("{} cannot be used as a proxy: {why}", proxy::VARIABLE)))?;
    let via = proxy.and_then(|proxy| proxy.on_the_way_to(&url));
    config.root_cert = Some(roots);
    config.headers = vec![(AUTHORIZATION, bearer)];
    config.connect_timeout = Some(Duration::from_secs(5));
    config.default_retry = false;
    let client = match silence {
        None => patient::client(&config, via),
        Some(silence) => {
            config.proxy_url = via.map(|via| via.url);
            config.read_timeout = Some(silence);
            config.write_timeout = Some(silence);
            ClientBuilder::try_from(config).map(|builder| builder.with_layer(&CallLog).build())
        }
    };
    client.map_err(|why| nonsense("connection", &why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FaultKind;

    #[tokio::test]
    async fn what_eks_says_must_make_sense() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let why = |endpoint, ca| connect(endpoint, ca, "t", None).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(why("https://", "").contains("endpoint"));
        assert!(why("https://127.0.0.1:1", "no base64!").contains("certificate authority"));
    }

    #[tokio::test]
    async fn a_cluster_that_is_not_reached_is_tried_again() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = connect("https://127.0.0.1:1", "", "t", None).unwrap();
        let fault = client.apiserver_version().await.fault().unwrap_err();
        assert!(fault.kind == FaultKind::TryAgain && fault.message.contains("refused"), "{fault:?}");
    }
}
