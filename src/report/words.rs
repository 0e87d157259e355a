//! Actions, progress and names as people say them.

use crate::engine::Action;

/// What is being done, while it is.
pub(super) fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "updating",
        Action::Delete => "deleting",
        Action::Watch => "waiting",
    }
}

/// What was done.
pub(super) fn did(did: Action) -> &'static str {
    match did {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Delete => "deleted",
        Action::Watch => "ready",
    }
}

/// How far it is, in the work's own units.
pub(super) fn progress(what: &str, done: u64, total: u64) -> String {
    match total {
        0 => what.to_owned(),
        total => format!("{what} {} %", done.min(total) * 100 / total),
    }
}

/// Names by what is before their last `/`, in the order in which they come: `subnet` of `subnet/public-0`.
pub(super) fn groups<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names {
        let (group, last) = name.rsplit_once('/').unwrap_or(("", name));
        match groups.iter_mut().find(|(known, _)| !group.is_empty() && *known == group) {
            Some((_, members)) => members.push(last),
            None => groups.push((group, vec![last])),
        }
    }
    groups
}

/// Names on one line: all of a few, and of many how many there are of each kind.
#[must_use]
pub fn brief<T: AsRef<str>>(names: &[T]) -> String {
    const FEW: usize = 6;
    if names.len() <= FEW {
        return names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    }
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names.iter().map(AsRef::as_ref) {
        let kind = name.split_once('/').map_or(name, |(kind, _)| kind);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, members)) => members.push(name),
            None => kinds.push((kind, vec![name])),
        }
    }
    let kind = |(kind, members): &(&str, Vec<&str>)| match &**members {
        [name] => (*name).to_owned(),
        members => format!("{kind} ({})", members.len()),
    };
    format!("{} resources: {}", names.len(), kinds.iter().map(kind).collect::<Vec<_>>().join(", "))
}

/// What moves a terminal's cursor, sets its title, begins another line, or turns text around; all of it below U+10000.
#[must_use]
pub fn obeyed(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Without what a terminal would obey: clients choose parts of what is logged, servers their messages and labels, anybody
/// a file's name. Such characters are shown as their escapes.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// JSON without what a terminal would obey and JSON allows as it is; it stands in strings only, and means the same.
#[must_use]
pub fn harmless_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if obeyed(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A word for a POSIX shell that means exactly this text.
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-./:@%+=,".contains(char);
    match text.chars().all(plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_named_and_many_are_counted() {
        assert_eq!(brief(&["vpc", "subnet/a"]), "vpc, subnet/a");
        let many = ["vpc", "subnet/a", "subnet/b", "role/x", "role/x/policy", "nat/address", "bucket"];
        assert_eq!(brief(&many), "7 resources: vpc, subnet (2), role (2), nat/address, bucket");
    }

    #[test]
    fn names_are_grouped_by_what_is_before_the_last_slash() {
        let grouped = groups(["vpc", "subnet/a", "role/x", "subnet/b", "role/x/p", "bucket"]);
        let wanted =
            [("", vec!["vpc"]), ("subnet", vec!["a", "b"]), ("role", vec!["x"]), ("role/x", vec!["p"]), ("", vec!["bucket"])];
        assert_eq!(grouped, wanted);
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in ["run/journal.jsonl", "my run/it's $HOME.jsonl", "", "a;b"] {
            let told = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(text))).output().unwrap();
            assert_eq!(String::from_utf8(told.stdout).unwrap(), text);
        }
    }
}
