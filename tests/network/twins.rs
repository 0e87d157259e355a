//! Twins: what an answer that was lost or two runs at once made a second time.

use std::sync::Arc;

use aws_sdk_ec2::types::{Filter, ResourceType};
use tritondeploy::cloud::Cloud;
use tritondeploy::config::Config;
use tritondeploy::engine::{NodeReport, Status};
use tritondeploy_support::local_aws::LocalAws;

use crate::{account, down, up, walk};
use tritondeploy_support::lossy::{Line, Lost};

fn of(deployment: &str) -> Filter {
    Filter::builder().name("tag:tritondeploy:deployment").values(deployment).build()
}

/// The network of another run: all that a second `up` makes, with our tags.
async fn a_second_network(local: &LocalAws, cloud: &Cloud) -> String {
    let other = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    assert!(walk(&other).await.up().await.ok());
    let ec2 = &cloud.aws.ec2;
    let vpcs = ec2.describe_vpcs().filters(of("other")).send().await.unwrap();
    let vpc = vpcs.vpcs()[0].vpc_id().unwrap().to_owned();
    let mut all = vec![vpc.clone()];
    let subnets = ec2.describe_subnets().filters(of("other")).send().await.unwrap();
    all.extend(subnets.subnets().iter().map(|subnet| subnet.subnet_id().unwrap().to_owned()));
    let gateways = ec2.describe_internet_gateways().filters(of("other")).send().await.unwrap();
    all.extend(gateways.internet_gateways().iter().map(|gateway| gateway.internet_gateway_id().unwrap().to_owned()));
    let addresses = ec2.describe_addresses().filters(of("other")).send().await.unwrap();
    all.extend(addresses.addresses().iter().map(|address| address.allocation_id().unwrap().to_owned()));
    let tables = ec2.describe_route_tables().filters(of("other")).send().await.unwrap();
    all.extend(tables.route_tables().iter().map(|table| table.route_table_id().unwrap().to_owned()));
    let nats = ec2.describe_nat_gateways().filter(of("other")).send().await.unwrap();
    all.extend(nats.nat_gateways().iter().map(|nat| nat.nat_gateway_id().unwrap().to_owned()));
    let endpoints = ec2.describe_vpc_endpoints().filters(of("other")).send().await.unwrap();
    all.extend(endpoints.vpc_endpoints().iter().map(|endpoint| endpoint.vpc_endpoint_id().unwrap().to_owned()));
    let ours = cloud.tags("vpc").ec2().into_iter().find(|tag| tag.key() == Some("tritondeploy:deployment")).unwrap();
    ec2.create_tags().set_resources(Some(all)).tags(ours).send().await.unwrap();
    vpc
}

/// So much in a VPC that it is the one that is kept; the ids, to take it away again.
async fn filled(cloud: &Cloud, vpc: &str) -> Vec<String> {
    let mut tables = Vec::new();
    for _ in 0..6 {
        let table = cloud.aws.ec2.create_route_table().vpc_id(vpc).send().await.unwrap();
        tables.push(table.route_table.and_then(|table| table.route_table_id).unwrap());
    }
    tables
}

async fn emptied(cloud: &Cloud, tables: Vec<String>) {
    for table in tables {
        cloud.aws.ec2.delete_route_table().route_table_id(table).send().await.unwrap();
    }
}

async fn twins(cloud: &Arc<Cloud>) -> Vec<NodeReport> {
    let nodes = walk(cloud).await.look().await.nodes;
    nodes.into_iter().filter(|seen| !seen.twins.is_empty()).collect()
}

fn names(nodes: &[NodeReport]) -> Vec<&str> {
    nodes.iter().map(|seen| &*seen.node).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_network_goes_with_all_that_is_in_it() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    let first = account::vpc(&cloud).await;
    let tables = filled(&cloud, &first).await;
    let second = a_second_network(&local, &cloud).await;

    let shown = twins(&cloud).await;
    assert_eq!(names(&shown), ["vpc", "internet-gateway", "nat/address"]);
    let [vpc] = &*shown[0].twins else { panic!("{shown:?}") };
    assert_eq!((vpc.id.as_ref(), vpc.kept.as_ref()), (Some(&second), Some(&first)));
    let held: Vec<&str> = vpc.holds.iter().map(|held| held.kind).collect();
    assert_eq!(held, ["subnet", "subnet", "subnet", "subnet", "route-table", "nat-gateway", "route-table", "vpc-endpoint"]);
    assert!(vpc.holds.iter().all(|held| held.id.is_some()), "{vpc:?}");

    let outcome = up(&cloud).await;
    assert!(outcome.unshown.is_empty() && outcome.changed > 10, "{outcome:?}");
    assert_eq!(account::vpc(&cloud).await, first);
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    emptied(&cloud, tables).await;
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn down_takes_a_second_network_too() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    a_second_network(&local, &cloud).await;
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_ups_at_once_made_is_one_of_each_after_the_next() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    let (one, other) = (walk(&cloud).await, walk(&cloud).await);
    drop(tokio::join!(one.up(), other.up()));
    up(&cloud).await;
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_twin_has_is_made_where_it_serves_before_the_twin_goes() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let ec2 = &cloud.aws.ec2;
    // As two runs at once leave it: the VPC of one, and the gateways and the only address in that of the other.
    let tags = cloud.tags("vpc").specification(ResourceType::Vpc);
    let first = ec2.create_vpc().cidr_block("192.168.0.0/20").tag_specifications(tags).send().await.unwrap();
    let first = first.vpc.and_then(|vpc| vpc.vpc_id).unwrap();
    a_second_network(&local, &cloud).await;
    let tables = [filled(&cloud, &first).await, filled(&cloud, &first).await].concat();

    let nodes = walk(&cloud).await.look().await.nodes;
    for name in ["internet-gateway", "nat/address"] {
        let seen = nodes.iter().find(|seen| &*seen.node == name).unwrap();
        assert_eq!((&seen.status, seen.twins.len()), (&Status::Absent, 1), "{seen:?}");
    }
    assert!(up(&cloud).await.unshown.is_empty());
    assert_eq!(account::vpc(&cloud).await, first);
    emptied(&cloud, tables).await;
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nat_gateways_in_one_vpc_the_address_of_the_one_that_is_kept_is_kept() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let tags = |node: &str, of| cloud.tags(node).specification(of);
    let nats = ec2.describe_nat_gateways().send().await.unwrap();
    let subnet = nats.nat_gateways()[0].subnet_id().unwrap();
    // So many that the first one's address is not kept for its id alone.
    for _ in 0..3 {
        let address =
            ec2.allocate_address().tag_specifications(tags("nat/address", ResourceType::ElasticIp)).send().await.unwrap();
        let call = ec2.create_nat_gateway().subnet_id(subnet).allocation_id(address.allocation_id().unwrap());
        call.tag_specifications(tags("nat-gateway", ResourceType::Natgateway)).send().await.unwrap();
    }
    ec2.create_internet_gateway()
        .tag_specifications(tags("internet-gateway", ResourceType::InternetGateway))
        .send()
        .await
        .unwrap();
    let shown = twins(&cloud).await;
    assert_eq!(names(&shown), ["internet-gateway", "nat/address", "nat-gateway"]);
    let counts: Vec<usize> = shown.iter().map(|seen| seen.twins.len()).collect();
    assert_eq!(counts, [1, 3, 3]);
    up(&cloud).await;
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_between_two_deletions_of_twins_the_next_up_goes_on() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    for (call, lost) in [(1, Lost::Answer), (4, Lost::Call), (9, Lost::Answer), (14, Lost::Answer)] {
        a_second_network(&local, &cloud).await;
        let line = Line::cut_at(&local.host, call, lost).await;
        let way = local.cloud_at(&line.host, Config::default()).await;
        let walk = walk(&way).await;
        let going = tokio::spawn(async move { walk.up().await });
        line.until_cut().await;
        going.abort();
        assert!(going.await.is_err_and(|error| error.is_cancelled()), "it ended before it was killed");
        up(&cloud).await;
    }
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_twin_that_somebody_uses_stays_and_is_named_while_all_else_is_up() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let tags = cloud.tags("vpc").specification(ResourceType::Vpc);
    let twin = ec2.create_vpc().cidr_block("192.168.0.0/20").tag_specifications(tags).send().await.unwrap();
    let twin = twin.vpc.and_then(|vpc| vpc.vpc_id).unwrap();
    let call = ec2.create_security_group().group_name("a database").description("of somebody else").vpc_id(&twin);
    let group = call.send().await.unwrap().group_id.unwrap();
    let (up_again, letting_go) = (walk(&cloud).await, async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(twins(&cloud).await.len(), 1, "it is held");
        ec2.delete_security_group().group_id(group).send().await.unwrap();
    });
    let (outcome, ()) = tokio::join!(up_again.up(), letting_go);
    assert!(outcome.ok(), "{outcome:?}");
    assert_eq!(account::ours(&cloud).await, account::one_of_each());
    down(&cloud).await;
}
