//! What is asked, and what must be answered: 64 of each kind, so that no cache and no answer of another request passes.

use bytes::Bytes;
use tritondeploy_gateway::image::{self, Layout, Limits, Preset, Quality, Source};
use tritondeploy_wire::Datatype;
use tritondeploy_wire::v0::{self, View};

use crate::failure::{Doing, Failure};
use crate::models::Model;

/// Distinct payloads of each kind.
pub(crate) const COUNT: usize = 64;

/// Width and height of the photographs.
pub(crate) const PHOTO: (usize, usize) = (1280, 960);

/// Width and height of the small ones.
pub(crate) const SMALL_PHOTO: (usize, usize) = (640, 480);

/// Bytes of an image as a tensor.
pub(crate) const PIXELS: usize = 3 * image::SIDE * image::SIDE * 4;

/// FP32 tensors of `numbers` elements, little-endian, the same in every run.
pub(crate) fn tensors(numbers: usize) -> Vec<Bytes> {
    let mut random = fastrand::Rng::with_seed(numbers as u64);
    let tensor = |_| (0..numbers).flat_map(|_| random.f32().to_le_bytes()).collect::<Vec<u8>>().into();
    (0..COUNT).map(tensor).collect()
}

/// The best classes of an answer: highest first, equal ones by index.
pub(crate) fn top(answer: &[u8], count: usize) -> Vec<u32> {
    let scores: Vec<f32> = answer.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
    order.truncate(count);
    order
}

/// What an answer of protocol v0 calls a model's output.
pub(crate) fn view<'a>(model: &Model, answer: &'a [u8]) -> View<'a> {
    View { name: model.output, datatype: Datatype::Fp32, shape: model.answer, data: answer }
}

/// An answer of protocol v0 for one model.
pub(crate) fn flat(model: &Model, answer: &[u8]) -> Result<String, Failure> {
    v0::flat([view(model, answer)]).doing("writing the answer expected")
}

/// So many JPEGs of this width and height: parts of a photograph, enlarged, each with its own light and grain.
pub(crate) fn photos(count: usize, size: (usize, usize)) -> Result<Vec<Bytes>, Failure> {
    let cat = png::Decoder::new(std::io::Cursor::new(include_bytes!("../../../assets/cat.png")));
    let mut cat = cat.read_info().doing("reading the photograph")?;
    let mut pixels = vec![0; cat.output_buffer_size().unwrap_or_default()];
    let info = cat.next_frame(&mut pixels).doing("reading the photograph")?;
    let (width, height) = (info.width as usize, info.height as usize);
    (0..count).map(|number| photo(&pixels, (width, height), size, number)).collect()
}

fn photo(cat: &[u8], (width, height): (usize, usize), (columns, rows): (usize, usize), number: usize) -> Result<Bytes, Failure> {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let scale = height as f32 / rows as f32;
    let left = random.f32() * (width as f32 - 1.0 - scale * columns as f32);
    let light = 0.7 + 0.4 * random.f32();
    let mut pixels = Vec::with_capacity(columns * rows * 3);
    for y in 0..rows {
        for x in 0..columns {
            let grain = random.f32() * 12.0 - 6.0;
            let (at_x, at_y) = (left + x as f32 * scale, (y as f32 * scale).min(height as f32 - 1.001));
            let (column, row) = (at_x as usize, at_y as usize);
            let (right, down) = (at_x - column as f32, at_y - row as f32);
            for channel in 0..3 {
                let at = |column: usize, row: usize| f32::from(cat[(row * width + column) * 3 + channel]);
                let upper = at(column, row) * (1.0 - right) + at(column + 1, row) * right;
                let lower = at(column, row + 1) * (1.0 - right) + at(column + 1, row + 1) * right;
                pixels.push(((upper * (1.0 - down) + lower * down) * light + grain) as u8);
            }
        }
    }
    let image = turbojpeg::Image {
        pixels: &pixels[..],
        width: columns,
        pitch: columns * 3,
        height: rows,
        format: turbojpeg::PixelFormat::RGB,
    };
    let jpeg = turbojpeg::compress(image, 88, turbojpeg::Subsamp::Sub2x2).doing("writing a JPEG")?;
    Ok(Bytes::copy_from_slice(&jpeg))
}

/// The pixels of a photograph as a model gets them, little-endian.
pub(crate) fn pixels(photo: &[u8], quality: Quality) -> Result<Vec<u8>, Failure> {
    let mut pixels = vec![0; PIXELS];
    write_pixels(photo, quality, &mut pixels)?;
    Ok(pixels)
}

/// The same into a place of [`PIXELS`] bytes: the gateway's own code, and all of its work on an image.
pub(crate) fn write_pixels(photo: &[u8], quality: Quality, place: &mut [u8]) -> Result<(), Failure> {
    let (preset, size) = (Preset::unit(), (image::SIDE, image::SIDE));
    let rgb = preset.apply(Source::Encoded(photo), size, quality, &Limits::default()).doing("reading a photograph")?;
    preset.write(&rgb, Layout::Chw, Datatype::Fp32, place).doing("writing a tensor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{CHECKED, NULL, NULL_4K};

    #[test]
    fn no_two_payloads_have_the_same_answer() {
        for model in [NULL, CHECKED, NULL_4K] {
            let tensors = tensors(model.numbers());
            assert_eq!(tensors[0].len(), model.numbers() * 4);
            let answers: std::collections::BTreeSet<_> = tensors.iter().map(|tensor| model.answer_to(tensor)).collect();
            assert_eq!(answers.len(), COUNT);
            assert!(answers.iter().all(|answer| answer.len() == 4000));
        }
    }

    #[test]
    fn equal_scores_come_by_index() {
        let scores: Vec<u8> = [1.0f32, 3.0, 3.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(top(&scores, 3), [1, 2, 3]);
    }

    #[test]
    fn photographs_are_of_the_size_said_and_differ() {
        let photos = photos(2, PHOTO).unwrap();
        let header = turbojpeg::read_header(&photos[0]).unwrap();
        assert_eq!((header.width, header.height), PHOTO);
        let (first, second) = (pixels(&photos[0], Quality::Exact).unwrap(), pixels(&photos[1], Quality::Exact).unwrap());
        assert_eq!(first.len(), NULL.numbers() * 4);
        assert_ne!(top(&NULL.answer_to(&first), 5), top(&NULL.answer_to(&second), 5));
    }
}
