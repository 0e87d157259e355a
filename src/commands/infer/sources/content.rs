//! What a file is by its first bytes.

use super::Kind;

/// So many bytes tell.
pub(super) const HEAD: usize = 512;

/// Boxes that a file of the ISO family (MP4, QuickTime) begins with, where it does not begin with `ftyp`.
const QUICKTIME: [&[u8]; 5] = [b"moov", b"mdat", b"wide", b"free", b"skip"];

/// Brands of the ISO family that are single pictures: HEIF and AVIF.
const PICTURES: [&[u8]; 7] = [b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"jpeg"];

/// None: neither an image that the gateway reads nor a video.
pub(super) fn kind(head: &[u8]) -> Option<Kind> {
    let at = |from: usize, len: usize| head.get(from..from + len).unwrap_or_default();
    let begins = |magic: &[u8]| head.starts_with(magic);
    let riff = |form: &[u8]| begins(b"RIFF") && at(8, 4) == form;
    let is_bitmap = begins(b"BM") && matches!(at(14, 4), [12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]);
    if begins(b"\xff\xd8\xff")
        || begins(b"\x89PNG\r\n\x1a\n")
        || begins(b"GIF87a")
        || begins(b"GIF89a")
        || riff(b"WEBP")
        || is_bitmap
    {
        return Some(Kind::Image);
    }
    let is_iso = at(4, 4) == b"ftyp" && !PICTURES.contains(&at(8, 4)) || QUICKTIME.contains(&at(4, 4));
    let is_matroska = begins(b"\x1a\x45\xdf\xa3");
    let is_mpeg = begins(b"\x00\x00\x01\xba") || begins(b"\x00\x00\x01\xb3");
    // Packets of 188 bytes, with a time stamp of 4 bytes before each in the files of cameras.
    let is_stream = |first: usize, packet: usize| [first, first + packet].iter().all(|place| at(*place, 1) == b"G");
    let is_asf = begins(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11");
    let is_other = begins(b"FLV\x01") || is_asf || riff(b"AVI ") || begins(b"\x06\x0e\x2b\x34\x02\x05\x01\x01");
    let is_ogg_video =
        begins(b"OggS") && head.windows(7).take(128).any(|window| window == b"\x80theora" || window == b"BBCD\0\0\0");
    let is_video = is_iso || is_matroska || is_mpeg || is_stream(0, 188) || is_stream(4, 192) || is_other || is_ogg_video;
    is_video.then_some(Kind::Video)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_images_from_videos_and_from_all_else() {
        let transport = [&[b'G'][..], &[0; 187], b"G"].concat();
        let bitmap = [&b"BM"[..], &[0; 12], &[40, 0, 0, 0]].concat();
        for (head, wanted) in [
            (&b"\xff\xd8\xff\xe0rest"[..], Some(Kind::Image)),
            (b"\x89PNG\r\n\x1a\nrest", Some(Kind::Image)),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some(Kind::Image)),
            (b"GIF89a", Some(Kind::Image)),
            (&bitmap, Some(Kind::Image)),
            (b"BMore text than picture, and long enough", None),
            (b"\0\0\0\x18ftypisom", Some(Kind::Video)),
            (b"\0\0\0\x18ftypavif", None),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some(Kind::Video)),
            (b"\x1a\x45\xdf\xa3", Some(Kind::Video)),
            (b"RIFF\0\0\0\0AVI LIST", Some(Kind::Video)),
            (b"RIFF\0\0\0\0WAVE", None),
            (&transport, Some(Kind::Video)),
            (b"#EXTM3U\n", None),
            (b"Good", None),
            (b"", None),
        ] {
            assert_eq!(kind(head), wanted, "{:?}", String::from_utf8_lossy(head));
        }
    }
}
