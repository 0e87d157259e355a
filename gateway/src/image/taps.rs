//! The weights of a bicubic, antialiased resize along one axis.
//!
//! Fixed point decides the last bit of every pixel, so the steps (double precision, normalised, then rounded to
//! 22 bits) are those of the reference and not merely equivalent on paper.

/// Fraction bits of a weight: an i32 less 8 bits of pixel and 2 bits of overshoot.
pub(super) const FRACTION: u32 = 22;

/// How far the cubic reaches, in source pixels at scale 1.
const REACH: f64 = 2.0;

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
    /// From `from` inputs to `to` outputs.
    pub(super) fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = REACH * stretch;
        let room = support.ceil() as usize * 2 + 1;
        let mut taps = Self { starts: Vec::new(), counts: Vec::new(), weights: vec![0.0; room * to], room };
        for (out, weights) in taps.weights.chunks_exact_mut(room).enumerate() {
            let center = (out as f64 + 0.5) * scale;
            // Casts cut towards zero and stop at it.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights = &mut weights[..end - start];
            for (i, weight) in weights.iter_mut().enumerate() {
                *weight = cubic(((i + start) as f64 - center + 0.5) * (1.0 / stretch));
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
}

/// The bicubic convolution kernel with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image
/// processing", 1981).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < REACH {
        (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_stay_inside() {
        for from in [1, 2, 3, 100, 223, 224, 225, 640, 4001] {
            let taps = Taps::new(from, 224);
            for (start, weights) in taps.exact() {
                assert!(start + weights.len() <= from);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
