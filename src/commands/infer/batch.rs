//! Many images and videos, or one whose results are to be kept.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tritondeploy_client::address_without_secrets;

use super::super::Session;
use super::results::record::Run;
use super::results::{Results, Tally, VideoTally};
use super::run::{self, Context, Ended, Question, Server};
use super::sources::{Counts, Finder, Seen, Source};
use super::video::{Able, Sampling, Videos};
use super::{connect, dry_run};
use crate::cli::{Infer, Protocol};
use crate::cloud::Cloud;
use crate::error::Error;
use crate::report::batch::{Batch, Summary};
use crate::report::show;
use crate::report::videos::Totals;
use crate::report::words::quoted;

pub(super) async fn run(session: &Session, infer: Infer) -> Result<(), Error> {
    let sampling = Sampling::new(infer.every, infer.fps)?;
    let mut sources = infer.sources.iter().map(|source| Source::parse(source)).collect::<Result<Vec<_>, _>>()?;
    if infer.protocol == Protocol::V0 && sources.iter().any(|source| matches!(source, Source::Path(_) | Source::Glob(_))) {
        let next = "put the files into the bucket's images/ and name s3://BUCKET/images/, or ask with protocol v1";
        return Err(Error::usage("protocol v0 cannot carry the bytes of a file: it takes objects of the bucket only", next));
    }
    if let Some(page) = &infer.report {
        super::report::check(page)?;
    }
    let output = infer.output.clone().unwrap_or_else(|| PathBuf::from("."));
    Results::check(&output, infer.resume.as_ref().and_then(Option::as_deref))?;
    let cloud = cloud(session, &infer, &sources).await?;
    let bucket = cloud.as_ref().map(|cloud| cloud.bucket());
    if let (true, Some(bucket)) = (sources.is_empty(), &bucket) {
        let below = |prefix: &&str| Source::Objects { bucket: bucket.clone(), prefix: (*prefix).to_owned() };
        // Protocol v0 has no way for a video's frames.
        let prefixes: &[&str] = if infer.protocol == Protocol::V0 { &["images/"] } else { &["images/", "videos/"] };
        sources = prefixes.iter().map(below).collect();
    }
    let seen = Arc::new(Seen::default());
    let s3 = cloud.as_ref().map(|cloud| cloud.aws.s3.clone());
    let finder = Finder { s3: s3.clone(), seen: seen.clone() };
    if infer.dry_run {
        return dry_run::run(session, finder, sources, cloud.as_deref()).await;
    }
    let (server, question) = connect::connect(session, &infer, cloud.as_ref()).await?;
    let found = finder.start(sources);
    let able = Able::check(infer.protocol);
    able.ready(&found, &seen, &session.cancel).await?;
    let asked = asked(&infer, &question, &server, sampling);
    let results = match &infer.resume {
        Some(named) => Results::resume(&output, named.as_deref(), asked)?,
        None => Results::create(&output, asked)?,
    };
    let report = Arc::new(Batch::start(session.mode, infer.quiet));
    let cancel = session.cancel.clone();
    let context = Context { server, results, seen, report, cancel, thumbnails: infer.report.is_some() };
    let mut videos = Videos::new(able, context.clone(), &infer, sampling, s3);
    let all = async {
        let ended = run::run(&context, found, &mut videos).await;
        // Also after a failure: what is under way ends by itself, or by the cancellation.
        let through = videos.end().await;
        ended.and_then(|ended| through.map(|videos| if ended == Ended::Whole { videos } else { ended }))
    };
    let ended = tokio::select! {
        ended = all => ended,
        never = context.results.sync() => match never {},
        never = ticks(&context) => match never {},
    };
    context.report.end();
    if context.results.is_empty() && context.seen.counts().is_nothing() {
        context.results.discard();
        return Err(nothing(&context, ended));
    }
    finish(session, &context, ended, infer.report.as_deref())
}

/// Nothing was found, and nothing is left of the run.
fn nothing(context: &Context, ended: Result<Ended, Error>) -> Error {
    let counts = context.seen.counts();
    let found = json!({"total": 0, "successful": 0, "failed": 0, "skipped": skipped(&counts)});
    match ended {
        Err(why) => why,
        Ok(Ended::Stopped) => Error::unchanged(),
        Ok(Ended::Whole | Ended::Silent) if counts.problems.is_empty() => {
            let skipped: u64 = counts.skipped.values().sum();
            let skipped = if skipped > 0 { format!(" ({skipped} skipped)") } else { String::new() };
            let why = format!("the sources have neither images nor videos{skipped}");
            Error::failed(why, "look at them with --dry-run, or name others").with(found)
        }
        Ok(Ended::Whole | Ended::Silent) => Error::failed(problems(&counts).join("\n  "), "name other sources").with(found),
    }
}

/// What could not be looked at.
pub(super) fn problems(counts: &Counts) -> Vec<String> {
    let more = (counts.more_problems > 0).then(|| format!("and {} more", counts.more_problems));
    counts.problems.iter().cloned().chain(more).collect()
}

/// What was passed over, by reason.
pub(super) fn skipped(counts: &Counts) -> BTreeMap<String, u64> {
    counts.skipped.iter().filter(|(_, count)| **count > 0).map(|(why, count)| (why.to_string(), *count)).collect()
}

/// Tells how far it is also where no answer comes.
async fn ticks(context: &Context) -> Infallible {
    loop {
        sleep(Duration::from_secs(1)).await;
        context.report.tick(context.server.owes_for());
    }
}

/// AWS, unless nothing needs it.
async fn cloud(session: &Session, infer: &Infer, sources: &[Source]) -> Result<Option<Arc<Cloud>>, Error> {
    let needs_address = infer.url.is_none() && !infer.dry_run;
    if needs_address || sources.is_empty() || sources.iter().any(Source::is_listed_by_s3) {
        return session.cloud("infer").await.map(Some);
    }
    connect::log(session)?;
    Ok(None)
}

fn asked(infer: &Infer, question: &Question, server: &Server, sampling: Sampling) -> Run {
    let protocol = if question.protocol == Protocol::V0 { "v0" } else { "v1" };
    Run {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: jiff::Timestamp::now().to_string(),
        // What follows a `?` may be a secret, and journals are shared.
        url: address_without_secrets(&question.url),
        protocol: protocol.to_owned(),
        models: question.models.clone(),
        aliases: server.aliases(),
        top: question.top,
        sources: infer.sources.clone(),
        sampling: sampling.to_string(),
    }
}

/// The CSV of what there is, the page where one is wanted, the summary, and how it ended.
fn finish(session: &Session, context: &Context, ended: Result<Ended, Error>, page: Option<&Path>) -> Result<(), Error> {
    let finished = context.results.finish().and_then(|tally| Ok((tally, context.results.finish_videos()?)));
    let (tally, videos) = match (finished, &ended) {
        (Ok(tallies), _) => tallies,
        // What came first is the cause.
        (Err(why), Ok(_)) => return Err(why),
        (Err(_), Err(_)) => return ended.map(drop),
    };
    let counts = context.seen.counts();
    let mut summary = summary(context, &tally, &videos, &counts);
    let paged = page.map(|page| super::report::write(&context.results.journal(), page, summary.took));
    if let (Some(page), Some(Ok(_))) = (page, &paged) {
        summary.files.push(("report", page.display().to_string()));
    }
    context.report.summary(&summary);
    let found = summary.json();
    let ended = ended.and_then(|ended| paged.transpose().map(|_| ended)).map_err(|why| why.with(found.clone()))?;
    let resume = format!("the same command with --resume={}", quoted(&context.results.journal().display().to_string()));
    if ended == Ended::Stopped {
        let why = "stopped; what was answered is kept";
        return Err(Error::interrupted(why, resume).with(found));
    }
    let mut why = problems(&counts);
    if ended == Ended::Silent {
        let left = (counts.images + counts.videos).saturating_sub(tally.total + videos.totals.videos);
        let more = if counts.ended { "" } else { " or more" };
        why.push(format!("the server does not answer any more: {left}{more} of the images and videos were not asked for"));
    }
    if tally.failed > 0 {
        why.push(format!("{} of {} images failed; the reasons are in the journal", tally.failed, tally.total));
    }
    let Totals { videos: all, failed, partly, frames, failed_frames } = videos.totals;
    let (failed, partly) = (
        (failed > 0).then(|| format!("{failed} of {all} videos failed")),
        (partly > 0).then(|| format!("{partly} of {all} videos could be read only in part")),
    );
    why.extend(failed.into_iter().chain(partly).map(|words| format!("{words}; the reasons are in the CSV of videos")));
    if failed_frames > 0 {
        why.push(format!("{failed_frames} of {frames} frames have no answer; the reasons are in the journal"));
    }
    if !why.is_empty() {
        let is_worth_it = tally.retryable + videos.retryable > 0 || ended == Ended::Silent || !counts.problems.is_empty();
        let journal = quoted(&context.results.journal().display().to_string());
        let next = match is_worth_it {
            true => format!("{resume} asks again for what may succeed"),
            false => format!("read the reasons: grep '\"error\":' {journal}"),
        };
        return Err(Error::failed(why.join("\n  "), next).with(found));
    }
    if session.json() {
        show::json(&found);
    }
    Ok(())
}

fn summary(context: &Context, tally: &Tally, videos: &VideoTally, counts: &Counts) -> Summary {
    let mut files = vec![("csv", tally.csv.display().to_string()), ("journal", context.results.journal().display().to_string())];
    files.extend(videos.csv.iter().map(|csv| ("video_csv", csv.display().to_string())));
    Summary {
        videos: videos.totals,
        total: tally.total,
        successful: tally.successful,
        failed: tally.failed,
        codes: tally.codes.clone(),
        skipped: skipped(counts).into_iter().collect(),
        took: context.report.elapsed(),
        asked: context.report.asked(),
        files,
    }
}
