//! Which part of a resized image is kept.

use super::ImageError;

/// One axis: `from` pixels become `to`, of which `count` are kept, beginning with `first`. What is not kept is not
/// worked out either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Axis {
    /// All of `to`.
    pub(super) fn whole(from: usize, to: usize) -> Self {
        Self { from, to, first: 0, count: to }
    }

    /// The middle `count` of `to`, where torchvision's `CenterCrop` finds it: halves go to the even neighbour.
    fn middle(from: usize, to: usize, count: usize) -> Self {
        let spare = to - count;
        let first = spare / 2 + usize::from(spare % 4 == 3);
        Self { from, to, first, count }
    }

    /// Whether the pixels stay as they are (some may be cut off).
    pub(super) fn is_same(&self) -> bool {
        self.from == self.to
    }
}

/// Both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crop {
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Crop {
    /// The whole image, stretched to `size`.
    pub(super) fn stretch((width, height): (usize, usize), size: (usize, usize)) -> Self {
        Self { x: Axis::whole(width, size.0), y: Axis::whole(height, size.1) }
    }

    /// The shorter side becomes `side`, the longer one keeps the proportion, and `size` is cut out of the middle.
    /// The longer side is rounded down, as torchvision's `Resize` does it.
    ///
    /// # Errors
    /// When the resized image is smaller than `size`, or has more than `limit` pixels.
    pub(super) fn shorter_side(
        (width, height): (usize, usize),
        side: usize,
        size: (usize, usize),
        limit: u64,
    ) -> Result<Self, ImageError> {
        let (short, long) = (width.min(height), width.max(height));
        let long = (side as u128 * long as u128 / short as u128).min(u64::MAX.into());
        let resized = |(a, b): (u64, u64)| ImageError::Resized { width, height, to_width: a, to_height: b };
        let order = |long| if width <= height { (side as u64, long) } else { (long, side as u64) };
        let to = order(long as u64);
        if to.0.saturating_mul(to.1) > limit || to.0 < size.0 as u64 || to.1 < size.1 as u64 {
            return Err(resized(to));
        }
        let (to_width, to_height) = (to.0 as usize, to.1 as usize);
        Ok(Self { x: Axis::middle(width, to_width, size.0), y: Axis::middle(height, to_height, size.1) })
    }

    /// The same part of an image that was decoded at a fraction of its size.
    pub(super) fn of(self, (width, height): (usize, usize)) -> Self {
        Self { x: Axis { from: width, ..self.x }, y: Axis { from: height, ..self.y } }
    }

    /// Whether the pixels stay as they are (some may be cut off).
    pub(super) fn is_same(&self) -> bool {
        self.x.is_same() && self.y.is_same()
    }

    /// Pixels between the two passes, or of the result, whichever are more.
    pub(super) fn cost(&self) -> u64 {
        (self.x.count as u64).saturating_mul(self.y.from.max(self.y.count) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's `int(round((to - count) / 2.0))`, `round` being to the even neighbour.
    #[test]
    fn the_middle_begins_where_torchvision_begins_it() {
        for (spare, first) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3), (7, 4), (117, 58), (119, 60)] {
            assert_eq!(Axis::middle(1, 224 + spare, 224).first, first, "{spare}");
            assert_eq!((spare as f64 / 2.0).round_ties_even() as usize, first, "{spare}");
        }
    }

    #[test]
    fn the_longer_side_is_rounded_down() {
        let window = Crop::shorter_side((1280, 960), 256, (224, 224), 1 << 20).unwrap();
        assert_eq!((window.x.to, window.y.to), (341, 256));
        assert_eq!((window.x.first, window.y.first), (58, 16));
    }

    #[test]
    fn what_would_be_huge_or_too_small_is_refused() {
        assert!(Crop::shorter_side((1, 9_000_000), 256, (224, 224), 89_000_000).is_err());
        assert!(Crop::shorter_side((usize::MAX, 1), 256, (224, 224), 89_000_000).is_err());
        assert!(Crop::shorter_side((640, 480), 256, (299, 299), 89_000_000).is_err());
    }
}
