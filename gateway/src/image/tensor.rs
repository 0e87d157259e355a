//! Bytes to numbers: one pass from interleaved pixels to a model's input, straight into the memory that Triton reads.

use serde::Deserialize;
use tritondeploy_wire::Datatype;

use super::{ImageError, Preset, Rgb};

/// Where a tensor has its channels. Rows run from top to bottom in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Channels first: all red, then all green, then all blue.
    Chw,
    /// Channels last: red, green and blue of each pixel together.
    Hwc,
}

impl Preset {
    /// Writes pixels as a model's input, row-major and little-endian: (byte / 255 - mean) / std as FP32 or FP16, or
    /// the bytes themselves as UINT8.
    ///
    /// # Errors
    /// When `datatype` is another one, or `out` is not `width * height * 3` numbers long.
    pub fn write(&self, rgb: &Rgb, layout: Layout, datatype: Datatype, out: &mut [u8]) -> Result<(), ImageError> {
        let size = match datatype {
            Datatype::Fp32 => 4,
            Datatype::Fp16 => 2,
            Datatype::Uint8 => 1,
            other => return Err(ImageError::Datatype(other)),
        };
        let wanted = rgb.width * rgb.height * 3 * size;
        if out.len() != wanted || rgb.pixels.len() * size != wanted {
            return Err(ImageError::Room { wanted, given: out.len() });
        }
        match datatype {
            Datatype::Fp32 => spread(&rgb.pixels, layout, &self.tables(f32::to_le_bytes), out),
            Datatype::Fp16 => spread(&rgb.pixels, layout, &self.tables(|v| half(v).to_le_bytes()), out),
            _ => spread(&rgb.pixels, layout, &[std::array::from_fn(|v| [v as u8]); 3], out),
        }
        Ok(())
    }

    /// What each byte becomes, per channel.
    fn tables<const S: usize>(&self, encode: impl Fn(f32) -> [u8; S]) -> [[[u8; S]; 256]; 3] {
        let value = |channel: usize, v: usize| (v as f32 / 255.0 - self.mean[channel]) / self.std[channel];
        std::array::from_fn(|channel| std::array::from_fn(|v| encode(value(channel, v))))
    }
}

/// `S` bytes a number. `out` has room for just as many as `pixels` has.
fn spread<const S: usize>(pixels: &[u8], layout: Layout, [red, green, blue]: &[[[u8; S]; 256]; 3], out: &mut [u8]) {
    let (pixels, _) = pixels.as_chunks::<3>();
    let (out, _) = out.as_chunks_mut::<S>();
    match layout {
        Layout::Chw => {
            let (reds, rest) = out.split_at_mut(pixels.len());
            let (greens, blues) = rest.split_at_mut(pixels.len());
            for (((&[r, g, b], reds), greens), blues) in pixels.iter().zip(reds).zip(greens).zip(blues) {
                *reds = red[usize::from(r)];
                *greens = green[usize::from(g)];
                *blues = blue[usize::from(b)];
            }
        }
        Layout::Hwc => {
            for (&[r, g, b], out) in pixels.iter().zip(out.as_chunks_mut::<3>().0) {
                *out = [red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]];
            }
        }
    }
}

/// The nearest half-precision number (IEEE 754 binary16), ties to even.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    // Rounds `value` to a whole number of `1 << shift`.
    let round = |value: u32, shift: u32| {
        let half = 1 << (shift - 1);
        let odd = value >> shift & 1;
        (value + half - 1 + odd) >> shift
    };
    let rounded = match magnitude {
        0x7f80_0001.. => 0x7e00,
        // 65520 and more rounds to infinity.
        0x477f_f000.. => 0x7c00,
        // Normal: the exponent's bias is 15 in place of 127, 10 bits of fraction in place of 23.
        0x3880_0000.. => round(magnitude - ((127 - 15) << 23), 13),
        // Subnormal: a whole number of 2^-24.
        0x3300_0000.. => {
            let exponent = magnitude >> 23;
            round(magnitude & 0x007f_ffff | 0x0080_0000, 126 - exponent)
        }
        _ => 0,
    };
    sign | rounded as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Rgb {
        Rgb { width: 256, height: 3, pixels: (0..256 * 9).map(|i| (i * 7 % 256) as u8).collect() }
    }

    fn numbers(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    #[test]
    fn unit_is_the_byte_over_255_channels_first_or_last() {
        let rgb = ramp();
        let mut out = vec![1; rgb.pixels.len() * 4];
        Preset::unit().write(&rgb, Layout::Hwc, Datatype::Fp32, &mut out).unwrap();
        let last = numbers(&out);
        Preset::unit().write(&rgb, Layout::Chw, Datatype::Fp32, &mut out).unwrap();
        let first = numbers(&out);
        for (i, v) in rgb.pixels.iter().enumerate() {
            let want = (f32::from(*v) / 255.0).to_bits();
            assert_eq!(last[i].to_bits(), want);
            assert_eq!(first[i % 3 * 768 + i / 3].to_bits(), want);
        }
    }

    #[test]
    fn mean_and_std_are_those_of_the_channel() {
        let rgb = Rgb { width: 1, height: 1, pixels: vec![0, 255, 128] };
        let mut out = [0; 12];
        Preset::imagenet().write(&rgb, Layout::Chw, Datatype::Fp32, &mut out).unwrap();
        assert_eq!(numbers(&out), [-0.485 / 0.229, (1.0 - 0.456) / 0.224, (128.0 / 255.0 - 0.406) / 0.225]);
    }

    #[test]
    fn bytes_stay_bytes() {
        let rgb = ramp();
        let mut out = vec![0; rgb.pixels.len()];
        Preset::imagenet().write(&rgb, Layout::Hwc, Datatype::Uint8, &mut out).unwrap();
        assert_eq!(out, rgb.pixels);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rgb = ramp();
        let mut out = vec![0; rgb.pixels.len() * 4 - 1];
        assert!(Preset::unit().write(&rgb, Layout::Chw, Datatype::Fp32, &mut out).is_err());
        assert!(Preset::unit().write(&rgb, Layout::Chw, Datatype::Int64, &mut out).is_err());
    }

    /// Each half is the nearest to itself, and what lies between two goes to the nearer one, or the even one.
    #[test]
    fn halves_are_the_nearest() {
        let double = |half: u16| {
            let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
            if exponent == 0 { fraction * 2f64.powi(-24) } else { (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15) }
        };
        for bits in 0..0x7bffu16 {
            let (low, high) = (double(bits), double(bits + 1));
            let middle = ((low + high) / 2.0) as f32;
            assert_eq!(half(low as f32), bits);
            assert_eq!(half(-low as f32), bits | 0x8000);
            assert_eq!(half(middle), bits + bits % 2, "{middle}");
            assert_eq!(half(middle.next_down()), bits);
            assert_eq!(half(middle.next_up()), bits + 1);
        }
        assert_eq!(half(65519.0), 0x7bff);
        assert_eq!(half(65520.0), 0x7c00);
        assert_eq!(half(f32::NEG_INFINITY), 0xfc00);
        assert_eq!(half(f32::NAN), 0x7e00);
    }
}
