//! What was made under an earlier configuration is still ours.

use aws_sdk_s3::types::CreateBucketConfiguration;
use tritondeploy::config::{Config, Network, Registry, Storage};

use crate::{down, up};
use tritondeploy_support::local_aws::LocalAws;

#[tokio::test(flavor = "multi_thread")]
async fn down_takes_the_bucket_and_the_repository_of_a_former_name_and_nobody_elses() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let other = local.cloud(Config { name: "other".to_owned(), ..Config::default() }).await;
    let tags = CreateBucketConfiguration::builder().set_tags(Some(other.tags("bucket").s3())).build();
    other.aws.s3.create_bucket().bucket(other.bucket()).create_bucket_configuration(tags).send().await.unwrap();
    let ecr = &other.aws.ecr;
    let repository = ecr.create_repository().repository_name(other.config.repository());
    repository.set_tags(Some(other.tags("repository").ecr())).send().await.unwrap();
    other.aws.s3.create_bucket().bucket("untagged-and-somebody-elses").send().await.unwrap();
    let before = local.dump();

    let earlier = Config {
        storage: Storage { bucket: Some("earlier-models".to_owned()) },
        registry: Registry { repository: Some("earlier/gateway".to_owned()) },
        ..Config::default()
    };
    up(&local.cloud(earlier).await).await;
    cloud.aws.s3.put_object().bucket("earlier-models").key("images/cat.png").body(vec![7].into()).send().await.unwrap();
    let renamed = up(&cloud).await;
    assert!(renamed.changed > 0, "the new names are made");

    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn down_takes_subnets_that_the_configuration_no_longer_has() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    cloud.aws.ec2.describe_vpcs().send().await.unwrap();
    let before = local.dump();
    let mut network = Network::default();
    network.private.push("192.168.8.0/24".to_owned());
    network.public.push("192.168.10.0/24".to_owned());
    let earlier = Config { network, storage: Storage { bucket: Some("earlier-models".to_owned()) }, ..Config::default() };
    up(&local.cloud(earlier).await).await;

    // Not even the bucket of today's name is there.
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}
