//! `plan`: what `up` would do, and what it costs.

use std::sync::Arc;

use serde_json::json;

use super::Session;
use super::lock::Running;
use crate::cloud::Cloud;
use crate::cost;
use crate::engine::Report;
use crate::error::Error;
use crate::report::show;

pub(super) async fn run(session: &Session) -> Result<(), Error> {
    let cloud = session.cloud("plan").await?;
    let survey = session.look(&session.walk(&cloud, true).await?).await?;
    let running = Running::find(&cloud, &survey).await;
    if session.json() {
        let cost = cost::of(&cloud.config);
        show::json(&json!({
            "deployment": cloud.config.name, "account": cloud.aws.account, "region": cloud.aws.region,
            "nodes": survey.nodes, "warnings": crate::config::warnings(&cloud.config), "dollars_an_hour": cost.total(), "cost": cost,
            "lease": running.json(),
        }));
        return Ok(());
    }
    present(&cloud, &survey);
    running.line().into_iter().for_each(show::line);
    Ok(())
}

/// Account, region, what will happen and its cost.
pub(super) fn present(cloud: &Arc<Cloud>, survey: &Report) {
    head(cloud);
    show::plan(survey);
    let changed = |seen: &&crate::engine::NodeReport| &*seen.node == "kube/deployment" && !seen.changes.is_empty();
    if cloud.config.workload.replicas == 1 && survey.nodes.iter().any(|seen| changed(&seen)) {
        show::line("The one pod is replaced: the WebSocket does not answer until the new one is ready.");
    }
    crate::config::warnings(&cloud.config).iter().for_each(|warning| show::line(format!("warning: {warning}")));
    show::line(format!("It costs {}.", cost::of(&cloud.config).line(&cloud.aws.region)));
}

/// Which deployment, where, and as whom.
pub(super) fn head(cloud: &Arc<Cloud>) {
    let aws = &cloud.aws;
    show::line(format!("{} in {}, account {} (as {})", cloud.config.name, aws.region, aws.account, aws.caller));
}
