use std::time::Duration;

use aws_sdk_ec2::types::{Filter, ResourceType, VpcEndpointType};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerTypeEnum, ProtocolEnum, Tag};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::tags::Tags;
use tritondeploy::config::Config;

use crate::{Said, account, down, up, walk_and_listen};
use tritondeploy_support::local_aws::LocalAws;

fn within(vpc: &str) -> Filter {
    Filter::builder().name("vpc-id").values(vpc).build()
}

/// The VPC, and one of its subnets.
async fn place(cloud: &Cloud) -> (String, String) {
    let vpc = account::vpc(cloud).await;
    let subnets = cloud.aws.ec2.describe_subnets().filters(within(&vpc)).send().await.unwrap();
    let subnet = subnets.subnets().first().and_then(|subnet| subnet.subnet_id()).unwrap().to_owned();
    (vpc, subnet)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubernetes_left_behind_goes_with_the_network() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let (ec2, elb) = (&cloud.aws.ec2, &cloud.aws.elb);
    let (vpc, subnet) = place(&cloud).await;
    let subnet = subnet.as_str();
    let owned = format!("kubernetes.io/cluster/{}", cloud.config.name);

    let tag = Tag::builder().key(&owned).value("owned").build();
    let network = LoadBalancerTypeEnum::Network;
    let call = elb.create_load_balancer().name("left").r#type(network).subnets(subnet).tags(tag.clone());
    let balancer = call.send().await.unwrap();
    let balancer = balancer.load_balancers().first().and_then(|b| b.load_balancer_arn()).unwrap().to_owned();
    let call = elb.create_target_group().name("left").protocol(ProtocolEnum::Tcp).port(8080).vpc_id(&vpc).tags(tag);
    let targets = call.send().await.unwrap();
    let targets = targets.target_groups().first().and_then(|t| t.target_group_arn()).unwrap().to_owned();
    let forward = aws_sdk_elasticloadbalancingv2::types::Action::builder()
        .r#type(aws_sdk_elasticloadbalancingv2::types::ActionTypeEnum::Forward)
        .target_group_arn(&targets)
        .build();
    let call = elb.create_listener().load_balancer_arn(&balancer).port(8080).protocol(ProtocolEnum::Tcp);
    call.default_actions(forward).send().await.unwrap();

    // Two groups that name each other, and an interface that holds one of them.
    let mut groups = Vec::new();
    for name in ["k8s-elb-one", "k8s-elb-two"] {
        let tags = Tags::default().with(&owned, "owned").specification(ResourceType::SecurityGroup);
        let call = ec2.create_security_group().group_name(name).description(name).vpc_id(&vpc);
        groups.push(call.tag_specifications(tags).send().await.unwrap().group_id.unwrap());
    }
    for (group, other) in [(&groups[0], &groups[1]), (&groups[1], &groups[0])] {
        let pair = aws_sdk_ec2::types::UserIdGroupPair::builder().group_id(other).build();
        let rule = aws_sdk_ec2::types::IpPermission::builder().ip_protocol("-1").user_id_group_pairs(pair).build();
        ec2.authorize_security_group_ingress().group_id(group).ip_permissions(rule).send().await.unwrap();
    }
    let cni = Tags::default().with("cluster.k8s.amazonaws.com/name", &cloud.config.name);
    let call = ec2.create_network_interface().subnet_id(subnet).groups(&groups[0]).description("aws-K8S-i-1");
    call.tag_specifications(cni.specification(ResourceType::NetworkInterface)).send().await.unwrap();

    down(&cloud).await;
    assert!(elb.describe_load_balancers().send().await.unwrap().load_balancers().is_empty());
    assert!(elb.describe_target_groups().send().await.unwrap().target_groups().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn down_names_what_holds_the_network_and_goes_on_when_it_is_gone() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let (_, subnet) = place(&cloud).await;
    let subnet = subnet.as_str();
    let call = ec2.create_network_interface().subnet_id(subnet).description("a database of somebody else");
    let interface = call.send().await.unwrap().network_interface.and_then(|i| i.network_interface_id).unwrap();

    let said = Said::default();
    let walk = walk_and_listen(&cloud, &said).await;
    let going = tokio::spawn(async move { walk.down().await });
    let named = format!("held by {interface} (network interface of a database of somebody else)");
    let told = || said.lock().unwrap().iter().any(|line| line.starts_with("subnet/") && line.contains(&named));
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if told() {
            break;
        }
    }
    assert!(told(), "nobody names it: {:?}", said.lock().unwrap());
    ec2.delete_network_interface().network_interface_id(&interface).send().await.unwrap();
    let outcome = going.await.unwrap();
    assert!(outcome.ok() && outcome.exists.is_empty(), "{:?} {:?}", outcome.failures, outcome.exists);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_guard_duty_put_into_our_network_goes_with_it() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let ec2 = &cloud.aws.ec2;
    let (vpc, subnet) = place(&cloud).await;
    let subnet = subnet.as_str();
    let name = format!("GuardDutyManagedSecurityGroup-{vpc}");
    let call = ec2.create_security_group().group_name(&name).description("Associated with VPC and tagged as GuardDutyManaged");
    let group = call.vpc_id(&vpc).send().await.unwrap().group_id.unwrap();
    let endpoint = async |service: &str, tags: Tags| {
        let call = ec2.create_vpc_endpoint().vpc_id(&vpc).vpc_endpoint_type(VpcEndpointType::Interface).subnet_ids(subnet);
        let call = call.service_name(format!("com.amazonaws.us-east-1.{service}")).security_group_ids(&group);
        let answer = call.tag_specifications(tags.specification(ResourceType::VpcEndpoint)).send().await.unwrap();
        answer.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id).unwrap()
    };
    endpoint("guardduty-data", Tags::default().with("GuardDutyManaged", "true")).await;
    down(&cloud).await;
    assert!(ec2.describe_security_groups().filters(within(&vpc)).send().await.unwrap().security_groups().is_empty());
}
