//! The passes for processors with AVX2: the same sums, eight at a time.
//!
//! A weight has 22 bits of fraction, the multiplier takes 16: each weight is split, w = high * 2048 + low, and the
//! two sums are put together at the end. Sums of whole numbers are exact in any order.

#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::{
    __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_packs_epi32, _mm_packus_epi16, _mm_set1_epi32,
    _mm_srai_epi32, _mm256_add_epi32, _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_extracti128_si256,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_packs_epi32, _mm256_packus_epi16, _mm256_set1_epi32, _mm256_setr_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi8,
    _mm256_unpacklo_epi8,
};

use super::weights::{FRACTION, Taps};

/// Bits of the low part of a weight.
const LOW: u32 = 11;

/// Pixels that one step works on.
const STEP: usize = 4;

/// Weights of four pixels, twice each as the multiplier wants them: high parts, low parts.
#[repr(align(32))]
struct Four([i16; 16], [i16; 16]);

/// Weights in the order of the steps.
pub(super) struct Steps {
    fours: Vec<Four>,
    /// First pixel, first of the `fours`, and their number, per output.
    spans: Vec<(usize, usize, usize)>,
    /// Pixels from the start of a row that are read at most.
    pub(super) reach: usize,
}

impl Steps {
    pub(super) fn new(taps: &Taps) -> Self {
        let weights = taps.fixed();
        let mut steps = Self { fours: Vec::new(), spans: Vec::new(), reach: 0 };
        for (x, weights) in weights.chunks_exact(taps.room()).enumerate() {
            let (start, first) = (taps.starts[x], steps.fours.len());
            for four in weights[..taps.counts[x]].chunks(STEP) {
                let weight = |i: usize| four.get(i).copied().unwrap_or(0);
                // Lanes: two pixels a half, their four channels side by side.
                let lane = |i: usize| weight(i / 8 * 2 + i % 2);
                let high = std::array::from_fn(|i| (lane(i) >> LOW) as i16);
                let low = std::array::from_fn(|i| (lane(i) & ((1 << LOW) - 1)) as i16);
                steps.fours.push(Four(high, low));
            }
            let count = steps.fours.len() - first;
            steps.reach = steps.reach.max(start + count * STEP);
            steps.spans.push((start, first, count));
        }
        steps
    }
}

/// `R` rows of four-channel pixels at once, so that a weight is loaded once for all of them. Each begins at its row and
/// holds `reach` pixels or more.
#[target_feature(enable = "avx2")]
pub(super) fn across<const R: usize>(rows: [&[u8]; R], outs: [&mut [u8]; R], steps: &Steps) {
    // Bytes of pixels 0 1 (2 3 in the upper half) to words: r0 r1 g0 g1 b0 b1 x0 x1.
    #[rustfmt::skip]
    let pairs = _mm256_setr_epi8(
        0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1,
        8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1,
    );
    let half = _mm_set1_epi32(1 << (FRACTION - 1));
    for (x, &(start, first, count)) in steps.spans.iter().enumerate() {
        // Not `map`: a closure would not be compiled for AVX2 with the rest.
        let mut parts: [&[[u8; 4 * STEP]]; R] = [&[]; R];
        for r in 0..R {
            parts[r] = rows[r][start * 4..(start + count * STEP) * 4].as_chunks().0;
        }
        let (mut high, mut low) = ([_mm256_setzero_si256(); R], [_mm256_setzero_si256(); R]);
        for (i, weights) in steps.fours[first..first + count].iter().enumerate() {
            let (high_weights, low_weights) = (load(&weights.0), load(&weights.1));
            for r in 0..R {
                let words = _mm256_shuffle_epi8(load_twice(&parts[r][i]), pairs);
                high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(words, high_weights));
                low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(words, low_weights));
            }
        }
        for r in 0..R {
            let sums = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW as i32 }>(high[r]), low[r]);
            let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
            let whole = _mm_srai_epi32::<{ FRACTION as i32 }>(_mm_add_epi32(sums, half));
            // Saturating packs are the clamp to 0..=255.
            let words = _mm_packs_epi32(whole, whole);
            outs[r][x * 4..x * 4 + 4].copy_from_slice(&_mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes());
        }
    }
}

/// Bytes that one step of [`down`] works on.
pub(super) const COLUMNS: usize = 32;

/// One row from a row a weight: as many whole steps as there are. `rows` begins with the first of them.
#[target_feature(enable = "avx2")]
pub(super) fn down(rows: &[u8], line: usize, weights: &[i32], out: &mut [u8]) {
    let zero = _mm256_setzero_si256();
    let half = _mm256_set1_epi32(1 << (FRACTION - 1));
    // Two weights, one above the other, as the multiplier wants them.
    let pair = |first: i32, second: i32| _mm256_set1_epi32(second << 16 | first & 0xffff);
    for (block, out) in out.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
        let (mut high, mut low) = ([zero; 4], [zero; 4]);
        for (k, weights) in weights.chunks(2).enumerate() {
            let at = 2 * k * line + block * COLUMNS;
            let part = |at: usize| rows[at..].first_chunk().map_or(zero, |bytes| load_row(bytes));
            let (second, next) = weights.get(1).map_or((zero, 0), |weight| (part(at + line), *weight));
            let first = part(at);
            let mask = (1 << LOW) - 1;
            let (high_pair, low_pair) = (pair(weights[0] >> LOW, next >> LOW), pair(weights[0] & mask, next & mask));
            let (left, right) = (_mm256_unpacklo_epi8(first, second), _mm256_unpackhi_epi8(first, second));
            let words = [
                _mm256_unpacklo_epi8(left, zero),
                _mm256_unpackhi_epi8(left, zero),
                _mm256_unpacklo_epi8(right, zero),
                _mm256_unpackhi_epi8(right, zero),
            ];
            for i in 0..4 {
                high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(words[i], high_pair));
                low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(words[i], low_pair));
            }
        }
        let mut whole = [zero; 4];
        for i in 0..4 {
            let sum = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW as i32 }>(high[i]), low[i]);
            whole[i] = _mm256_srai_epi32::<{ FRACTION as i32 }>(_mm256_add_epi32(sum, half));
        }
        // Packing undoes the order of the unpacking, and clamps.
        let words = (_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
        let bytes = _mm256_packus_epi16(words.0, words.1);
        // SAFETY: the reference is to 32 bytes that can be written.
        #[allow(unsafe_code, reason = "a store has no safe form")]
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes);
        }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_row(bytes: &[u8; COLUMNS]) -> __m256i {
    // SAFETY: the reference is to 32 bytes that can be read.
    #[allow(unsafe_code, reason = "a load has no safe form")]
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(weights: &[i16; 16]) -> __m256i {
    // SAFETY: the reference is to 32 bytes that can be read.
    #[allow(unsafe_code, reason = "a load has no safe form")]
    unsafe {
        _mm256_loadu_si256(weights.as_ptr().cast())
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_twice(pixels: &[u8; 4 * STEP]) -> __m256i {
    // SAFETY: the reference is to 16 bytes that can be read.
    #[allow(unsafe_code, reason = "a load has no safe form")]
    let four = unsafe { _mm_loadu_si128(pixels.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(four)
}
