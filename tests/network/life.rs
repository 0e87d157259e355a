use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType};
use tritondeploy::config::Config;

use crate::{account, down, up, walk};
use tritondeploy_support::local_aws::LocalAws;
use tritondeploy_support::lossy::{Line, Lost};

#[tokio::test(flavor = "multi_thread")]
async fn up_makes_the_network_up_again_changes_nothing_and_down_leaves_nothing() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    assert_ne!(local.dump(), before);
    assert!(local.mutating() > 15, "only {} mutating calls", local.mutating());

    local.reset_calls();
    let again = up(&cloud).await;
    assert_eq!(again.changed, 0);
    assert_eq!(local.mutating(), 0);
    let facts: Vec<&str> = again.facts.iter().map(|(_, fact)| fact.key).collect();
    for key in ["vpc_id", "vpc_cidr", "public_subnet_id", "private_subnet_id", "nat_public_ip"] {
        assert!(facts.contains(&key), "{key} is not told: {facts:?}");
    }
    down(&cloud).await;

    // What is still to be seen as `deleted` is not taken for something of ours.
    up(&cloud).await;
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_get_lost_make_no_twins_and_leave_nothing() {
    let local = LocalAws::start(600);
    let answers = [
        "CreateVpc",
        "ModifyVpcAttribute",
        "CreateSubnet",
        "ModifySubnetAttribute",
        "CreateInternetGateway",
        "AttachInternetGateway",
        "CreateRouteTable",
        "CreateRoute",
        "AssociateRouteTable",
        "AllocateAddress",
        "CreateNatGateway",
        "CreateVpcEndpoint",
        "DeleteVpcEndpoints",
        "DeleteNatGateway",
        "ReleaseAddress",
        "DisassociateRouteTable",
        "DeleteRoute",
        "DeleteRouteTable",
        "DetachInternetGateway",
        "DeleteInternetGateway",
        "DeleteSubnet",
        "DeleteVpc",
    ];
    let line = Line::losing(&local.host, &answers.map(|action| (action, Lost::Answer))).await;
    let cloud = local.cloud_at(&line.host, Config::default()).await;
    up(&cloud).await;
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_get_lost_are_made_again() {
    let local = LocalAws::start(600);
    let calls = ["ModifyVpcAttribute", "AttachInternetGateway", "AllocateAddress", "DeleteSubnet"];
    let line = Line::losing(&local.host, &calls.map(|action| (action, Lost::Call))).await;
    let cloud = local.cloud_at(&line.host, Config::default()).await;
    up(&cloud).await;
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_mended() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let vpc = account::vpc(&cloud).await;
    let here = Filter::builder().name("vpc-id").values(&vpc).build();

    let off = AttributeBooleanValue::builder().value(false).build();
    ec2.modify_vpc_attribute().vpc_id(&vpc).enable_dns_hostnames(off).send().await.unwrap();
    let tables = ec2.describe_route_tables().filters(here.clone()).send().await.unwrap();
    for table in tables.route_tables() {
        let id = table.route_table_id().unwrap();
        if table.routes().iter().any(|route| route.destination_cidr_block() == Some("0.0.0.0/0")) {
            ec2.delete_route().route_table_id(id).destination_cidr_block("0.0.0.0/0").send().await.unwrap();
        }
        for association in table.associations().iter().filter(|association| association.main() != Some(true)) {
            let id = association.route_table_association_id().unwrap();
            ec2.disassociate_route_table().association_id(id).send().await.unwrap();
        }
    }
    let role = aws_sdk_ec2::types::Tag::builder().key("kubernetes.io/role/elb").build();
    let subnets = ec2.describe_subnets().filters(here).send().await.unwrap();
    for subnet in subnets.subnets() {
        ec2.delete_tags().resources(subnet.subnet_id().unwrap()).tags(role.clone()).send().await.unwrap();
    }
    let mended = up(&cloud).await;
    assert!(mended.changed >= 9, "only {} changes", mended.changed);
    assert_eq!(up(&cloud).await.changed, 0);
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_go_with_the_next_up() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let kept = account::vpc(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let tags = |node: &str, of| cloud.tags(node).specification(of);
    ec2.create_vpc().cidr_block("192.168.0.0/20").tag_specifications(tags("vpc", ResourceType::Vpc)).send().await.unwrap();
    ec2.allocate_address().tag_specifications(tags("nat/address", ResourceType::ElasticIp)).send().await.unwrap();

    let twins = walk(&cloud).await.look().await.nodes.into_iter().filter(|seen| !seen.twins.is_empty());
    let twins: Vec<String> = twins.map(|seen| format!("{} {}", seen.node, seen.twins[0].facts[0].value)).collect();
    assert!(matches!(&*twins, [vpc, address] if vpc.starts_with("vpc vpc-") && address.starts_with("nat/address ")), "{twins:?}");
    // The one that everything stands in is kept.
    let again = walk(&cloud).await.up().await;
    assert!(again.ok() && again.changed == 2, "{again:?}");
    assert_eq!((account::vpc(&cloud).await, account::ours(&cloud).await), (kept, account::one_of_each()));
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_things_of_others_are_left_alone() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let other = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    let vpc = cloud.aws.ec2.create_vpc().cidr_block("192.168.0.0/20").send().await.unwrap();
    let vpc = vpc.vpc.and_then(|vpc| vpc.vpc_id).unwrap();
    assert!(walk(&other).await.up().await.ok());

    assert!(walk(&cloud).await.up().await.ok());
    let down = walk(&cloud).await.down().await;
    assert!(down.ok() && down.exists.is_empty());
    assert_eq!(account::ours(&other).await, account::one_of_each());
    assert_eq!(walk(&other).await.up().await.changed, 0);
    let still = cloud.aws.ec2.describe_vpcs().vpc_ids(vpc).send().await.unwrap();
    assert_eq!(still.vpcs().len(), 1);
}
