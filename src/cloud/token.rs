//! The EKS token: a presigned call to STS that says who the bearer is.
//!
//! `k8s-aws-v1.` and the URL in base64url without padding; the cluster's name is a signed header,
//! so that a token for one cluster opens no other. A token is taken for 15 min after it was signed,
//! whatever `X-Amz-Expires` says; 14 are reported (aws-iam-authenticator, "API Authorization from
//! Outside a Cluster").

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::aws;
use crate::engine::Fault;

/// How long a token is said to be good.
const GOOD_FOR: Duration = Duration::from_secs(14 * 60);
/// `X-Amz-Expires`, as every EKS client has it.
const EXPIRES: Duration = Duration::from_secs(60);
/// The header that names the cluster.
const CLUSTER: &str = "x-k8s-aws-id";

/// A token for a cluster, and until when it is good: 14 minutes, or as long as the credentials.
///
/// # Errors
/// When there are no credentials to sign with.
pub async fn eks_token(sdk: &SdkConfig, cluster: &str) -> Result<(String, Timestamp), Fault> {
    let region = aws::region(sdk);
    let denied = |why: &dyn std::fmt::Display| Fault::denied(format!("no credentials to sign a token with: {why}"));
    let provider = sdk.credentials_provider().ok_or_else(|| denied(&"there is no provider"))?;
    let credentials = provider.provide_credentials().await.map_err(|why| denied(&why))?;
    let now = SystemTime::now();
    // It dies with the session that signed it.
    let until = credentials.expiry().map_or(now + GOOD_FOR, |end| end.min(now + GOOD_FOR));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials.into();
    let params =
        v4::SigningParams::builder().identity(&identity).region(&region).name("sts").time(now).settings(settings).build();
    let fatal = |why: &dyn std::fmt::Display| Fault::fatal(format!("the token could not be signed: {why}"));
    let params = params.map_err(|why| fatal(&why))?.into();
    let endpoint = match sdk.endpoint_url() {
        Some(endpoint) => endpoint.to_owned(),
        None => sts(&region).await.map_err(|why| fatal(&why))?,
    };
    let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", endpoint.trim_end_matches('/'));
    let headers = [(CLUSTER, cluster)].into_iter();
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(&[])).map_err(|why| fatal(&why))?;
    let (instructions, _) = sign(request, &params).map_err(|why| fatal(&why))?.into_parts();
    let mut signed = http::Request::get(&url).header(CLUSTER, cluster).body(()).map_err(|why| fatal(&why))?;
    instructions.apply_to_request_http1x(&mut signed);
    let token = format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(signed.uri().to_string()));
    let until = Timestamp::try_from(until).map_err(|why| fatal(&why))?;
    tracing::info!(target: "aws", cluster, %until, "signed a token");
    Ok((token, until))
}

/// STS of a region, in its partition's own domain: the SDK knows them all.
async fn sts(region: &str) -> Result<String, BoxError> {
    let params = Params::builder().region(region).use_global_endpoint(false).build()?;
    Ok(DefaultResolver::new().resolve_endpoint(&params).await?.url().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_partition_has_a_domain_of_its_own() {
        for (region, domain) in
            [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn"), ("eusc-de-east-1", "amazonaws.eu")]
        {
            assert_eq!(sts(region).await.unwrap(), format!("https://sts.{region}.{domain}"));
        }
    }
}
