//! Many images and videos, or one whose results are to be kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::{Start, log};
use super::results::record::Run;
use super::results::{Results, Tally, VideoTally};
use super::run::{self, Context, Ended, Meaning, Question, Server};
use super::sources::{Counts, Finder, Seen, Source};
use super::video::{Able, Sampling, Videos};
use super::{address, dry_run};
use crate::cli::{Infer, Protocol};
use crate::cloud::Cloud;
use crate::config::{Config, Scores};
use crate::error::Error;
use crate::report::batch::{Batch, Summary};
use crate::report::show;
use crate::report::videos::Totals;

pub(super) async fn run(start: &Start, infer: Infer) -> Result<(), Error> {
    let sampling = Sampling::new(infer.every, infer.fps)?;
    let mut sources = infer.sources.iter().map(|source| Source::parse(source)).collect::<Result<Vec<_>, _>>()?;
    if infer.protocol == Protocol::V0 && sources.iter().any(|source| matches!(source, Source::Path(_) | Source::Glob(_))) {
        let next = "put the files into the bucket's images/ and name s3://BUCKET/images/, or ask with protocol v1";
        return Err(Error::usage("protocol v0 has no way for the bytes of a file: it takes objects of the bucket only", next));
    }
    if let Some(page) = &infer.report {
        super::report::check(page)?;
    }
    let cloud = cloud(start, &infer, &sources).await?;
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
        return dry_run::run(start, finder, sources, cloud.as_deref()).await;
    }
    let url = match (&infer.url, &cloud) {
        (Some(url), _) => url.clone(),
        (None, Some(cloud)) => address::of(start, cloud).await?,
        (None, None) => return Err(Error::usage("there is no server to ask", "name one with --url")),
    };
    let meanings = meanings(&config(start, cloud.as_deref())?);
    let Infer { models, top, concurrency, protocol, .. } = &infer;
    let question =
        Question { url, protocol: *protocol, models: models.clone(), top: *top, concurrency: *concurrency, bucket, meanings };
    let next = start.again("status");
    let server = tokio::select! {
        server = Server::connect(question.clone(), start.cancel.clone(), &next) => server?,
        () = start.cancel.cancelled() => return Err(Error::unchanged()),
    };
    let found = finder.start(sources);
    let able = Able::check(infer.protocol);
    able.ready(&found, &seen, &start.cancel).await?;
    let asked = asked(&infer, &question, &server, sampling);
    let output = infer.output.clone().unwrap_or_else(|| PathBuf::from("."));
    let results = match &infer.resume {
        Some(named) => Results::resume(&output, named.as_deref(), asked)?,
        None => Results::create(&output, asked)?,
    };
    let report = Arc::new(Batch::start(start.mode, infer.quiet));
    let cancel = start.cancel.clone();
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
    };
    context.report.end();
    finish(start, &context, ended, infer.report.as_deref())
}

/// AWS, unless nothing needs it.
async fn cloud(start: &Start, infer: &Infer, sources: &[Source]) -> Result<Option<Arc<Cloud>>, Error> {
    let needs_address = infer.url.is_none() && !infer.dry_run;
    if needs_address || sources.is_empty() || sources.iter().any(Source::is_listed_by_s3) {
        return start.cloud("infer").await.map(Some);
    }
    log(start)?;
    Ok(None)
}

/// The log file, where no AWS is needed.
pub(super) fn log(start: &Start) -> Result<(), Error> {
    log::open(start.log.as_deref(), &start.config()?.name, "infer")
}

fn config(start: &Start, cloud: Option<&Cloud>) -> Result<Config, Error> {
    cloud.map_or_else(|| start.config(), |cloud| Ok(cloud.config.clone()))
}

/// What the configuration and the local model repository tell of the models, which protocol v0 does not.
fn meanings(config: &Config) -> Vec<Meaning> {
    let meaning = |alias: &str, model: &str, scores: Scores, is_in_pipeline: bool| {
        let labels = std::fs::read_to_string(config.models.directory.join(model).join("labels.txt")).unwrap_or_default();
        Meaning {
            is_in_pipeline,
            alias: alias.to_owned(),
            model: model.to_owned(),
            are_probabilities: scores == Scores::Probabilities,
            labels: labels.lines().map(str::to_owned).collect(),
        }
    };
    let pipeline = config.pipeline.iter().map(|known| meaning(&known.alias, &known.model, known.scores, true));
    let proof = config.proof.model.iter().map(|model| meaning(model, model, config.proof.scores, false));
    pipeline.chain(proof).collect()
}

fn asked(infer: &Infer, question: &Question, server: &Server, sampling: Sampling) -> Run {
    let protocol = if question.protocol == Protocol::V0 { "v0" } else { "v1" };
    Run {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: jiff::Timestamp::now().to_string(),
        url: question.url.clone(),
        protocol: protocol.to_owned(),
        models: question.models.clone(),
        aliases: server.aliases(),
        top: question.top,
        sources: infer.sources.clone(),
        sampling: sampling.to_string(),
    }
}

/// The CSV of what there is, the page where one is wanted, the summary, and how it ended.
fn finish(start: &Start, context: &Context, ended: Result<Ended, Error>, page: Option<&Path>) -> Result<(), Error> {
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
    let resume = format!("the same command with --resume={}", context.results.journal().display());
    if ended == Ended::Stopped {
        let why = "stopped; what was answered is kept";
        return Err(Error::Interrupted { why, exists: Vec::new(), next: resume, found: Box::new(found) });
    }
    let mut why = counts.problems.clone();
    if counts.more_problems > 0 {
        why.push(format!("and {} more", counts.more_problems));
    }
    if ended == Ended::Silent {
        why.push("the server does not answer any more: not everything was asked for".to_owned());
    }
    if tally.failed > 0 {
        why.push(format!("{} of {} images failed; the reasons are in the journal", tally.failed, tally.total));
    }
    let Totals { videos: all, failed, partly, frames, failed_frames } = videos.totals;
    if failed + partly > 0 {
        why.push(format!("{failed} of {all} videos failed, and {partly} could be read only in part; the reasons are in the CSV"));
    }
    if failed_frames > 0 {
        why.push(format!("{failed_frames} of {frames} frames have no answer; the reasons are in the journal"));
    }
    if counts.images + counts.videos == 0 && why.is_empty() {
        let why = "the sources have neither images nor videos";
        return Err(Error::failed(why, "look at them with --dry-run, or name others").with(found));
    }
    if !why.is_empty() {
        let is_worth_it = tally.retryable + videos.retryable > 0 || ended == Ended::Silent || !counts.problems.is_empty();
        let next = if is_worth_it { format!("{resume} asks again for what may succeed") } else { String::new() };
        return Err(Error::failed(why.join("\n  "), next).with(found));
    }
    if start.json() {
        show::json(&found);
    }
    Ok(())
}

fn summary(context: &Context, tally: &Tally, videos: &VideoTally, counts: &Counts) -> Summary {
    let mut skipped: Vec<(String, u64)> = counts.skipped.iter().map(|(why, count)| (why.to_string(), *count)).collect();
    skipped.retain(|(_, count)| *count > 0);
    let mut files = vec![("csv", tally.csv.display().to_string()), ("journal", context.results.journal().display().to_string())];
    files.extend(videos.csv.iter().map(|csv| ("video_csv", csv.display().to_string())));
    Summary {
        videos: videos.totals,
        total: tally.total,
        successful: tally.successful,
        failed: tally.failed,
        codes: tally.codes.clone(),
        skipped,
        took: context.report.elapsed(),
        asked: context.report.asked(),
        files,
    }
}
