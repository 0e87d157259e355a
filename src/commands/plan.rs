//! `plan`: what `up` would do, and what it costs.

use std::sync::Arc;

use serde_json::json;

use super::Session;
use super::data::Stored;
use super::lock::Running;
use crate::cloud::Cloud;
use crate::cloud::orphans::Orphans;
use crate::cost;
use crate::engine::Report;
use crate::error::Error;
use crate::report::{self, show};

pub(super) async fn run(session: &Session) -> Result<(), Error> {
    let cloud = session.cloud("plan").await?;
    let inventory = session.inventory(&cloud, true).await?;
    let survey = session.look(&session.to_make(&cloud, &inventory)).await?;
    let data = Stored::orphaned(session, &cloud, &survey).await;
    let running = Running::find(&cloud, &survey).await;
    if session.json() {
        let cost = cost::of(&cloud.config);
        show::json(&json!({
            "deployment": cloud.config.name, "account": cloud.aws.account, "region": cloud.aws.region,
            "counts": report::plan::Counts::of(&survey), "nodes": report::plan::json(&survey), "data_left": data,
            "orphans_kept": inventory.orphans.held, "orphans_unknown": inventory.orphans.unknown,
            "warnings": crate::config::warnings(&cloud.config), "cost": cost.json(), "lease": running.json(),
        }));
        return Ok(());
    }
    present(&cloud, &inventory.orphans, &survey, &data);
    running.line().into_iter().for_each(show::line);
    Ok(())
}

/// Account, region, what will happen and its cost.
pub(super) fn present(cloud: &Arc<Cloud>, orphans: &Orphans, survey: &Report, data: &[Stored]) {
    head(cloud);
    report::plan::show(survey);
    report::orphans::data(&data.iter().map(Stored::line).collect::<Vec<_>>());
    report::orphans::notes(orphans);
    let changed = |seen: &&crate::engine::NodeReport| &*seen.node == "kube/deployment" && !seen.changes.is_empty();
    if cloud.config.workload.replicas == 1 && survey.nodes.iter().any(|seen| changed(&seen)) {
        show::line("The one pod is replaced: the WebSocket does not answer until the new one is ready.");
    }
    crate::config::warnings(&cloud.config).iter().for_each(|warning| show::line(format!("warning: {warning}")));
    let left = survey.nodes.iter().any(|seen| seen.unwanted.is_some());
    let left = if left { " What is left of an earlier configuration is not counted." } else { "" };
    show::line(format!("It costs {}.{left}", cost::of(&cloud.config).line(&cloud.aws.region)));
}

/// Which deployment, where, and as whom.
pub(super) fn head(cloud: &Arc<Cloud>) {
    let aws = &cloud.aws;
    show::line(format!("{} in {}, account {} (as {})", cloud.config.name, aws.region, aws.account, aws.caller));
}
