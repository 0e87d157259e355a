use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use tritondeploy::config::Config;

use crate::{down, up};
use tritondeploy_support::local_aws::LocalAws;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_goes_with_its_versions_markers_and_unfinished_uploads() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    let s3 = &cloud.aws.s3;
    let name = format!("{}-{}-us-east-1", cloud.config.name, cloud.aws.account);
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(&name).versioning_configuration(on).send().await.unwrap();
    for key in ["images/cat.png", "images/cat.png", "models/x/1/model.onnx", "images/no XML+\u{1}\r.png"] {
        s3.put_object().bucket(&name).key(key).body(key.as_bytes().to_vec().into()).send().await.unwrap();
    }
    s3.delete_object().bucket(&name).key("images/cat.png").send().await.unwrap();
    s3.create_multipart_upload().bucket(&name).key("videos/large.mp4").send().await.unwrap();

    assert_eq!(up(&cloud).await.changed, 0);
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}
