//! The weights of an antialiased resize along one axis.
//!
//! Fixed point decides the last bit of every pixel, so the steps (double precision, normalised, then rounded to
//! 22 bits) are those of the reference and not merely equivalent on paper.

use std::ops::Range;

use super::crop::Axis;
use super::preset::Filter;

/// Fraction bits of a weight: an i32 less 8 bits of pixel and 2 bits of overshoot.
pub(super) const FRACTION: u32 = 22;

/// For each output position: which inputs, and how much of each.
pub(super) struct Taps {
    /// First input of each output.
    pub(super) starts: Vec<usize>,
    /// Number of inputs of each output.
    pub(super) counts: Vec<usize>,
    weights: Vec<f64>,
    /// Room for weights per output.
    room: usize,
}

impl Taps {
    /// The weights of what is kept of the axis.
    pub(super) fn new(axis: &Axis, filter: Filter) -> Self {
        let (scale, support) = measures(axis, filter);
        let stretch = scale.max(1.0);
        let room = support.ceil() as usize * 2 + 1;
        let mut taps = Self { starts: Vec::new(), counts: Vec::new(), weights: vec![0.0; room * axis.count], room };
        for (out, weights) in (axis.first..).zip(taps.weights.chunks_exact_mut(room)) {
            let center = (out as f64 + 0.5) * scale;
            let Range { start, end } = span(out, scale, support, axis.from);
            let weights = &mut weights[..end - start];
            for (i, weight) in weights.iter_mut().enumerate() {
                let x = ((i + start) as f64 - center + 0.5) * (1.0 / stretch);
                *weight = match filter {
                    Filter::Bicubic => cubic(x),
                    Filter::Bilinear => triangle(x),
                };
            }
            let sum: f64 = weights.iter().fold(0.0, |sum, w| sum + w);
            if sum != 0.0 {
                weights.iter_mut().for_each(|w| *w /= sum);
            }
            taps.starts.push(start);
            taps.counts.push(end - start);
        }
        taps
    }

    /// How many outputs at a time keep the weights within a few megabytes, however long the axis is.
    pub(super) fn batch(axis: &Axis, filter: Filter) -> usize {
        const WEIGHTS: usize = 1 << 18;
        let (_, support) = measures(axis, filter);
        (WEIGHTS / (support.ceil() as usize * 2 + 1)).max(1)
    }

    /// Weights in double precision: `(first input, weights)` per output.
    pub(super) fn exact(&self) -> impl Iterator<Item = (usize, &[f64])> {
        let spans = self.starts.iter().zip(&self.counts);
        spans.zip(self.weights.chunks_exact(self.room)).map(|((&s, &n), w)| (s, &w[..n]))
    }

    /// Weights in fixed point, `room` per output, zero where there is no input.
    pub(super) fn fixed(&self) -> Vec<i32> {
        let one = f64::from(1u32 << FRACTION);
        let round = |w: &f64| if *w < 0.0 { (w * one - 0.5) as i32 } else { (w * one + 0.5) as i32 };
        self.weights.iter().map(round).collect()
    }

    /// Room for weights per output in [`Self::fixed`].
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// The inputs that are used by what is kept of the axis.
    pub(super) fn inputs(axis: &Axis, filter: Filter) -> Range<usize> {
        let (scale, support) = measures(axis, filter);
        span(axis.first, scale, support, axis.from).start..span(axis.first + axis.count - 1, scale, support, axis.from).end
    }
}

/// The inputs of an output.
fn span(out: usize, scale: f64, support: f64, from: usize) -> Range<usize> {
    let center = (out as f64 + 0.5) * scale;
    // Casts cut towards zero and stop at it.
    (center - support + 0.5) as usize..((center + support + 0.5) as usize).min(from)
}

/// Inputs per output, and how far the filter reaches among them.
fn measures(axis: &Axis, filter: Filter) -> (f64, f64) {
    let scale = axis.from as f64 / axis.to as f64;
    (scale, reach(filter) * scale.max(1.0))
}

/// How far a filter reaches, in source pixels at scale 1.
fn reach(filter: Filter) -> f64 {
    match filter {
        Filter::Bicubic => 2.0,
        Filter::Bilinear => 1.0,
    }
}

/// The bicubic convolution kernel with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image
/// processing", 1981).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    } else {
        0.0
    }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_stay_inside() {
        for filter in [Filter::Bicubic, Filter::Bilinear] {
            for from in [1, 2, 3, 100, 223, 224, 225, 640, 4001] {
                let taps = Taps::new(&Axis::whole(from, 224), filter);
                for (start, weights) in taps.exact() {
                    assert!(start + weights.len() <= from);
                    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                }
                let inputs = Taps::inputs(&Axis::whole(from, 224), filter);
                assert!(taps.exact().all(|(s, w)| inputs.start <= s && s + w.len() <= inputs.end));
            }
        }
    }

    #[test]
    fn a_part_has_the_weights_of_the_whole() {
        let whole = Taps::new(&Axis::whole(1000, 256), Filter::Bilinear);
        let part = Taps::new(&Axis { from: 1000, to: 256, first: 16, count: 224 }, Filter::Bilinear);
        assert!(whole.exact().skip(16).take(224).eq(part.exact()));
    }
}
