//! Connections that say nothing.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep_until};

use super::{Bar, Found, Verdict};
use crate::compare::Length;
use crate::failure::Failure;
use crate::models::NULL_1M;
use crate::path::v1::{Request, greeted, read};
use crate::processor::Resident;
use crate::socket::Socket;
use crate::statistics::Estimate;
use crate::world::World;

/// As many as the gateway takes by default.
const CONNECTIONS: usize = 10_000;

/// After the last exchange.
const SILENCE: Duration = Duration::from_secs(60);

/// Being opened at once.
const AT_ONCE: usize = 8;

/// Memory for each of the connections, each after one exchange of 1 MiB and a minute of silence.
pub(super) fn run(world: &mut World, _: Length) -> LocalBoxFuture<'_, Result<Found, Failure>> {
    Box::pin(async move {
        let (gateway, pid) = (world.ports.gateway, world.gateway_pid());
        let empty = Resident::of(pid)?;
        let requests = Request::tensors(&NULL_1M);
        let messages: Vec<_> =
            requests.iter().enumerate().map(|(n, request)| request.message(n as u64)).collect::<Result<_, _>>()?;
        let opened = stream::iter(0..CONNECTIONS).map(|number| {
            let number = number % requests.len();
            let ((opcode, message), request) = (&messages[number], &requests[number]);
            async move {
                let mut socket = greeted(gateway).await?;
                socket.send(*opcode, message).await?;
                exchanged(&mut socket, request).await?;
                socket.shrink();
                // Answers pings from now on, until the row ends.
                Ok::<_, Failure>(tokio::spawn(async move { socket.receive().await.map(drop) }))
            }
        });
        let listening: Vec<_> = opened.buffer_unordered(AT_ONCE).try_collect().await?;
        let busy = Resident::of(pid)?;
        sleep_until(Instant::now() + SILENCE).await;
        world.watch_over()?;
        let idle = Resident::of(pid)?;
        let lost = listening.iter().filter(|task| task.is_finished()).count();
        listening.iter().for_each(tokio::task::JoinHandle::abort);
        if lost > 0 {
            return Err(Failure(format!(
                "{lost} of {CONNECTIONS} connections were lost, or heard something, in a minute of silence"
            )));
        }
        let each = (idle.all() as f64 - empty.all() as f64) / CONNECTIONS as f64 / 1024.0;
        let mib = |resident: Resident| format!("{:.1} MiB ({:.1} its own)", mib(resident.all()), mib(resident.own));
        Ok(Found {
            verdicts: vec![Verdict {
                what: "resident memory of an idle connection".to_owned(),
                found: Estimate { value: each, low: each, high: each },
                unit: "KiB",
                bar: Bar::AtMost(20.0),
            }],
            notes: vec![format!(
                "The gateway holds {} when empty, {} right after {CONNECTIONS} connections had one exchange of 1 MiB each, {} a minute later.",
                mib(empty),
                mib(busy),
                mib(idle)
            )],
            ..Found::default()
        })
    })
}

async fn exchanged(socket: &mut Socket, request: &Request) -> Result<(), Failure> {
    use tritondeploy_wire::v1::ServerMessage;
    let message = socket.receive().await?;
    match read(&message)? {
        (ServerMessage::Result(answer), parts) => {
            request.differs(&answer, &parts).map_or(Ok(()), |what| Err(Failure(format!("answered wrongly: {what}"))))
        }
        (other, _) => Err(Failure(format!("answered with {other:?}"))),
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
