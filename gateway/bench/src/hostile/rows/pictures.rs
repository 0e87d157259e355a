//! Pictures that are small to send and large to work on, and answers that nobody reads.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::sleep;
use tritondeploy_wire::v1::{self, ClientMessage, Infer, Source};

use super::bombs::framed;
use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::hostile::attack::{Attack, Protocol};

/// Width and height of a thin picture: 1.2 MB of pixels, and 358 MB when its rows are resampled to 224 columns first.
const THIN: (u32, u32) = (1, 399_455);

/// Thin pictures at once on a connection.
const TOGETHER: u64 = 16;

/// Connections with them.
const MORE: usize = 4;

/// The object that thumbnails are made of.
pub(crate) const NOISY: &str = "noisy.jpg";

/// Its width and height.
const NOISY_SIZE: (usize, usize) = (2048, 1536);

/// The longest side that a thumbnail may have.
const THUMBNAIL: u32 = 2048;

/// Connections that do not read, and requests on each, as many as may be open.
const UNREAD: usize = 10;
pub(super) const OPEN: u64 = 64;

/// The gateway stops reading when so many answers wait on a connection.
const ROUNDS: u64 = 4;

/// The kernel doubles it. What its buffers hold, the gateway does not.
const RECEIVE_BUFFER: u32 = 4096;

/// From a round of answers to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Thin pictures on one connection.
pub(super) fn thin(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(thin_on(attack, 1))
}

/// Thin pictures on several.
pub(super) fn more_thin(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(thin_on(attack, MORE))
}

async fn thin_on(attack: &Attack, connections: usize) -> Result<(), Failure> {
    let frames: Vec<Vec<u8>> = (0..TOGETHER)
        .map(|id| {
            let infer = Infer { id, source: Source::Image {}, top_k: Some(5), ..Infer::default() };
            let picture = thin_picture((attack.seed + id) as u8)?;
            let message = v1::encode(&ClientMessage::Infer(infer), &[&picture]).doing("writing a message")?;
            Ok(framed(attack.seed, Opcode::Binary, &message))
        })
        .collect::<Result<_, Failure>>()?;
    attack.begin();
    let all: FuturesUnordered<_> = (0..connections).map(|_| attack.repeat(&frames, Protocol::V1, PAUSE)).collect();
    all.collect::<Vec<_>>().await.into_iter().collect()
}

/// All of one gray.
fn thin_picture(gray: u8) -> Result<Vec<u8>, Failure> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, THIN.0, THIN.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().doing("writing a PNG")?;
    writer.write_image_data(&vec![gray; (THIN.0 * THIN.1 * 3) as usize]).doing("writing a PNG")?;
    writer.finish().doing("writing a PNG")?;
    Ok(file)
}

/// Thumbnails that nobody reads.
pub(super) fn unread(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(unread_rounds_of(attack, 1))
}

/// The same, as long as the gateway reads.
pub(super) fn unread_rounds(attack: &Attack) -> LocalBoxFuture<'_, Result<(), Failure>> {
    Box::pin(unread_rounds_of(attack, ROUNDS))
}

async fn unread_rounds_of(attack: &Attack, rounds: u64) -> Result<(), Failure> {
    let frames: Vec<Vec<u8>> = (0..rounds * OPEN)
        .map(|id| {
            let source = Source::S3 { bucket: Some(attack.bucket.clone()), key: format!("images/{NOISY}") };
            let infer = Infer { id, source, top_k: Some(5), thumbnail: Some(THUMBNAIL), ..Infer::default() };
            let text = serde_json::to_vec(&ClientMessage::Infer(infer)).doing("writing a message")?;
            Ok(framed(attack.seed, Opcode::Text, &text))
        })
        .collect::<Result<_, Failure>>()?;
    attack.begin();
    let all: FuturesUnordered<_> = (0..UNREAD).map(|_| never_reads(attack, &frames)).collect();
    all.collect::<Vec<()>>().await;
    std::future::pending().await
}

/// Sends frames, as many at a time as may be open, and reads nothing.
pub(super) async fn never_reads(attack: &Attack, frames: &[Vec<u8>]) {
    let mut socket = loop {
        if let Some(socket) = attack.connect(Protocol::V1, Some(RECEIVE_BUFFER)).await {
            break socket;
        }
    };
    for round in frames.chunks(OPEN as usize) {
        for frame in round {
            if !attack.send(&mut socket.writer, frame).await {
                return attack.ended("lost".to_owned());
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
    // Open, and unread, until the attack is over.
    std::future::pending().await
}

/// A JPEG that is nearly all noise: its thumbnails are as long as a thumbnail can be.
pub(crate) fn noisy(seed: u64) -> Result<Bytes, Failure> {
    let (width, height) = NOISY_SIZE;
    let mut pixels = vec![0; width * height * 3];
    fastrand::Rng::with_seed(seed).fill(&mut pixels);
    let format = turbojpeg::PixelFormat::RGB;
    let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: width * 3, height, format };
    let jpeg = turbojpeg::compress(image, 75, turbojpeg::Subsamp::Sub2x2).doing("writing a JPEG")?;
    Ok(Bytes::copy_from_slice(&jpeg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thin_picture_is_small_and_as_high_as_it_says() {
        let picture = thin_picture(7).unwrap();
        assert!(picture.len() < 4096, "{} bytes", picture.len());
        let reader = png::Decoder::new(std::io::Cursor::new(&picture)).read_info().unwrap();
        assert_eq!(reader.info().size(), THIN);
    }
}
