//! `infer`: images and videos through the deployment's public WebSocket.

pub(super) mod address;
mod batch;
mod connect;
mod dry_run;
mod report;
mod results;
mod run;
mod single;
mod sources;
mod told;
mod video;

use super::Session;
use super::target::Target;
use crate::cli::Infer;
use crate::error::Error;
use crate::report::stop_when_closed;

pub(super) async fn run(session: &Session, infer: Infer) -> Result<(), Error> {
    stop_when_closed(&session.cancel);
    if let Some(url) = &infer.url {
        Target::parse(url)?;
    }
    match single::named(&infer) {
        Some(image) => single::run(session, &infer, image).await,
        None => batch::run(session, infer).await,
    }
}
