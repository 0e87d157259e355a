//! What was found, for people: on the terminal as it comes, and as docs/benchmarks.md.

mod machine;
mod markdown;
mod plot;

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::compare::{Blocks, Length};
use crate::failure::{Doing, Failure};
use crate::processor::Role;
use crate::rows::{Bar, Found, Row, Table, Verdict};

/// Everything found.
pub(crate) struct Report {
    length: Length,
    rows: Vec<(&'static str, Result<Found, Failure>)>,
}

/// The one place that prints.
#[allow(clippy::print_stdout, reason = "what the tool is for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

impl Report {
    pub(crate) fn new(length: Length) -> Self {
        Self { length, rows: Vec::new() }
    }

    /// Takes a row, and tells it.
    pub(crate) fn add(&mut self, row: &'static Row, found: Result<Found, Failure>) {
        match &found {
            Ok(found) => {
                found.arms.iter().for_each(|table| say(&arms(table)));
                found.notes.iter().for_each(|note| say(&format!("{note}\n")));
                found.verdicts.iter().for_each(|verdict| say(&told(verdict)));
            }
            Err(why) => say(&format!("not measured: {why}")),
        }
        self.rows.push((row.title, found));
    }

    /// Whether every row could be measured. Whether bars are met is another question.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows.iter().all(|(_, found)| found.is_ok())
    }

    /// Writes the page and its plot.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let file = folder.join("benchmarks.md");
        let walks = markdown::of_walks(&fs::read_to_string(&file).unwrap_or_default()).to_owned();
        let page = markdown::page(self, &machine::describe()) + &walks;
        fs::write(file, page).doing("writing the report")?;
        fs::write(folder.join("benchmarks.svg"), plot::verdicts(&self.verdicts())).doing("writing the plot")
    }

    fn verdicts(&self) -> Vec<&Verdict> {
        self.rows.iter().filter_map(|(_, found)| found.as_ref().ok()).flat_map(|found| &found.verdicts).collect()
    }
}

fn told(verdict: &Verdict) -> String {
    let met = verdict.met().map_or("", |met| if met { "MET" } else { "MISSED" });
    format!("  {}: {} [{}] {met}", verdict.what, value(verdict), bar(verdict))
}

/// The figure with its interval.
fn value(verdict: &Verdict) -> String {
    let Verdict { found, unit, .. } = verdict;
    let digits = digits(found.value);
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    if found.low == found.high {
        return format!("{:.digits$}{unit}", found.value);
    }
    format!("{:.digits$} ({:.digits$} to {:.digits$}){unit}", found.value, found.low, found.high)
}

fn bar(verdict: &Verdict) -> String {
    let number = |bar: f64| format!("{bar:.0$}", if bar < 10.0 { 2 } else { 0 });
    match verdict.bar {
        Bar::AtMost(bar) => format!("at most {}", number(bar)),
        Bar::AtLeast(bar) => format!("at least {}", number(bar)),
        Bar::LowAtLeast(bar) => format!("lower end at least {}", number(bar)),
        Bar::None => "no bar".to_owned(),
    }
}

fn digits(value: f64) -> usize {
    match value.abs() {
        small if small < 10.0 => 3,
        middling if middling < 100.0 => 1,
        _ => 0,
    }
}

/// One table of sides, as Markdown.
fn arms(table: &Table) -> String {
    let mut text = format!(
        "| c={} | answers/s | p50 us | p99 us | CPU us: gateway | Triton | objects | tool | samples | others' CPUs |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        table.clients
    );
    table.arms.iter().for_each(|arm| text.push_str(&line(arm)));
    text
}

fn line(arm: &Blocks) -> String {
    let micros = |time: Duration| format!("{}", time.as_micros());
    let p99 = arm.p99().map_or("-".to_owned(), micros);
    let cpu = |role| format!("{:.0}", arm.cpu(role));
    let cells = [
        arm.name.to_owned(),
        format!("{:.0}", arm.rate()),
        micros(arm.p50()),
        p99,
        cpu(Role::Gateway),
        cpu(Role::Triton),
        cpu(Role::Objects),
        cpu(Role::Tool),
        arm.samples().to_string(),
        format!("{:.2}", arm.others()),
    ];
    format!("| {} |\n", cells.join(" | "))
}
