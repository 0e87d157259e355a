//! The user's tags on the nodes: instances, their volumes and network interfaces.
//!
//! The launch template gives a new node the tags of the day on which it was made, and is never made anew for a tag: that
//! would replace every node. What came with other tags, and interfaces that the VPC CNI has attached since, get theirs here.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, Instance};

use super::node_group::{Group, NodeGroup};
use crate::cloud::aws::OrFault;
use crate::cloud::tags::{AllTagged, Step, Tags, filter, read, set, steps_between};
use crate::cloud::{Cloud, Cx};
use crate::engine::{Adjust, After, Change, Fault, Found, Given, Node, Observation, Observe};

/// The tags of what a node group's auto scaling group has started.
pub struct NodeTags;

impl Observe for NodeTags {
    type World = Cloud;
    const KIND: &'static str = "node-tags";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<NodeGroup>;
    /// Without values: what starts pods, for which the VPC CNI attaches interfaces.
    type Uses = After;
    type State = AllTagged;
    /// The tags of each thing, by its id.
    type Output = BTreeMap<String, Tags>;

    fn want(&self, cloud: &Cloud, _: &Given<Group>, (): &()) -> AllTagged {
        AllTagged::wanted(&cloud.user_tags())
    }

    async fn observe(&self, cx: &Cx, group: &Group) -> Result<Observation<Self>, Fault> {
        let alive = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
        let calls = cx.world.aws.ec2.describe_instances().filters(filter("tag:eks:cluster-name", &cx.world.config.name));
        let calls = calls.filters(filter("tag:eks:nodegroup-name", &group.name));
        let calls = calls.filters(Filter::builder().name("instance-state-name").set_values(Some(alive)).build());
        let pages = calls.into_paginator().items().send().try_collect().await.fault()?;
        let instances = pages.iter().flat_map(|reservation| reservation.instances());
        let (mut things, mut parts) = (BTreeMap::new(), Vec::new());
        for instance in instances {
            things.insert(instance.instance_id().unwrap_or_default().to_owned(), Tags::from(instance.tags()));
            parts.extend(parts_of(instance));
        }
        things.extend(read::ec2(&cx.world.aws, &parts).await?);
        let actual = AllTagged::of(&things, &cx.world.user_tags());
        Ok(Observation::Present(Found::one(things, actual)))
    }
}

/// The ids of what goes with an instance: its interfaces, and the volumes that end with it (those of claims outlive it, and
/// are whoever's made the claim).
fn parts_of(instance: &Instance) -> impl Iterator<Item = String> {
    let interfaces = instance.network_interfaces().iter().filter_map(|interface| interface.network_interface_id());
    let disks = instance.block_device_mappings().iter().filter_map(|disk| disk.ebs());
    let disks = disks.filter(|disk| disk.delete_on_termination() == Some(true)).filter_map(|disk| disk.volume_id());
    interfaces.chain(disks).map(str::to_owned)
}

impl Adjust for NodeTags {
    async fn update(&self, cx: &Cx, _: &Group, (): &(), things: &BTreeMap<String, Tags>, _: &[Change]) -> Result<(), Fault> {
        let wanted = cx.world.user_tags();
        let mut alike: BTreeMap<Vec<Step>, Vec<String>> = BTreeMap::new();
        for (id, tags) in things {
            alike.entry(steps_between(tags, &wanted)).or_default().push(id.clone());
        }
        for (steps, ids) in alike {
            set::ec2(&cx.world.aws, &ids, &steps).await?;
        }
        Ok(())
    }
}
