//! AWS clients: one a service, all over one HTTPS client, and who we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::calls::{CallLog, ReadsAgain};
pub use super::fault::{OrFault, code, fault_of, in_another_region, shown};
use super::fault::{chain, no_such_region};
use super::proxy::{self, Proxy};
use crate::config::Config;
use crate::engine::{Fault, FaultKind, with_origin};

/// Where neither the configuration nor the environment nor the profile names a region.
pub const DEFAULT_REGION: &str = "us-east-1";

/// A call that takes longer has no answer.
const CALL: Duration = Duration::from_secs(30);

/// One client a service, and who we are.
pub struct Aws {
    /// Region of everything.
    pub region: String,
    /// Twelve-digit account id.
    pub account: String,
    /// The caller's ARN as STS tells it.
    pub caller: String,
    /// The endpoint of every service, where it is not the public one.
    pub endpoint_url: Option<String>,
    pub ec2: aws_sdk_ec2::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub eks: aws_sdk_eks::Client,
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    pub iam: aws_sdk_iam::Client,
    /// Without a time-out on the whole call, since bodies may be large; a stalled one still ends.
    pub s3: aws_sdk_s3::Client,
    pub sts: aws_sdk_sts::Client,
    pub quotas: aws_sdk_servicequotas::Client,
    /// Finds by tags, across services.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// Credentials, for the cluster token.
    pub sdk: SdkConfig,
}

/// Why there is no talking to AWS.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConnectError {
    #[error("no AWS credentials were found: {0}")]
    NoCredentials(String),
    #[error("the AWS credentials could not be loaded: {0}")]
    Credentials(String),
    #[error("AWS refuses the credentials: {why}")]
    Refused { why: String, next: Option<Arc<str>> },
    #[error("{variable} cannot be used as a proxy: {why}")]
    Proxy { variable: &'static str, why: String },
    #[error("AWS has no region {region} that we know of: {why}")]
    NoRegion { region: String, nearest: &'static str, why: String },
    #[error("AWS ({at}) did not answer: {why}")]
    Unreachable { at: String, why: String },
    #[error("the CA bundle {} cannot be used: {why}", path.display())]
    CaBundle { path: PathBuf, why: String },
}

impl ConnectError {
    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> String {
        let next = match self {
            Self::NoCredentials(_) => {
                "`aws configure`, `aws sso login`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            Self::Credentials(_) => "look at the profile in ~/.aws/config (AWS_PROFILE), or log in again with `aws sso login`",
            Self::Refused { next: Some(next), .. } => return next.to_string(),
            Self::Refused { .. } => "renew the credentials (`aws sso login`, or a new key), then run this again",
            Self::Proxy { .. } => "write it as http://HOST:PORT or https://HOST:PORT",
            Self::NoRegion { nearest, .. } => {
                let say = "Set it with --region, with region in tritondeploy.toml, or with AWS_REGION";
                return format!("did you mean {nearest}? {say}");
            }
            Self::Unreachable { .. } => "look at the network, the proxy, the region and the endpoint_url",
            Self::CaBundle { .. } => "name a PEM file with certificates in ca_bundle or AWS_CA_BUNDLE",
        };
        next.to_owned()
    }
}

/// The client of a service, made of what is common to all.
macro_rules! client {
    ($service:ident, $sdk:expr) => {
        $service::Client::from_conf($service::config::Builder::from($sdk).interceptor(CallLog).interceptor(ReadsAgain).build())
    };
}

impl Aws {
    /// Loads credentials as the AWS CLI does, and asks STS who we are.
    ///
    /// # Errors
    /// No credentials, expired or refused ones, no answer, or a CA bundle that cannot be read.
    pub async fn connect(config: &Config) -> Result<Self, ConnectError> {
        Self::over(loader(config)?.load().await).await
    }

    /// The same, with these credentials.
    ///
    /// # Errors
    /// As [`Aws::connect`].
    pub async fn connect_as(config: &Config, who: SharedCredentialsProvider) -> Result<Self, ConnectError> {
        Self::over(loader(config)?.credentials_provider(who).load().await).await
    }

    async fn over(sdk: SdkConfig) -> Result<Self, ConnectError> {
        credentials(&sdk).await?;
        let region = region(&sdk);
        let sts = client!(aws_sdk_sts, &sdk);
        let who = sts.get_caller_identity().send().await.fault().map_err(|fault| refusal(fault, &region, sdk.endpoint_url()))?;
        let large = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).build();
        Ok(Self {
            region,
            account: who.account().unwrap_or_default().to_owned(),
            caller: who.arn().unwrap_or_default().to_owned(),
            endpoint_url: sdk.endpoint_url().map(str::to_owned),
            ec2: client!(aws_sdk_ec2, &sdk),
            ecr: client!(aws_sdk_ecr, &sdk),
            eks: client!(aws_sdk_eks, &sdk),
            elb: client!(aws_sdk_elasticloadbalancingv2, &sdk),
            iam: client!(aws_sdk_iam, &sdk),
            s3: client!(aws_sdk_s3, &sdk.to_builder().timeout_config(large).build()),
            sts,
            quotas: client!(aws_sdk_servicequotas, &sdk),
            tagging: client!(aws_sdk_resourcegroupstagging, &sdk),
            sdk,
        })
    }
}

/// Credentials, region and endpoint alone: no call is made that the credentials do not need.
///
/// # Errors
/// No credentials, or a CA bundle that cannot be read.
pub async fn offline(config: &Config) -> Result<SdkConfig, ConnectError> {
    let sdk = loader(config)?.load().await;
    credentials(&sdk).await.map(|()| sdk)
}

/// The region that was found.
pub(super) fn region(sdk: &SdkConfig) -> String {
    sdk.region().map_or_else(|| DEFAULT_REGION.to_owned(), ToString::to_string)
}

/// What it means that STS did not say who we are.
fn refusal(fault: Fault, region: &str, endpoint: Option<&str>) -> ConnectError {
    let denied = fault.kind == FaultKind::Denied;
    // AWS's own endpoints have the region in their names, so that one that does not exist is not found; another
    // endpoint sees it in the signature.
    // A service names its refusals; one without a code is a proxy's, which knows nothing of credentials.
    let of_proxy = fault.origin.as_ref().is_some_and(|origin| origin.code.is_empty());
    let of_region = no_such_region(&fault) || (!denied && endpoint.is_none());
    let why = with_origin(&fault.message, fault.origin.as_deref());
    match super::regions::nearest(region) {
        Some(nearest) if of_region => ConnectError::NoRegion { region: region.to_owned(), nearest, why },
        _ if denied && !of_proxy => ConnectError::Refused { why, next: fault.next },
        _ => ConnectError::Unreachable { at: endpoint.map_or_else(|| format!("STS in {region}"), str::to_owned), why },
    }
}

/// The SDK's own retries are off but for reads ([`ReadsAgain`]): a creating call whose answer was lost must be looked for,
/// not sent again, and the walk retries what can be. Adaptive mode would slow a whole client for one throttled operation,
/// though AWS has a bucket for each: `up` took six times as long where three of ten calls were throttled.
fn loader(config: &Config) -> Result<ConfigLoader, ConnectError> {
    // One TLS provider for the whole process: the AWS SDK and kube must not each bring their own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let region = RegionProviderChain::first_try(config.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::new(DEFAULT_REGION));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(CALL)
        .operation_timeout(CALL)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .http_client(https(config)?)
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .timeout_config(timeouts);
    if let Ok(name) = AppName::new("tritondeploy") {
        loader = loader.app_name(name);
    }
    if let Some(url) = &config.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    Ok(loader)
}

/// The SDK does not read `AWS_CA_BUNDLE` (awslabs/aws-sdk-rust#1362), so we do.
fn https(config: &Config) -> Result<SharedHttpClient, ConnectError> {
    let from_env = || std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut roots = TrustStore::default();
    if let Some(path) = config.ca_bundle.clone().or_else(from_env) {
        let refused = |why: String| ConnectError::CaBundle { path: path.clone(), why };
        roots.add_pem_certificate(certificates(&path).map_err(refused)?);
    }
    let refused = |why: &dyn std::error::Error| ConnectError::CaBundle { path: PathBuf::new(), why: why.to_string() };
    let tls = TlsContext::builder().with_trust_store(roots).build().map_err(|error| refused(&error))?;
    let proxy = Proxy::from_env().map_err(|why| ConnectError::Proxy { variable: proxy::VARIABLE, why })?;
    let proxy = proxy.map_or_else(ProxyConfig::disabled, |proxy| proxy.of_aws());
    // The builder's own HTTPS client knows no proxy.
    Ok(aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
    }))
}

/// Reads a PEM file and makes sure that there are certificates in it: the HTTPS client panics at
/// what it cannot parse.
fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    let mut store = RootCertStore::empty();
    found.into_iter().try_for_each(|certificate| store.add(certificate)).map_err(|error| error.to_string())?;
    Ok(pem)
}

/// Loads credentials once, so that their absence is told as such and not as a failed call.
async fn credentials(sdk: &SdkConfig) -> Result<(), ConnectError> {
    let Some(provider) = sdk.credentials_provider() else {
        return Err(ConnectError::NoCredentials("this build has no credentials provider".to_owned()));
    };
    let Err(error) = provider.provide_credentials().await else { return Ok(()) };
    let why = chain(&error);
    tracing::warn!(target: "aws", why, "no credentials");
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Err(ConnectError::NoCredentials(nowhere(&why))),
        // The chain's last resort is the metadata service of an EC2 instance: who is refused there configured nothing.
        _ if why.contains("IMDS") => Err(ConnectError::NoCredentials(nowhere(&why))),
        _ => Err(ConnectError::Credentials(why)),
    }
}

/// Where was looked, and what is wrong with the profile if one was named that is not there.
fn nowhere(why: &str) -> String {
    let everywhere = "not in the environment, a profile, a web identity, nor from the machine's or container's role";
    let profile = why.lines().find(|line| line.contains("was not defined"));
    let profile = profile.and_then(|line| line.split_once("not enabled: ").map(|(_, profile)| profile));
    profile.map_or_else(|| everywhere.to_owned(), |profile| format!("{everywhere} ({profile})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_not_found_means_a_region_that_does_not_exist_only_where_the_region_is_not_known() {
        let not_found = || Fault::try_again("dns error".to_owned());
        let told = refusal(not_found(), "us-esat-1", None);
        assert!(told.to_string().contains("no region us-esat-1") && told.next().contains("did you mean us-east-1?"), "{told}");
        assert!(matches!(refusal(not_found(), "us-east-1", None), ConnectError::Unreachable { .. }));
        assert!(matches!(refusal(not_found(), "us-esat-1", Some("http://a")), ConnectError::Unreachable { .. }));
        assert!(matches!(refusal(Fault::denied("expired"), "us-esat-1", None), ConnectError::Refused { next: None, .. }));
        let clock = Fault::denied("this machine's clock is wrong").with_next("set the clock");
        assert_eq!(refusal(clock, "us-east-1", None).next(), "set the clock");
        let of_proxy = Fault::denied("HTTP 407 of something between").from_origin(crate::engine::Origin::default());
        assert!(matches!(refusal(of_proxy, "us-east-1", None), ConnectError::Unreachable { .. }));
    }
}
