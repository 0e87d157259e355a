//! Photographs: what the gateway costs beside the work that anybody would have.

use futures::future::LocalBoxFuture;

use super::{Bar, Found, Table, Verdict};
use crate::compare::{Arm, Length, alternate};
use crate::failure::Failure;
use crate::native::References;
use crate::path::v0;
use crate::processor::Role;
use crate::world::World;

/// As many as it takes to keep two processors busy.
const CLIENTS: usize = 4;

/// References of protocol v0 against a loop that does GetObject, the pixels and the JSON.
pub(super) fn v0(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut arms = [
            Arm::new("v0, by reference", v0::references(ports.gateway, &world.photos, CLIENTS).await?),
            Arm::new("loop: GetObject, pixels, JSON", References::new(ports.objects).await?),
        ];
        let arms = alternate(&mut arms, length, &watched).await?;
        let verdict = Verdict {
            what: "v0, JPEG by reference, both models: gateway CPU by the loop's".to_owned(),
            found: arms[0].cpu_over(Role::Gateway, &arms[1], Role::Tool),
            unit: "",
            bar: Bar::AtMost(1.25),
        };
        Ok(Found { arms: vec![Table { clients: CLIENTS, arms }], verdicts: vec![verdict], notes: Vec::new() })
    })
}
