//! Why an update was taken and not applied: EKS tells it of the update alone, not of what it was to change.

use aws_sdk_eks::types::{Update, UpdateStatus};
use futures::{StreamExt, stream};

use crate::cloud::aws::Aws;

/// So many are looked at together.
const AT_ONCE: usize = 8;

/// What was updated.
pub(super) enum Of<'a> {
    Cluster,
    NodeGroup(&'a str),
    Addon(&'a str),
}

/// Why the last update failed; nothing where it did not, or EKS does not tell.
pub(super) async fn failure(aws: &Aws, cluster: &str, of: Of<'_>) -> Vec<String> {
    let (group, addon) = match of {
        Of::Cluster => (None, None),
        Of::NodeGroup(name) => (Some(name.to_owned()), None),
        Of::Addon(name) => (None, Some(name.to_owned())),
    };
    let call = aws.eks.list_updates().name(cluster);
    // EKS keeps those of years, and does not tell in which order it lists them.
    let listed = call.set_nodegroup_name(group.clone()).set_addon_name(addon.clone()).into_paginator().items().send();
    let ids: Vec<String> = listed.try_collect().await.unwrap_or_default();
    let look = |id: String| {
        let call = aws.eks.describe_update().name(cluster).update_id(id);
        let call = call.set_nodegroup_name(group.clone()).set_addon_name(addon.clone());
        async move { call.send().await.ok()?.update }
    };
    let updates: Vec<Option<Update>> = stream::iter(ids.into_iter().map(look)).buffered(AT_ONCE).collect().await;
    updates
        .into_iter()
        .flatten()
        .max_by_key(|update| update.created_at.map(|at| at.secs()))
        .map(|last| told(&last))
        .unwrap_or_default()
}

fn told(update: &Update) -> Vec<String> {
    if update.status() != Some(&UpdateStatus::Failed) {
        return Vec::new();
    }
    let kind = update.r#type().map_or("update", |kind| kind.as_str());
    let line = |error: &aws_sdk_eks::types::ErrorDetail| {
        let code = error.error_code().map_or("Unknown", |code| code.as_str());
        let ids = error.resource_ids().join(", ");
        let ids = if ids.is_empty() { ids } else { format!(" ({ids})") };
        format!("{kind} failed: {code}: {}{ids}", error.error_message().unwrap_or_default())
    };
    match update.errors() {
        [] => vec![format!("{kind} failed, and EKS does not say why")],
        errors => errors.iter().map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{ErrorCode, ErrorDetail, UpdateType};

    #[test]
    fn a_failed_update_is_told_with_its_errors() {
        let error = ErrorDetail::builder().error_code(ErrorCode::PodEvictionFailure);
        let error = error.error_message("Reached max retries").resource_ids("ip-10-0-0-1").build();
        let update = Update::builder().r#type(UpdateType::ConfigUpdate).status(UpdateStatus::Failed);
        assert_eq!(
            told(&update.clone().errors(error).build()),
            ["ConfigUpdate failed: PodEvictionFailure: Reached max retries (ip-10-0-0-1)"]
        );
        assert_eq!(told(&update.build()), ["ConfigUpdate failed, and EKS does not say why"]);
        assert!(told(&Update::builder().status(UpdateStatus::Successful).build()).is_empty());
    }
}
