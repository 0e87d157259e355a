//! Photographs: what the gateway costs beside the work that anybody would have.

use futures::future::LocalBoxFuture;
use tritondeploy_gateway::image::Quality;

use super::{Bar, Found, Table, Verdict};
use crate::compare::{Arm, Length, alternate};
use crate::failure::Failure;
use crate::models::NULL;
use crate::native::{Pixels, References};
use crate::path::v0;
use crate::path::v1::{self, Request};
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

/// JPEGs in the message, bit for bit as v0 reads them.
pub(super) fn exact(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(jpeg(world, length, Quality::Exact, "exact", 1.10))
}

/// JPEGs in the message, decoded at a fraction of their size.
pub(super) fn fast(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(jpeg(world, length, Quality::Fast, "fast", 1.25))
}

async fn jpeg(world: &mut World, length: Length, quality: Quality, word: &str, bar: f64) -> Result<Found, Failure> {
    let (ports, watched) = (world.ports, world.watched());
    let requests = Request::photos(&world.photos, &NULL, quality)?;
    let mut arms = [
        Arm::new("v1, the JPEG in the message", v1::clients(ports.gateway, requests, CLIENTS).await?),
        Arm::new("loop: decode, resize, write", Pixels::new(&world.photos, quality)),
    ];
    let arms = alternate(&mut arms, length, &watched).await?;
    let verdict = Verdict {
        what: format!("v1, JPEG, top 5, {word}: gateway CPU by the loop's"),
        found: arms[0].cpu_over(Role::Gateway, &arms[1], Role::Tool),
        unit: "",
        bar: Bar::AtMost(bar),
    };
    Ok(Found { arms: vec![Table { clients: CLIENTS, arms }], verdicts: vec![verdict], notes: Vec::new() })
}
