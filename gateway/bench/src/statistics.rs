//! Medians, quantiles and how sure they are.

use std::time::Duration;

/// Resampled this often; the interval's ends then move by well under 1 % of its width from seed to seed.
const RESAMPLES: usize = 10_000;

/// One in a hundred of fewer samples than this is too few to say anything of.
const ENOUGH_FOR_P99: usize = 20_000;

/// A value, and between what it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// The median of a sample, with its percentile bootstrap interval. The same sample gives the same interval.
    pub(crate) fn median(sample: &[f64]) -> Self {
        let mut random = fastrand::Rng::with_seed(0x6d65_6469_616e);
        let mut resample = vec![0.0; sample.len()];
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                resample.iter_mut().for_each(|value| *value = sample[random.usize(..sample.len())]);
                median(&mut resample)
            })
            .collect();
        medians.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| medians[((RESAMPLES - 1) as f64 * share).round() as usize];
        Self { value: median(&mut sample.to_vec()), low: at(0.025), high: at(0.975) }
    }
}

/// Sorts what it is given. NaN of nothing.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// What a share of the sorted values does not exceed (nearest rank).
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The 99th percentile, where there are samples enough to tell it.
pub(crate) fn p99(sorted: &[Duration]) -> Option<Duration> {
    if sorted.len() < ENOUGH_FOR_P99 { None } else { quantile(sorted, 0.99) }
}

/// The slope of a least-squares line through points, in y per x, and its standard error: true of points whose distances
/// from the line have nothing to do with each other. NaN of too few.
pub(crate) fn slope(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let (x, y) = middle(points);
    let (over, under) = points.iter().fold((0.0, 0.0), |(o, u), p| (o + (p.0 - x) * (p.1 - y), u + (p.0 - x) * (p.0 - x)));
    let slope = over / under;
    let apart: f64 = points.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
    (slope, (apart / (n - 2.0) / under).sqrt())
}

/// The mean of points.
pub(crate) fn middle(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_samples() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }

    /// The bootstrap's distribution is known here: the median of a resample of 1..=9 is at most k with the probability that
    /// Bin(9, k/9) is at least 5: 0.001 for 1, 0.033 for 2; so the 2.5 % point is 2, and by symmetry the other 8.
    #[test]
    fn the_interval_of_a_median_is_the_one_known() {
        let sample: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(Estimate::median(&sample), Estimate { value: 5.0, low: 2.0, high: 8.0 });
        let certain = Estimate::median(&[0.98; 12]);
        assert_eq!(certain, Estimate { value: 0.98, low: 0.98, high: 0.98 });
    }

    #[test]
    fn an_outlier_does_not_move_the_interval() {
        let mut sample = vec![1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 0.99, 1.0, 1.0];
        sample.push(50.0);
        let estimate = Estimate::median(&sample);
        assert!(estimate.low > 0.98 && estimate.high < 1.02, "{estimate:?}");
    }

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sample: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(quantile(&sample, 0.5), Some(Duration::from_micros(50)));
        assert_eq!(quantile(&sample, 0.99), Some(Duration::from_micros(99)));
        assert_eq!(quantile(&sample, 1.0), Some(Duration::from_micros(100)));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_p99_of_few_samples_is_not_told() {
        let sample: Vec<Duration> = (1..=20_000).map(Duration::from_micros).collect();
        assert_eq!(p99(&sample), Some(Duration::from_micros(19_800)));
        assert_eq!(p99(&sample[1..]), None);
    }

    #[test]
    fn a_line_has_its_slope() {
        let points: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) - 7.0)).collect();
        let (rise, error) = slope(&points);
        assert!((rise - 3.0).abs() < 1e-12 && error < 1e-12);
        assert!(slope(&[(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)]).0.abs() < 1e-12);
        assert!(slope(&points[..1]).0.is_nan());
    }

    /// By hand: y = 2.2 + 0.6 x is off by -0.8, 0.6, 1, -0.6 and -0.2, whose squares are 2.4 in sum.
    #[test]
    fn a_slope_has_the_standard_error_of_the_textbook() {
        let (rise, error) = slope(&[(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0), (5.0, 5.0)]);
        assert!((rise - 0.6).abs() < 1e-12 && (error - (2.4_f64 / 3.0 / 10.0).sqrt()).abs() < 1e-12, "{rise} {error}");
    }
}
