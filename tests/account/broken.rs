use std::time::Duration;

use aws_sdk_eks::types::LaunchTemplateSpecification;
use tritondeploy::cloud::Cloud;
use tritondeploy::config::Config;
use tritondeploy::engine::Status;

use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;

/// The node group of an `up` is deleted and made once more while its nodes may not pull images.
pub(crate) async fn break_node_group(cloud: &Cloud) {
    let (eks, iam, name) = (&cloud.aws.eks, &cloud.aws.iam, cloud.config.name.as_str());
    let pull = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    iam.detach_role_policy().role_name(format!("{name}-us-east-1-node")).policy_arn(pull).send().await.unwrap();
    let look = || eks.describe_nodegroup().cluster_name(name).nodegroup_name("gpu").send();
    let group = look().await.unwrap().nodegroup.unwrap();
    eks.delete_nodegroup().cluster_name(name).nodegroup_name("gpu").send().await.unwrap();
    while look().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let template = LaunchTemplateSpecification::builder().set_id(group.launch_template.unwrap().id).build();
    let call = eks.create_nodegroup().cluster_name(name).nodegroup_name("gpu").launch_template(template);
    let call = call.node_role(group.node_role.unwrap()).set_subnets(group.subnets).set_tags(group.tags);
    call.set_instance_types(group.instance_types).send().await.unwrap();
    while look().await.unwrap().nodegroup.unwrap().status.unwrap().as_str() == "CREATING" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_group_that_failed_says_why_and_is_made_anew() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    break_node_group(&cloud).await;

    let survey = walk(&cloud).await.look().await;
    let group = survey.nodes.iter().find(|sighting| sighting.node.as_ref() == "node-group").unwrap();
    let Status::Broken { why, .. } = &group.status else { panic!("{:?}", group.status) };
    let told = "NodeCreationFailure: Instances failed to join the kubernetes cluster"; // AWS says no more
    assert!(why.contains(told), "{why}");
    assert!(group.evidence.iter().any(|line| line.contains(told)), "{:?}", group.evidence);

    up(&cloud).await;
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}
