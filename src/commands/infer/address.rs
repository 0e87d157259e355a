//! Where the deployment's WebSocket is.

use std::sync::Arc;

use super::super::Start;
use crate::cloud::Cloud;
use crate::cloud::inventory::Inventory;
use crate::engine::Standing;
use crate::error::Error;
use crate::report::show;

/// The deployment's WebSocket, where there is one. Nothing is looked at but the way to it.
pub(in crate::commands) async fn of(start: &Start, cloud: &Arc<Cloud>) -> Result<String, Error> {
    let seen = start.through(cloud, &Inventory::default()).look_at("balancer").await;
    if start.cancel.is_cancelled() {
        return Err(Error::unchanged());
    }
    let found = seen.iter().flat_map(|seen| &seen.facts).find(|fact| fact.key == "websocket");
    found.map(|fact| fact.value.clone()).ok_or_else(|| match seen.map(|seen| seen.standing) {
        Some(Standing::Unknown { why }) => {
            Error::failed(format!("the address of the WebSocket cannot be read: {why}"), start.again("status"))
        }
        None | Some(Standing::Absent) => Error::failed("the deployment has no WebSocket yet", start.again("up")),
        Some(standing) => {
            let why = show::words(&standing);
            Error::failed(format!("the deployment has no WebSocket yet; its load balancer is {why}"), start.again("up"))
        }
    })
}
