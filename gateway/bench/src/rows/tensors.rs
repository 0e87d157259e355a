//! Tensors over protocol v1, against Triton itself.

use futures::future::LocalBoxFuture;

use super::{Bar, Found, Table, Verdict};
use crate::compare::{Arm, Length, alternate};
use crate::failure::Failure;
use crate::floor::Floor;
use crate::models::{NULL, NULL_4K, SLEEP};
use crate::path::direct::{self, Region};
use crate::path::v1::{self, Request};
use crate::statistics::Estimate;
use crate::world::World;

/// What the gateway may add to a round trip, in microseconds.
const ADDED: f64 = 150.0;

/// With a model that costs nothing, all that is measured is the way to it. The bar is on large tensors and busy
/// processors: one client alone waits for each answer, which is what latency is about.
pub(super) fn throughput(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut found = Found::default();
        for (model, size) in [(NULL, "602 KB"), (NULL_4K, "4 KiB")] {
            for clients in [1, 4, 16] {
                let mut arms = [
                    Arm::new("v1", v1::clients(ports.gateway, Request::tensors(&model), clients).await?),
                    Arm::new("direct, inline", direct::inline(ports.triton_grpc, &model, clients).await?),
                ];
                let arms = alternate(&mut arms, length, &watched).await?;
                let mut ratio = arms[0].rate_over(&arms[1]);
                // Direct is whichever client of gRPC is quicker.
                if let Some(perf_analyzer) = world.perf_analyzer() {
                    let rate = perf_analyzer.rate(ports.triton_grpc, &model, clients).await?;
                    let better = (rate / arms[1].rate()).max(1.0);
                    ratio = Estimate { value: ratio.value / better, low: ratio.low / better, high: ratio.high / better };
                    found.notes.push(format!("perf_analyzer, inline, {size}, c={clients}: {rate:.0} answers/s."));
                }
                found.verdicts.push(Verdict {
                    what: format!("v1 tensors of {size}, null model, c={clients}: throughput by direct inline gRPC"),
                    found: ratio,
                    unit: "",
                    bar: if model == NULL && clients > 1 { Bar::LowAtLeast(0.97) } else { Bar::None },
                });
                found.arms.push(Table { clients, arms });
            }
        }
        Ok(found)
    })
}

/// Against shared memory, where direct moves nothing; what a WebSocket must move at the least is measured beside it.
pub(super) fn latency(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut found = Found::default();
        for (model, size) in [(NULL_4K, "4 KiB"), (NULL, "602 KB")] {
            let region = Region::new(ports.triton_http, &model)?;
            let mut arms = vec![
                Arm::new("v1", v1::clients(ports.gateway, Request::tensors(&model), 1).await?),
                Arm::new("direct, shared memory", direct::shared(ports.triton_grpc, &model, &region, 1).await?),
            ];
            if model == NULL {
                arms.push(Arm::new("floor: mask, loopback, unmask", Floor::new(model.numbers())?));
            }
            let arms = alternate(&mut arms, length, &watched).await?;
            let what = format!("v1 tensors of {size}, null model, c=1: p50 added to direct shared memory");
            let (mut added, mut what) = (arms[0].added(&arms[1]), what);
            if let Some(floor) = arms.get(2) {
                found.notes.push(format!(
                    "Added p50 with the floor in it: {:.0} us; the floor: {} us.",
                    added.value,
                    floor.p50().as_micros()
                ));
                added = arms[0].added_over(&arms[1], floor);
                what += ", less the floor";
            }
            found.verdicts.push(Verdict { what, found: added, unit: "us", bar: Bar::AtMost(ADDED) });
            found.arms.push(Table { clients: 1, arms });
        }
        Ok(found)
    })
}

/// With a model that takes its time.
pub(super) fn sleep(world: &mut World, length: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (ports, watched) = (world.ports, world.watched());
        let mut found = Found::default();
        for clients in [1, 4, 16] {
            let mut arms = [
                Arm::new("v1", v1::clients(ports.gateway, Request::tensors(&SLEEP), clients).await?),
                Arm::new("direct, inline", direct::inline(ports.triton_grpc, &SLEEP, clients).await?),
            ];
            let arms = alternate(&mut arms, length, &watched).await?;
            let what = format!("v1, sleeping model, c={clients}");
            found.verdicts.push(match clients {
                1 => {
                    let found = arms[0].added(&arms[1]);
                    Verdict { what: format!("{what}: added p50"), found, unit: "us", bar: Bar::AtMost(250.0) }
                }
                _ => {
                    let found = arms[0].rate_over(&arms[1]);
                    Verdict { what: format!("{what}: throughput by direct"), found, unit: "", bar: Bar::AtLeast(0.98) }
                }
            });
            found.arms.push(Table { clients, arms });
        }
        Ok(found)
    })
}
