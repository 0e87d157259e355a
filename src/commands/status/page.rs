//! A Markdown page that reads well as plain text.

use std::fmt::Write;

use crate::report::words;

/// A page that grows.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    missing: Vec<String>,
}

impl Page {
    pub(super) fn heading(&mut self, title: &str) {
        let level = if self.text.is_empty() { "#" } else { "\n##" };
        let _ = writeln!(self.text, "{level} {title}\n");
    }

    /// A point of a list.
    pub(super) fn point(&mut self, what: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.text, "- {what}: {}", one_line(&value.to_string()));
    }

    /// A sentence.
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", one_line(line));
    }

    /// A table, or that there is nothing to put in it.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return self.line("None.");
        }
        let _ = writeln!(self.text, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| one_line(cell).replace('|', "\\|")).collect();
            let _ = writeln!(self.text, "| {} |", cells.join(" | "));
        }
    }

    /// Text as it is, set off by four blanks: no fence that it could end.
    pub(super) fn code(&mut self, text: &str) {
        let _ = writeln!(self.text);
        for line in text.lines() {
            let _ = writeln!(self.text, "    {}", one_line(line));
        }
        let _ = writeln!(self.text);
    }

    /// What could not be read, here and at the end.
    pub(super) fn missing(&mut self, what: &str, why: &str) {
        // Else it would be a part of the list's last point.
        if self.text.lines().last().is_some_and(|line| line.starts_with("- ")) {
            self.line("");
        }
        self.line(&format!("Could not be read: {why}"));
        self.missing.push(format!("{what}: {why}"));
    }

    /// The page with all that could not be read at its end.
    pub(super) fn end(mut self) -> String {
        self.heading("What could not be read");
        let missing = std::mem::take(&mut self.missing);
        if missing.is_empty() {
            self.line("Nothing: all of it was read.");
        }
        missing.iter().for_each(|missing| self.line(&format!("- {missing}")));
        self.text
    }
}

/// Without ends of lines and without what a terminal would obey.
fn one_line(text: &str) -> String {
    words::harmless(&text.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_breaks_out_of_its_place() {
        let mut page = Page::default();
        page.heading("t");
        page.table(&["a", "b"], &[vec!["x | y\n## z".to_owned(), "\u{1b}[2J".to_owned()]]);
        page.code("```\n# no heading");
        page.missing("the pods", "denied");
        let text = page.end();
        assert!(
            text.starts_with("# t\n\n| a | b |\n|---|---|\n| x \\| y ## z | \\u{1b}[2J |\n\n    ```\n    # no heading\n"),
            "{text}"
        );
        assert!(text.ends_with("## What could not be read\n\n- the pods: denied\n"), "{text}");
    }
}
