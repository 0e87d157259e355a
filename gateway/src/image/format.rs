//! Which format some bytes are, by how they begin. A file's name says nothing.

use std::fmt;

use super::ImageError;

/// Image formats that are known by sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
    Avif,
    Heic,
    Jpeg2000,
    JpegXl,
    Svg,
    Pdf,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
            Self::Jpeg2000 => "JPEG 2000",
            Self::JpegXl => "JPEG XL",
            Self::Svg => "SVG",
            Self::Pdf => "PDF",
        })
    }
}

/// Beginnings, and how far into the file they lie.
const MARKS: [(usize, &[u8], Format); 18] = [
    (0, b"\xff\xd8\xff", Format::Jpeg),
    (0, b"\x89PNG\r\n\x1a\n", Format::Png),
    (8, b"WEBP", Format::WebP),
    (0, b"GIF87a", Format::Gif),
    (0, b"GIF89a", Format::Gif),
    (0, b"BM", Format::Bmp),
    (0, b"II*\0", Format::Tiff),
    (0, b"MM\0*", Format::Tiff),
    (4, b"ftypavif", Format::Avif),
    (4, b"ftypavis", Format::Avif),
    (4, b"ftypheic", Format::Heic),
    (4, b"ftypmif1", Format::Heic),
    (4, b"jP  \r\n\x87\n", Format::Jpeg2000),
    (0, b"\xff\x4f\xff\x51", Format::Jpeg2000),
    (0, b"\xff\x0a", Format::JpegXl),
    (4, b"JXL \r\n\x87\n", Format::JpegXl),
    (0, b"<svg", Format::Svg),
    (0, b"%PDF", Format::Pdf),
];

/// Names the format of a file.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, ImageError> {
    let mark = MARKS.iter().find(|(at, mark, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
    // Sound and moving pictures begin as WebP does, but for the name.
    let mark = mark.filter(|(.., format)| *format != Format::WebP || bytes.starts_with(b"RIFF"));
    match mark {
        Some((.., format)) => Ok(*format),
        None if bytes.is_empty() => Err(ImageError::Unknown("nothing, it is empty".to_owned())),
        None => Err(ImageError::Unknown(bytes.iter().take(8).map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_bytes() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0\0\x10JFIF"), Ok(Format::Jpeg));
        assert_eq!(sniff(b"RIFF\x10\0\0\0WEBPVP8 "), Ok(Format::WebP));
        assert_eq!(sniff(b"\0\0\0\x1cftypavif"), Ok(Format::Avif));
    }

    #[test]
    fn what_is_no_image_is_shown_by_its_first_bytes() {
        assert_eq!(sniff(b"{\"a\""), Err(ImageError::Unknown("7b 22 61 22".to_owned())));
        assert_eq!(sniff(b""), Err(ImageError::Unknown("nothing, it is empty".to_owned())));
    }
}
