//! What somebody said, said back to them: never longer than people read, however long it was.

use std::fmt::{self, Display, Formatter, Write};

/// Characters of a client's own words that an error or a line of the log repeats.
pub const LONGEST: usize = 200;

/// Displays a text as far as its first [`LONGEST`] characters, and says where it was cut.
///
/// It formats no more than it shows, so that an echo of a long text costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct Echo<'a>(pub &'a str);

/// Displays the same in quotes, escaped as Rust writes strings.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

/// The part that is shown, and whether something follows it.
fn shown(text: &str) -> (&str, bool) {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

impl Display for Echo<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (text, cut) = shown(self.0);
        f.write_str(text)?;
        if cut { f.write_str("...") } else { Ok(()) }
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (text, cut) = shown(self.0);
        write!(f, "{text:?}")?;
        if cut { f.write_str("...") } else { Ok(()) }
    }
}

/// What `value` displays, as far as `longest` bytes, cut at a character. What is beyond is not formatted.
#[must_use]
pub fn cut(value: &impl Display, longest: usize) -> String {
    let mut cut = Cut { text: String::new(), longest };
    // It fails where it is full, which ends the formatting.
    if write!(cut, "{value}").is_err() {
        cut.text.push_str("...");
    }
    cut.text
}

struct Cut {
    text: String,
    longest: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.longest - self.text.len();
        let fits = text.floor_char_boundary(room);
        self.text.push_str(&text[..fits]);
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_repeated_and_a_long_one_is_cut() {
        assert_eq!(Echo("cat").to_string(), "cat");
        assert_eq!(Quoted("c\"t").to_string(), r#""c\"t""#);
        let just = "\u{e9}".repeat(LONGEST);
        assert_eq!(Echo(&just).to_string(), just);
        let long = "\u{e9}".repeat(LONGEST + 1);
        assert_eq!(Echo(&long).to_string(), format!("{just}..."));
        assert_eq!(Quoted(&long).to_string(), format!("\"{just}\"..."));
    }

    #[test]
    fn a_message_is_cut_where_a_character_ends() {
        assert_eq!(cut(&"abc", 3), "abc");
        assert_eq!(cut(&"abcd", 3), "abc...");
        assert_eq!(cut(&"a\u{e9}\u{e9}", 4), "a\u{e9}...");
        assert_eq!(cut(&format_args!("{}{}", "ab", "cd"), 3), "abc...");
    }
}
