//! What a WebSocket costs at the least: mask, loopback TCP, unmask. No protocol, no runtime, no model.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::LocalBoxFuture;

use crate::compare::Side;
use crate::drive::Block;
use crate::failure::{Doing, Failure};
use crate::frame::{self, Opcode};
use crate::payload;

/// The head of a frame of more than 65,535 bytes, key included.
const HEAD: usize = 14;

/// What comes back: too small to cost anything but the round trip.
const ANSWER: [u8; 8] = [0; 8];

/// A client, and a thread that answers it until the client is gone.
pub(crate) struct Floor {
    stream: TcpStream,
    tensors: Vec<Bytes>,
    frame: Vec<u8>,
    random: fastrand::Rng,
}

impl Floor {
    pub(crate) fn new(numbers: usize) -> Result<Self, Failure> {
        let tensors = payload::tensors(numbers);
        let length = tensors[0].len();
        let listener = TcpListener::bind("127.0.0.1:0").doing("listening")?;
        let address = listener.local_addr().doing("listening")?;
        std::thread::spawn(move || listener.accept().and_then(|(stream, _)| answer(stream, length)));
        let stream = TcpStream::connect(address).doing("connecting")?;
        stream.set_nodelay(true).doing("TCP_NODELAY")?;
        Ok(Self { stream, tensors, frame: Vec::new(), random: fastrand::Rng::new() })
    }

    fn ask(&mut self, number: usize) -> std::io::Result<()> {
        self.frame.clear();
        let key = self.random.u32(..).to_ne_bytes();
        frame::write(&mut self.frame, Opcode::Binary, &self.tensors[number], key);
        self.stream.write_all(&self.frame)?;
        self.stream.read_exact(&mut ANSWER.clone())
    }

    fn block(&mut self, seconds: f64) -> std::io::Result<Block> {
        let (start, length) = (Instant::now(), Duration::from_secs_f64(seconds));
        let mut latencies = Vec::new();
        while start.elapsed() < length {
            let asked = Instant::now();
            self.ask(latencies.len() % payload::COUNT)?;
            latencies.push(asked.elapsed());
        }
        Ok(Block { elapsed: start.elapsed(), latencies })
    }
}

impl Side for Floor {
    fn run(&mut self, seconds: f64) -> LocalBoxFuture<'_, Result<Block, Failure>> {
        let block = self.block(seconds).doing("measuring the floor");
        Box::pin(async { block })
    }
}

/// Reads frames and unmasks them until the other side is gone.
fn answer(mut stream: TcpStream, length: usize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut frame = vec![0; HEAD + length];
    loop {
        stream.read_exact(&mut frame)?;
        let (head, tensor) = frame.split_at_mut(HEAD);
        frame::mask(tensor, [head[10], head[11], head[12], head[13]]);
        std::hint::black_box(tensor);
        stream.write_all(&ANSWER)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_goes_round() {
        let block = Floor::new(150_528).unwrap().block(0.05).unwrap();
        assert!(!block.latencies.is_empty());
    }
}
