//! Images that a test puts beside ours.

use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::user::aws;
use tritondeploy_support::sandbox::Sandbox;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Pushes an image of no layers that is there for a Graviton's processor alone; `repository` with its registry, as a
/// Deployment names it.
pub async fn push_for_arm(sandbox: &Sandbox, repository: &str, tag: &str) {
    let login = aws(sandbox).await.ecr.get_authorization_token().send().await.unwrap().authorization_data.unwrap();
    let login = format!("Authorization: Basic {}", login[0].authorization_token().unwrap());
    let (host, name) = repository.split_once('/').unwrap();
    let of = |path: &str| format!("http://{host}/v2/{name}/{path}");
    let config = r#"{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}"#;
    let upload = curl(&["-D", "-", "-X", "POST", "-H", &login, &of("blobs/uploads/")]);
    let place = upload.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_else(|| panic!("{upload}")).trim();
    put(&login, "application/octet-stream", config, &format!("{place}&digest={}", digest(config)));
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": part(CONFIG, config), "layers": []}).to_string();
    put(&login, MANIFEST, &manifest, &of(&format!("manifests/{}", digest(&manifest))));
    let mut only = part(MANIFEST, &manifest);
    only["platform"] = json!({"architecture": "arm64", "os": "linux"});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [only]}).to_string();
    put(&login, INDEX, &index, &of(&format!("manifests/{tag}")));
}

fn digest(content: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(content))
}

/// How one part of an image names another.
fn part(kind: &str, content: &str) -> Value {
    json!({"mediaType": kind, "digest": digest(content), "size": content.len()})
}

fn put(login: &str, kind: &str, content: &str, to: &str) {
    curl(&["-X", "PUT", "-H", login, "-H", &format!("Content-Type: {kind}"), "-d", content, to]);
}

fn curl(args: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--fail-with-body", "-m", "60"]).args(args).output().unwrap();
    let body = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{body} {}", String::from_utf8_lossy(&output.stderr));
    body
}
