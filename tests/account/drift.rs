use std::sync::Arc;
use std::time::Duration;

use aws_sdk_eks::types::{NodegroupScalingConfig, Taint, TaintEffect, UpdateTaintsPayload, VpcConfigRequest};
use tritondeploy::cloud::Cloud;
use tritondeploy::config::Config;
use tritondeploy::engine::Status;

use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_mended() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    up(&cloud).await;
    let role = |part: &str| format!("{}-us-east-1-{part}", cloud.config.name);
    let iam = &cloud.aws.iam;
    // Somebody else may take the node role, and the pod may read nothing any more.
    let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com", "AWS": "arn:aws:iam::999999999999:root"}}]}"#;
    iam.update_assume_role_policy().role_name(role("node")).policy_document(trust).send().await.unwrap();
    let nothing = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}"#;
    let access = iam.put_role_policy().role_name(role("workload")).policy_name("model-access");
    access.policy_document(nothing).send().await.unwrap();
    let bucket = format!("{}-{}-us-east-1", cloud.config.name, cloud.aws.account);
    cloud.aws.s3.delete_public_access_block().bucket(bucket).send().await.unwrap();

    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    let admin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
    let entry = eks.disassociate_access_policy().cluster_name(name).principal_arn(&cloud.aws.caller);
    entry.policy_arn(admin).send().await.unwrap();
    let private = VpcConfigRequest::builder().endpoint_private_access(false).build();
    eks.update_cluster_config().name(name).resources_vpc_config(private).send().await.unwrap();
    settled(&cloud).await;
    let dns = eks.update_addon().cluster_name(name).addon_name("coredns").configuration_values("{}");
    dns.send().await.unwrap();
    let odd = Taint::builder().key("odd").value("true").effect(TaintEffect::NoExecute).build();
    let group = eks.update_nodegroup_config().cluster_name(name).nodegroup_name("gpu");
    let group = group.scaling_config(NodegroupScalingConfig::builder().min_size(0).max_size(2).desired_size(2).build());
    group.taints(UpdateTaintsPayload::builder().add_or_update_taints(odd).build()).send().await.unwrap();
    settled(&cloud).await;
    let pull = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    iam.detach_role_policy().role_name(role("node")).policy_arn(pull).send().await.unwrap();

    let mended = up(&cloud).await;
    assert_eq!(mended.changed, 8, "{mended:?}");
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
}

/// Until what was begun by hand is done: nobody may change a thing twice at once.
async fn settled(cloud: &Arc<Cloud>) {
    loop {
        let survey = walk(cloud).await.look().await;
        if survey.nodes.iter().all(|sighting| !matches!(sighting.status, Status::Changing { .. })) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_cluster_was_deleted_by_hand_the_new_one_is_trusted_and_the_old_one_is_not() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    eks.delete_nodegroup().cluster_name(name).nodegroup_name("gpu").send().await.unwrap();
    while eks.describe_nodegroup().cluster_name(name).nodegroup_name("gpu").send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eks.delete_cluster().name(name).send().await.unwrap();
    while eks.describe_cluster().name(name).send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    up(&cloud).await;
    let cluster = eks.describe_cluster().name(name).send().await.unwrap().cluster.unwrap();
    let issuer = cluster.identity.unwrap().oidc.unwrap().issuer.unwrap();
    let providers = cloud.aws.iam.list_open_id_connect_providers().send().await.unwrap();
    let arns: Vec<&str> = providers.open_id_connect_provider_list().iter().filter_map(|p| p.arn()).collect();
    assert_eq!(arns.len(), 1, "{arns:?}");
    assert!(arns[0].ends_with(issuer.trim_start_matches("https://")), "{arns:?} {issuer}");
    let role = cloud.aws.iam.get_role().role_name(format!("{name}-us-east-1-workload")).send().await.unwrap();
    let trust = role.role.unwrap().assume_role_policy_document.unwrap();
    assert!(trust.contains(issuer.rsplit('/').next().unwrap()), "{trust}");
    assert_eq!(up(&cloud).await.changed, 0);
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_is_refused_before_anything_is() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    let mut config = cloud.config.clone();
    config.nodes.disk_gib = 200;
    config.nodes.instance_type = "g5.xlarge".to_owned();
    let other = local.cloud(config).await;
    local.reset_calls();
    let refused = walk(&other).await.up().await;
    let mut nodes: Vec<&str> = refused.failures.iter().map(|failure| failure.node.as_ref()).collect();
    nodes.sort_unstable();
    assert_eq!((nodes, local.mutating()), (vec!["launch-template", "node-group"], 0), "{:?}", refused.failures);
    down(&other).await;
    assert_eq!(local.dump(), before);
}
