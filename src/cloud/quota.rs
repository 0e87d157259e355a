//! How many vCPUs of a kind of instance the account may run: 0 of those with GPUs where the account is new.
//!
//! Codes and which families they are of: EC2 guide, "Amazon EC2 instance type quotas" (on-demand instances).

use std::collections::{HashMap, HashSet};
use std::fmt;

use aws_sdk_ec2::types::{Filter, Instance, InstanceLifecycleType, InstanceType, InstanceTypeInfo, Reservation};

use super::aws::{Aws, OrFault};
use super::machine::Machine;
use crate::config::Config;
use crate::engine::Fault;

/// The families of a quota, by what their names begin with before the first digit, and the quota's code.
const QUOTAS: [(&[&str], &str); 9] = [
    (&["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"], "L-1216C47A"),
    (&["g", "gr", "vt"], "L-DB2E81BA"),
    (&["p"], "L-417A185B"),
    (&["f"], "L-74FC7D96"),
    (&["inf"], "L-1945791B"),
    (&["trn"], "L-2C3B7624"),
    (&["dl"], "L-6E869C2A"),
    (&["x"], "L-7295265B"),
    (&["u"], "L-43DA4232"),
];

/// Too few vCPUs for the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    kind: String,
    region: String,
    /// The quota's name and code.
    name: String,
    code: &'static str,
    /// What the nodes take beyond what they take already.
    needed: i64,
    /// What runs of these families, ours included.
    used: i64,
    quota: i64,
}

impl Shortage {
    /// What to type next.
    #[must_use]
    pub fn next(&self) -> String {
        let Self { code, region, used, needed, .. } = self;
        format!(
            "ask AWS for more (`aws service-quotas request-service-quota-increase --region {region} --service-code ec2 \
             --quota-code {code} --desired-value {}`; it may take a day), stop other instances, or go without a GPU \
             (nodes.instance_type = \"t3.xlarge\")",
            used + needed
        )
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, region, name, code, needed, used, quota } = self;
        write!(
            f,
            "nodes.instance_type: {kind} needs {needed} vCPUs of the quota \"{name}\" ({code}), which is {quota} in {region}, \
             and {used} of it are in use"
        )
    }
}

/// Whether the nodes would find room in the account's quota: None where they would, and where the family has no quota known
/// here.
///
/// # Errors
/// When Service Quotas or EC2 does not tell.
pub async fn shortage(aws: &Aws, config: &Config, machine: &Machine) -> Result<Option<Shortage>, Fault> {
    let (kind, wanted) = (&config.nodes.instance_type, i64::from(config.nodes.desired) * machine.vcpus());
    let Some((families, code)) = quota_of(kind) else { return Ok(None) };
    let states = Filter::builder().name("instance-state-name").values("pending").values("running").build();
    let found = aws.ec2.describe_instances().filters(states).into_paginator().items().send();
    let found = found.try_collect().await.fault()?;
    let instances = found.iter().flat_map(Reservation::instances);
    let of_quota: Vec<&Instance> = instances.filter(|instance| counts(instance, families)).collect();
    let sizes = sizes(aws, &of_quota).await?;
    let vcpus = |instance: &&Instance| kind_of(instance).and_then(|kind| sizes.get(kind)).copied().unwrap_or(0);
    let used: i64 = of_quota.iter().map(vcpus).sum();
    let needed = wanted - of_quota.iter().filter(|instance| is_ours(instance, &config.name)).map(vcpus).sum::<i64>();
    if needed <= 0 {
        return Ok(None);
    }
    let call = aws.quotas.get_service_quota().service_code("ec2").quota_code(code);
    let answer = call.send().await.fault_or_absent(&["NoSuchResourceException"])?;
    let mut found = answer.and_then(|answer| answer.quota);
    if found.is_none() {
        // Nobody has ever changed it, and nothing of it was used.
        let call = aws.quotas.get_aws_default_service_quota().service_code("ec2").quota_code(code);
        found = call.send().await.fault()?.quota;
    }
    let Some(found) = found else { return Ok(None) };
    // It may come with the reason why it could not be read, and without a value.
    let Some(value) = found.value() else {
        let why = found.error_reason().and_then(|why| why.error_message()).unwrap_or("no reason given");
        return Err(Fault::try_again(format!("Service Quotas does not tell its value: {why}")));
    };
    let quota = value as i64;
    let name = found.quota_name().unwrap_or("running on-demand instances").to_owned();
    let shortage = Shortage { kind: kind.clone(), region: aws.region.clone(), name, code, needed, used, quota };
    Ok((used + needed > quota).then_some(shortage))
}

/// The families that share a quota with this type, and its code.
fn quota_of(kind: &str) -> Option<(&'static [&'static str], &'static str)> {
    QUOTAS.into_iter().find(|(families, _)| families.contains(&family(kind)))
}

fn family(kind: &str) -> &str {
    kind.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default()
}

/// On demand: spot instances have quotas of their own.
fn counts(instance: &Instance, families: &[&str]) -> bool {
    let of_family = kind_of(instance).is_some_and(|kind| families.contains(&family(kind)));
    of_family && instance.instance_lifecycle() != Some(&InstanceLifecycleType::Spot)
}

fn kind_of(instance: &Instance) -> Option<&str> {
    instance.instance_type().map(InstanceType::as_str)
}

/// As many as EC2 takes in a call.
const TYPES_AT_ONCE: usize = 100;

/// The vCPUs of these instances' types: quotas count a type's own, whatever CPU options an instance has.
async fn sizes(aws: &Aws, instances: &[&Instance]) -> Result<HashMap<String, i64>, Fault> {
    let kinds: HashSet<&str> = instances.iter().filter_map(|instance| kind_of(instance)).collect();
    let kinds: Vec<InstanceType> = kinds.into_iter().map(InstanceType::from).collect();
    let mut found = Vec::new();
    for kinds in kinds.chunks(TYPES_AT_ONCE) {
        let call = aws.ec2.describe_instance_types().set_instance_types(Some(kinds.to_vec()));
        found.extend(call.send().await.fault()?.instance_types.unwrap_or_default());
    }
    let size = |info: InstanceTypeInfo| {
        let vcpus = info.v_cpu_info().and_then(|cpu| cpu.default_v_cpus()).unwrap_or(0);
        Some((info.instance_type?.as_str().to_owned(), i64::from(vcpus)))
    };
    Ok(found.into_iter().filter_map(size).collect())
}

/// It is a node of this deployment.
fn is_ours(instance: &Instance, deployment: &str) -> bool {
    instance.tags().iter().any(|tag| tag.key() == Some("eks:cluster-name") && tag.value() == Some(deployment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_counts_for_the_quota_of_its_family() {
        let code = |kind| quota_of(kind).map(|(_, code)| code);
        for kind in ["g4dn.xlarge", "g6e.2xlarge", "gr6.4xlarge", "vt1.3xlarge"] {
            assert_eq!(code(kind), Some("L-DB2E81BA"), "{kind}");
        }
        for kind in ["t3.xlarge", "c7i.xlarge", "im4gn.large", "m5.large", "i4i.large"] {
            assert_eq!(code(kind), Some("L-1216C47A"), "{kind}");
        }
        assert_eq!(
            ["p5.48xlarge", "inf2.xlarge", "u-6tb1.56xlarge"].map(code),
            ["L-417A185B", "L-1945791B", "L-43DA4232"].map(Some)
        );
        assert_eq!(code("mac2.metal"), None);
    }

    #[test]
    fn a_shortage_says_which_quota_how_much_and_what_to_ask_for() {
        let shortage = Shortage {
            kind: "g4dn.xlarge".to_owned(),
            region: "eu-west-1".to_owned(),
            name: "Running On-Demand G and VT instances".to_owned(),
            code: "L-DB2E81BA",
            needed: 4,
            used: 8,
            quota: 8,
        };
        let wanted = "nodes.instance_type: g4dn.xlarge needs 4 vCPUs of the quota \"Running On-Demand G and VT instances\" \
                      (L-DB2E81BA), which is 8 in eu-west-1, and 8 of it are in use";
        assert_eq!(shortage.to_string(), wanted);
        assert!(shortage.next().contains("--quota-code L-DB2E81BA --desired-value 12`"), "{}", shortage.next());
    }
}
