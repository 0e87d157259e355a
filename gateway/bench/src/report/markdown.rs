//! docs/benchmarks.md.

use std::fmt::Write;

use super::{Report, arms, bar, value};

const ABOUT: &str = include_str!("about.md");

/// How the section begins that `make bench-walks` writes into the page.
const WALKS: &str = "\n<!-- walks";

/// That section, the last of the page: this report keeps it.
pub(super) fn of_walks(page: &str) -> &str {
    page.find(WALKS).map_or("", |begin| &page[begin..])
}

/// The whole page but for the walks.
pub(super) fn page(report: &Report, machine: &str) -> String {
    let mut page = format!(
        "{ABOUT}\n## The machine\n{machine}- each side {} blocks of {} s, 64 distinct payloads, every answer compared with the one expected\n",
        report.length.blocks, report.length.seconds
    );
    page.push_str("\n## Bars\n| what | found (95 % interval) | bar | |\n|---|---|---|---|\n");
    for verdict in report.verdicts() {
        let met = verdict.met().map_or("", |met| if met { "met" } else { "**missed**" });
        let _ = writeln!(page, "| {} | {} | {} | {met} |", verdict.what, value(verdict), bar(verdict));
    }
    page.push_str("\n![Each figure by its bar](benchmarks.svg)\n");
    for (title, found) in &report.rows {
        let _ = write!(page, "\n## {title}\n");
        match found {
            Ok(found) => {
                let tables = found.arms.iter().map(arms).collect::<Vec<_>>().join("\n");
                let notes = found.notes.iter().map(|note| format!("\n{note}\n")).collect::<String>();
                page.push_str(&tables);
                page.push_str(&notes);
            }
            Err(why) => {
                let _ = writeln!(page, "Not measured: {why}");
            }
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_of_the_walks_is_kept() {
        let walks = "\n<!-- walks: written by another -->\n## The walks\n<!-- end of walks -->\n";
        assert_eq!(of_walks(&format!("# Benchmarks\n\n## The machine\n{walks}")), walks);
        assert_eq!(of_walks("# Benchmarks\n"), "");
    }
}
