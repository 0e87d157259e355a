//! Tensors: what Triton does by itself, and what protocol v0 adds.

use futures::future::LocalBoxFuture;

use super::{Bar, Found, Table, Verdict};
use crate::compare::{Arm, Length, alternate};
use crate::failure::Failure;
use crate::floor::Floor;
use crate::models::{NULL, NULL_4K, SLEEP};
use crate::path::direct::{self, Region};
use crate::path::v0;
use crate::world::World;

/// Triton alone; the floor of a WebSocket beside it.
pub(super) fn direct(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut found = Found::default();
        for model in [NULL, NULL_4K] {
            let region = Region::new(ports.triton_http, &model)?;
            let mut arms = vec![
                Arm::new(
                    if model == NULL { "inline, 602 KB" } else { "inline, 4 KiB" },
                    direct::inline(ports.triton_grpc, &model, 1).await?,
                ),
                Arm::new(
                    if model == NULL { "shared memory, 602 KB" } else { "shared memory, 4 KiB" },
                    direct::shared(ports.triton_grpc, &model, &region, 1).await?,
                ),
            ];
            if model == NULL {
                arms.push(Arm::new("floor: mask, loopback, unmask of 602 KB", Floor::new(model.numbers())?));
            }
            found.arms.push(Table { clients: 1, arms: alternate(&mut arms, length, &watched).await? });
        }
        Ok(found)
    })
}

/// Lists of numbers are what v0 has for tensors.
pub(super) fn v0_tensors(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut arms = [
            Arm::new("v0, JSON, 602 KB", v0::tensors(ports.gateway, &NULL, 1).await?),
            Arm::new("direct, inline, 602 KB", direct::inline(ports.triton_grpc, &NULL, 1).await?),
        ];
        let arms = alternate(&mut arms, length, &watched).await?;
        let added = arms[0].added(&arms[1]);
        let verdict = Verdict { what: "v0 JSON tensors, 602 KB: added p50".to_owned(), found: added, unit: "us", bar: Bar::None };
        Ok(Found { arms: vec![Table { clients: 1, arms }], verdicts: vec![verdict], notes: Vec::new() })
    })
}

/// What a model of the usual speed makes of v0's overhead.
pub(super) fn v0_sleep(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut found = Found::default();
        for clients in [1, 4, 16] {
            let mut arms = [
                Arm::new("v0, JSON, 4 KiB", v0::tensors(ports.gateway, &SLEEP, clients).await?),
                Arm::new("direct, inline, 4 KiB", direct::inline(ports.triton_grpc, &SLEEP, clients).await?),
            ];
            let arms = alternate(&mut arms, length, &watched).await?;
            let what = format!("v0, sleeping model, c={clients}");
            found.verdicts.push(match clients {
                1 => Verdict { what: format!("{what}: added p50"), found: arms[0].added(&arms[1]), unit: "us", bar: Bar::None },
                _ => Verdict {
                    what: format!("{what}: throughput by direct"),
                    found: arms[0].rate_over(&arms[1]),
                    unit: "",
                    bar: Bar::None,
                },
            });
            found.arms.push(Table { clients, arms });
        }
        Ok(found)
    })
}
