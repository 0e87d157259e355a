//! `status`: how everything stands, with the cause when something is wrong.

mod cluster;
mod page;
mod ports;
mod redact;
mod report;
mod rows;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use self::report::Known;
use super::data::Stored;
use super::lock::Running;
use super::{Session, plan};
use crate::cli;
use crate::cloud::Cloud;
use crate::cloud::orphans::Orphans;
use crate::cloud::support::Support;
use crate::engine::{Change, Fact, NodeReport, Report, Status};
use crate::error::Error;
use crate::replace;
use crate::report::{self as tell, show, words};

pub(super) async fn run(session: &Session, status: cli::Status) -> Result<(), Error> {
    // A configuration that cannot be read is nothing to report on.
    let config = session.config()?;
    let file = status.report.as_deref();
    if session.json() && file == Some(Path::new("-")) {
        return Err(Error::usage("--json and --report - both want standard output", "name a file with --report"));
    }
    if let Some(file) = file.filter(|file| *file != Path::new("-")) {
        replace::check("--report", file, "report.md")?;
    }
    let cloud = session.cloud("status").await;
    let seen = match &cloud {
        Ok(cloud) => survey(session, cloud).await,
        Err(why) => Err(Error::failed(why.to_string(), "")),
    };
    let survey = seen.as_ref().map(|(survey, _)| survey);
    if session.cancel.is_cancelled() {
        return Err(Error::unchanged());
    }
    if let Some(file) = file {
        let told = |why: &Error| why.to_string();
        let known = Known {
            config: cloud.as_ref().map_or(&config, |cloud| &cloud.config),
            cloud: cloud.as_ref().map(|cloud| &**cloud).map_err(told),
            survey: survey.map_err(told),
            cluster: match &cloud {
                Ok(cloud) => tokio::select! {
                    biased;
                    () = session.cancel.cancelled() => return Err(Error::unchanged()),
                    read = cluster::Cluster::read(cloud) => read,
                },
                Err(why) => Err(why.to_string()),
            },
            health: survey.map_or_else(|_| "unknown".to_owned(), in_words),
        };
        written(session, file, &report::text(&known))?;
    }
    let (cloud, seen) = (cloud?, seen?);
    let running = Running::find(&cloud, &seen.0).await;
    show(session, &cloud, &seen, &running, file).await
}

/// Looks at everything; without what others made in our VPC, which is left behind only once the cluster that it serves
/// is gone, and without what EKS made in the cluster.
async fn survey(session: &Session, cloud: &Arc<Cloud>) -> Result<(Report, Orphans), Error> {
    let inventory = session.inventory(cloud, false).await?;
    let mut survey = session.look(&session.through(cloud, &inventory, None)).await?;
    let serves = survey.nodes.iter().any(|seen| &*seen.node == "cluster" && seen.status != Status::Absent);
    survey.nodes.retain(|seen| match seen.kind {
        "leftovers" => !serves && seen.status != Status::Absent,
        "node-entry" => false,
        _ => true,
    });
    Ok((survey, inventory.orphans))
}

/// The report into its file, or to standard output.
fn written(session: &Session, file: &Path, text: &str) -> Result<(), Error> {
    if file == Path::new("-") {
        show::line(text.trim_end());
        return Ok(());
    }
    report::write(file, text)
        .map_err(|why| Error::usage(format!("the report {} cannot be written: {why}", file.display()), "name another file"))?;
    if !session.json() {
        show::line(format!("Written: {}", file.display()));
    }
    Ok(())
}

/// Nothing of what we make exists.
fn nothing(survey: &Report) -> bool {
    let mut made = survey.nodes.iter().filter(|seen| !seen.watched);
    made.all(|seen| matches!(seen.status, Status::Absent | Status::Foreign { .. }) && seen.twins.is_empty())
}

fn in_words(survey: &Report) -> String {
    let health = Health::of(survey);
    match () {
        () if nothing(survey) => "no resource of this deployment exists".to_owned(),
        () if health.good() => "healthy".to_owned(),
        () => health.words(),
    }
}

async fn show(
    session: &Session,
    cloud: &Arc<Cloud>,
    (survey, orphans): &(Report, Orphans),
    running: &Running,
    file: Option<&Path>,
) -> Result<(), Error> {
    let made = survey.nodes.iter().filter(|seen| !seen.watched);
    let nothing = nothing(survey);
    let support = support(cloud, survey).await;
    let told = support.as_ref().map(|support| Fact { key: "cluster_support", value: support.to_string() });
    let wanted = survey.nodes.iter().filter(|seen| seen.unwanted.is_none());
    let facts = || wanted.clone().flat_map(|seen| &seen.facts).chain(&told);
    let data = Stored::orphaned(session, cloud, survey).await;
    let health = Health::of(survey);
    let mut found = json!({
        "deployment": cloud.config.name, "account": cloud.aws.account, "region": cloud.aws.region,
        "healthy": health.good(), "exists": !nothing, "drift": health.drift(), "facts": show::facts_json(facts()),
        "nodes": survey.nodes, "data_left": data, "orphans_kept": orphans.held, "orphans_unknown": orphans.unknown,
        "lease": running.json(), "support": support,
    });
    if let Some(file) = file {
        found["report"] = json!(file);
    }
    let on_screen = file == Some(Path::new("-"));
    if !session.json() && !on_screen {
        plan::head(cloud);
        running.line().into_iter().for_each(show::line);
        if nothing {
            show::line("No resource of this deployment exists.");
            show::standings(made.filter(|seen| seen.status != Status::Absent));
        } else {
            show::standings(health.wrong.iter().chain(&health.drifted).copied());
            show::twins(survey);
            tell::orphans::left(survey);
            tell::orphans::data(&data.iter().map(Stored::line).collect::<Vec<_>>());
            show::facts(facts());
        }
        tell::orphans::notes(orphans);
    }
    if !nothing && !health.good() {
        return Err(Error::failed(health.words(), health.next(session)).with(found));
    }
    if session.json() {
        show::json(&found);
    } else if !nothing && !on_screen {
        show::line(format!("Healthy: all {} resources exist, match the configuration, and answer.", survey.nodes.len()));
    }
    Ok(())
}

/// Until when AWS supports the cluster's version. Who may not ask is told so, and the rest all the same.
async fn support(cloud: &Cloud, survey: &Report) -> Option<Support> {
    survey.nodes.iter().find(|seen| &*seen.node == "cluster" && seen.status == Status::Present)?;
    Support::of(&cloud.aws, &cloud.config.name).await.unwrap_or_else(|why| {
        show::note(&format!("until when AWS supports the cluster's version could not be read: {why}"));
        None
    })
}

/// What keeps a deployment from being healthy.
struct Health<'a> {
    /// Missing, changing, broken, not ours, not to be told, or there with something wrong.
    wrong: Vec<&'a NodeReport>,
    /// There, and not as configured.
    drifted: Vec<&'a NodeReport>,
    /// There more than once.
    twins: Vec<&'a NodeReport>,
    /// Of an earlier configuration.
    left: Vec<&'a NodeReport>,
}

impl<'a> Health<'a> {
    fn of(survey: &'a Report) -> Self {
        let (mut wrong, mut drifted, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for seen in &survey.nodes {
            if seen.unwanted.is_some() {
                left.push(seen);
            } else if seen.status != Status::Present || seen.kind == "leftovers" || !seen.evidence.is_empty() {
                wrong.push(seen);
            } else if changes(seen).next().is_some() {
                drifted.push(seen);
            }
        }
        let twins = survey.nodes.iter().filter(|seen| !seen.twins.is_empty()).collect();
        Self { wrong, drifted, twins, left }
    }

    fn good(&self) -> bool {
        self.wrong.is_empty() && self.drifted.is_empty() && self.twins.is_empty() && self.left.is_empty()
    }

    /// What to type next. Data alone is not deleted by a mere `up`.
    fn next(&self, session: &Session) -> String {
        let only_left = self.wrong.is_empty() && self.drifted.is_empty() && self.twins.is_empty();
        if only_left && self.left.iter().all(|seen| seen.stays()) {
            let flags = self.left.iter().map(|seen| format!(" --delete-data {}", seen.node)).collect::<String>();
            let keep = "or keep it for good: take its tag tritondeploy:deployment off";
            return format!("{} (with all that is in it), {keep}", session.again(&format!("up{flags}")));
        }
        let unread = |seen: &&&NodeReport| matches!(seen.status, Status::Unknown { .. });
        if let Some(first) = self.wrong.iter().find(unread) {
            let step = first.next.as_deref().map_or_else(|| format!("make {} readable", first.node), str::to_owned);
            let all = self.wrong.iter().all(|seen| unread(&seen));
            return format!("{step}; then {}", session.again(if all { "status" } else { "up" }));
        }
        let next = match (self.wrong.is_empty(), self.drifted.is_empty(), self.left.is_empty()) {
            (false, ..) => "",
            (true, true, true) => " (it deletes the twins)",
            (true, _, true) => " (it puts back what differs)",
            (true, ..) => " (it puts back what differs, and deletes what is left but data)",
        };
        format!("{}{next}", session.again("up"))
    }

    /// Each field that differs, for scripts.
    fn drift(&self) -> Vec<Value> {
        let one = |seen: &&'a NodeReport| {
            let node = seen.node.clone();
            changes(seen).map(move |change| json!({"node": node, "field": change.field, "from": change.from, "to": change.to}))
        };
        self.drifted.iter().chain(&self.left).flat_map(one).collect()
    }

    fn words(&self) -> String {
        let names = |seen: &[&NodeReport]| words::brief(&seen.iter().map(|seen| &*seen.node).collect::<Vec<_>>());
        let wrong = (!self.wrong.is_empty()).then(|| format!("not healthy: {}", names(&self.wrong)));
        let drifted = (!self.drifted.is_empty()).then(|| format!("not as configured: {}", names(&self.drifted)));
        let twins =
            (!self.twins.is_empty()).then(|| format!("there more than once, and billed more than once: {}", names(&self.twins)));
        let left = (!self.left.is_empty()).then(|| format!("left of an earlier configuration: {}", names(&self.left)));
        wrong.into_iter().chain(drifted).chain(twins).chain(left).collect::<Vec<_>>().join("; ")
    }
}

/// What differs by itself: what waits for another node follows from that node's own state.
fn changes(seen: &NodeReport) -> impl Iterator<Item = &Change> {
    seen.changes.iter().map(|(change, _)| change).filter(|change| change.known_after().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Removal, Twin, Unwanted, UpdateMode};

    fn seen(node: &str, status: Status, to: Option<Value>) -> NodeReport {
        let change = |to| (Change { field: "spec.replicas".to_owned(), from: json!(1), to }, UpdateMode::InPlace);
        NodeReport {
            node: node.into(),
            kind: "x",
            watched: false,
            status,
            changes: to.map(change).into_iter().collect(),
            unwanted: None,
            spared: false,
            refused: None,
            next: None,
            twins: Vec::new(),
            facts: Vec::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn what_drifted_is_not_healthy_and_is_named() {
        let fine = seen("vpc", Status::Present, None);
        let survey = Report { nodes: vec![fine.clone(), seen("kube/deployment", Status::Present, Some(json!(2)))] };
        let health = Health::of(&survey);
        assert!(!health.good());
        assert_eq!(health.words(), "not as configured: kube/deployment");
        let told = json!({"node": "kube/deployment", "field": "spec.replicas", "from": 1, "to": 2});
        assert_eq!(health.drift(), [told]);
        assert!(Health::of(&Report { nodes: vec![fine] }).good());
    }

    #[test]
    fn what_its_service_says_is_wrong_with_it_is_not_healthy_though_it_is_there() {
        let evidence = vec!["KmsKeyDisabled: the key is disabled".to_owned()];
        let survey = Report { nodes: vec![NodeReport { evidence, ..seen("cluster", Status::Present, None) }] };
        assert_eq!(Health::of(&survey).words(), "not healthy: cluster");
    }

    #[test]
    fn what_is_there_more_than_once_is_not_healthy() {
        let twin = Twin { id: Some("vpc-b".to_owned()), kept: Some("vpc-a".to_owned()), facts: Vec::new(), holds: Vec::new() };
        let survey = Report { nodes: vec![NodeReport { twins: vec![twin], ..seen("vpc", Status::Present, None) }] };
        let health = Health::of(&survey);
        assert_eq!((health.good(), &*health.words()), (false, "there more than once, and billed more than once: vpc"));
        assert!(!nothing(&Report { nodes: vec![NodeReport { status: Status::Absent, ..survey.nodes[0].clone() }] }));
    }

    #[test]
    fn what_is_left_of_an_earlier_configuration_is_not_healthy_and_is_named() {
        let unwanted = |removal| Some(Unwanted::new(removal, "storage.bucket was a"));
        let bucket = NodeReport { unwanted: unwanted(Removal::Never), ..seen("bucket/a", Status::Present, None) };
        let survey = Report { nodes: vec![seen("vpc", Status::Present, None), bucket] };
        let health = Health::of(&survey);
        assert!(!health.good());
        assert_eq!(health.words(), "left of an earlier configuration: bucket/a");
    }

    #[test]
    fn what_waits_for_something_missing_is_no_drift() {
        let waits = seen("kube/deployment", Status::Present, Some(json!({"known after": "gateway-image"})));
        let survey = Report { nodes: vec![seen("gateway-image", Status::Absent, None), waits] };
        let health = Health::of(&survey);
        assert_eq!((health.words().as_str(), health.drift().len()), ("not healthy: gateway-image", 0));
    }
}
