use aws_sdk_ec2::types::ResourceType;
use serde_json::Value;
use tritondeploy::config::Config;
use tritondeploy_support::local_aws::LocalAws;

use crate::commands::{out, run};
use crate::{down, up, walk};

#[tokio::test(flavor = "multi_thread")]
async fn the_network_that_holds_the_cluster_is_kept_though_another_has_more_in_it_and_a_lower_id() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let tags = |node: &str, of| cloud.tags(node).specification(of);
    let home = async || {
        let cluster = cloud.aws.eks.describe_cluster().name(&cloud.config.name).send().await.unwrap().cluster.unwrap();
        cluster.resources_vpc_config.and_then(|place| place.vpc_id).unwrap()
    };
    let kept = home().await;
    let twin = loop {
        let call = ec2.create_vpc().cidr_block("192.168.0.0/20").tag_specifications(tags("vpc", ResourceType::Vpc));
        let vpc = call.send().await.unwrap().vpc.and_then(|vpc| vpc.vpc_id).unwrap();
        if vpc < kept {
            break vpc;
        }
        ec2.delete_vpc().vpc_id(vpc).send().await.unwrap();
    };
    for _ in 0..15 {
        let call = ec2.create_route_table().vpc_id(&twin);
        call.tag_specifications(tags("route-table/private", ResourceType::RouteTable)).send().await.unwrap();
    }
    // The subnets of another zone must not move ours.
    let call = ec2.create_subnet().vpc_id(&twin).cidr_block("192.168.2.0/24").availability_zone("us-east-1f");
    call.tag_specifications(tags("subnet/private-0", ResourceType::Subnet)).send().await.unwrap();

    let plan = walk(&cloud).await.look().await;
    let vpc = plan.nodes.iter().find(|seen| &*seen.node == "vpc").unwrap();
    let ids: Vec<_> = vpc.twins.iter().map(|shown| (shown.id.as_deref(), shown.kept.as_deref(), shown.holds.len())).collect();
    assert_eq!(ids, [(Some(&*twin), Some(&*kept), 16)]);
    assert!(plan.nodes.iter().all(|seen| seen.changes.is_empty() && seen.refused.is_none()), "{plan:?}");
    let outcome = walk(&cloud).await.up_as_shown(&plan).await;
    assert!(outcome.ok() && outcome.unshown.is_empty(), "{outcome:?}");
    assert_eq!(home().await, kept);
    assert!(ec2.describe_vpcs().vpc_ids(&twin).send().await.is_err());
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_and_status_tell_twins_with_the_one_that_is_kept_and_down_takes_them() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let ec2 = &cloud.aws.ec2;
    let tags = |node: &str, of| cloud.tags(node).specification(of);
    let mut vpcs = Vec::new();
    for _ in 0..2 {
        let call = ec2.create_vpc().cidr_block("192.168.0.0/20").tag_specifications(tags("vpc", ResourceType::Vpc));
        vpcs.push(call.send().await.unwrap().vpc.and_then(|vpc| vpc.vpc_id).unwrap());
        ec2.allocate_address().tag_specifications(tags("nat/address", ResourceType::ElasticIp)).send().await.unwrap();
    }
    vpcs.sort_unstable();
    let (kept, twin) = (&vpcs[0], &vpcs[1]);
    let call = ec2.create_subnet().vpc_id(kept).cidr_block("192.168.2.0/24").availability_zone("us-east-1a");
    call.tag_specifications(tags("subnet/private-0", ResourceType::Subnet)).send().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let plan = run(&local, folder.path(), &["plan"]);
    let line = format!("  - vpc ({twin}, 192.168.0.0/20): a duplicate; {kept} is kept\n");
    assert!(out(&plan).contains(&line) && out(&plan).contains("  - nat/address (eipalloc-"), "{}", out(&plan));
    assert!(out(&plan).contains(" to create, ") && out(&plan).contains(", 2 to delete.\n"), "{}", out(&plan));
    let plan: Value = serde_json::from_str(out(&run(&local, folder.path(), &["plan", "--json"]))).unwrap();
    let vpc = plan["nodes"].as_array().unwrap().iter().find(|node| node["node"] == "vpc").unwrap();
    assert_eq!((&vpc["twins"][0]["id"], &vpc["twins"][0]["facts"][0]["value"]), (&twin.as_str().into(), &twin.as_str().into()));

    let status = run(&local, folder.path(), &["status", "--json"]);
    assert_eq!(status.status.code(), Some(1));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["healthy"], false);
    assert!(
        status["error"].as_str().unwrap().ends_with("there more than once, and billed more than once: vpc, nat/address"),
        "{status}"
    );

    let down = run(&local, folder.path(), &["down", "--yes"]);
    assert!(out(&down).contains("5 to delete.\n"), "{}", out(&down));
    assert_eq!(local.dump(), before);
}
