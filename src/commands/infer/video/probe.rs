//! What a video is, as ffprobe tells it, before anything of it is decoded.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde::Deserialize;

use super::super::results::record::Failure;
use super::process::{self, PIXELS};
use super::tool::Tool;
use super::unreadable;

/// What is asked for; without it tags and much more come along.
const ENTRIES: &str = "stream=index,codec_type,width,height,sample_aspect_ratio,nb_frames,duration,avg_frame_rate\
    :stream_disposition=default,attached_pic:stream_side_data=rotation:stream_tags=rotate:format=duration,format_name";

/// Formats whose header says how much there is, whatever is left of it. Others are measured by their last bytes.
const WITH_A_PROMISE: [&str; 4] = ["mov", "matroska", "flv", "asf"];

/// The one stream of a file that is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Probe {
    /// Its number in the file.
    pub(super) stream: u32,
    /// Pixels, before it is turned upright.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Width over height of one pixel.
    pub(super) pixel_aspect: f64,
    /// Clockwise, from 0 to 3.
    pub(super) quarter_turns: u8,
    /// Frames that it should have, exactly where the file says so, else by its duration. Only decoding tells.
    pub(crate) frames: Option<u64>,
    /// Seconds that it should have.
    pub(crate) duration: Option<f64>,
    /// What the header promises, so that less is a damaged file.
    pub(super) promise: Promise,
}

/// How much a file's header says there is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Promise {
    pub(super) frames: Option<u64>,
    /// From the first frame to the end of the last one, nearly.
    pub(super) seconds: Option<f64>,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Format>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Format {
    format_name: String,
    duration: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_type: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    sample_aspect_ratio: Option<String>,
    nb_frames: Option<String>,
    duration: Option<String>,
    avg_frame_rate: Option<String>,
    disposition: Disposition,
    side_data_list: Vec<SideData>,
    tags: Tags,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    default: u8,
    attached_pic: u8,
}

#[derive(Deserialize)]
struct SideData {
    /// Degrees, counterclockwise.
    rotation: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tags {
    /// Degrees, clockwise: what ffmpeg before 5.0 says.
    rotate: Option<String>,
}

/// Asks ffprobe.
///
/// # Errors
/// Nothing in it is a video that can be read, or it is too large.
pub(crate) async fn probe(tool: &Tool, file: &Path) -> Result<Probe, Failure> {
    if file.metadata().is_ok_and(|file| file.len() == 0) {
        return Err(unreadable("the file is empty"));
    }
    let mut arguments = process::reading();
    arguments.extend(["-show_entries", ENTRIES, "-of", "json"].map(OsString::from));
    arguments.push(process::file(file));
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    let ended = process::output(&tool.ffprobe, &arguments).await?;
    let said = |otherwise: &str| unreadable(if ended.said.is_empty() { otherwise } else { &ended.said });
    if !ended.ok {
        if ended.said.contains("not on whitelist") {
            let format = ended.said.split(':').next().unwrap_or_default();
            return Err(unreadable(format!(
                "its content is of the format {format}, which is not read as a video (playlists name other files)"
            )));
        }
        return Err(said("ffprobe cannot read it and does not say why"));
    }
    let told: Told = serde_json::from_slice(&ended.stdout).map_err(|why| unreadable(format!("ffprobe's answer: {why}")))?;
    choose(told, &ended.said)
}

/// The first stream that is marked as the one to show, else the first one. A cover is a picture and no video.
fn choose(told: Told, said: &str) -> Result<Probe, Failure> {
    let format = told.format.unwrap_or_default();
    let is_video = |stream: &&Stream| stream.codec_type.as_deref() == Some("video");
    let mut videos: Vec<&Stream> = told.streams.iter().filter(is_video).collect();
    if videos.is_empty() {
        return Err(unreadable("it has no video stream"));
    }
    videos.retain(|stream| stream.disposition.attached_pic == 0);
    let marked = videos.iter().find(|stream| stream.disposition.default == 1);
    let Some(stream) = marked.or(videos.first()) else {
        return Err(unreadable("its only video stream is a cover picture"));
    };
    let size = |side: Option<i64>| side.and_then(|side| u32::try_from(side).ok()).filter(|side| *side > 0);
    let (Some(width), Some(height)) = (size(stream.width), size(stream.height)) else {
        return Err(unreadable(if said.is_empty() { "the size of its frames is not known" } else { said }));
    };
    if u64::from(width) * u64::from(height) > PIXELS {
        let why = format!("its frames are of {width} x {height} pixels; at most {PIXELS} together are decoded (8192 x 4320)");
        return Err(unreadable(why));
    }
    let counted = number(&stream.nb_frames).map(|count| count as u64);
    let duration = number(&stream.duration).or(number(&format.duration));
    let rate = ratio(&stream.avg_frame_rate, '/');
    let by_time = duration.zip(rate).map(|(seconds, rate)| (seconds * rate).round() as u64);
    let promises = format.format_name.split(',').any(|name| WITH_A_PROMISE.contains(&name));
    let promise = if promises { Promise { frames: counted, seconds: duration } } else { Promise::default() };
    Ok(Probe {
        stream: stream.index,
        width,
        height,
        pixel_aspect: ratio(&stream.sample_aspect_ratio, ':').unwrap_or(1.0),
        quarter_turns: quarter_turns(stream),
        frames: counted.or(by_time).filter(|frames| *frames > 0),
        duration,
        promise,
    })
}

/// A number above zero.
fn number(text: &Option<String>) -> Option<f64> {
    text.as_ref().and_then(|text| text.parse().ok()).filter(|number: &f64| number.is_finite() && *number > 0.0)
}

fn ratio(text: &Option<String>, between: char) -> Option<f64> {
    let (above, below) = text.as_ref()?.split_once(between)?;
    Some(number(&Some(above.to_owned()))? / number(&Some(below.to_owned()))?)
}

/// How a player turns it; other angles than quarters stay as they are.
fn quarter_turns(stream: &Stream) -> u8 {
    let tag = || stream.tags.rotate.as_ref().and_then(|degrees| degrees.parse().ok());
    let clockwise: Option<f64> = stream.side_data_list.iter().find_map(|data| data.rotation).map(|left| -left).or_else(tag);
    let degrees = clockwise.filter(|degrees| degrees.is_finite()).unwrap_or(0.0).rem_euclid(360.0);
    let turns = (degrees / 90.0).round();
    if (degrees - turns * 90.0).abs() <= 1.0 { turns as u8 % 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn chosen(streams: Value, format: Value) -> Result<Probe, String> {
        let told = serde_json::from_value(json!({ "streams": streams, "format": format })).unwrap();
        choose(told, "").map_err(|why| why.message)
    }

    #[test]
    fn the_stream_to_show_is_chosen_and_covers_and_sound_are_not() {
        let stream = |index: u32, cover: u8, default: u8| {
            json!({"index": index, "codec_type": "video", "width": 64, "height": 48,
            "disposition": {"attached_pic": cover, "default": default}})
        };
        let sound = json!({"index": 0, "codec_type": "audio"});
        let index = |streams| chosen(streams, json!({})).map(|probe| probe.stream);
        assert_eq!(index(json!([sound, stream(1, 1, 1), stream(2, 0, 0), stream(3, 0, 1)])), Ok(3));
        assert_eq!(index(json!([sound, stream(1, 0, 0), stream(2, 0, 0)])), Ok(1));
        assert!(index(json!([sound, stream(1, 1, 0)])).unwrap_err().contains("cover"));
        assert!(index(json!([sound])).unwrap_err().contains("no video stream"));
        assert!(index(json!([])).is_err());
    }

    #[test]
    fn only_a_header_promises_and_nonsense_in_it_is_no_number() {
        let stream = json!([{"codec_type": "video", "width": 64, "height": 48, "nb_frames": "120", "duration": "4.0",
            "avg_frame_rate": "30/1", "sample_aspect_ratio": "16:15"}]);
        let mov = chosen(stream.clone(), json!({"format_name": "mov,mp4,m4a"})).unwrap();
        assert_eq!(mov.promise, Promise { frames: Some(120), seconds: Some(4.0) });
        assert!((mov.pixel_aspect - 16.0 / 15.0).abs() < 1e-9);
        assert_eq!(chosen(stream, json!({"format_name": "mpegts"})).unwrap().promise, Promise::default());
        let odd = json!([{"codec_type": "video", "width": 64, "height": 48, "nb_frames": "N/A", "duration": "nan",
            "avg_frame_rate": "0/0", "sample_aspect_ratio": "0:1"}]);
        let odd = chosen(odd, json!({"format_name": "matroska,webm", "duration": "2.0"})).unwrap();
        assert_eq!((odd.frames, odd.duration, odd.pixel_aspect), (None, Some(2.0), 1.0));
        assert!(
            chosen(json!([{"codec_type": "video", "width": 30000, "height": 30000}]), json!({}))
                .unwrap_err()
                .contains("30000 x 30000")
        );
        assert!(chosen(json!([{"codec_type": "video", "width": -3, "height": 0}]), json!({})).is_err());
    }

    #[test]
    fn turns_are_clockwise_whoever_tells_them() {
        let of = |stream: Value| quarter_turns(&serde_json::from_value(stream).unwrap());
        assert_eq!(of(json!({"side_data_list": [{}, {"rotation": -90}]})), 1);
        assert_eq!(of(json!({"side_data_list": [{"rotation": 90}], "tags": {"rotate": "270"}})), 3);
        assert_eq!(of(json!({"side_data_list": [{"rotation": -180.0}]})), 2);
        assert_eq!(of(json!({"tags": {"rotate": "90"}})), 1);
        assert_eq!(of(json!({"side_data_list": [{"rotation": 45}]})), 0);
        assert_eq!(of(json!({"side_data_list": [{"rotation": 359.5}]})), 0);
        assert_eq!(of(json!({})), 0);
    }
}
