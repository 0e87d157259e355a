//! `inference_results_*.csv`: the columns that scripts know, in the order of the sources.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::record::{Answer, NO_RESULT, Record};
use super::{Results, Tally, plain};
use crate::replace::replace;

/// Writes it beside its place, and moves it there when it is whole.
///
/// # Errors
/// When the journal cannot be read, or the file not be written.
pub(super) fn write(results: &Results, path: &Path, aliases: &[String]) -> io::Result<Tally> {
    whole(path, |file| rows(results, file, aliases)).map(|tally| Tally { csv: path.to_owned(), ..tally })
}

/// A file that is there whole or not at all.
///
/// # Errors
/// What `write` ends with, or that the file cannot be made.
pub(crate) fn whole<T>(path: &Path, write: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    replace(path, Path::new(&beside), File::options().write(true).create(true).truncate(true), write)
}

/// A writer of the CSV files that Python's `csv` module writes, and reads.
pub(crate) fn writer(file: &File) -> csv::Writer<BufWriter<&File>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(BufWriter::new(file))
}

fn rows(results: &Results, file: &File, aliases: &[String]) -> io::Result<Tally> {
    let mut table = writer(file);
    let columns = aliases.iter().map(|alias| plain::text(alias));
    let columns = columns.flat_map(|alias| [format!("{alias}_top1_class"), format!("{alias}_top1_confidence")]);
    let head = ["image_key", "status"].map(str::to_owned).into_iter().chain(columns);
    table.write_record(head.chain(["processing_time".to_owned()]))?;
    let mut tally = Tally::default();
    results.each(|record| {
        let Record::Image(image) = record else { return Ok(()) };
        let answer = &image.answer;
        if answer.is_no_image() {
            tally.not_images += 1;
            return Ok(());
        }
        let mut row = vec![plain::key(&image.item.uri).to_owned(), String::new()];
        let mut is_whole = answer.is_success();
        for (at, alias) in aliases.iter().enumerate() {
            // In the order of the request; an older server's by their names.
            let named = || answer.results.iter().find(|outcome| outcome.alias == *alias);
            let outcome = answer.results.get(at).filter(|outcome| outcome.alias == *alias).or_else(named);
            let best = outcome.and_then(|outcome| outcome.top.first());
            is_whole &= best.is_some();
            row.push(best.map(|class| class.index.to_string()).unwrap_or_default());
            row.push(best.map(|class| class.score.to_string()).unwrap_or_default());
        }
        row[1] = if is_whole { "success" } else { "error" }.to_owned();
        tally.add(answer, is_whole);
        row.push(format!("{:.6}", answer.seconds));
        table.write_record(row)?;
        Ok(())
    })?;
    table.flush()?;
    Ok(tally)
}

impl Tally {
    /// `is_whole`: there is a result for each of the columns.
    fn add(&mut self, answer: &Answer, is_whole: bool) {
        self.total += 1;
        self.seconds += answer.seconds;
        if is_whole {
            self.successful += 1;
            return;
        }
        self.failed += 1;
        self.retryable += u64::from(!answer.is_final());
        let code = answer.failure().map_or(NO_RESULT, |failure| &failure.code);
        *self.codes.entry(code.to_owned()).or_default() += 1;
    }
}
