//! What was found: on the terminal, and as a section of docs/benchmarks.md, which the gateway's report keeps.

use std::fmt::Write;
use std::fs;
use std::path::Path as Folder;

use crate::figures::{Row, number};
use crate::graphs::Took;
use crate::life::{Life, Run, Walked};
use crate::path::{Path, Step};

const ABOUT: &str = include_str!("about.md");
/// Around the section, in the page of both.
const BEGIN: &str = "<!-- walks: written by make bench-walks -->\n";
const END: &str = "<!-- end of walks -->\n";
/// Gaps that are told of each walk.
const GAPS: usize = 8;

/// The one place that prints.
#[allow(clippy::print_stdout, reason = "what the tool is for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

pub(crate) fn rows(rows: &[Row]) -> String {
    let mut text = "| what | found | bar | |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let met = row.met().map_or("", |met| if met { "met" } else { "**missed**" });
        let bar = row.bar.map_or_else(|| "no bar".to_owned(), |bar| format!("at most {bar}"));
        let unit = if row.unit.starts_with('%') { row.unit.to_owned() } else { format!(" {}", row.unit) };
        let range = row.range.map(|(low, high)| format!(" ({} to {})", digits(low), digits(high))).unwrap_or_default();
        let _ = writeln!(text, "| {} | {}{range}{} | {bar} | {met} |", row.what, digits(row.found), unit.trim_end());
    }
    text
}

fn digits(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.*}", if value.abs() < 10.0 { 2 } else { 1 }) }
}

/// Where the time of each walk went.
pub(crate) fn walks(lives: &[Life]) -> String {
    let mut text = "| walk | s | cloud works | our calls | idle: needs met to act | idle: done to seen | first look | idle |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for life in lives {
        for Walked { command, path } in [&life.up, &life.down] {
            let (sum, name) = (path.sum(), command.name);
            let parts = [path.wall, sum.cloud, sum.call, sum.to_act, sum.to_see, path.first_look];
            let parts = parts.map(|seconds| format!("{seconds:.2}")).join(" | ");
            let _ = writeln!(text, "| `{name}`, factor {} | {parts} | {:.1} % |", life.factor, path.idle_share() * 100.0);
        }
    }
    text
}

/// The path of one walk: each node by its largest gap.
pub(crate) fn gaps(path: &Path) -> String {
    let mut steps: Vec<&Step> = path.steps.iter().collect();
    steps.sort_by(|one, other| other.split.idle().total_cmp(&one.split.idle()));
    let mut text =
        "| node | s on the path | cloud works | our calls | needs met to act | done to seen |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for step in steps.into_iter().take(GAPS) {
        let parts = [step.took, step.split.cloud, step.split.call, step.split.to_act, step.split.to_see];
        let _ = writeln!(text, "| {} | {} |", step.node, parts.map(|seconds| format!("{seconds:.2}")).join(" | "));
    }
    let nodes: Vec<&str> = path.steps.iter().map(|step| step.node.as_str()).collect();
    let _ = writeln!(text, "\nThe path: {}.", nodes.join(", "));
    text
}

/// What one command asked for, most often asked first.
pub(crate) fn calls(run: &Run) -> String {
    let mut calls: Vec<(&String, &usize)> = run.log.by_call.iter().collect();
    calls.sort_by(|one, other| other.1.cmp(one.1));
    let calls: Vec<String> = calls.into_iter().map(|(call, times)| format!("{times} {call}")).collect();
    format!("`{}` asks for: {}.\n", run.name, calls.join(", "))
}

pub(crate) fn graphs(graphs: &[Took]) -> String {
    let mut text = "| nodes | plan ms | µs a node | up ms | µs a node | up, nothing to do ms | µs a node | down ms | µs a node | most memory MB |\n\
                    |---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for took in graphs {
        let cell = |ms: f64| format!("{ms:.1} | {:.0}", ms * 1000.0 / number(took.nodes));
        let cells = [took.plan, took.up, took.again, took.down].map(cell).join(" | ");
        let _ = writeln!(text, "| {} | {cells} | {:.1} |", took.nodes, number(took.peak) / 1e6);
    }
    text
}

/// All of it.
pub(crate) fn section(lives: &[Life], all_rows: &[Row], engine: &[Took]) -> String {
    let mut text = format!("{ABOUT}\n{}", machine());
    let _ = write!(text, "\n### Bars of the walks\n{}", rows(all_rows));
    if !lives.is_empty() {
        let _ = write!(text, "\n### Where a walk's time goes\n{}", walks(lives));
    }
    if let Some(life) = lives.first() {
        for Walked { command, path } in [&life.up, &life.down] {
            let _ =
                write!(text, "\nThe largest gaps of the first `{}` at factor {}:\n\n{}", command.name, life.factor, gaps(path));
        }
    }
    if !engine.is_empty() {
        let _ = write!(text, "\n### The engine alone\n{}", graphs(engine));
    }
    text
}

/// What it was measured on, and how busy that was.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count();
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    let said = |program: &str, arguments: &[&str]| {
        let told = std::process::Command::new(program).args(arguments).output();
        told.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned()).unwrap_or_default()
    };
    let commit = said("git", &["describe", "--always", "--dirty", "--abbrev=7"]);
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    format!("{cpus} processors, loads of the last 1, 5 and 15 minutes at the end {load}; commit {commit}, {now}.\n")
}

/// Puts the section into the page, in place of the one before; the rest of the page stays.
pub(crate) fn write(folder: &Folder, section: &str) -> Result<(), String> {
    let file = folder.join("benchmarks.md");
    let page = fs::read_to_string(&file).unwrap_or_default();
    let page = placed(&page, section);
    fs::write(&file, page).map_err(|why| format!("{}: {why}", file.display()))
}

fn placed(page: &str, section: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).unwrap_or((page, ""));
    let after = rest.split_once(END).map_or("", |(_, after)| after);
    let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
    format!("{before}{gap}{BEGIN}{section}{END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_put_in_place_of_the_one_before_and_the_rest_stays() {
        let once = placed("# Page\n", "one\n");
        assert_eq!(once, format!("# Page\n\n{BEGIN}one\n{END}"));
        let more = format!("{once}\nafter\n");
        assert_eq!(placed(&more, "two\n"), format!("# Page\n\n{BEGIN}two\n{END}\nafter\n"));
        assert_eq!(placed("", "one\n"), format!("{BEGIN}one\n{END}"));
    }
}
