//! `--dry-run`: what would be asked for, and what S3 charges for it.

use serde_json::json;

use super::super::Start;
use super::sources::{Counts, Finder, Kind, Location, Source};
use crate::cloud::Cloud;
use crate::cost;
use crate::error::Error;
use crate::report::show;

pub(super) async fn run(start: &Start, finder: Finder, sources: Vec<Source>, cloud: Option<&Cloud>) -> Result<(), Error> {
    let seen = finder.seen.clone();
    let mut found = finder.start(sources);
    // Each image that is an object is read once by the gateway, each such video once by us.
    let (mut gets, mut downloaded) = (0, 0);
    loop {
        let one = tokio::select! {
            () = start.cancel.cancelled() => return Err(Error::unchanged()),
            one = found.recv() => one,
        };
        let Some(one) = one else { break };
        if matches!(one.location, Location::Object { .. }) {
            gets += 1;
            downloaded += if one.kind == Kind::Video { one.bytes } else { 0 };
        }
    }
    let counts = seen.counts();
    let cost = cost::S3 { lists: counts.lists, gets, downloaded };
    tell(start, &counts, &cost, cloud)?;
    let mut problems = counts.problems;
    if counts.more_problems > 0 {
        problems.push(format!("and {} more", counts.more_problems));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::failed(problems.join("\n  "), "name other sources")) }
}

fn tell(start: &Start, counts: &Counts, cost: &cost::S3, cloud: Option<&Cloud>) -> Result<(), Error> {
    let skipped: serde_json::Map<_, _> = counts.skipped.iter().map(|(why, count)| (why.to_string(), (*count).into())).collect();
    if start.json() {
        show::json(&json!({
            "images": counts.images, "videos": counts.videos, "bytes": counts.bytes, "skipped": skipped, "problems": counts.problems,
            "s3": cost.json(),
        }));
        return Ok(());
    }
    show::line(format!("{} images and {} videos, {} bytes", counts.images, counts.videos, counts.bytes));
    skipped.iter().for_each(|(why, count)| show::line(format!("skipped: {count} ({why})")));
    show::line(cost.line(cloud.map_or(cost::PRICED_IN, |cloud| &cloud.aws.region)));
    Ok(())
}
