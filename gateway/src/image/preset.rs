//! How an image becomes a model's input: configuration, with the two ways in common use built in.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::crop::Crop;
use super::exif::Rotation;
use super::{ImageError, Limits, Quality, Rgb, Source, jpeg, pixels};

/// How an image becomes a model's input. The default is [`Preset::unit`].
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preset {
    /// How the image comes to the input's width and height.
    pub resize: Resize,
    /// What blends pixels. Both filters are antialiased; palette and black-and-white images that are resized before
    /// their conversion are picked from instead.
    pub filter: Filter,
    /// When an image that is not RGB becomes RGB.
    pub convert: Convert,
    /// What a camera's word on how it was held is worth.
    pub orientation: Orientation,
    /// Subtracted from each channel's 0..=1.
    pub mean: [f32; 3],
    /// What each channel is divided by after that. Not zero.
    #[serde(deserialize_with = "divisors")]
    pub std: [f32; 3],
}

/// How an image comes to the input's width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Each axis by itself.
    Stretch,
    /// The shorter side becomes so many pixels, the other keeps the proportion, and the middle is cut out.
    ShorterSide(u32),
}

/// What blends pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Filter {
    Bicubic,
    Bilinear,
}

/// When an image becomes RGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Convert {
    /// Before the resize, as `torchvision.datasets` loads its images; alpha is dropped.
    Before,
    /// After it, as `Image.open(f).resize(..).convert("RGB")`.
    After,
}

/// What a camera's word on how it was held (EXIF) is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orientation {
    /// Nothing: pixels stay as they lie in the file.
    Ignore,
    /// The image is turned upright first.
    Apply,
}

fn divisors<'de, D: Deserializer<'de>>(input: D) -> Result<[f32; 3], D::Error> {
    let values = <[f32; 3]>::deserialize(input)?;
    if values.iter().all(|v| v.is_normal()) { Ok(values) } else { Err(D::Error::custom("std must be numbers other than 0")) }
}

impl Default for Preset {
    fn default() -> Self {
        Self::unit()
    }
}

impl Preset {
    /// Stretched with bicubic, 0 to 1: pillow 11.0.0's `Image.open(f).resize(size).convert("RGB")`, over 255.
    #[must_use]
    pub const fn unit() -> Self {
        Self {
            resize: Resize::Stretch,
            filter: Filter::Bicubic,
            convert: Convert::After,
            orientation: Orientation::Ignore,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }

    /// The shorter side to 256 with bilinear, the middle cut out, less ImageNet's mean, over its deviation: what
    /// torchvision's `Resize(256)`, `CenterCrop(size)`, `ToTensor()`, `Normalize(..)` make of pillow's RGB image.
    #[must_use]
    pub const fn imagenet() -> Self {
        Self {
            resize: Resize::ShorterSide(256),
            filter: Filter::Bilinear,
            convert: Convert::Before,
            orientation: Orientation::Ignore,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }

    /// Decodes, turns, resizes and cuts an image to `size` (width, height).
    ///
    /// # Errors
    /// When the bytes are no image that is read, are damaged, the image is too large, or the resized one is smaller
    /// than `size`.
    pub fn apply(&self, source: Source<'_>, size: (usize, usize), quality: Quality, limits: &Limits) -> Result<Rgb, ImageError> {
        let turn = match self.orientation {
            Orientation::Ignore => Rotation::NONE,
            Orientation::Apply => super::turn(&source),
        };
        // As the file holds it, so before the turn.
        let need = |whole| {
            let window = self.window(turn.size(whole), size, limits)?;
            Ok(turn.size((window.x.to, window.y.to)))
        };
        let need: Option<jpeg::Need<'_>> = match quality {
            Quality::Exact => None,
            Quality::Fast => Some(&need),
        };
        let opened = super::open(source, limits, need)?;
        let opened = turn.apply(match self.convert {
            Convert::Before => opened.converted(),
            Convert::After => opened,
        });
        let window = self.window(opened.whole, size, limits)?.of((opened.width, opened.height));
        Ok(pixels::resized(opened, &window, self.filter))
    }

    /// Pixels that an image of this size counts as while it becomes one of `size` (width, height): the most of what it has,
    /// what is made between the two passes of the resize (which is work for a processor, though no more than a band of it is
    /// in memory), and what comes of it.
    #[must_use]
    pub fn cost(&self, image: (usize, usize), size: (usize, usize), limits: &Limits) -> u64 {
        let (width, height) = image;
        if width == 0 || height == 0 {
            // A header's word: the decoder refuses it.
            return 0;
        }
        let turned = match self.orientation {
            Orientation::Ignore => image,
            // EXIF is not read here, so that both ways count.
            Orientation::Apply => (height, width),
        };
        let passes = |image| self.window(image, size, limits).map_or(0, |window| window.cost());
        [(width as u64).saturating_mul(height as u64), passes(image), passes(turned)].into_iter().max().unwrap_or_default()
    }

    fn window(&self, image: (usize, usize), size: (usize, usize), limits: &Limits) -> Result<Crop, ImageError> {
        if size.0 == 0 || size.1 == 0 {
            return Err(ImageError::Empty);
        }
        let window = match self.resize {
            Resize::Stretch => Crop::stretch(image, size),
            Resize::ShorterSide(side) => Crop::shorter_side(image, side as usize, size, limits.pixels)?,
        };
        // Rows are made wider before they become fewer: a column of one pixel would be the work of gigabytes between.
        if window.x.count as u128 * image.1 as u128 > limits.pixels.into() {
            let (width, height) = image;
            let (to_width, to_height) = (window.x.to as u64, window.y.to as u64);
            return Err(ImageError::Resized { width, height, to_width, to_height });
        }
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_is_configuration() {
        let preset: Preset = toml::from_str(
            r#"
            resize = { shorter_side = 256 }
            filter = "bilinear"
            convert = "before"
            mean = [0.485, 0.456, 0.406]
            std = [0.229, 0.224, 0.225]
            "#,
        )
        .unwrap();
        assert_eq!(preset, Preset::imagenet());
        assert_eq!(toml::from_str::<Preset>("resize = \"stretch\"").unwrap(), Preset::unit());
        assert!(toml::from_str::<Preset>("resize = \"fit\"").is_err());
        assert!(toml::from_str::<Preset>("means = [0, 0, 0]").is_err());
        assert!(toml::from_str::<Preset>("std = [0.2, 0.0, 0.2]").is_err());
    }

    #[test]
    fn an_image_costs_the_most_that_it_becomes() {
        let limits = Limits::default();
        let unit = |image, size| Preset::unit().cost(image, size, &limits);
        // A photograph: its own pixels.
        assert_eq!(unit((1280, 960), (224, 224)), 1280 * 960);
        // A thin one: what is between the two passes.
        assert_eq!(unit((1, 399_455), (224, 224)), 224 * 399_455);
        // A small one for a large input: what comes of it.
        assert_eq!(unit((3, 2), (4096, 4096)), 4096 * 4096);
        // What is refused costs what it is; what is nothing, nothing.
        assert_eq!(unit((1, 80_000_000), (224, 224)), 80_000_000);
        assert_eq!(unit((0, 7), (224, 224)), 0);
        assert_eq!(unit((usize::MAX, usize::MAX), (224, 224)), u64::MAX);
        // A camera that was held on its side.
        let upright = Preset { orientation: Orientation::Apply, ..Preset::unit() };
        assert_eq!(upright.cost((399_455, 1), (224, 224), &limits), 224 * 399_455);
        assert_eq!(Preset::imagenet().cost((300, 400), (224, 224), &limits), 300 * 400);
    }
}
