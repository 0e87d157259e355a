//! The size in which frames are asked for: what the models need and no more, so that little goes over the network.

use super::probe::Probe;

/// What a frame may be at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Pixels of the shorter side: the models' own resize needs some more than it leaves.
    pub(crate) shorter_side: u32,
    /// Bytes of its pixels, three for each: what a message to the server may hold.
    pub(crate) bytes: u64,
}

/// Width over height of a pixel: stranger ones are damage.
const PIXEL: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Width and height before the frame is turned upright. Aspect is kept, also of pixels that are not square, and
/// nothing is enlarged.
pub(super) fn fit(probe: &Probe, bounds: Bounds) -> (u32, u32) {
    let pixel = if PIXEL.contains(&probe.pixel_aspect) { probe.pixel_aspect } else { 1.0 };
    let (width, height) = (f64::from(probe.width) * pixel.min(1.0), f64::from(probe.height) / pixel.max(1.0));
    let by_side = f64::from(bounds.shorter_side.max(1)) / width.min(height);
    let by_bytes = (bounds.bytes as f64 / (width * height * 3.0)).sqrt();
    let factor = by_side.min(by_bytes).min(1.0);
    // Rounded down where the bytes bind: up could be one row too much.
    let side = |length: f64| if by_bytes < by_side { (length * factor).floor() } else { (length * factor).round() }.max(1.0);
    (side(width) as u32, side(height) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: u32, height: u32, pixel_aspect: f64) -> (u32, u32) {
        let probe = Probe { width, height, pixel_aspect, ..Probe::default() };
        fit(&probe, Bounds { shorter_side: 448, bytes: 32 << 20 })
    }

    #[test]
    fn aspect_is_kept_and_nothing_is_enlarged() {
        assert_eq!(of(1920, 1080, 1.0), (796, 448));
        assert_eq!(of(1080, 1920, 1.0), (448, 796));
        assert_eq!(of(320, 181, 1.0), (320, 181));
        // A DVD's pixels: 768 x 576 on the screen.
        assert_eq!(of(720, 576, 16.0 / 15.0), (597, 448));
        assert_eq!(of(320, 240, 2.0), (320, 120));
        assert_eq!(of(320, 240, 0.5), (160, 240));
        assert_eq!(of(320, 240, 1000.0), (320, 240));
        assert_eq!(of(320, 240, f64::NAN), (320, 240));
    }

    #[test]
    fn a_frame_is_never_larger_than_a_message_and_never_empty() {
        for (width, height) in [(1_000_000, 35), (35, 1_000_000), (8192, 4320), (1, 35_000_000), (1, 1)] {
            let probe = Probe { width, height, pixel_aspect: 1.0, ..Probe::default() };
            for bytes in [3, 1000, 10 << 20] {
                let (width, height) = fit(&probe, Bounds { shorter_side: 448, bytes });
                assert!(width > 0 && height > 0);
                let within = u64::from(width) * u64::from(height) * 3 <= bytes;
                assert!(within || width == 1 || height == 1, "{width} x {height} of {bytes}");
            }
        }
    }
}
