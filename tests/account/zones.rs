//! EKS keeps the zones of a cluster for ever: others come and go beside them.

use aws_sdk_ec2::types::{Filter, ResourceType};
use tritondeploy::config::{Config, Network};
use tritondeploy::engine::Removal;
use tritondeploy_support::local_aws::LocalAws;

use crate::{down, up, walk};

/// The reference network with a third zone.
pub(crate) fn three_zones() -> Network {
    let mut network = Network::default();
    network.private.push("192.168.8.0/24".to_owned());
    network.public.push("192.168.10.0/24".to_owned());
    network
}

/// Subnets of the cluster, of the node group, and of the network that carry our tags.
async fn subnets(cloud: &tritondeploy::cloud::Cloud) -> [usize; 3] {
    let (eks, name) = (&cloud.aws.eks, &cloud.config.name);
    let cluster = eks.describe_cluster().name(name).send().await.unwrap().cluster.unwrap();
    let group = eks.describe_nodegroup().cluster_name(name).nodegroup_name("gpu").send().await.unwrap().nodegroup.unwrap();
    let ours = Filter::builder().name("tag-key").values("tritondeploy:deployment").build();
    let all = cloud.aws.ec2.describe_subnets().filters(ours).send().await.unwrap().subnets.unwrap_or_default();
    let cluster = cluster.resources_vpc_config.unwrap().subnet_ids.unwrap_or_default();
    [cluster.len(), group.subnets.unwrap_or_default().len(), all.len()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_added_serves_nodes_and_balancers_and_goes_again_and_the_clusters_zones_stay() {
    let local = LocalAws::pretending(600);
    let two = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&two).await;
    let three = local.cloud(Config { network: three_zones(), ..Config::default() }).await;
    local.reset_calls();
    let added = up(&three).await;
    let calls = local.ask("GET", "calls");
    let of_eks = |call: &&serde_json::Value| call["action"].as_str().is_some_and(|action| action.starts_with("eks:"));
    assert_eq!(calls["calls"].as_array().unwrap().iter().filter(of_eks).count(), 0, "{calls}");
    assert!(added.changed > 0);
    assert_eq!(subnets(&two).await, [2, 2, 6]);
    local.reset_calls();
    assert_eq!((up(&three).await.changed, local.mutating()), (0, 0));

    // Without it again: its subnets go, last, and are shown before.
    let survey = walk(&two).await.look().await;
    let left: Vec<_> = survey.nodes.iter().filter_map(|seen| Some((&*seen.node, seen.unwanted.as_ref()?))).collect();
    assert!(left.len() == 4 && left.iter().all(|(_, unwanted)| unwanted.removal == Removal::Last), "{left:?}");
    assert_eq!(&*left[0].1.why, "network.private had 192.168.8.0/24");
    assert!(left.iter().any(|(node, _)| *node == "subnet/public-2"), "{left:?}");
    up(&two).await;
    assert_eq!(subnets(&two).await, [2, 2, 4]);
    local.reset_calls();
    assert_eq!((up(&two).await.changed, local.mutating()), (0, 0));
    down(&two).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_of_the_control_plane_cannot_go_and_that_is_said_before_the_first_act() {
    let local = LocalAws::pretending(600);
    let three = local.cloud(Config { network: three_zones(), ..Config::default() }).await;
    let before = local.dump();
    up(&three).await;
    assert_eq!(subnets(&three).await, [3, 3, 6]);
    let two = local.cloud(Config::default()).await;
    local.reset_calls();
    let survey = walk(&two).await.look().await;
    let refused: Vec<_> = survey.nodes.iter().filter_map(|seen| Some((&*seen.node, seen.refused.as_deref()?))).collect();
    let [(cluster, why), (group, nodes)] = &*refused else { panic!("{refused:?}") };
    assert_eq!((*cluster, *group), ("cluster", "node-group"));
    assert!(why.contains("for ever") && why.contains("192.168.8.0/24 in us-east-1"), "{why}");
    assert!(nodes.contains("subnets"), "{nodes}");
    let outcome = walk(&two).await.up().await;
    assert_eq!((outcome.failures.len(), outcome.changed, local.mutating()), (2, 0, 0), "{outcome:?}");
    assert_eq!(up(&three).await.changed, 0);
    // `down` takes all of it, whatever the configuration says by then.
    down(&two).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_that_cannot_go_is_named_with_what_holds_it_when_all_else_stands() {
    let local = LocalAws::pretending(6000);
    let two = local.cloud(Config::default()).await;
    up(&two).await;
    up(&local.cloud(Config { network: three_zones(), ..Config::default() }).await).await;
    let tags = two.tags("subnet/private-2").filters();
    let found = two.aws.ec2.describe_subnets().set_filters(Some(tags)).send().await.unwrap();
    let subnet = found.subnets()[0].subnet_id().unwrap().to_owned();
    let specification = tritondeploy::cloud::tags::Tags::default().with("a", "b").specification(ResourceType::NetworkInterface);
    let held = two.aws.ec2.create_network_interface().subnet_id(&subnet).tag_specifications(specification);
    let held = held.send().await.unwrap().network_interface.unwrap().network_interface_id.unwrap();
    let walk = walk(&two).await;
    let cancel = walk.cancel.clone();
    let going = tokio::spawn(async move { walk.up().await });
    // The others go; it is waited for until the user stops that, since ten minutes are a long test.
    while subnets(&two).await != [2, 2, 5] {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    cancel.cancel();
    let outcome = going.await.unwrap();
    assert!(outcome.interrupted && outcome.failures.is_empty(), "{outcome:?}");
    assert!(outcome.exists.iter().any(|node| &**node == "subnet/private-2"), "{:?}", outcome.exists);
    two.aws.ec2.delete_network_interface().network_interface_id(held).send().await.unwrap();
    up(&two).await;
    assert_eq!(subnets(&two).await, [2, 2, 4]);
    down(&two).await;
}
