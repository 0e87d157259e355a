//! What a spreadsheet would run as a formula, made harmless.

/// What a cell begins with that a spreadsheet runs: ASCII, and the same characters in full width.
const FORMULAS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Whether a spreadsheet would run it.
pub(crate) fn is_formula(text: &str) -> bool {
    text.starts_with(FORMULAS)
}

/// Text for people: an apostrophe before it says that it is text.
pub(crate) fn text(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// The value of `image_key` and `video_key`, by which scripts join: an object's key, byte for byte, or the path of a file
/// ([`local`]). A key that a spreadsheet would run stands with its whole address in place of the key alone.
pub(crate) fn key(uri: &str) -> &str {
    let key = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).map(|(_, key)| key);
    key.filter(|key| !is_formula(key)).unwrap_or(uri)
}

/// A path as its item's URI: as it was found; with `./` before it, where it would be a formula, an `s3://` or a `file:`
/// address; as a `file:` address, where it is no UTF-8. Each still names the same file.
pub(crate) fn local(path: &std::path::Path) -> String {
    let Some(text) = path.to_str() else { return escaped(path) };
    let is_address = ["s3:", "file:"].iter().any(|scheme| text.starts_with(scheme));
    if is_formula(text) || is_address { format!("./{text}") } else { text.to_owned() }
}

fn escaped(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    // What cannot be made absolute has no working directory, and is told as it is.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let byte = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let path: String = whole.as_os_str().as_bytes().iter().map(byte).collect();
    format!("file://{path}")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_keys_of_objects_that_the_gateway_reads_stay_as_they_are() {
        assert_eq!(key("s3://b/images/=1+1,\"x\"\n.jpg"), "images/=1+1,\"x\"\n.jpg");
        assert_eq!(key("s3://b/images/../c.jpg"), "images/../c.jpg");
        assert_eq!(key("folder/c.jpg"), "folder/c.jpg");
        assert_eq!(key("s3://b/=cmd|'/c calc'!A0"), "s3://b/=cmd|'/c calc'!A0");
    }

    #[test]
    fn a_path_that_is_a_formula_is_written_as_another_path_of_the_same_file() {
        for (path, wanted) in [("=1.jpg", "./=1.jpg"), ("-x/1.jpg", "./-x/1.jpg"), ("a=1.jpg", "a=1.jpg"), ("\t.jpg", "./\t.jpg")]
        {
            assert_eq!(local(Path::new(path)), wanted);
        }
        assert_eq!(local(Path::new("s3:/b/c")), "./s3:/b/c");
        assert_eq!(local(Path::new("\u{ff1d}1")), "./\u{ff1d}1");
    }

    #[test]
    fn a_name_that_is_no_text_is_told_without_loss() {
        assert_eq!(local(Path::new(OsStr::from_bytes(b"/a b/\xff%.jpg"))), "file:///a%20b/%FF%25.jpg");
        assert_eq!(text("=1"), "'=1");
        assert_eq!(text("the file is empty"), "the file is empty");
    }
}
