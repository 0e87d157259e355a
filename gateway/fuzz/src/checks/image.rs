use crate::image::{self, Filter, ImageError, Limits, Orientation, Preset, Quality, Source, thumbnail};

/// So small that a second holds many images; what is above is refused, whatever it is.
const LIMITS: Limits = Limits { pixels: 1 << 14, pixels_at_once: 1 << 14 };

/// An image is refused or has all of its own pixels, and nothing of one before it.
///
/// # Panics
/// When it does not hold.
pub fn image(bytes: &[u8]) {
    let upright = Preset { filter: Filter::Bilinear, orientation: Orientation::Apply, ..Preset::unit() };
    let ways = [
        (Preset::unit(), (32, 24), Quality::Exact),
        (Preset::imagenet(), (24, 24), Quality::Exact),
        (upright, (17, 31), Quality::Fast),
    ];
    for (preset, size, quality) in ways {
        let header = image::header(&Source::Encoded(bytes));
        let cost = header.map(|header| preset.cost(header.size, size, &LIMITS));
        let first = after(0x55, || made(bytes, &preset, size, quality));
        let second = after(0xaa, || made(bytes, &preset, size, quality));
        assert_eq!(first, second, "it depends on the image before");
        assert!(first.is_err() || cost.is_some_and(|cost| cost <= LIMITS.pixels), "{header:?} in the header, a cost of {cost:?}");
    }
    let small = thumbnail(Source::Encoded(bytes), 64, &LIMITS);
    if let Ok(small) = small {
        assert!((1..=64).contains(&small.width) && (1..=64).contains(&small.height));
        drop(small);
    }
}

fn made(bytes: &[u8], preset: &Preset, size: (usize, usize), quality: Quality) -> Result<Vec<u8>, ImageError> {
    let rgb = preset.apply(Source::Encoded(bytes), size, quality, &LIMITS)?;
    assert_eq!((rgb.width, rgb.height, rgb.pixels.len()), (size.0, size.1, size.0 * size.1 * 3));
    Ok(rgb.pixels)
}

/// Does it on a thread whose spare buffer holds a picture of this byte.
fn after<T>(byte: u8, what: impl Fn() -> T) -> T {
    let pixels = vec![byte; 3 * LIMITS.pixels as usize];
    let source = Source::Rgb8 { width: 128, height: 128, pixels: &pixels };
    drop(Preset::unit().apply(source, (8, 8), Quality::Exact, &LIMITS));
    what()
}
