//! How long the answers took.

use serde::Serialize;

/// Answers that are measured; 16 MB of memory. Of a longer run the first ones.
const MEASURED: usize = 4_000_000;
/// Columns of the histogram, about.
const COLUMNS: f64 = 24.0;

/// From asking to the answer, retries included, of each request that was answered.
#[derive(Default)]
pub(super) struct Latency {
    seconds: Vec<f32>,
}

/// Latencies as the page shows them, in seconds.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Shown {
    /// Answers that were measured.
    count: usize,
    average: f64,
    least: f32,
    most: f32,
    p50: f32,
    p95: f32,
    p99: f32,
    /// Where the first column begins, and each one's width.
    from: f64,
    width: f64,
    columns: Vec<u64>,
    /// Answers that took longer than the last column's end.
    beyond: u64,
}

impl Latency {
    pub(super) fn add(&mut self, seconds: f64) {
        if seconds.is_finite() && seconds >= 0.0 && self.seconds.len() < MEASURED {
            self.seconds.push(seconds as f32);
        }
    }

    /// None where nothing was answered.
    pub(super) fn shown(mut self) -> Option<Shown> {
        self.seconds.sort_unstable_by(f32::total_cmp);
        let all = &self.seconds;
        let (least, most) = (*all.first()?, *all.last()?);
        // The nearest rank: a time that was measured.
        let percentile = |of: f64| all[((of * all.len() as f64).ceil() as usize).clamp(1, all.len()) - 1];
        let (p50, p95, p99) = (percentile(0.5), percentile(0.95), percentile(0.99));
        let average = all.iter().copied().map(f64::from).sum::<f64>() / all.len() as f64;
        // A few answers that took many times longer would leave most of the columns empty.
        let slow = if p99 > 2.5 * p95 { p95 } else { p99 };
        let width = round_width(f64::from(slow - least) / COLUMNS);
        let from = (f64::from(least) / width).floor() * width;
        let end = ((f64::from(slow) - from) / width).floor() as usize + 1;
        let mut columns = vec![0; end];
        let mut beyond = 0;
        for seconds in all {
            match columns.get_mut(((f64::from(*seconds) - from) / width) as usize) {
                Some(column) => *column += 1,
                None => beyond += 1,
            }
        }
        Some(Shown { count: all.len(), average, least, most, p50, p95, p99, from, width, columns, beyond })
    }
}

/// 1, 2 or 5 times a power of ten, not under `width`; a tenth of a millisecond at least.
fn round_width(width: f64) -> f64 {
    let width = width.max(1e-4);
    let power = 10f64.powf(width.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= width * 0.999).unwrap_or(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: &[f64]) -> Option<Shown> {
        let mut latency = Latency::default();
        seconds.iter().for_each(|seconds| latency.add(*seconds));
        latency.shown()
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let shown = of(&(1..=1000).map(|ms| f64::from(ms) / 1000.0).collect::<Vec<_>>()).unwrap();
        assert_eq!((shown.p50, shown.p95, shown.p99), (0.5, 0.95, 0.99));
        assert_eq!((shown.width, shown.columns.len()), (0.05, 20));
        assert_eq!(shown.columns.iter().sum::<u64>() + shown.beyond, 1000);
    }

    #[test]
    fn a_few_slow_answers_do_not_flatten_the_rest() {
        let mut times = vec![0.02; 990];
        times.extend((0..500).map(|ms| 0.01 + f64::from(ms) / 10_000.0));
        times.extend([30.0; 5]);
        let shown = of(&times).unwrap();
        assert_eq!((shown.beyond >= 5, shown.most), (true, 30.0));
        assert!(shown.columns.len() > 10 && shown.columns.len() < 40, "{shown:?}");
    }

    #[test]
    fn times_that_are_none_are_left_out() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[f64::NAN, -1.0, f64::INFINITY]), None);
        let same = of(&[0.5; 3]).unwrap();
        assert_eq!((same.count, same.columns, same.beyond), (3, vec![3], 0));
    }
}
