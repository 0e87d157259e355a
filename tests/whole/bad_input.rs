//! What cannot work is said on one screen, with its cause and the next step, and nothing is created.

use crate::sandbox::Sandbox;
use crate::user::User;

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
        user.edit(|text| text.lines().filter(|line| !line.starts_with("source_ranges") && !line.starts_with("public_without")).collect::<Vec<_>>().join("\n"));
    });
    refused("a broken model repository", 1, &["config.pbtxt", "efficientnet_lite0"], &|user| {
        std::fs::remove_file(user.path("models/efficientnet_lite0/config.pbtxt")).unwrap();
    });
    refused("a missing weight", 1, &["weights are missing"], &|user| {
        std::fs::remove_file(user.path("models/resnet50_onnx/1/model.onnx")).unwrap();
    });
}
