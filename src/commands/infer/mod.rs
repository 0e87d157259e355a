//! `infer`: images and videos through the deployment's public WebSocket.

pub(super) mod address;
mod batch;
mod dry_run;
mod report;
mod results;
mod run;
mod single;
mod sources;
mod told;
mod video;

use super::Start;
use crate::cli::Infer;
use crate::error::Error;

pub(super) async fn run(start: &Start, infer: Infer) -> Result<(), Error> {
    match single::named(&infer) {
        Some(image) => single::run(start, &infer, image).await,
        None => batch::run(start, infer).await,
    }
}
