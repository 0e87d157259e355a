//! What others wrote, made fit for a page: names, labels and messages as visible text, thumbnails as JPEGs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A name or a message is cut to so many characters, in its middle.
pub(super) const LONGEST: usize = 400;

/// Base64 of one thumbnail. A JPEG of 256x256 that a server makes has about 20 kB; more than this is no thumbnail.
const LARGEST: usize = 96 << 10;

/// Text in which nothing is hidden: what a browser would not show, or would take as an order to show the rest in
/// another direction, stands as its code point. What is too long loses its middle, so that a suffix can still be read.
pub(super) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len().min(LONGEST));
    let total = text.chars().count();
    let half = LONGEST / 2;
    for (place, char) in text.chars().enumerate() {
        if total > LONGEST && place == half {
            seen.push('…');
        }
        if total > LONGEST && (half..total - half).contains(&place) {
            continue;
        }
        match char {
            char if hidden(char) => seen.push_str(&format!("⟨U+{:04X}⟩", u32::from(char))),
            char => seen.push(char),
        }
    }
    seen
}

/// Controls, and the formatting characters of Unicode by which text is shown as other than it is.
fn hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The base64 of a JPEG, as it was given; nothing else becomes a picture.
pub(super) fn jpeg(base64: String) -> Option<String> {
    if base64.len() > LARGEST {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(&base64).ok()?;
    (bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])).then_some(base64)
}

/// JSON that may stand in a `<script>`: none of its characters ends the element or begins a comment.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for char in text.chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => safe.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_hide_or_turn_round_is_visible() {
        assert_eq!(visible("a\u{202e}gpj.exe"), "a⟨U+202E⟩gpj.exe");
        assert_eq!(visible("\0\n\u{1b}[1m\u{7f}"), "⟨U+0000⟩⟨U+000A⟩⟨U+001B⟩[1m⟨U+007F⟩");
        assert_eq!(visible("Gänse, 鵝, <b>"), "Gänse, 鵝, <b>");
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_end() {
        let long = visible(&format!("images/{}.jpg", "x".repeat(10_000)));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.starts_with("images/x") && long.ends_with("x.jpg") && long.contains('…'));
        let whole = "é".repeat(LONGEST);
        assert_eq!(visible(&whole), whole);
    }

    #[test]
    fn only_a_jpeg_becomes_a_picture() {
        let encoded = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        assert!(jpeg(encoded(&[0xff, 0xd8, 0xff, 0xe0, 1, 0xff, 0xd9])).is_some());
        assert!(jpeg(encoded(b"<svg onload=alert(1)>")).is_none());
        assert!(jpeg(encoded(&[0xff, 0xd8, 0xff, 0xe0, 1])).is_none(), "cut off");
        assert!(jpeg("/9j/4A==\" onerror=\"alert(1)".to_owned()).is_none());
        let mut large = vec![0xff; LARGEST];
        large[1] = 0xd8;
        large[LARGEST - 1] = 0xd9;
        assert!(jpeg(encoded(&large)).is_none());
    }

    #[test]
    fn json_cannot_end_its_element() {
        let name = "</script><!--<script>&\u{2028}";
        let safe = json(&name);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), name);
    }
}
