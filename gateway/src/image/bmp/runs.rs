//! Run-length encoded pixels.

use super::super::ImageError;
use super::damaged;

/// Indices, one byte each, in the order of the file. Every quirk is the reference's: it is held to in `tests/pillow.rs`.
pub(super) fn expand(bytes: &[u8], start: usize, nibbles: bool, width: usize, height: usize) -> Result<Vec<u8>, ImageError> {
    let wanted = width * height;
    let mut out = Vec::with_capacity(wanted);
    let mut input = Input { bytes, at: start };
    let mut x = 0;
    while out.len() < wanted {
        let Some(&[count, value]) = input.take() else { break };
        match (count, value) {
            (0, 0) => {
                out.resize(out.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                // The move that counts is the one after the first two bytes.
                if input.take::<2>().is_none() {
                    break;
                }
                let &[right, up] = input.take().ok_or_else(|| damaged("it ends within a move"))?;
                // What would lie past the end is not kept, however far it goes.
                let moved = out.len() + usize::from(right) + usize::from(up) * width;
                out.resize(moved.min(wanted), 0);
                x = moved % width;
            }
            (0, count) => {
                let wanted = usize::from(if nibbles { count / 2 } else { count });
                let given = input.upto(wanted);
                if nibbles {
                    out.extend(given.iter().flat_map(|v| [v >> 4, v & 15]));
                } else {
                    out.extend(given);
                }
                if given.len() < wanted {
                    break;
                }
                x += usize::from(count);
                input.at += input.at % 2;
            }
            (count, value) => {
                // A run does not go on in the next row.
                let count = usize::from(count).min(width.saturating_sub(x));
                let pair = if nibbles { [value >> 4, value & 15] } else { [value; 2] };
                out.extend(pair.iter().cycle().take(count));
                x += count;
            }
        }
    }
    if out.len() < wanted { Err(damaged("it ends before its pixels do")) } else { Ok(out) }
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk();
        self.at = (self.at + N).min(self.bytes.len());
        taken
    }

    fn upto(&mut self, count: usize) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = &rest[..count.min(rest.len())];
        self.at += taken.len();
        taken
    }
}
