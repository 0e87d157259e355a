//! Where the deployment's WebSocket is.

use std::sync::Arc;

use super::super::Session;
use crate::cloud::Cloud;
use crate::cloud::inventory::Inventory;
use crate::engine::{Status, with_origin};
use crate::error::Error;
use crate::report::show;

/// The deployment's WebSocket, where there is one. Nothing is looked at but the way to it.
pub(in crate::commands) async fn of(session: &Session, cloud: &Arc<Cloud>) -> Result<String, Error> {
    let seen = session.through(cloud, &Inventory::default(), None).look_at("balancer").await;
    if session.cancel.is_cancelled() {
        return Err(Error::unchanged());
    }
    let found = seen.iter().flat_map(|seen| &seen.facts).find(|fact| fact.key == "websocket");
    found.map(|fact| fact.value.clone()).ok_or_else(|| match seen.map(|seen| seen.status) {
        Some(Status::Unknown { why, origin }) => {
            let why = with_origin(&why, origin.as_deref());
            Error::failed(format!("the address of the WebSocket cannot be read: {why}"), session.again("status"))
        }
        None | Some(Status::Absent) => Error::failed("the deployment has no WebSocket yet", session.again("up")),
        Some(status) => {
            let why = show::words(&status);
            Error::failed(format!("the deployment has no WebSocket yet; its load balancer is {why}"), session.again("up"))
        }
    })
}
