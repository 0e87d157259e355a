//! Keys of objects. A key is any UTF-8; XML 1.0, which S3's listings and DeleteObjects are written in, has no way to write
//! some of its characters (S3 guide, "Naming Amazon S3 objects", "XML-related object key constraints").

use aws_sdk_s3::types::EncodingType;

/// A key, or a marker, of a listing that was asked for with `encoding-type=url`; a blank is a `+` then.
#[must_use]
pub fn decoded(key: &str, encoding: Option<&EncodingType>) -> String {
    match encoding {
        Some(EncodingType::Url) => percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned(),
        _ => key.to_owned(),
    }
}

/// Whether XML can write this key, so that DeleteObjects can name it. A carriage return would be read as a line feed.
#[must_use]
pub fn is_xml(key: &str) -> bool {
    key.chars().all(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let url = Some(&EncodingType::Url);
        assert_eq!(decoded("images/a+b%2Bc%25%0A%0D%E7%8C%AB.jpg", url), "images/a b+c%\n\r\u{732b}.jpg");
        assert_eq!(decoded("a+b%2B", None), "a+b%2B");
    }

    #[test]
    fn what_xml_cannot_write_is_known() {
        assert!(["images/a b+c%.jpg", "\u{732b}", "a\tb\nc", "<&>"].into_iter().all(is_xml));
        assert!(["\u{1}", "a\rb", "\u{1b}[2J", "\u{7f}", "\u{ffff}"].into_iter().all(|key| !is_xml(key)));
    }
}
