//! The OIDC provider: IAM's trust in the tokens that the cluster gives its pods.
//!
//! It outlives the cluster, so that it is found by its tags and not by the cluster's issuer, and a
//! cluster that was made anew leaves one behind that trusts nobody any more. Its thumbprints are
//! filled in by AWS and not compared.

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::cloud::aws::OrFault;
use crate::cloud::tags::{Tagged, Tags, is_of_tags, set, steps};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Beside, Change, Fault, FaultKind, Found, Given, Node, Observation, Observe, Resource, UpdateMode};
use crate::resources::eks::{Cluster, ClusterOutput};

pub struct OidcProvider;

/// Providers that are looked at together: an account may have a hundred.
const AT_ONCE: usize = 8;

/// For whom the tokens are.
const AUDIENCE: &str = "sts.amazonaws.com";

#[derive(Serialize)]
pub struct State {
    issuer: Given<String>,
    /// It must be for AWS; that it may be for others too does us no harm.
    for_sts: bool,
    #[serde(flatten)]
    tags: Tagged,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub arn: String,
    /// The issuer's URL without its scheme, as conditions in policies name it.
    pub issuer: String,
}

fn without_scheme(url: &str) -> String {
    url.trim_start_matches("https://").to_owned()
}

impl Observe for OidcProvider {
    type World = Cloud;
    const KIND: &'static str = "oidc-provider";
    /// Found by its tags wherever it is; of several the cluster tells which one serves.
    type Within = Beside<Node<Cluster>>;
    type Uses = Node<Cluster>;
    type State = State;
    type Output = Provider;

    fn want(&self, cloud: &Cloud, _: &Option<ClusterOutput>, cluster: &Given<ClusterOutput>) -> State {
        State { issuer: cluster.map(|cluster| without_scheme(&cluster.issuer)), for_sts: true, tags: cloud.wanted_tags() }
    }

    async fn observe(&self, cx: &Cx, cluster: &Option<ClusterOutput>) -> Result<Observation<Self>, Fault> {
        let ours = cx.world.tags(&cx.node);
        let iam = &cx.world.aws.iam;
        let answer = iam.list_open_id_connect_providers().send().await.fault()?;
        let arns = answer.open_id_connect_provider_list().iter().filter_map(|provider| provider.arn());
        let issuer = cluster.as_ref().map(|cluster| without_scheme(&cluster.issuer));
        // An ARN ends with the issuer.
        let is_wanted = |arn: &str| issuer.as_ref().is_some_and(|issuer| arn.ends_with(&format!("oidc-provider/{issuer}")));
        let look = |arn: String| {
            let call = iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn);
            let needed = is_wanted(&arn);
            async move {
                match call.send().await.fault_or_absent(&["NoSuchEntity"]) {
                    // One of others that we may not read.
                    Err(fault) if fault.kind == FaultKind::Denied && !needed => Ok((arn, None)),
                    answer => Ok((arn, answer?)),
                }
            }
        };
        let arns: Vec<String> = arns.map(str::to_owned).collect();
        let looked: Vec<_> = stream::iter(arns.into_iter().map(look)).buffered(AT_ONCE).try_collect().await?;
        let mut found = Vec::new();
        for (arn, provider) in looked {
            let Some(provider) = provider else { continue };
            let tags = Tags::from(provider.tags());
            if !tags.same_owner(&ours) {
                if is_wanted(&arn) {
                    return Ok(Observation::Foreign(format!("there is a provider {arn}; {}", tags.owner())));
                }
                continue;
            }
            let issuer = without_scheme(provider.url().unwrap_or_default());
            let for_sts = provider.client_id_list().iter().any(|audience| audience == AUDIENCE);
            let tags = cx.world.tagged(tags.cased_as(&cx.world.user_tags()));
            let state = State { issuer: Given::Known(issuer.clone()), for_sts, tags };
            found.push((Provider { arn, issuer }, state));
        }
        found.sort_by_key(|(provider, _)| (issuer.as_ref().is_some_and(|ours| provider.issuer != *ours), provider.arn.clone()));
        let mut found = found.into_iter();
        let Some((output, actual)) = found.next() else { return Ok(Observation::Absent) };
        Ok(Observation::Present(Found { output, actual, twins: found.map(|(twin, _)| twin).collect(), ails: Vec::new() }))
    }

    fn id(&self, provider: &Provider) -> Option<String> {
        Some(provider.arn.clone())
    }
}

impl Resource for OidcProvider {
    async fn create(&self, cx: &Cx, _: &Option<ClusterOutput>, cluster: &ClusterOutput) -> Result<(), Fault> {
        let call = cx.world.aws.iam.create_open_id_connect_provider().url(&cluster.issuer).client_id_list(AUDIENCE);
        call.set_tags(Some(cx.world.tags(&cx.node).iam())).send().await.fault().map(drop)
    }

    /// Its issuer is for ever: one of another cluster goes, and the walk makes the right one.
    async fn update(
        &self,
        cx: &Cx,
        _: &Option<ClusterOutput>,
        _: &ClusterOutput,
        provider: &Provider,
        changes: &[Change],
    ) -> Result<(), Fault> {
        if changes.iter().any(|change| change.field == "issuer") {
            return self.delete(cx, &None, provider).await;
        }
        set::provider(&cx.world.aws, &provider.arn, &steps(changes)).await?;
        if changes.iter().all(is_of_tags) {
            return Ok(());
        }
        let call = cx.world.aws.iam.add_client_id_to_open_id_connect_provider();
        call.open_id_connect_provider_arn(&provider.arn).client_id(AUDIENCE).send().await.fault().map(drop)
    }

    async fn delete(&self, cx: &Cx, _: &Option<ClusterOutput>, provider: &Provider) -> Result<(), Fault> {
        let call = cx.world.aws.iam.delete_open_id_connect_provider().open_id_connect_provider_arn(&provider.arn);
        call.send().await.fault_or_absent(&["NoSuchEntity"]).map(drop)
    }

    fn how(&self, _: &Change) -> UpdateMode {
        UpdateMode::InPlace
    }
}
