//! The user's tags on the load balancer and its target groups.
//!
//! The cloud controller sets those of the Service's annotation when it makes them, and looks at it no more
//! (cloud-provider-aws, `ensureLoadBalancerv2`); nor can the annotation have every tag.

use std::collections::BTreeMap;

use super::applied::Applied;
use super::balancer::Balancer;
use super::service::{Service, ServiceOutput};
use crate::cloud::tags::{AllTagged, Tags, read, set, steps_between};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Adjust, After, Change, Fault, Found, Given, Node, Observation, Observe};

/// The tags of what the cloud controller has made for the Service.
pub struct BalancerTags;

impl Observe for BalancerTags {
    type World = Cloud;
    const KIND: &'static str = "balancer-tags";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Applied<Service>>;
    /// Without values: the balancer.
    type Uses = After;
    type State = AllTagged;
    /// The tags of each thing, by its ARN.
    type Output = BTreeMap<String, Tags>;

    fn want(&self, cloud: &Cloud, _: &Given<ServiceOutput>, (): &()) -> AllTagged {
        AllTagged::wanted(&cloud.user_tags())
    }

    async fn observe(&self, cx: &Cx, service: &ServiceOutput) -> Result<Observation<Self>, Fault> {
        let Some(balancer) = Balancer::find(cx, service).await?.and_then(|balancer| balancer.load_balancer_arn) else {
            return Ok(Observation::Absent);
        };
        let Some(things) = read::balancer(&cx.world.aws, &balancer).await? else {
            return Ok(Observation::Changing { why: "the load balancer is being deleted".to_owned(), found: None });
        };
        let actual = AllTagged::of(&things, &cx.world.user_tags());
        Ok(Observation::Present(Found::one(things, actual)))
    }
}

impl Adjust for BalancerTags {
    async fn update(
        &self,
        cx: &Cx,
        _: &ServiceOutput,
        (): &(),
        things: &BTreeMap<String, Tags>,
        _: &[Change],
    ) -> Result<(), Fault> {
        let wanted = cx.world.user_tags();
        for (arn, tags) in things {
            set::elb(&cx.world.aws, arn, &steps_between(tags, &wanted)).await?;
        }
        Ok(())
    }
}
