//! What Kubernetes and its network plugin leave behind in our VPC when they are cut off: balancers,
//! their target groups, network interfaces and security groups. They block subnets and VPC, and
//! balancers go on costing.
//!
//! Known by the tags of cloud-provider-aws (`kubernetes.io/cluster/NAME`) and of the VPC CNI
//! (`cluster.k8s.amazonaws.com/name`). As long as the cluster is there they are in use, not left.
//!
//! GuardDuty's Runtime Monitoring puts an endpoint and a security group into every VPC with an EKS cluster, and leaves both
//! (GuardDuty guide, "Runtime Monitoring: resources that GuardDuty creates"; terraform-provider-aws#46747).

use std::time::Duration;

use aws_sdk_ec2::types::{NetworkInterfaceStatus, State as Code};
use futures::future::try_join5;
use serde::Serialize;

use super::holders::named;
use super::s3_endpoint::refused;
use super::vpc::{Network, Vpc};
use crate::cloud::aws::{OrFault, shown};
use crate::cloud::tags::{Tags, filter};
use crate::cloud::vpc_endpoint::state;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, Fact, Fault, FaultKind, Found, Given, Inputs, Node, Observation, Observe, Sweep};

/// ELB's DescribeTags takes so many names at a time.
const TAGS_AT_ONCE: usize = 20;

/// Swept by `down`: after the nodes that wait for it (the cluster, and so all in it), before what they hold (`Uses`).
pub struct Leftovers<Holds = ()> {
    cluster: String,
    holds: std::marker::PhantomData<fn() -> Holds>,
}

impl<Holds> Leftovers<Holds> {
    /// Of the cluster of this name.
    #[must_use]
    pub fn of(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned(), holds: std::marker::PhantomData }
    }

    /// The tag key of what belongs to the cluster.
    fn key(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.cluster)
    }
}

/// One thing left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A balancer, by its ARN.
    Balancer(String),
    /// A target group, by its ARN.
    TargetGroup(String),
    /// A network interface that nothing is attached to, by its id.
    Interface { id: String, named: String },
    /// A VPC endpoint, by its id.
    Endpoint { id: String, service: String },
    /// A security group, by its id.
    Group { id: String, name: String },
}

/// The tag of GuardDuty's endpoints, and how the names of its groups begin.
const GUARD_DUTY: &str = "GuardDutyManaged";
const GUARD_DUTYS_GROUP: &str = "GuardDutyManagedSecurityGroup-";

impl Leftover {
    fn words(&self) -> String {
        match self {
            Self::Balancer(arn) => format!("load balancer {arn}"),
            Self::TargetGroup(arn) => format!("target group {arn}"),
            Self::Interface { named, .. } => named.clone(),
            Self::Endpoint { id, service } => format!("{id} (VPC endpoint of {service})"),
            Self::Group { id, name } => format!("{id} (security group {name})"),
        }
    }
}

#[derive(Serialize)]
pub struct State {
    things: Vec<String>,
}

impl<Holds: Inputs> Observe for Leftovers<Holds> {
    type World = Cloud;
    const KIND: &'static str = "leftovers";
    type Within = Node<Vpc>;
    /// What they hold: deleted after them.
    type Uses = Holds;
    type State = State;
    type Output = Vec<Leftover>;

    fn want(&self, _: &Cloud, _: &Given<Network>, _: &Holds::Givens) -> State {
        State { things: Vec::new() }
    }

    async fn observe(&self, cx: &Cx, vpc: &Network) -> Result<Observation<Self>, Fault> {
        if self.cluster_lives(cx, &vpc.id).await? {
            return Ok(Observation::Absent);
        }
        let (balancers, targets, interfaces, endpoints, groups) = try_join5(
            self.balancers(cx, &vpc.id),
            self.target_groups(cx, &vpc.id),
            self.interfaces(cx, &vpc.id),
            guard_dutys(cx, &vpc.id),
            self.groups(cx, &vpc.id),
        )
        .await?;
        let things = [balancers, targets, endpoints, interfaces, groups].concat();
        if things.is_empty() {
            return Ok(Observation::Absent);
        }
        let actual = State { things: things.iter().map(Leftover::words).collect() };
        Ok(Observation::Present(Found::one(things, actual)))
    }

    /// A balancer's interfaces go some minutes after it, and hold its security group so long.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(600)
    }

    async fn evidence(&self, cx: &Cx, vpc: &Network) -> Vec<String> {
        match self.observe(cx, vpc).await {
            Ok(Observation::Present(found)) => found.actual.things,
            _ => Vec::new(),
        }
    }

    fn facts(&self, things: &Vec<Leftover>) -> Vec<Fact> {
        things.iter().map(|thing| Fact { key: "left_over", value: thing.words() }).collect()
    }
}

impl<Holds: Inputs> Sweep for Leftovers<Holds> {
    /// All that can go at once; what is held by another of them goes at the next try.
    async fn delete(&self, cx: &Cx, _: &Network, things: &Vec<Leftover>) -> Result<(), Fault> {
        let mut first = None;
        for thing in things {
            if let Err(fault) = remove(cx, thing).await {
                let fault = fault.about(thing.words());
                if !fault.may_pass() {
                    return Err(fault);
                }
                first.get_or_insert(fault);
            }
        }
        first.map_or(Ok(()), Err)
    }
}

impl<Holds> Leftovers<Holds> {
    async fn cluster_lives(&self, cx: &Cx, vpc: &str) -> Result<bool, Fault> {
        let call = cx.world.aws.eks.describe_cluster().name(&self.cluster);
        let answer = call.send().await.fault_or_absent(&["ResourceNotFoundException"])?;
        let Some(answer) = answer else { return Ok(false) };
        let place = shown(answer.cluster, "cluster")?.resources_vpc_config;
        Ok(place.is_some_and(|place| place.vpc_id() == Some(vpc)))
    }

    /// Made by the cluster's controllers for it alone: what is `shared` with it is somebody else's.
    fn owns(&self, tags: &Tags) -> bool {
        tags.get(&self.key()) == Some("owned")
    }

    async fn balancers(&self, cx: &Cx, vpc: &str) -> Result<Vec<Leftover>, Fault> {
        let all = cx.world.aws.elb.describe_load_balancers().into_paginator().items();
        let all = all.send().try_collect().await.fault()?.into_iter();
        let here = all.filter(|balancer| balancer.vpc_id() == Some(vpc));
        let here = here.filter_map(|balancer| balancer.load_balancer_arn).collect();
        Ok(self.of_cluster(cx, here).await?.into_iter().map(Leftover::Balancer).collect())
    }

    async fn target_groups(&self, cx: &Cx, vpc: &str) -> Result<Vec<Leftover>, Fault> {
        let all = cx.world.aws.elb.describe_target_groups().into_paginator().items();
        let all = all.send().try_collect().await.fault()?.into_iter();
        let here = all.filter(|group| group.vpc_id() == Some(vpc));
        let here = here.filter_map(|group| group.target_group_arn).collect();
        Ok(self.of_cluster(cx, here).await?.into_iter().map(Leftover::TargetGroup).collect())
    }

    /// Those of ELB's things that carry the cluster's tag.
    async fn of_cluster(&self, cx: &Cx, arns: Vec<String>) -> Result<Vec<String>, Fault> {
        let mut ours = Vec::new();
        for arns in arns.chunks(TAGS_AT_ONCE) {
            let call = cx.world.aws.elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
            // One of them may just have gone: it is not left then, and the next look tells of the others.
            let answer = call.send().await.fault_or_absent(&["LoadBalancerNotFound", "TargetGroupNotFound"])?;
            let Some(answer) = answer else {
                return Err(Fault::try_again("load balancers are being deleted".to_owned()));
            };
            let tagged = answer.tag_descriptions.unwrap_or_default().into_iter();
            let tagged = tagged.filter(|told| self.owns(&Tags::from(told.tags())));
            ours.extend(tagged.filter_map(|told| told.resource_arn));
        }
        Ok(ours)
    }

    async fn interfaces(&self, cx: &Cx, vpc: &str) -> Result<Vec<Leftover>, Fault> {
        let call = cx.world.aws.ec2.describe_network_interfaces().filters(filter("vpc-id", vpc));
        let all = call.filters(filter("status", "available")).into_paginator().items();
        let all = all.send().try_collect().await.fault()?.into_iter();
        let of_cni = |tags: &Tags| tags.get("cluster.k8s.amazonaws.com/name") == Some(&self.cluster);
        let ours = all.filter(|interface| {
            let tags = Tags::from(interface.tag_set());
            interface.status() == Some(&NetworkInterfaceStatus::Available) && (of_cni(&tags) || self.owns(&tags))
        });
        let leftover = |interface: aws_sdk_ec2::types::NetworkInterface| {
            let named = named(&interface);
            Leftover::Interface { named, id: interface.network_interface_id.unwrap_or_default() }
        };
        Ok(ours.map(leftover).collect())
    }

    async fn groups(&self, cx: &Cx, vpc: &str) -> Result<Vec<Leftover>, Fault> {
        let all = cx.world.aws.ec2.describe_security_groups().filters(filter("vpc-id", vpc)).into_paginator().items();
        let ours = |group: &aws_sdk_ec2::types::SecurityGroup| {
            let of_guard_duty = group.group_name().is_some_and(|name| name.starts_with(GUARD_DUTYS_GROUP));
            of_guard_duty || self.owns(&Tags::from(group.tags()))
        };
        let all = all.send().try_collect().await.fault()?.into_iter().filter(ours);
        let leftover = |group: aws_sdk_ec2::types::SecurityGroup| Leftover::Group {
            id: group.group_id.unwrap_or_default(),
            name: group.group_name.unwrap_or_default(),
        };
        Ok(all.map(leftover).collect())
    }
}

/// GuardDuty's endpoints. Those that are going are waited for: they hold their interfaces, and so its group.
async fn guard_dutys(cx: &Cx, vpc: &str) -> Result<Vec<Leftover>, Fault> {
    let call = cx.world.aws.ec2.describe_vpc_endpoints().filters(filter("vpc-id", vpc));
    let all = call.filters(filter("tag-key", GUARD_DUTY)).into_paginator().items().send().try_collect().await.fault()?;
    let there = all.into_iter().filter(|endpoint| state(endpoint) != Some(Code::Deleted));
    let leftover = |endpoint: aws_sdk_ec2::types::VpcEndpoint| Leftover::Endpoint {
        id: endpoint.vpc_endpoint_id.unwrap_or_default(),
        service: endpoint.service_name.unwrap_or_default(),
    };
    Ok(there.map(leftover).collect())
}

async fn remove(cx: &Cx, thing: &Leftover) -> Result<(), Fault> {
    let (ec2, elb) = (&cx.world.aws.ec2, &cx.world.aws.elb);
    match thing {
        Leftover::Balancer(arn) => {
            let call = elb.delete_load_balancer().load_balancer_arn(arn).send().await;
            call.fault_or_absent(&["LoadBalancerNotFound"]).map(drop)
        }
        Leftover::TargetGroup(arn) => {
            let call = elb.delete_target_group().target_group_arn(arn).send().await;
            call.fault_or_absent(&["TargetGroupNotFound"]).map(drop)
        }
        Leftover::Interface { id, .. } => {
            let call = ec2.delete_network_interface().network_interface_id(id).send().await;
            call.fault_or_absent(&["InvalidNetworkInterfaceID.NotFound"]).map(drop)
        }
        Leftover::Endpoint { id, .. } => refused(&ec2.delete_vpc_endpoints().vpc_endpoint_ids(id).send().await.fault()?),
        Leftover::Group { id, .. } => {
            let call = ec2.delete_security_group().group_id(id).send().await;
            match call.fault_or_absent(&["InvalidGroup.NotFound", "InvalidGroupId.NotFound"]) {
                Err(fault) if fault.kind == FaultKind::TryAgain => {
                    unbind(cx, id).await?;
                    Err(fault)
                }
                answer => answer.map(drop),
            }
        }
    }
}

/// Groups that name each other in their rules hold each other: takes back this one's part.
async fn unbind(cx: &Cx, group: &str) -> Result<(), Fault> {
    let ec2 = &cx.world.aws.ec2;
    let rules = ec2.describe_security_group_rules().filters(filter("group-id", group));
    let rules = rules.into_paginator().items().send().try_collect().await.fault()?;
    let (mut into, mut out) = (Vec::new(), Vec::new());
    for rule in rules {
        let other = rule.referenced_group_info().and_then(|info| info.group_id()).is_some_and(|id| id != group);
        let side = if rule.is_egress() == Some(true) { &mut out } else { &mut into };
        side.extend(rule.security_group_rule_id.filter(|_| other));
    }
    let gone = ["InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound"];
    if !into.is_empty() {
        let call = ec2.revoke_security_group_ingress().group_id(group).set_security_group_rule_ids(Some(into));
        call.send().await.fault_or_absent(&gone)?;
    }
    if !out.is_empty() {
        let call = ec2.revoke_security_group_egress().group_id(group).set_security_group_rule_ids(Some(out));
        call.send().await.fault_or_absent(&gone)?;
    }
    Ok(())
}
