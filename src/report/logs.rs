//! Lines of the pods' logs, on standard output.

use std::io::{ErrorKind, IsTerminal};

use serde_json::json;

use super::words::harmless;
use super::{out, show};
use crate::resources::kube::logs::{Entry, News, Source};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// With colours.
    Terminal,
    /// For files and other programs, which show lines on a terminal in their turn (`| grep`).
    Plain,
    /// One object a line.
    Json,
}

/// Writes lines until nobody reads them.
pub struct Logs {
    form: Form,
}

impl Logs {
    /// For a person or a program.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let form = match json {
            true => Form::Json,
            false if std::io::stdout().is_terminal() => Form::Terminal,
            false => Form::Plain,
        };
        Self { form }
    }

    /// Writes one thing. False: standard output is closed, and nothing more can be written.
    pub fn show(&self, news: &News) -> bool {
        match news {
            News::Entry(entry) => written(&entry_line(self.form, entry)),
            News::Note(note) if self.form == Form::Json => written(&super::json::versioned(&json!({"note": note}))),
            News::Note(note) => {
                show::note(note);
                true
            }
        }
    }
}

fn written(line: &str) -> bool {
    let done = out::line(format_args!("{line}"));
    // `| head` closes it, which is no failure; a full disk is one, and there is nowhere else to go on either.
    if let Err(why) = &done
        && why.kind() != ErrorKind::BrokenPipe
    {
        errln!("error: standard output cannot be written: {why}");
    }
    done.is_ok()
}

fn entry_line(form: Form, Entry { source, line }: &Entry) -> String {
    let cut = if line.cut > 0 { format!(" ... ({} bytes more)", line.cut) } else { String::new() };
    let previous = if source.previous { "/previous" } else { "" };
    let name = format!("{}/{}{previous}", source.short_pod(), source.container);
    let time = line.at.map_or_else(|| "-".to_owned(), |at| format!("{at:.3}"));
    match form {
        Form::Json => {
            let Source { pod, container, previous, .. } = &**source;
            let mut object =
                json!({"time": line.at.map(|at| at.to_string()), "pod": pod, "container": container, "line": line.text});
            if *previous {
                object["previous"] = true.into();
            }
            if line.cut > 0 {
                object["bytes_cut"] = line.cut.into();
            }
            super::json::versioned(&object)
        }
        Form::Plain => format!("{time} {}  {}{cut}", harmless(&name), harmless(&line.text)),
        Form::Terminal => {
            let colour = match source.container.as_str() {
                "gateway" => 36,
                "triton" => 32,
                _ => 33,
            };
            let name = harmless(&name);
            format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{name}\x1b[0m  {}{cut}", harmless(&line.text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::kube::logs::Line;

    fn entry(text: &str) -> Entry {
        let source = Source {
            pod: "triton-server-5d8-x2x4z".to_owned(),
            uid: "u".to_owned(),
            container: "gateway".to_owned(),
            previous: true,
        };
        let at = Some("2026-11-30T04:29:10.123456789Z".parse().unwrap());
        Entry { source: source.into(), line: Line { at, text: text.to_owned(), cut: 7 } }
    }

    #[test]
    fn a_line_for_a_program_is_one_object() {
        let told: serde_json::Value = serde_json::from_str(&entry_line(Form::Json, &entry("a\u{1b}[2J\"b"))).unwrap();
        let wanted = json!({"schema": 1, "time": "2026-11-30T04:29:10.123456789Z", "pod": "triton-server-5d8-x2x4z", "container": "gateway",
            "line": "a\u{1b}[2J\"b", "previous": true, "bytes_cut": 7});
        assert_eq!(told, wanted);
    }

    #[test]
    fn what_reaches_a_terminal_through_another_program_is_not_obeyed_either() {
        let told = entry_line(Form::Plain, &entry("a\u{1b}[2J\tb"));
        assert_eq!(told, "2026-11-30T04:29:10.123Z x2x4z/gateway/previous  a\\u{1b}[2J\tb ... (7 bytes more)");
        let told = entry_line(Form::Json, &entry("a\u{9b}2J\u{7f}\u{202e}é\tb"));
        assert!(told.contains(r#""line":"a\u009b2J\u007f\u202eé\tb""#), "{told}");
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["line"], "a\u{9b}2J\u{7f}\u{202e}é\tb");
    }

    #[test]
    fn a_terminal_obeys_nothing_that_a_client_had_logged() {
        let told = entry_line(Form::Terminal, &entry("a\u{1b}]0;title\u{7}\tb\u{9b}2J\r\u{202e}c"));
        assert!(told.ends_with(r"a\u{1b}]0;title\u{7}	b\u{9b}2J\r\u{202e}c ... (7 bytes more)"), "{told}");
        assert!(told.starts_with("\u{1b}[2m2026-11-30T04:29:10.123Z\u{1b}[0m \u{1b}[36mx2x4z/gateway/previous\u{1b}[0m"));
    }
}
