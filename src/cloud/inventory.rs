//! What carries our tags already, and what the region offers: read before the graph is built.
//!
//! The world chooses the zones once; afterwards they are where the subnets are.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneState, LocationType};
use futures::future::{join, try_join3};

use super::Cloud;
use super::admins::Admins;
use super::aws::{Aws, OrFault};
use super::kept::kept_first;
use super::machine::Machine;
use super::orphans::{Orphans, Subnet};
use super::tags::{self, Tags, filter};
use crate::config::Config;
use crate::engine::Fault;

/// Zones, by their ids, in which EKS makes no control plane (EKS guide, "Subnet requirements").
const REFUSED_BY_EKS: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// What the graph is built from, besides the configuration.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// What an earlier configuration made and this one does not name.
    pub orphans: Orphans,
    /// Who may administer the cluster; only [`Inventory::read`] looks for those who were listed once.
    pub admins: Admins,
    /// What the nodes are; only [`Inventory::read`] looks.
    pub machine: Machine,
    /// Each of our subnets, by its node's name.
    subnets: BTreeMap<String, Place>,
    /// The zone of each pair of subnets, once chosen.
    zones: Vec<String>,
}

/// Where a subnet is.
#[derive(Clone, Debug)]
struct Place {
    id: String,
    zone: String,
    cidr: String,
}

impl Inventory {
    /// What is there already: enough for `status`.
    ///
    /// # Errors
    /// When EC2, IAM or EKS does not tell, or EC2 does not know the instance type. What nobody tells of an earlier
    /// configuration is in [`Orphans::unknown`].
    pub async fn read(cloud: &Cloud) -> Result<Self, Fault> {
        let (aws, config) = (&cloud.aws, &cloud.config);
        let all = try_join3(Self::places(aws, config), Machine::read(aws, config), Admins::read(aws, config));
        let (all, orphans) = join(all, Orphans::find(cloud)).await;
        let (inventory, machine, admins) = all?;
        Ok(Self { machine, admins, ..inventory.with(orphans, config) })
    }

    /// With its subnets that the configuration has no more.
    fn with(self, mut orphans: Orphans, config: &Config) -> Self {
        orphans.subnets = ["private", "public"].into_iter().flat_map(|side| self.beyond(config, side)).collect();
        Self { orphans, ..self }
    }

    /// Where our subnets are.
    async fn places(aws: &Aws, config: &Config) -> Result<Self, Fault> {
        let calls = aws.ec2.describe_subnets();
        let calls = calls.filters(filter(&format!("tag:{}", tags::DEPLOYMENT), &config.name));
        let calls = calls.filters(filter(&format!("tag:{}", tags::REGION), &aws.region));
        let found = calls.into_paginator().items().send().try_collect().await.fault()?;
        let place = |subnet: aws_sdk_ec2::types::Subnet| {
            let node = Tags::from(subnet.tags()).get(tags::RESOURCE)?.to_owned();
            Some((node, Place { id: subnet.subnet_id?, zone: subnet.availability_zone?, cidr: subnet.cidr_block? }))
        };
        // Where the one that is kept has its subnets counts, not where its twin has them.
        let vpcs = found.iter().filter_map(|subnet| subnet.vpc_id.clone()).collect();
        let kept = kept_first(aws, config, vpcs).await?.into_iter().next();
        let subnets = found.into_iter().filter(|subnet| subnet.vpc_id == kept).filter_map(place).collect();
        let mut inventory = Self { subnets, ..Self::default() };
        inventory.zones = (0..config.network.private.len())
            .map(|index| config.network.zones.get(index).or(inventory.taken(index)).cloned().unwrap_or_default())
            .collect();
        Ok(inventory)
    }

    /// What is there already, whatever the configuration was when it was made: what `down` takes away.
    ///
    /// # Errors
    /// When EC2, IAM, S3 or ECR does not tell. Where they may not tell us, [`Orphans::unknown`] says so.
    pub async fn of_all(cloud: &Cloud) -> Result<Self, Fault> {
        let (aws, config) = (&cloud.aws, &cloud.config);
        let all = try_join3(Self::places(aws, config), Orphans::find_all(cloud), Admins::wanted(aws, config));
        let (inventory, orphans, admins) = all.await?;
        Ok(Self { admins, ..inventory.with(orphans, config) })
    }

    /// One side's subnets after those of the configuration.
    fn beyond(&self, config: &Config, side: &'static str) -> impl Iterator<Item = Subnet> {
        let index = move |node: &str| node.strip_prefix("subnet/")?.strip_prefix(side)?.strip_prefix('-')?.parse::<usize>().ok();
        let configured = config.network.private.len();
        let subnet = move |(node, Place { id, zone, cidr }): (&String, &Place)| {
            let index = index(node).filter(|index| *index >= configured)?;
            Some(Subnet { side, index, id: id.clone(), zone: zone.clone(), cidr: cidr.clone() })
        };
        self.subnets.iter().filter_map(subnet)
    }

    /// Chooses zones for what is not there yet: those in which EKS makes a control plane and that
    /// offer the instance type.
    ///
    /// # Errors
    /// When EC2 does not tell, or the region has too few such zones.
    pub async fn choose(&mut self, aws: &Aws, config: &Config) -> Result<(), Fault> {
        if self.zones.iter().all(|zone| !zone.is_empty()) {
            return Ok(());
        }
        let kind = &config.nodes.instance_type;
        let offered = offering(aws, kind).await?;
        let mut free = zones(aws).await?.into_iter().filter(|zone| offered.contains(zone) && !self.zones.contains(zone));
        let free: Vec<String> = free.by_ref().collect();
        let mut left = free.iter();
        for zone in self.zones.iter_mut().filter(|zone| zone.is_empty()) {
            let Some(next) = left.next() else {
                let offering = if offered.is_empty() { "no zone".to_owned() } else { offered.join(", ") };
                return Err(Fault::fatal(format!(
                    "{} needs {} zones that offer {kind} and in which EKS runs; {kind} is offered in {offering}",
                    aws.region,
                    config.network.private.len(),
                ))
                .with_next("choose another nodes.instance_type or region, or name the zones in network.zones"));
            };
            zone.clone_from(next);
        }
        Ok(())
    }

    /// The zone of the subnets `private-INDEX` and `public-INDEX`; empty where none was chosen.
    #[must_use]
    pub fn zone(&self, index: usize) -> &str {
        self.zones.get(index).map_or("", String::as_str)
    }

    /// Where the subnets of this index are already.
    fn taken(&self, index: usize) -> Option<&String> {
        let subnet = |side: &str| self.subnets.get(&format!("subnet/{side}-{index}"));
        subnet("private").or_else(|| subnet("public")).map(|at| &at.zone)
    }
}

/// Names of the region's own zones (no local or wavelength zones) that EKS accepts.
async fn zones(aws: &Aws) -> Result<Vec<String>, Fault> {
    let answer = aws.ec2.describe_availability_zones().filters(filter("state", "available")).send().await.fault()?;
    let usable = |zone: &AvailabilityZone| {
        zone.state() == Some(&AvailabilityZoneState::Available)
            && zone.zone_type().is_none_or(|kind| kind == "availability-zone")
            && zone.zone_id().is_none_or(|id| !REFUSED_BY_EKS.contains(&id))
    };
    let zones = answer.availability_zones.unwrap_or_default().into_iter().filter(usable);
    let mut names: Vec<String> = zones.filter_map(|zone| zone.zone_name).collect();
    names.sort_unstable();
    Ok(names)
}

/// Names of the zones that offer the instance type.
async fn offering(aws: &Aws, kind: &str) -> Result<Vec<String>, Fault> {
    let call = aws.ec2.describe_instance_type_offerings().location_type(LocationType::AvailabilityZone);
    let offers = call.filters(filter("instance-type", kind)).into_paginator().items();
    let offers = offers.send().try_collect().await.fault()?;
    let mut names: Vec<String> = offers.into_iter().filter_map(|offer| offer.location).collect();
    names.sort_unstable();
    Ok(names)
}
