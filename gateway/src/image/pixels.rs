//! What a decoder found, and how each kind becomes 224 x 224 RGB.

use super::SIDE;
use super::resample::{nearest, resize, resize16};

/// A decoded image: rows from top to bottom, no gaps, channels interleaved.
pub(super) struct Opened {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Pixels,
}

/// The kinds that differ in how they are resized. `Index` and `Bit` hold one byte a pixel.
pub(super) enum Pixels {
    Gray(Vec<u8>),
    GrayAlpha(Vec<u8>),
    /// With a fourth byte that means nothing: four are quicker to work on than three.
    Rgbx(Vec<u8>),
    Rgba(Vec<u8>),
    /// Already turned around: 0 is no ink.
    Cmyk(Vec<u8>),
    Gray16(Vec<u16>),
    /// Palette images and black-and-white ones are picked from, not blended.
    Index(Vec<u8>, Box<[[u8; 3]; 256]>),
}

impl Opened {
    /// 224 x 224 RGB, by the rules of the kind.
    pub(super) fn resized(self) -> Vec<u8> {
        let Self { width: w, height: h, pixels } = self;
        let same = w == SIDE && h == SIDE;
        match pixels {
            Pixels::Gray(p) => spread(&resize::<1>(p, w, h)),
            Pixels::Rgbx(p) => opaque(&resize::<4>(p, w, h)),
            Pixels::Cmyk(p) => inked(&resize::<4>(p, w, h)),
            Pixels::GrayAlpha(p) if same => p.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
            Pixels::Rgba(p) if same => opaque(&p),
            Pixels::GrayAlpha(mut p) => {
                premultiply::<2>(&mut p);
                let mut p = resize::<2>(p, w, h);
                unpremultiply::<2>(&mut p);
                p.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect()
            }
            Pixels::Rgba(mut p) => {
                premultiply::<4>(&mut p);
                let mut p = resize::<4>(p, w, h);
                unpremultiply::<4>(&mut p);
                opaque(&p)
            }
            Pixels::Gray16(p) => resize16(p, w, h).into_iter().flat_map(|v| [v.min(255) as u8; 3]).collect(),
            Pixels::Index(p, palette) => nearest(p, w, h).into_iter().flat_map(|i| palette[usize::from(i)]).collect(),
        }
    }
}

fn spread(gray: &[u8]) -> Vec<u8> {
    gray.iter().flat_map(|&v| [v; 3]).collect()
}

fn opaque(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()
}

/// a * b / 255, rounded, without a division.
fn times(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

fn inked(cmyk: &[u8]) -> Vec<u8> {
    let pixel = |p: &[u8]| {
        let paper = 255 - p[3];
        [0, 1, 2].map(|i| paper - times(p[i], paper))
    };
    cmyk.chunks_exact(4).flat_map(pixel).collect()
}

/// Colours times alpha, so that what cannot be seen does not bleed into what can.
fn premultiply<const N: usize>(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(N) {
        let alpha = pixel[N - 1];
        for colour in &mut pixel[..N - 1] {
            *colour = times(*colour, alpha);
        }
    }
}

fn unpremultiply<const N: usize>(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(N) {
        let alpha = u32::from(pixel[N - 1]);
        if alpha == 0 || alpha == 255 {
            continue;
        }
        for colour in &mut pixel[..N - 1] {
            *colour = (255 * u32::from(*colour) / alpha).min(255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn times_is_the_rounded_product() {
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                let exact = (f64::from(a) * f64::from(b) / 255.0).round();
                assert_eq!(f64::from(times(a, b)), exact, "{a} * {b}");
            }
        }
    }
}
