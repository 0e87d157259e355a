//! Text of somebody else in a message of ours.

/// Characters; who sent more knows the rest.
const LONGEST: usize = 200;

/// The text in quotes, with control characters escaped, and no more than its first 200 characters.
pub(crate) fn echo(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_after_200_characters() {
        assert_eq!(echo("a\n"), "\"a\\n\"");
        assert_eq!(echo(&"\u{e4}".repeat(200)), format!("\"{}\"", "\u{e4}".repeat(200)));
        assert_eq!(echo(&"\u{e4}".repeat(201)), format!("\"{}\"...", "\u{e4}".repeat(200)));
    }
}
