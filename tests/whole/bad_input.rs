//! What cannot work is said on one screen, with its cause and the next step, and nothing is created.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tritondeploy::cloud::aws::Aws;
use tritondeploy::config::Config;

use crate::user::User;
use tritondeploy_support::sandbox::Sandbox;

/// Somebody else in the same account.
async fn somebody(sandbox: &Sandbox) -> Aws {
    let of = |name: &str| sandbox.env[name].clone();
    let who = Credentials::new(of("AWS_ACCESS_KEY_ID"), of("AWS_SECRET_ACCESS_KEY"), None, None, "test");
    let config = Config { endpoint_url: Some(of("AWS_ENDPOINT_URL")), region: Some(of("AWS_REGION")), ..Config::default() };
    Aws::connect_as(&config, SharedCredentialsProvider::new(who)).await.unwrap()
}

#[tokio::test]
async fn a_name_taken_by_somebody_else_is_refused_by_up_and_left_alone_by_down() {
    let sandbox = Sandbox::start();
    let aws = somebody(&sandbox).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role = "triton-streaming-cluster-us-east-1-cluster";
    aws.iam.create_role().role_name(role).assume_role_policy_document(trust).send().await.unwrap();
    aws.ecr.create_repository().repository_name("websocket-pipeline").send().await.unwrap();
    let bucket = format!("triton-streaming-cluster-{}-us-east-1", aws.account);
    aws.s3.create_bucket().bucket(&bucket).send().await.unwrap();
    let before = sandbox.dump();
    let user = User::of(&sandbox);

    let up = user.run(&["up", "--yes"]);
    assert_eq!(up.code, Some(1));
    for word in ["role/cluster: not ours", "repository: not ours", "bucket: not ours", "--name", "nothing was created"] {
        assert!(up.err.contains(word), "no {word:?} in {}", up.err);
    }
    assert_eq!(sandbox.dump(), before, "up has changed something");

    let down = user.does(&["down", "--yes"]);
    for word in ["role/cluster: not ours", "repository: not ours", "bucket: not ours", "3 not ours, which stays"] {
        assert!(down.out.contains(word), "no {word:?} in {}", down.out);
    }
    assert_eq!(sandbox.dump(), before, "down has changed something");
}

#[test]
fn what_cannot_work_is_said_before_anything_is_created() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let refused = |case: &str, code: i32, words: &[&str], change: &dyn Fn(&mut User)| {
        let mut user = User::of(&sandbox);
        change(&mut user);
        let ran = user.run(&["up", "--yes"]);
        assert_eq!(ran.code, Some(code), "{case}");
        let told = ran.err.to_lowercase();
        for word in words.iter().chain(&["next:"]) {
            assert!(told.contains(&word.to_lowercase()), "{case}: no {word:?} in {}", ran.err);
        }
        assert!(ran.err.lines().count() <= 24, "{case}: more than a screen");
        assert_eq!(sandbox.dump(), before, "{case}: something was created");
    };
    refused("no credentials", 1, &["no AWS credentials", "aws configure"], &|user| {
        user.env.remove("AWS_ACCESS_KEY_ID");
        user.env.remove("AWS_SECRET_ACCESS_KEY");
    });
    refused("a wrong secret", 1, &["SignatureDoesNotMatch"], &|user| {
        user.env.insert("AWS_SECRET_ACCESS_KEY".into(), "wrong".into());
    });
    refused("no docker", 1, &["docker"], &|user| {
        user.env.insert("DOCKER_HOST".into(), "unix:///nonexistent/docker.sock".into());
    });
    refused("a broken configuration", 2, &["line", "did you mean `instance_type`"], &|user| {
        user.edit(|text| format!("{text}\n[nodes]\ninstnace_type = \"g4dn.xlarge\"\n"));
    });
    refused("nobody said who may come in", 2, &["source_ranges", "public_without_auth"], &|user| {
        user.edit(|text| {
            text.lines()
                .filter(|line| !line.starts_with("source_ranges") && !line.starts_with("public_without"))
                .collect::<Vec<_>>()
                .join("\n")
        });
    });
    refused("a region that does not exist", 1, &["no region us-esat-1", "did you mean us-east-1?"], &|user| {
        user.env.insert("AWS_REGION".into(), "us-esat-1".into());
    });
    refused("pods without nodes", 2, &["nodes.desired", "write at least 1"], &|user| {
        user.edit(|text| format!("{text}\n[nodes]\nmin = 0\ndesired = 0\n"));
    });
    refused("a Graviton machine", 2, &["nodes.instance_type", "t4g.xlarge", "arm64", "t3.xlarge"], &|user| {
        user.edit(|text| format!("{text}\n[nodes]\ninstance_type = \"t4g.xlarge\"\n"));
    });
    refused("a machine that is too small", 2, &["nodes.instance_type", "t3.medium", "4096 MiB"], &|user| {
        user.edit(|text| format!("{text}\n[nodes]\ninstance_type = \"t3.medium\"\n"));
    });
    refused("an admin whom IAM does not know", 2, &["access.admins", "role/nobody"], &|user| {
        user.edit(|text| format!("{text}\n[access]\nadmins = [\"arn:aws:iam::123456789012:role/nobody\"]\n"));
    });
    refused(
        "a TensorRT plan without a GPU",
        1,
        &["t3.xlarge has no GPU", "plan/config.pbtxt", "TensorRT", "models.serve"],
        &|user| {
            user.edit(|text| format!("{text}\n[nodes]\ninstance_type = \"t3.xlarge\"\n"));
            std::fs::create_dir_all(user.path("models/plan/1")).unwrap();
            std::fs::write(user.path("models/plan/1/model.plan"), "a plan").unwrap();
            std::fs::write(user.path("models/plan/config.pbtxt"), "platform: \"tensorrt_plan\"").unwrap();
        },
    );
    refused("a broken model repository", 1, &["config.pbtxt", "efficientnet_lite0"], &|user| {
        std::fs::remove_file(user.path("models/efficientnet_lite0/config.pbtxt")).unwrap();
    });
    refused("a missing weight", 1, &["weights are missing"], &|user| {
        std::fs::remove_file(user.path("models/resnet50_onnx/1/model.onnx")).unwrap();
    });
}
