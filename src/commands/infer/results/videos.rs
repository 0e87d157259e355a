//! `batch_summary_*.csv`: a row for each video that is through, with the columns that scripts know.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::record::{Record, Video};
use super::{Results, files, plain, table};
use crate::report::videos::Totals;

/// Beside the folder of images' results.
const FOLDER: &str = "video_inference_results";

const COLUMNS: [&str; 7] =
    ["video_key", "status", "frames_processed", "successful_frames", "failed_frames", "processing_time", "error_message"];

/// Videos of a run, and of the runs that it went on with.
#[derive(Clone, Debug, Default)]
pub(crate) struct VideoTally {
    pub(crate) totals: Totals,
    /// Videos and frames that `--resume` asks for again.
    pub(crate) retryable: u64,
    /// The CSV, where there is any video.
    pub(crate) csv: Option<PathBuf>,
}

/// Where it goes, by the folder of images' results.
pub(super) fn path(folder: &Path, stamp: &str) -> PathBuf {
    let beside = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == files::FOLDER));
    beside.map_or(folder.to_owned(), |output| output.join(FOLDER)).join(format!("batch_summary_{stamp}.csv"))
}

/// Writes it, unless there is no video.
///
/// # Errors
/// When the journal cannot be read, or the file not be written.
pub(super) fn write(results: &Results, path: &Path) -> io::Result<VideoTally> {
    let mut any = false;
    results.each(|record| {
        any |= matches!(record, Record::Video(_));
        Ok(())
    })?;
    if !any {
        return Ok(VideoTally::default());
    }
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    let tally = table::whole(path, |file| rows(results, file))?;
    Ok(VideoTally { csv: Some(path.to_owned()), ..tally })
}

fn rows(results: &Results, file: &File) -> io::Result<VideoTally> {
    let mut table = table::writer(file);
    table.write_record(COLUMNS)?;
    let mut tally = VideoTally::default();
    results.each(|record| {
        if let Record::Video(video) = record {
            table.write_record(row(&video))?;
            tally.add(&video);
        }
        Ok(())
    })?;
    table.flush()?;
    Ok(tally)
}

fn row(video: &Video) -> [String; 7] {
    let Video { item, frames, failed, seconds, error, .. } = video;
    let status = if video.is_success() { "success" } else { "failed" };
    let message = error.as_ref().map(|error| plain::text(&error.message)).unwrap_or_default();
    let message = if message.is_empty() && *failed > 0 { format!("{failed} frames have no answer") } else { message };
    [
        plain::key(&item.uri).to_owned(),
        status.to_owned(),
        frames.to_string(),
        (frames - failed.min(frames)).to_string(),
        failed.to_string(),
        format!("{seconds:.6}"),
        message,
    ]
}

impl VideoTally {
    fn add(&mut self, video: &Video) {
        let is_failed = !video.is_success();
        self.totals.videos += 1;
        self.totals.failed += u64::from(is_failed);
        self.totals.partly += u64::from(!is_failed && video.error.is_some());
        self.totals.frames += video.frames;
        self.totals.failed_frames += video.failed;
        self.retryable += u64::from(video.error.as_ref().is_some_and(|error| error.retryable));
    }
}
