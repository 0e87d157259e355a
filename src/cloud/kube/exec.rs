//! A short program in a container, and what it prints.

use k8s_openapi::api::core::v1::Pod;
use kube::api::AttachParams;
use kube::{Api, Client};
use tokio::io::AsyncReadExt;

use super::OrFault;
use crate::engine::Fault;

/// What it prints beyond this is not read.
const LONGEST: u64 = 1 << 20;

/// Runs `command` in a container of a pod; its standard output. How long it may take is the caller's matter.
///
/// # Errors
/// When it cannot be started, or ends with a code other than 0.
pub async fn output(client: &Client, namespace: &str, pod: &str, container: &str, command: &[&str]) -> Result<String, Fault> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = AttachParams::default().container(container).stderr(false);
    let mut process = api.exec(pod, command.iter().copied(), &params).await.fault()?;
    let status = process.take_status();
    let mut out = Vec::new();
    if let Some(stdout) = process.stdout() {
        let read = stdout.take(LONGEST).read_to_end(&mut out).await;
        read.map_err(|why| Fault::try_again(format!("{} in {pod}/{container}: {why}", command.join(" "))))?;
    }
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    process.abort();
    match status.filter(|status| status.status.as_deref() == Some("Failure")) {
        Some(status) => {
            let why = status.message.unwrap_or_default();
            Err(Fault::fatal(format!("{} in {pod}/{container}: {why}", command.join(" "))))
        }
        None => Ok(String::from_utf8_lossy(&out).into_owned()),
    }
}
