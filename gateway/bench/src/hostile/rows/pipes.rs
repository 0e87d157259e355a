//! Connections of v0 that always have as much in flight as one may.

use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;
use tritondeploy_wire::v0::{Object, Request};

use super::bombs::framed;
use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::hostile::PHOTOS;
use crate::hostile::attack::{Attack, Protocol};
use crate::world::key;

const CONNECTIONS: usize = 70;

/// Requests without an answer on each.
const PIPELINED: usize = 16;

/// After a connection that has ended.
const PAUSE: Duration = Duration::from_millis(200);

/// Photographs by reference, as users ask for them.
pub(super) fn run(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(async move {
        let frames: Vec<Vec<u8>> = (0..PHOTOS)
            .map(|number| {
                let request = Request::Pipelines(Object { bucket: attack.bucket.clone(), key: key(number) });
                let text = request.to_json().doing("writing a request")?;
                Ok(framed(attack.seed, Opcode::Text, text.as_bytes()))
            })
            .collect::<Result<_, Failure>>()?;
        attack.begin();
        let all: FuturesUnordered<_> = (0..CONNECTIONS).map(|number| pipe(attack, &frames, number)).collect();
        all.collect::<Vec<()>>().await;
        Ok(())
    })
}

/// Each answer is followed by another request.
async fn pipe(attack: &Attack, frames: &[Vec<u8>], number: usize) {
    let mut frames = frames.iter().cycle().skip(number % frames.len());
    loop {
        if let Some(mut socket) = attack.connect(Protocol::V0, None).await {
            let mut open = true;
            for frame in frames.by_ref().take(PIPELINED) {
                open = open && attack.send(&mut socket.writer, frame).await;
            }
            while open && attack.answered(&mut socket.reader, Protocol::V0).await {
                if let Some(frame) = frames.next() {
                    open = attack.send(&mut socket.writer, frame).await;
                }
            }
        }
        sleep(PAUSE).await;
    }
}
