//! Buckets and repositories that stay: what is in them, what that costs, and how to delete it.

use std::sync::Arc;

use futures::future::join_all;
use serde::Serialize;

use super::Session;
use crate::cloud::Cloud;
use crate::cloud::inventory::Inventory;
use crate::cloud::orphans::Data;
use crate::cloud::stored::{Contents, Store};
use crate::cost;
use crate::engine::{NodeReport, Report, Status};
use crate::error::Error;

/// A bucket or a repository, with all that is in it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stored {
    /// Its node's name.
    node: Arc<str>,
    store: Store,
    name: String,
    /// None: it may not be counted.
    contents: Option<Contents>,
    /// None where the contents are not known; at least so much where not all was counted.
    usd_per_month: Option<f64>,
    /// What deletes it; none where the configuration names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<String>,
}

impl Stored {
    /// Those of an earlier configuration that `up` leaves.
    pub(super) async fn orphaned(session: &Session, cloud: &Cloud, survey: &Report) -> Vec<Self> {
        let delete = |stored: Self| Self { delete: Some(session.again(&format!("up --delete-data {}", stored.name))), ..stored };
        Self::read(cloud, survey, NodeReport::stays).await.into_iter().map(delete).collect()
    }

    /// Those that `down` leaves.
    pub(super) async fn spared(cloud: &Cloud, survey: &Report) -> Vec<Self> {
        let is_there = |seen: &NodeReport| !matches!(seen.status, Status::Absent | Status::Foreign { .. });
        Self::read(cloud, survey, |seen| seen.spared && is_there(seen)).await
    }

    async fn read(cloud: &Cloud, survey: &Report, which: impl Fn(&NodeReport) -> bool) -> Vec<Self> {
        let found = survey.nodes.iter().filter(|seen| which(seen)).filter_map(|seen| Some((seen, named(cloud, &seen.node)?)));
        let read = async |(seen, (store, name)): (&NodeReport, (Store, String))| {
            let contents = store.contents(&cloud.aws, &name).await.ok();
            let usd_per_month = contents.map(|contents| cost::stored(store, contents.bytes));
            Self { node: seen.node.clone(), store, name, contents, usd_per_month, delete: None }
        };
        join_all(found.map(read)).await
    }

    /// One line.
    pub(super) fn line(&self) -> String {
        let (what, thing) = match self.store {
            Store::Bucket => ("S3 bucket", "object"),
            Store::Repository => ("ECR repository", "image"),
        };
        let price = format!("${:.3} per GB-month", cost::per_gb_month(self.store));
        let holds = match (self.contents, self.usd_per_month) {
            (Some(Contents { count, bytes, more }), Some(dollars)) => {
                let least = if more { "over " } else { "" };
                let (gigabytes, s) = (bytes as f64 / 1e9, if count == 1 { "" } else { "s" });
                format!("{least}{count} {thing}{s}, {least}{gigabytes:.3} GB, {least}${dollars:.2} a month at {price}")
            }
            _ => format!("what is in it may not be counted; it costs {price}"),
        };
        let delete = self.delete.as_ref().map(|delete| format!("; delete it with `{delete}`")).unwrap_or_default();
        format!("{what} {}: {holds}{delete}", self.name)
    }
}

/// Which bucket or repository a node is.
fn named(cloud: &Cloud, node: &str) -> Option<(Store, String)> {
    match node.split_once('/') {
        None if node == "bucket" => Some((Store::Bucket, cloud.bucket())),
        None if node == "repository" => Some((Store::Repository, cloud.config.repository())),
        Some(("bucket", name)) => Some((Store::Bucket, name.to_owned())),
        Some(("repository", name)) => Some((Store::Repository, name.to_owned())),
        _ => None,
    }
}

/// The nodes that a name given to `--delete-data` may mean: the node itself, or a bucket or a repository of that name.
fn meant(name: &str) -> Vec<String> {
    match name.split_once('/') {
        Some(("bucket" | "repository", rest)) if !rest.is_empty() => vec![name.to_owned(), format!("repository/{name}")],
        _ => vec![format!("bucket/{name}"), format!("repository/{name}")],
    }
}

/// Lets the graph delete what is named, also what the tagging API has not noticed; [`check`] says whether it is what we think.
pub(super) fn name(inventory: &mut Inventory, cloud: &Cloud, names: &[String]) {
    let nodes: Vec<String> = names.iter().flat_map(|name| meant(name)).collect();
    let orphans = &mut inventory.orphans;
    for (store, name) in nodes.iter().filter_map(|node| named(cloud, node)) {
        let (known, configured, can_be) = match store {
            Store::Bucket => (&mut orphans.buckets, cloud.bucket(), crate::config::is_bucket(&name)),
            Store::Repository => (&mut orphans.repositories, cloud.config.repository(), crate::config::is_repository(&name)),
        };
        if can_be && name != configured && !known.contains(&name) {
            known.push(name);
        }
    }
    orphans.data = Data::Delete(nodes);
}

/// Each name means one bucket or repository that is there, ours, and not the configuration's.
pub(super) fn check(survey: &Report, names: &[String]) -> Result<(), Error> {
    let seen = |node: &String| survey.nodes.iter().find(|seen| *seen.node == **node && seen.unwanted.is_some());
    for name in names {
        let found: Vec<&NodeReport> = meant(name).iter().filter_map(seen).collect();
        match &*found {
            [one] if matches!(one.status, Status::Present | Status::Changing { .. }) => {}
            [one] => {
                let why = format!("--delete-data {name}: {}", crate::report::show::words(&one.status));
                return Err(Error::failed(why, "fix this first; nothing was changed"));
            }
            [] => {
                let data = |seen: &&NodeReport| ["bucket", "repository"].contains(&seen.kind) && seen.unwanted.is_some();
                let there: Vec<&str> = survey.nodes.iter().filter(data).map(|seen| &*seen.node).collect();
                let there = if there.is_empty() { "there is none".to_owned() } else { format!("there is {}", there.join(", ")) };
                let why =
                    format!("--delete-data {name}: no bucket or repository of an earlier configuration of ours has this name");
                let next = format!(
                    "name what `plan` shows ({there}); what the configuration names goes with `down` only; nothing was changed"
                );
                return Err(Error::usage(why, next));
            }
            several => {
                let nodes: Vec<&str> = several.iter().map(|seen| &*seen.node).collect();
                let why = format!("--delete-data {name}: this is a bucket and a repository");
                return Err(Error::usage(why, format!("name one of them: {}; nothing was changed", nodes.join(", "))));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_a_bucket_or_a_repository_unless_it_says_which() {
        assert_eq!(meant("models"), ["bucket/models", "repository/models"]);
        assert_eq!(meant("team/gateway"), ["bucket/team/gateway", "repository/team/gateway"]);
        assert_eq!(meant("bucket/models"), ["bucket/models", "repository/bucket/models"]);
        assert_eq!(meant("repository/a"), ["repository/a", "repository/repository/a"]);
    }

    #[test]
    fn a_line_says_what_is_in_it_and_what_it_costs() {
        let mut stored = Stored {
            node: "bucket/a".into(),
            store: Store::Bucket,
            name: "a".to_owned(),
            contents: Some(Contents { count: 3, bytes: 100_000_000_000, more: false }),
            usd_per_month: Some(2.3),
            delete: None,
        };
        assert_eq!(stored.line(), "S3 bucket a: 3 objects, 100.000 GB, $2.30 a month at $0.023 per GB-month");
        stored.contents = Some(Contents { count: 10_000, bytes: 1_000_000_000, more: true });
        assert!(stored.line().contains("over 10000 objects, over 1.000 GB, over $2.30"), "{}", stored.line());
        (stored.contents, stored.store) = (None, Store::Repository);
        assert!(stored.line().contains("may not be counted; it costs $0.100 per GB-month"), "{}", stored.line());
    }
}
