//! What a decoder found, and how each kind becomes RGB of another size.

use super::Rgb;
use super::crop::Crop;
use super::preset::Filter;
use super::resample::{nearest, resize, resize16};
use super::scratch;

/// A decoded image: rows from top to bottom, no gaps, channels interleaved.
pub(super) struct Opened {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Width and height of the image in full, where it was decoded at a fraction of that.
    pub(super) whole: (usize, usize),
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
    /// An image decoded in full.
    pub(super) fn new(width: usize, height: usize, pixels: Pixels) -> Self {
        Self { width, height, whole: (width, height), pixels }
    }

    /// RGB or gray without alpha, in its own size.
    pub(super) fn converted(self) -> Self {
        let pixels = match self.pixels {
            same @ (Pixels::Gray(_) | Pixels::Rgbx(_)) => same,
            Pixels::Rgba(p) => Pixels::Rgbx(p),
            Pixels::GrayAlpha(p) => Pixels::Gray(p.into_iter().step_by(2).collect()),
            Pixels::Gray16(p) => Pixels::Gray(p.into_iter().map(low).collect()),
            Pixels::Cmyk(p) => Pixels::Rgbx(p.as_chunks().0.iter().flat_map(|p| padded(inked(p))).collect()),
            Pixels::Index(p, palette) => Pixels::Rgbx(p.into_iter().flat_map(|i| padded(palette[usize::from(i)])).collect()),
        };
        Self { pixels, ..self }
    }
}

/// What is kept of a resized image, as RGB, by the rules of its kind.
pub(super) fn resized(opened: Opened, window: &Crop, filter: Filter) -> Rgb {
    let pixels = match opened.pixels {
        Pixels::Gray(p) => resize::<1>(&p, window, filter).into_iter().flat_map(|v| [v; 3]).collect(),
        Pixels::Rgbx(p) => {
            let rgb = opaque(&resize::<4>(&p, window, filter));
            scratch::keep(p);
            rgb
        }
        Pixels::Cmyk(p) => resize::<4>(&p, window, filter).as_chunks().0.iter().flat_map(inked).collect(),
        Pixels::GrayAlpha(mut p) => {
            if !window.is_same() {
                premultiply::<2>(&mut p);
            }
            let mut p = resize::<2>(&p, window, filter);
            if !window.is_same() {
                unpremultiply::<2>(&mut p);
            }
            p.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect()
        }
        Pixels::Rgba(mut p) => {
            if !window.is_same() {
                premultiply::<4>(&mut p);
            }
            let mut p = resize::<4>(&p, window, filter);
            if !window.is_same() {
                unpremultiply::<4>(&mut p);
            }
            opaque(&p)
        }
        Pixels::Gray16(p) => resize16(&p, window, filter).into_iter().flat_map(|v| [low(v); 3]).collect(),
        Pixels::Index(p, palette) => nearest(&p, window).into_iter().flat_map(|i| palette[usize::from(i)]).collect(),
    };
    Rgb { width: window.x.count, height: window.y.count, pixels }
}

/// What the reference makes of 16 bits: it caps, it does not scale.
fn low(v: u16) -> u8 {
    v.min(255) as u8
}

fn padded([r, g, b]: [u8; 3]) -> [u8; 4] {
    [r, g, b, 0]
}

fn opaque(rgba: &[u8]) -> Vec<u8> {
    let mut rgb = vec![0; rgba.len() / 4 * 3];
    for (out, p) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(rgba.as_chunks::<4>().0) {
        out.copy_from_slice(&p[..3]);
    }
    rgb
}

/// A fourth byte after each three.
pub(super) fn spaced(rgb: &[u8]) -> Vec<u8> {
    rgb.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 0]).collect()
}

/// 256 colours; what the file does not name is black.
pub(super) fn palette(bytes: &[u8]) -> Box<[[u8; 3]; 256]> {
    let mut colours = Box::new([[0; 3]; 256]);
    for (colour, bytes) in colours.iter_mut().zip(bytes.chunks_exact(3)) {
        colour.copy_from_slice(bytes);
    }
    colours
}

/// a * b / 255, rounded, without a division.
fn times(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

fn inked(&[c, m, y, k]: &[u8; 4]) -> [u8; 3] {
    let paper = 255 - k;
    [c, m, y].map(|ink| paper - times(ink, paper))
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
