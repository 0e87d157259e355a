//! `--dry-run`: what would be asked for, and what S3 charges for it.

use indicatif::DecimalBytes;
use serde_json::json;

use super::super::Session;
use super::batch;
use super::results::{Index, Meeting};
use super::sources::{Counts, Finder, Kind, Location, Skip, Source};
use crate::cloud::Cloud;
use crate::cost;
use crate::error::Error;
use crate::report::show;

pub(super) async fn run(session: &Session, finder: Finder, sources: Vec<Source>, cloud: Option<&Cloud>) -> Result<(), Error> {
    let seen = finder.seen.clone();
    let mut found = finder.start(sources);
    // Each image that is an object is read once by the gateway, each such video once by us.
    let (mut gets, mut downloaded, mut bytes) = (0, 0, 0);
    let mut index = Index::new();
    loop {
        let one = tokio::select! {
            () = session.cancel.cancelled() => return Err(Error::unchanged()),
            one = found.recv() => one,
        };
        let Some(one) = one else { break };
        if index.meet(&one.item) == Meeting::Twice {
            seen.skip_found(one.kind, Skip::Twice);
            continue;
        }
        bytes += one.bytes;
        if matches!(one.location, Location::Object { .. }) {
            gets += 1;
            downloaded += if one.kind == Kind::Video { one.bytes } else { 0 };
        }
    }
    let counts = seen.counts();
    let cost = cost::S3 { lists: counts.lists, gets, downloaded };
    tell(session, &counts, bytes, &cost, cloud);
    let problems = batch::problems(&counts);
    if problems.is_empty() { Ok(()) } else { Err(Error::failed(problems.join("\n  "), "name other sources")) }
}

fn tell(session: &Session, counts: &Counts, bytes: u64, cost: &cost::S3, cloud: Option<&Cloud>) {
    let skipped = batch::skipped(counts);
    if session.json() {
        show::json(&json!({
            "images": counts.images, "videos": counts.videos, "bytes": bytes, "skipped": skipped, "problems": counts.problems,
            "s3": cost.json(),
        }));
        return;
    }
    show::line(format!("{} images and {} videos, {}", counts.images, counts.videos, DecimalBytes(bytes)));
    skipped.iter().for_each(|(why, count)| show::line(format!("skipped: {count} ({why})")));
    if cost.lists + cost.gets > 0 {
        show::line(cost.line(cloud.map_or(cost::PRICED_IN, |cloud| &cloud.aws.region)));
    }
}
