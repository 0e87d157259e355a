//! Resizing: first along the rows, then down the columns, whole bytes between.

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use super::avx2::{self, Steps};
use super::crop::{Axis, Crop};
use super::preset::Filter;
use super::weights::{FRACTION, Taps};

/// One half, so that the shift rounds.
const HALF: i32 = 1 << (FRACTION - 1);

/// Bytes between the two passes that are held at a time. A photograph's come together; what is thin and high goes band by
/// band, or a column of one pixel would take 224 times its size.
const BAND: usize = 16 << 20;

/// Blends `N` interleaved channels of bytes, with antialiasing.
pub(super) fn resize<const N: usize>(pixels: &[u8], window: &Crop, filter: Filter) -> Vec<u8> {
    let Crop { x, y } = window;
    let (line, to_line) = (x.from * N, x.count * N);
    let mut out = vec![0; y.count * to_line];
    if y.is_same() {
        across::<N>(&pixels[y.first * line..(y.first + y.count) * line], x, filter, &mut out);
        return out;
    }
    let mut band = Band::new(to_line);
    let mut rest = &mut out[..];
    for part in band.parts(y, filter) {
        let rows = Taps::inputs(&part, filter);
        let first = rows.start;
        band.slide(rows, |rows, out| across::<N>(&pixels[rows.start * line..rows.end * line], x, filter, out));
        let (here, after) = rest.split_at_mut(part.count * to_line);
        down(&band.rows, here, to_line, &Taps::new(&part, filter), first);
        rest = after;
    }
    out
}

/// Rows between the two passes: those that the next outputs need.
struct Band<T> {
    /// Elements of a row.
    line: usize,
    /// The first row that is here.
    first: usize,
    rows: Vec<T>,
}

impl<T: Copy + Default> Band<T> {
    fn new(line: usize) -> Self {
        Self { line, first: 0, rows: Vec::new() }
    }

    /// The axis in parts that each need no more rows than a band has, or what a single output needs where that is more.
    fn parts(&self, axis: &Axis, filter: Filter) -> impl Iterator<Item = Axis> + use<T> {
        let (axis, batch) = (*axis, Taps::batch(axis, filter));
        let most = BAND / (self.line * size_of::<T>()).max(1);
        let mut done = 0;
        std::iter::from_fn(move || {
            let mut part = Axis { first: axis.first + done, count: batch.min(axis.count - done), ..axis };
            while part.count > 1 && Taps::inputs(&part, filter).len() > most {
                part.count = part.count.div_ceil(2);
            }
            done += part.count;
            (part.count > 0).then_some(part)
        })
    }

    /// Goes on to `rows`, which begin nowhere before the last ones: what is here already stays, `fill` makes the others.
    fn slide(&mut self, rows: Range<usize>, fill: impl FnOnce(Range<usize>, &mut [T])) {
        let end = self.first + self.rows.len() / self.line;
        let kept = end.saturating_sub(rows.start) * self.line;
        self.rows.drain(..self.rows.len() - kept);
        self.first = rows.start;
        let missing = rows.start.max(end)..rows.end.max(end);
        if kept == 0 {
            self.rows = vec![T::default(); missing.len() * self.line];
        } else {
            self.rows.resize(kept + missing.len() * self.line, T::default());
        }
        fill(missing, &mut self.rows[kept..]);
    }
}

/// The axis in parts whose weights take little memory.
fn batches(axis: &Axis, filter: Filter) -> impl Iterator<Item = Axis> {
    let (axis, batch) = (*axis, Taps::batch(axis, filter));
    let part = move |done| Axis { first: axis.first + done, count: batch.min(axis.count - done), ..axis };
    (0..axis.count).step_by(batch).map(part)
}

fn byte(sum: i32) -> u8 {
    (sum >> FRACTION).clamp(0, 255) as u8
}

/// Every row of `pixels` to what is kept of the axis.
fn across<const N: usize>(pixels: &[u8], axis: &Axis, filter: Filter, out: &mut [u8]) {
    let line = axis.from * N;
    if axis.is_same() {
        for (row, out) in pixels.chunks_exact(line).zip(out.chunks_exact_mut(axis.count * N)) {
            out.copy_from_slice(&row[axis.first * N..(axis.first + axis.count) * N]);
        }
        return;
    }
    for part in batches(axis, filter) {
        let columns = Columns { line: axis.count * N, first: (part.first - axis.first) * N, count: part.count * N };
        across_some::<N>(pixels, line, out, &columns, &Taps::new(&part, filter));
    }
}

/// Which part of the rows of the output is written, in bytes.
struct Columns {
    line: usize,
    first: usize,
    count: usize,
}

fn across_some<const N: usize>(pixels: &[u8], line: usize, out: &mut [u8], columns: &Columns, taps: &Taps) {
    #[cfg(target_arch = "x86_64")]
    if N == 4 && std::arch::is_x86_feature_detected!("avx2") {
        let steps = Steps::new(taps);
        // The last step of a row may read into the next; there is none after the last.
        let safe = (pixels.len() / N).checked_sub(steps.reach).map_or(0, |spare| spare * N / line + 1);
        let (quick, slow) = out.split_at_mut(safe * columns.line);
        let row = |y: usize| &pixels[y * line..];
        let mut y = 0;
        let mut fours = quick.chunks_exact_mut(columns.line * 4);
        for out in &mut fours {
            let mut outs = out.chunks_exact_mut(columns.line);
            let outs = std::array::from_fn(|_| &mut outs.next().unwrap_or_default()[columns.first..][..columns.count]);
            // SAFETY: the processor was asked whether it has AVX2.
            #[allow(unsafe_code, reason = "the one way to call code for a feature that the processor may lack")]
            unsafe {
                avx2::across([row(y), row(y + 1), row(y + 2), row(y + 3)], outs, &steps);
            }
            y += 4;
        }
        for out in fours.into_remainder().chunks_exact_mut(columns.line) {
            // SAFETY: as above.
            #[allow(unsafe_code, reason = "the one way to call code for a feature that the processor may lack")]
            unsafe {
                avx2::across([row(y)], [&mut out[columns.first..][..columns.count]], &steps);
            }
            y += 1;
        }
        across_rows::<N>(&pixels[y * line..], line, slow, columns, taps);
        return;
    }
    across_rows::<N>(pixels, line, out, columns, taps);
}

fn across_rows<const N: usize>(pixels: &[u8], line: usize, out: &mut [u8], columns: &Columns, taps: &Taps) {
    let weights = taps.fixed();
    for (row, out) in pixels.chunks_exact(line).zip(out.chunks_exact_mut(columns.line)) {
        for (x, out) in out[columns.first..][..columns.count].chunks_exact_mut(N).enumerate() {
            let weights = &weights[x * taps.room()..][..taps.counts[x]];
            let mut sums = [HALF; N];
            for (pixel, weight) in row[taps.starts[x] * N..].chunks_exact(N).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum = sum.wrapping_add(i32::from(value).wrapping_mul(*weight));
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = byte(sum);
            }
        }
    }
}

/// `rows` begins with row `first` of the image; `out` holds the outputs of the taps.
fn down(rows: &[u8], out: &mut [u8], line: usize, taps: &Taps, first: usize) {
    let weights = taps.fixed();
    let mut sums = vec![0i32; line];
    for (y, out) in out.chunks_exact_mut(line).enumerate() {
        let weights = &weights[y * taps.room()..][..taps.counts[y]];
        let rows = &rows[(taps.starts[y] - first) * line..];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor was asked whether it has AVX2.
            #[allow(unsafe_code, reason = "the one way to call code for a feature that the processor may lack")]
            unsafe {
                avx2::down(rows, line, weights, out);
            }
            down_row(rows, line, weights, out, &mut sums, line - line % avx2::COLUMNS);
            continue;
        }
        down_row(rows, line, weights, out, &mut sums, 0);
    }
}

/// The columns from `from` on.
fn down_row(rows: &[u8], line: usize, weights: &[i32], out: &mut [u8], sums: &mut [i32], from: usize) {
    sums.fill(HALF);
    for (row, weight) in rows.chunks_exact(line).zip(weights) {
        for (sum, &value) in sums[from..].iter_mut().zip(&row[from..]) {
            *sum = sum.wrapping_add(i32::from(value).wrapping_mul(*weight));
        }
    }
    for (out, &sum) in out[from..].iter_mut().zip(&sums[from..]) {
        *out = byte(sum);
    }
}

/// Blends 16-bit gray, in double precision.
pub(super) fn resize16(pixels: &[u16], window: &Crop, filter: Filter) -> Vec<u16> {
    let Crop { x, y } = window;
    let rows_of = |rows: Range<usize>| &pixels[rows.start * x.from..rows.end * x.from];
    if y.is_same() {
        let mut out = vec![0; y.count * x.count];
        across16(rows_of(y.first..y.first + y.count), x, filter, &mut out);
        return out;
    }
    let mut out = Vec::with_capacity(x.count * y.count);
    let mut band = Band::new(x.count);
    for part in band.parts(y, filter) {
        band.slide(Taps::inputs(&part, filter), |rows, out| across16(rows_of(rows), x, filter, out));
        for (s, w) in Taps::new(&part, filter).exact() {
            let rows = &band.rows[(s - band.first) * x.count..];
            out.extend((0..x.count).map(|at| word(rows[at..].iter().step_by(x.count).zip(w))));
        }
    }
    out
}

fn across16(pixels: &[u16], axis: &Axis, filter: Filter, out: &mut [u16]) {
    let rows = pixels.chunks_exact(axis.from);
    if axis.is_same() {
        for (row, out) in rows.zip(out.chunks_exact_mut(axis.count)) {
            out.copy_from_slice(&row[axis.first..axis.first + axis.count]);
        }
        return;
    }
    for part in batches(axis, filter) {
        let taps = Taps::new(&part, filter);
        for (row, out) in rows.clone().zip(out.chunks_exact_mut(axis.count)) {
            for ((s, w), out) in taps.exact().zip(&mut out[part.first - axis.first..]) {
                *out = word(row[s..].iter().zip(w));
            }
        }
    }
}

/// Overshoot does not wrap: the reference caps the two bytes of the sum one by one, so that 65600 becomes 65344.
fn word<'a>(terms: impl Iterator<Item = (&'a u16, &'a f64)>) -> u16 {
    let sum = terms.fold(0.0, |sum, (v, w)| sum + f64::from(*v) * w);
    let whole = if sum < 0.0 { (sum - 0.5) as i32 } else { (sum + 0.5) as i32 };
    let (high, low) = ((whole >> 8).clamp(0, 255) as u8, (whole % 256).clamp(0, 255) as u8);
    u16::from_be_bytes([high, low])
}

/// The pixel under the middle of each output pixel.
pub(super) fn nearest(pixels: &[u8], window: &Crop) -> Vec<u8> {
    let columns = picks(&window.x);
    let rows = picks(&window.y).into_iter().map(|y| &pixels[y * window.x.from..][..window.x.from]);
    rows.flat_map(|row| columns.iter().map(|&x| row[x])).collect()
}

/// Positions are added up, not multiplied out: the sum's rounding is part of the reference.
fn picks(axis: &Axis) -> Vec<usize> {
    let step = axis.from as f64 / axis.to as f64;
    let mut at = step * 0.5;
    let pick = |_| {
        let index = at as usize;
        at += step;
        index.min(axis.from - 1)
    };
    (0..axis.first + axis.count).map(pick).skip(axis.first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are mostly extremes: they overshoot.
    fn extremes(count: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 29 {
                0..=2 => 0,
                3..=5 => 255,
                _ => (state >> 16) as u8,
            }
        };
        (0..count).map(next).collect()
    }

    /// Four channels take the quick way; the plain one must agree everywhere, edges and overshoot included.
    #[test]
    fn the_quick_way_is_the_plain_way() {
        for filter in [Filter::Bicubic, Filter::Bilinear] {
            for (width, height) in [(1, 1), (2, 5), (3, 3), (223, 2), (225, 7), (1000, 3), (4001, 2)] {
                let axis = Axis { from: width, to: 256, first: 16, count: 224 };
                let pixels = extremes(width * height * 4);
                let mut plain = vec![0; 224 * height * 4];
                let columns = Columns { line: 224 * 4, first: 0, count: 224 * 4 };
                across_rows::<4>(&pixels, width * 4, &mut plain, &columns, &Taps::new(&axis, filter));
                let mut quick = vec![0; plain.len()];
                across::<4>(&pixels, &axis, filter, &mut quick);
                assert!(quick == plain, "{width} x {height}");
                let taps = Taps::new(&Axis::whole(height, 224), filter);
                let weights = taps.fixed();
                let mut sums = vec![0; 224 * 4];
                for line in [224 * 4, 301, 33, 31, 1] {
                    let rows = &plain[..line * height];
                    let (mut quick, mut slow) = (vec![0; 224 * line], vec![0; 224 * line]);
                    down(rows, &mut quick, line, &taps, 0);
                    for (y, out) in slow.chunks_exact_mut(line).enumerate() {
                        let weights = &weights[y * taps.room()..][..taps.counts[y]];
                        down_row(&rows[taps.starts[y] * line..], line, weights, out, &mut sums[..line], 0);
                    }
                    assert!(quick == slow, "{width} x {height}, {line}");
                }
            }
        }
    }

    /// What is cut out of a resized image is the same whether the rest was worked out or not, and however many
    /// columns are worked out at a time.
    #[test]
    fn a_part_is_cut_out_of_the_whole() {
        let (width, height) = (70_001, 5);
        let pixels = extremes(width * height * 3);
        let whole = Crop { x: Axis::whole(width, 40), y: Axis::whole(height, 30) };
        let part =
            Crop { x: Axis { from: width, to: 40, first: 3, count: 20 }, y: Axis { from: height, to: 30, first: 7, count: 9 } };
        assert!(Taps::batch(&part.x, Filter::Bicubic) < 40);
        let all = resize::<3>(&pixels, &whole, Filter::Bicubic);
        let rows = all.chunks_exact(40 * 3).skip(7).take(9);
        let want: Vec<u8> = rows.flat_map(|row| row[3 * 3..23 * 3].to_vec()).collect();
        assert!(resize::<3>(&pixels, &part, Filter::Bicubic) == want);
    }

    /// Every output by itself, from all of the rows: what the bands must come to.
    fn plain<const N: usize>(pixels: &[u8], window: &Crop, filter: Filter) -> Vec<u8> {
        let Crop { x, y } = window;
        let mut narrow = vec![0; y.from * x.count * N];
        across::<N>(pixels, x, filter, &mut narrow);
        let mut out = vec![0; y.count * x.count * N];
        down(&narrow, &mut out, x.count * N, &Taps::new(y, filter), 0);
        out
    }

    #[test]
    fn what_is_thin_is_resized_in_bands_to_the_same_bytes() {
        for (filter, width, height, kept) in [
            (Filter::Bicubic, 1, 30_000, (0, 224)),
            (Filter::Bilinear, 3, 25_001, (16, 200)),
            // Of which one output alone needs more than a band.
            (Filter::Bicubic, 2, 25_000, (0, 1)),
        ] {
            let (first, count) = kept;
            let to = if count == 1 { 2 } else { 224 };
            let window = Crop { x: Axis::whole(width, 224), y: Axis { from: height, to, first, count } };
            let band = Band::<u8>::new(224 * 4);
            let rows = Taps::inputs(&window.y, filter);
            assert!(rows.len() * 224 * 4 > BAND, "{width} x {height}");
            let parts: Vec<_> = band.parts(&window.y, filter).collect();
            assert!(parts.len() > 1 || count == 1);
            assert_eq!(parts.iter().map(|part| part.count).sum::<usize>(), count);
            let pixels = extremes(width * height * 4);
            assert!(resize::<4>(&pixels, &window, filter) == plain::<4>(&pixels, &window, filter), "{width} x {height}");
            let gray: Vec<u16> = pixels.as_chunks().0.iter().step_by(2).map(|v| u16::from_le_bytes(*v)).collect();
            let taps = Taps::new(&window.y, filter);
            let mut narrow = vec![0; height * 224];
            across16(&gray, &window.x, filter, &mut narrow);
            let column = |s: usize, w: &[f64], at: usize| word(narrow[s * 224 + at..].iter().step_by(224).zip(w));
            let want: Vec<u16> =
                taps.exact().flat_map(|(s, w)| (0..224).map(move |at| (s, w, at))).map(|(s, w, at)| column(s, w, at)).collect();
            assert!(resize16(&gray, &window, filter) == want, "{width} x {height}, 16 bits");
        }
    }

    /// Enlarging: the next outputs need rows that are there already.
    #[test]
    fn bands_overlap_as_far_as_they_must() {
        let mut band = Band::<u16>::new(1);
        let made = std::cell::RefCell::new(Vec::new());
        let mut slide = |rows: Range<usize>| {
            band.slide(rows, |rows, out| {
                made.borrow_mut().push(rows.clone());
                out.iter_mut().zip(rows).for_each(|(out, row)| *out = row as u16);
            });
            (band.first, band.rows.clone())
        };
        assert_eq!(slide(2..5), (2, vec![2, 3, 4]));
        assert_eq!(slide(4..6), (4, vec![4, 5]));
        assert_eq!(slide(4..5), (4, vec![4, 5]));
        assert_eq!(slide(9..11), (9, vec![9, 10]));
        assert_eq!(*made.borrow(), [2..5, 5..6, 6..6, 9..11]);
    }
}
