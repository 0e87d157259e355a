//! What a name promises.

use super::Kind;

/// What the gateway reads.
const IMAGES: &[&str] = &["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib"];

/// What ffmpeg reads, and people have.
const VIDEOS: &[&str] = &[
    "mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "mpg", "mpeg", "m2v", "mts", "m2ts", "wmv", "asf", "flv", "f4v", "3gp",
    "3g2", "ogv", "vob", "mxf",
];

/// What lies beside images in buckets. What is not in any of these lists, the gateway is asked about.
const OTHERS: &[&str] = &[
    "txt",
    "md",
    "csv",
    "tsv",
    "json",
    "jsonl",
    "ndjson",
    "xml",
    "yaml",
    "yml",
    "toml",
    "ini",
    "log",
    "html",
    "htm",
    "css",
    "js",
    "py",
    "sh",
    "ipynb",
    "pdf",
    "doc",
    "docx",
    "xls",
    "xlsx",
    "ppt",
    "pptx",
    "zip",
    "tar",
    "gz",
    "tgz",
    "bz2",
    "xz",
    "zst",
    "7z",
    "rar",
    "parquet",
    "avro",
    "arrow",
    "feather",
    "npy",
    "npz",
    "h5",
    "hdf5",
    "pkl",
    "pt",
    "pth",
    "onnx",
    "pb",
    "pbtxt",
    "tflite",
    "safetensors",
    "plan",
    "engine",
    "bin",
    "exe",
    "dll",
    "so",
    "wav",
    "mp3",
    "flac",
    "aac",
    "ogg",
    "m4a",
    "srt",
    "vtt",
    "md5",
    "sha256",
];

/// None: the name promises something else.
pub(crate) fn promised(name: &str) -> Option<Kind> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let Some((_, suffix)) = last.rsplit_once('.') else { return Some(Kind::Unknown) };
    let is_in = |list: &[&str]| list.iter().any(|known| suffix.eq_ignore_ascii_case(known));
    match suffix {
        _ if is_in(IMAGES) => Some(Kind::Image),
        _ if is_in(VIDEOS) => Some(Kind::Video),
        _ if is_in(OTHERS) => None,
        _ => Some(Kind::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_tells_in_any_case_and_what_is_not_known_is_left_to_the_gateway() {
        assert_eq!(promised("images/a.JPG"), Some(Kind::Image));
        assert_eq!(promised("videos/a.b.Mov"), Some(Kind::Video));
        assert_eq!(promised("images/labels.csv"), None);
        assert_eq!(promised("images/a.jpg/no-suffix"), Some(Kind::Unknown));
        assert_eq!(promised("images/a.tif"), Some(Kind::Unknown));
    }
}
