//! Nodes without GPUs are a deployment like any other.

use tritondeploy::config::Config;

use crate::operator::Operator;
use crate::{down, up, walk};
use tritondeploy_support::faults::Mode;
use tritondeploy_support::local_aws::LocalAws;

fn on(instance_type: &str) -> Config {
    let mut config = Config::default();
    config.nodes.instance_type = instance_type.to_owned();
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_without_a_gpu_is_brought_up_without_label_taint_and_driver() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(on("c7i.xlarge")).await;
    let before = local.dump();
    up(&cloud).await;
    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    let group = eks.describe_nodegroup().cluster_name(name).nodegroup_name("cpu").send().await.unwrap().nodegroup.unwrap();
    assert_eq!(group.ami_type().unwrap().as_str(), "AL2023_x86_64_STANDARD");
    assert_eq!((group.instance_types(), group.taints().len()), (&["c7i.xlarge".to_owned()][..], 0));
    assert!(group.labels().is_none_or(std::collections::HashMap::is_empty), "{:?}", group.labels());
    let dns = eks.describe_addon().cluster_name(name).addon_name("coredns").send().await.unwrap().addon.unwrap();
    assert_eq!(dns.configuration_values(), None);
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_gpu_to_none_and_back_is_refused_and_makes_no_second_group() {
    let local = LocalAws::pretending(600);
    for (from, to) in [("g4dn.xlarge", "t3.xlarge"), ("t3.xlarge", "g4dn.xlarge")] {
        let cloud = local.cloud(on(from)).await;
        let before = local.dump();
        up(&cloud).await;
        let other = local.cloud(on(to)).await;
        local.reset_calls();
        let refused = walk(&other).await.up().await;
        let told: Vec<_> = refused.failures.iter().map(|failure| (failure.node.as_ref(), failure.why.as_str())).collect();
        assert!(matches!(&*told, [("node-group", why)] if why.contains(from) && why.contains(to)), "{told:?}");
        assert_eq!(local.mutating(), 0);
        // Whatever the configuration says by then, `down` takes the group that there is.
        down(&other).await;
        assert_eq!(local.dump(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_ec2_does_not_have_is_told() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(on("t3.humongous")).await;
    let told = tritondeploy::cloud::inventory::Inventory::read(&cloud).await.unwrap_err();
    assert_eq!(told.message, "nodes.instance_type: EC2 has no instance type t3.humongous in us-east-1");
    assert!(told.next.as_ref().unwrap().contains("t3.xlarge"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_without_room_for_the_nodes_is_told_before_anything_is_made() {
    let local = LocalAws::pretending(600);
    local.mode(Mode::Quota { code: "L-DB2E81BA", vcpus: 0 });
    local.reset_calls();
    let operator = Operator::of(&local);
    let refused = operator.run(&["up", "--yes"]);
    let wanted = "nodes.instance_type: g4dn.xlarge needs 4 vCPUs of the quota \"Running On-Demand G and VT instances\" \
                  (L-DB2E81BA), which is 0 in us-east-1, and 0 of it are in use";
    assert_eq!((refused.code, refused.told["error"].as_str()), (Some(1), Some(wanted)), "{refused:?}");
    assert!(refused.told["next"].as_str().unwrap().contains("--desired-value 4`"), "{refused:?}");
    assert_eq!(local.mutating(), 0);
    // Another family has another quota.
    operator.add("[nodes]\ninstance_type = \"t3.xlarge\"\n");
    assert!(!operator.says(&["up"]).contains("quota"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_customers_own_for_new_disks_is_told_before_nodes_are_made() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    assert!(!operator.says(&["up"]).contains("AWSServiceRoleForAutoScaling"));
    let key = "arn:aws:kms:us-east-1:123456789012:key/5b2c6e3f-7d0b-4b61-a3a4-9f0e8a1c2d3e";
    cloud.aws.ec2.modify_ebs_default_kms_key_id().kms_key_id(key).send().await.unwrap();
    let told = operator.says(&["up"]);
    assert!(told.contains(key) && told.contains("AWSServiceRoleForAutoScaling"), "{told}");
}
