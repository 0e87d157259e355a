//! WebP, by libwebp: the first frame, on a canvas of the image's size.

use std::mem::{MaybeUninit, zeroed};
use std::ptr;

use libwebp_sys::{
    VP8StatusCode, WEBP_CSP_MODE, WebPBitstreamFeatures, WebPData, WebPDecode, WebPDecoderConfig, WebPDemuxDelete,
    WebPDemuxGetFrame, WebPDemuxGetI, WebPDemuxInternal, WebPDemuxReleaseIterator, WebPDemuxer, WebPFormatFeature,
    WebPGetDemuxABIVersion, WebPGetFeatures, WebPIterator,
};

use super::pixels::{Opened, Pixels};
use super::{Format, ImageError, Limits};

/// Bytes of a pixel.
const RGBA: usize = 4;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Opened, ImageError> {
    let has_alpha = features(bytes)?.has_alpha != 0;
    let file = File::open(bytes).ok_or_else(|| damaged("its parts do not fit together"))?;
    let (width, height) = file.size();
    limits.check(width, height)?;
    let mut canvas = vec![0; width * height * RGBA];
    file.draw_first(&mut canvas, (width, height))?;
    let pixels = if has_alpha { Pixels::Rgba(canvas) } else { Pixels::Rgbx(canvas) };
    Ok(Opened::new(width, height, pixels))
}

/// By the header.
pub(super) fn size(bytes: &[u8]) -> Option<(usize, usize)> {
    // A demuxer would look for all frames.
    features(bytes).ok().map(|features| (features.width as usize, features.height as usize))
}

fn damaged(why: &str) -> ImageError {
    ImageError::Damaged { format: Format::WebP, why: why.to_owned() }
}

/// The canvas, and whether it has alpha, as the first header says.
fn features(bytes: &[u8]) -> Result<WebPBitstreamFeatures, ImageError> {
    let mut features = MaybeUninit::<WebPBitstreamFeatures>::uninit();
    // SAFETY: the pointer and length are those of a slice; the features are filled in where the answer is OK.
    #[allow(unsafe_code, reason = "libwebp is C")]
    let features = unsafe {
        match WebPGetFeatures(bytes.as_ptr(), bytes.len(), features.as_mut_ptr()) {
            VP8StatusCode::VP8_STATUS_OK => Ok(features.assume_init()),
            other => Err(other),
        }
    };
    features.map_err(|status| damaged(said(status)))
}

fn said(status: VP8StatusCode) -> &'static str {
    match status {
        VP8StatusCode::VP8_STATUS_NOT_ENOUGH_DATA => "it is cut off",
        VP8StatusCode::VP8_STATUS_UNSUPPORTED_FEATURE => "it wants something that is not known",
        VP8StatusCode::VP8_STATUS_OUT_OF_MEMORY => "there is no memory for it",
        _ => "its stream makes no sense",
    }
}

/// A file whose parts are known. It borrows the bytes.
struct File<'a> {
    demuxer: *mut WebPDemuxer,
    bytes: &'a [u8],
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let data = WebPData { bytes: bytes.as_ptr(), size: bytes.len() };
        // SAFETY: the data is a slice, which outlives the demuxer by the lifetime; all parts must be there, so no
        // state is asked for.
        #[allow(unsafe_code, reason = "libwebp is C")]
        let demuxer = unsafe { WebPDemuxInternal(&raw const data, 0, ptr::null_mut(), WebPGetDemuxABIVersion()) };
        (!demuxer.is_null()).then_some(Self { demuxer, bytes })
    }

    /// The canvas, in pixels.
    fn size(&self) -> (usize, usize) {
        // SAFETY: the demuxer is there until it is dropped.
        #[allow(unsafe_code, reason = "libwebp is C")]
        let get = |feature| unsafe { WebPDemuxGetI(self.demuxer, feature) as usize };
        (get(WebPFormatFeature::WEBP_FF_CANVAS_WIDTH), get(WebPFormatFeature::WEBP_FF_CANVAS_HEIGHT))
    }

    fn draw_first(&self, canvas: &mut [u8], (width, height): (usize, usize)) -> Result<(), ImageError> {
        // SAFETY: all zero is a valid iterator, and what `WebPDemuxGetFrame` wants.
        #[allow(unsafe_code, reason = "libwebp is C")]
        let mut frame: WebPIterator = unsafe { zeroed() };
        // SAFETY: both are there for the call. Frames are counted from 1.
        #[allow(unsafe_code, reason = "libwebp is C")]
        let found = unsafe { WebPDemuxGetFrame(self.demuxer, 1, &raw mut frame) };
        if found == 0 {
            return Err(damaged("it has no picture"));
        }
        let drawn = self.draw(&frame, canvas, (width, height));
        // SAFETY: the iterator was filled in above, and is released once.
        #[allow(unsafe_code, reason = "libwebp is C")]
        unsafe {
            WebPDemuxReleaseIterator(&raw mut frame);
        }
        drawn
    }

    fn draw(&self, frame: &WebPIterator, canvas: &mut [u8], (width, height): (usize, usize)) -> Result<(), ImageError> {
        let (left, top, wide, high) = (frame.x_offset, frame.y_offset, frame.width, frame.height);
        let fits = |first: i32, count: i32, all: usize| first >= 0 && count > 0 && first as usize + count as usize <= all;
        // The demuxer has checked all of this; the canvas is too near to take its word for it.
        let part = self.bytes.as_ptr_range();
        let fragment = frame.fragment;
        let inside = part.contains(&fragment.bytes) && fragment.size <= part.end.addr() - fragment.bytes.addr();
        if !fits(left, wide, width) || !fits(top, high, height) || !inside {
            return Err(damaged("its parts do not fit together"));
        }
        let stride = width * RGBA;
        let canvas = &mut canvas[top as usize * stride + left as usize * RGBA..];
        let room = ((high as usize - 1) * stride + wide as usize * RGBA).min(canvas.len());
        let canvas = &mut canvas[..room];
        let mut config = WebPDecoderConfig::new().map_err(|()| damaged("the library is another one"))?;
        config.output.colorspace = WEBP_CSP_MODE::MODE_RGBA;
        config.output.is_external_memory = 1;
        config.output.u.RGBA.rgba = canvas.as_mut_ptr();
        config.output.u.RGBA.stride = i32::try_from(stride).map_err(|_| damaged("its rows are too long"))?;
        config.output.u.RGBA.size = canvas.len();
        // SAFETY: the fragment lies within the file (checked above), the output is a slice, and the library is told
        // its length and stride, which it holds the stream's size against.
        #[allow(unsafe_code, reason = "libwebp is C")]
        let status = unsafe { WebPDecode(fragment.bytes, fragment.size, &raw mut config) };
        match status {
            VP8StatusCode::VP8_STATUS_OK => Ok(()),
            other => Err(damaged(said(other))),
        }
    }
}

impl Drop for File<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by `WebPDemuxInternal`, and is deleted once.
        #[allow(unsafe_code, reason = "libwebp is C")]
        unsafe {
            WebPDemuxDelete(self.demuxer);
        }
    }
}
