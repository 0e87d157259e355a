//! Where the parts of a long message go: each straight to the memory it is needed in.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::Place;

/// Between two parts of a message there is less than this; more is read in pieces of it.
const GAP: usize = 8;

/// The places of one message, in the order of their ranges.
#[derive(Debug)]
pub(super) struct Scatter(pub(super) Vec<Place>);

impl Scatter {
    /// Copies what is there already: the message's first bytes.
    pub(super) fn start(&mut self, start: &[u8]) {
        for Place { range, memory } in &mut self.0 {
            let here = &start[range.start.min(start.len())..range.end.min(start.len())];
            memory[..here.len()].copy_from_slice(here);
        }
    }

    /// Reads some of the message's bytes from `at` on, at most `most`, and has them unmasked; 0 at the stream's end.
    pub(super) fn poll_read(
        &mut self,
        stream: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        (at, most): (usize, usize),
        unmask: impl FnOnce(&mut [u8]),
    ) -> Poll<std::io::Result<usize>> {
        let mut gap = [0; GAP];
        let room = match self.0.iter_mut().find(|place| at < place.range.end) {
            Some(Place { range, memory }) if range.contains(&at) => &mut memory[at - range.start..],
            Some(Place { range, .. }) => &mut gap[..(range.start - at).min(GAP)],
            None => &mut gap[..],
        };
        let most = room.len().min(most);
        let mut read = ReadBuf::new(&mut room[..most]);
        ready!(stream.poll_read(cx, &mut read))?;
        unmask(read.filled_mut());
        Poll::Ready(Ok(read.filled().len()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::ops::Range;

    use super::*;
    use crate::triton::Buffer;

    #[tokio::test]
    async fn every_part_arrives_in_its_place_wherever_the_start_ends() {
        let message: Vec<u8> = (0..5000u32).map(|i| (i * 7 + i / 256) as u8).collect();
        let ranges: [Range<usize>; 4] = [40..1000, 1000..1001, 1008..1008, 1030..4990];
        for start in [0, 39, 40, 700, 1000, 1001, 1009, 4000, 4990, 4999] {
            let place = |range: &Range<usize>| Place { range: range.clone(), memory: Buffer::inline(range.len()) };
            let mut places = Scatter(ranges.iter().map(place).collect());
            places.start(&message[..start]);
            let mut stream = masked(&message[start..]);
            let mut at = start;
            while at < message.len() {
                let most = (message.len() - at).min(777);
                let flip = |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte ^= 0xff);
                at += poll_fn(|cx| places.poll_read(Pin::new(&mut stream), cx, (at, most), flip)).await.unwrap();
            }
            for (place, range) in places.0.iter().zip(ranges.clone()) {
                assert!(place.memory[..] == message[range.clone()], "{range:?}, {start} bytes were there");
            }
        }
    }

    /// What is sent, masked with ones.
    fn masked(bytes: &[u8]) -> std::io::Cursor<Vec<u8>> {
        std::io::Cursor::new(bytes.iter().map(|byte| byte ^ 0xff).collect())
    }
}
