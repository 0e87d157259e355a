//! Resizing to 224 x 224: first along the rows, then down the columns, whole bytes between.

use super::SIDE;
use super::taps::{FRACTION, Taps};
#[cfg(target_arch = "x86_64")]
use super::wide::{self, Steps};

/// One half, so that the shift rounds.
const HALF: i32 = 1 << (FRACTION - 1);

/// Bicubic with antialiasing, for `N` interleaved channels of bytes.
pub(super) fn resize<const N: usize>(pixels: Vec<u8>, width: usize, height: usize) -> Vec<u8> {
    let narrow = if width == SIDE { pixels } else { across::<N>(&pixels, width, height) };
    if height == SIDE { narrow } else { down(&narrow, SIDE * N, height) }
}

fn byte(sum: i32) -> u8 {
    (sum >> FRACTION).clamp(0, 255) as u8
}

fn across<const N: usize>(pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let taps = Taps::new(width, SIDE);
    let mut out = vec![0; SIDE * height * N];
    #[cfg(target_arch = "x86_64")]
    if N == 4 && std::arch::is_x86_feature_detected!("avx2") {
        let steps = Steps::new(&taps);
        for (y, out) in out.as_chunks_mut::<{ SIDE * 4 }>().0.iter_mut().enumerate() {
            let row = &pixels[y * width * N..];
            // The last step of a row may read into the next; there is none after the last.
            if row.len() < steps.reach * N {
                across_rows::<N>(&row[..width * N], out, width, &taps);
                continue;
            }
            // SAFETY: the processor was asked whether it has AVX2.
            #[allow(unsafe_code, reason = "the one way to call code for a feature that the processor may lack")]
            unsafe {
                wide::row(row, out, &steps);
            }
        }
        return out;
    }
    across_rows::<N>(pixels, &mut out, width, &taps);
    out
}

fn across_rows<const N: usize>(pixels: &[u8], out: &mut [u8], width: usize, taps: &Taps) {
    let weights = taps.fixed();
    for (row, out) in pixels.chunks_exact(width * N).zip(out.chunks_exact_mut(SIDE * N)) {
        for (x, out) in out.chunks_exact_mut(N).enumerate() {
            let weights = &weights[x * taps.room()..][..taps.counts[x]];
            let mut sums = [HALF; N];
            for (pixel, weight) in row[taps.starts[x] * N..].chunks_exact(N).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = byte(sum);
            }
        }
    }
}

fn down(rows: &[u8], line: usize, height: usize) -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor was asked whether it has AVX2.
        #[allow(unsafe_code, reason = "the one way to call code for a feature that the processor may lack")]
        return unsafe { down_avx2(rows, line, height) };
    }
    down_rows(rows, line, height)
}

/// The same code, compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn down_avx2(rows: &[u8], line: usize, height: usize) -> Vec<u8> {
    down_rows(rows, line, height)
}

#[inline(always)]
fn down_rows(rows: &[u8], line: usize, height: usize) -> Vec<u8> {
    let taps = Taps::new(height, SIDE);
    let weights = taps.fixed();
    let mut out = vec![0; SIDE * line];
    let mut sums = vec![0i32; line];
    for (y, out) in out.chunks_exact_mut(line).enumerate() {
        sums.fill(HALF);
        let weights = &weights[y * taps.room()..][..taps.counts[y]];
        for (row, weight) in rows[taps.starts[y] * line..].chunks_exact(line).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        for (out, &sum) in out.iter_mut().zip(&sums) {
            *out = byte(sum);
        }
    }
    out
}

/// Bicubic with antialiasing, for 16-bit gray, in double precision.
pub(super) fn resize16(pixels: Vec<u16>, width: usize, height: usize) -> Vec<u16> {
    let narrow = if width == SIDE {
        pixels
    } else {
        let taps = Taps::new(width, SIDE);
        let row = |row: &[u16]| taps.exact().map(|(s, w)| word(row[s..].iter().zip(w))).collect::<Vec<_>>();
        pixels.chunks_exact(width).flat_map(row).collect()
    };
    if height == SIDE {
        return narrow;
    }
    let taps = Taps::new(height, SIDE);
    let line = |(s, w): (usize, &[f64])| {
        let column = |x: usize| word(narrow[s * SIDE + x..].iter().step_by(SIDE).zip(w));
        (0..SIDE).map(column).collect::<Vec<_>>()
    };
    taps.exact().flat_map(line).collect()
}

/// Overshoot does not wrap: the reference caps the two bytes of the sum one by one, so that 65600 becomes 65344.
fn word<'a>(terms: impl Iterator<Item = (&'a u16, &'a f64)>) -> u16 {
    let sum = terms.fold(0.0, |sum, (v, w)| sum + f64::from(*v) * w);
    let whole = if sum < 0.0 { (sum - 0.5) as i32 } else { (sum + 0.5) as i32 };
    let (high, low) = ((whole >> 8).clamp(0, 255) as u8, (whole % 256).clamp(0, 255) as u8);
    u16::from_be_bytes([high, low])
}

/// The pixel under the middle of each output pixel.
pub(super) fn nearest(pixels: Vec<u8>, width: usize, height: usize) -> Vec<u8> {
    let columns = picks(width);
    let rows = picks(height).into_iter().map(|y| &pixels[y * width..][..width]);
    rows.flat_map(|row| columns.iter().map(|&x| row[x])).collect()
}

/// Positions are added up, not multiplied out: the sum's rounding is part of the reference.
fn picks(from: usize) -> Vec<usize> {
    let step = from as f64 / SIDE as f64;
    let mut at = step * 0.5;
    let pick = |_| {
        let index = at as usize;
        at += step;
        index.min(from - 1)
    };
    (0..SIDE).map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four channels take the quick way; the plain one must agree everywhere, edges and overshoot included.
    #[test]
    fn the_quick_way_is_the_plain_way() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Mostly extremes: they overshoot.
            match state >> 29 {
                0..=2 => 0,
                3..=5 => 255,
                _ => (state >> 16) as u8,
            }
        };
        for (width, height) in [(1, 1), (2, 5), (3, 3), (223, 2), (225, 7), (1000, 3), (4001, 2)] {
            let pixels: Vec<u8> = (0..width * height * 4).map(|_| random()).collect();
            let mut plain = vec![0; SIDE * height * 4];
            across_rows::<4>(&pixels, &mut plain, width, &Taps::new(width, SIDE));
            assert!(across::<4>(&pixels, width, height) == plain, "{width} x {height}");
            assert!(down(&plain, SIDE * 4, height) == down_rows(&plain, SIDE * 4, height), "{width} x {height}");
        }
    }
}
