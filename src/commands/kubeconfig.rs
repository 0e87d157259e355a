//! `kubeconfig`: for kubectl and friends, through our own `token`.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_sdk_eks::types::Cluster;
use serde_json::{Value, json};

use super::{Session, fault};
use crate::cloud::Cloud;
use crate::cloud::aws::OrFault;
use crate::error::Error;
use crate::report::show;

pub(super) async fn run(session: &Session, output: Option<PathBuf>) -> Result<(), Error> {
    let cloud = session.cloud("kubeconfig").await?;
    let name = &cloud.config.name;
    let answer = cloud.aws.eks.describe_cluster().name(name).send().await;
    let answer = answer.fault_or_absent(&["ResourceNotFoundException"]).map_err(|why| fault(&why, "look at the cluster"))?;
    let cluster = answer.and_then(|answer| answer.cluster).filter(|cluster| cluster.endpoint().is_some());
    let Some(cluster) = cluster else {
        return Err(Error::failed(format!("there is no cluster {name} that answers yet"), session.again("up")));
    };
    let kubeconfig = render(session, &cloud, &cluster)?;
    let text = serde_yaml_ng::to_string(&kubeconfig).map_err(|why| Error::failed(why.to_string(), ""))?;
    let Some(path) = output else {
        // The same either way: kubectl reads JSON too.
        if session.json() {
            show::foreign_json(&kubeconfig);
        } else {
            show::line(text.trim_end());
        }
        return Ok(());
    };
    write(&path, &text)
        .map_err(|why| Error::usage(format!("{} cannot be written: {why}", path.display()), "name another file"))?;
    if session.json() {
        show::json(&json!({"kubeconfig": path}));
    } else {
        show::line(format!("Written: KUBECONFIG={} kubectl get nodes", path.display()));
    }
    Ok(())
}

fn render(session: &Session, cloud: &Cloud, cluster: &Cluster) -> Result<Value, Error> {
    let exe = std::env::current_exe().map_err(|why| Error::failed(format!("who am I: {why}"), ""))?;
    let arn = cluster.arn().unwrap_or(&cloud.config.name);
    let mut args = vec!["token".to_owned()];
    args.extend(["--name".to_owned(), cloud.config.name.clone(), "--region".to_owned(), cloud.aws.region.clone()]);
    if let Ok(config) = std::path::absolute(&session.config)
        && config.exists()
    {
        args.extend(["--config".to_owned(), config.display().to_string()]);
    }
    // Which account it is stays with the cluster; the credentials stay where they are.
    let profile = std::env::var("AWS_PROFILE").ok().map(|profile| json!([{"name": "AWS_PROFILE", "value": profile}]));
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": arn,
        "clusters": [{"name": arn, "cluster": {
            "server": cluster.endpoint(),
            "certificate-authority-data": cluster.certificate_authority().and_then(|ca| ca.data()),
        }}],
        "contexts": [{"name": arn, "context": {"cluster": arn, "user": arn, "namespace": cloud.config.workload.namespace}}],
        "users": [{"name": arn, "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": exe,
            "args": args,
            "env": profile,
            "interactiveMode": "Never",
            "installHint": "tritondeploy was moved: run `tritondeploy kubeconfig` again",
        }}}],
    }))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
