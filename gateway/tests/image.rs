//! What pillow is no measure for: fast decoding, thumbnails, and files made to do harm.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use tritondeploy_gateway::image::{ImageError, Limits, Preset, Quality, Rgb, Source, thumbnail};

fn cat() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/cat.png")).unwrap()
}

/// The photograph in another size, as a JPEG.
fn photo(image: &[u8], width: usize, height: usize) -> Vec<u8> {
    let rgb = Preset::unit().apply(Source::Encoded(image), (width, height), Quality::Exact, &Limits::default()).unwrap();
    let source = Source::Rgb8 { width: width as u32, height: height as u32, pixels: &rgb.pixels };
    thumbnail(source, 2048, &Limits::default()).unwrap().jpeg
}

/// Mean and greatest distance, of 255.
fn apart(a: &Rgb, b: &Rgb) -> (f64, u8) {
    let distances = || a.pixels.iter().zip(&b.pixels).map(|(a, b)| a.abs_diff(*b));
    (distances().map(f64::from).sum::<f64>() / a.pixels.len() as f64, distances().max().unwrap())
}

/// The photographs of scikit-image, where the models' environment has been made, besides the one of this repository.
fn photos() -> Vec<Vec<u8>> {
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| Path::new(&env::var_os("HOME").unwrap()).join(".cache"), Into::into);
    let packages = fs::read_dir(cache.join("tritondeploy/venv-models/lib")).into_iter().flatten().flatten();
    let folders = packages.map(|python| python.path().join("site-packages/skimage/data"));
    let names = ["astronaut.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "hubble_deep_field.jpg", "retina.jpg"];
    let found = folders.flat_map(|folder| names.map(|name| fs::read(folder.join(name)).ok()));
    std::iter::once(cat()).chain(found.flatten()).collect()
}

#[test]
fn fast_is_close_to_exact() {
    let (photos, limits) = (photos(), Limits::default());
    println!("{} photographs", photos.len());
    for (name, preset) in [("unit", Preset::unit()), ("imagenet", Preset::imagenet())] {
        for size in [(1280, 960), (960, 1280), (700, 2000), (1920, 1080), (2048, 2048)] {
            for image in &photos {
                let jpeg = photo(image, size.0, size.1);
                let apply = |quality| preset.apply(Source::Encoded(&jpeg), (224, 224), quality, &limits).unwrap();
                let (mean, most) = apart(&apply(Quality::Exact), &apply(Quality::Fast));
                assert!(mean > 0.0, "{name}, {size:?}: nothing was done faster");
                assert!(mean < 1.0 && most <= 32, "{name}, {size:?}: off by {mean:.2} on average, {most} at most");
            }
        }
        // What is not much larger than the input is not decoded at a fraction.
        let jpeg = photo(&photos[0], 320, 300);
        let apply = |quality| preset.apply(Source::Encoded(&jpeg), (224, 224), quality, &limits).unwrap();
        assert!(apart(&apply(Quality::Exact), &apply(Quality::Fast)).0 < 0.5);
    }
}

#[test]
fn raw_pixels_are_resized_as_a_file_of_them() {
    let limits = Limits::default();
    let rgb = Preset::unit().apply(Source::Encoded(&cat()), (451, 300), Quality::Exact, &limits).unwrap();
    let source = Source::Rgb8 { width: 451, height: 300, pixels: &rgb.pixels };
    for preset in [Preset::unit(), Preset::imagenet()] {
        let want = preset.apply(Source::Encoded(&cat()), (224, 224), Quality::Exact, &limits).unwrap();
        assert!(preset.apply(source, (224, 224), Quality::Fast, &limits).unwrap() == want);
    }
    for (width, height, pixels) in [(451, 301, &rgb.pixels[..]), (0, 0, &[]), (u32::MAX, u32::MAX, &[1])] {
        let source = Source::Rgb8 { width, height, pixels };
        assert!(Preset::unit().apply(source, (224, 224), Quality::Exact, &limits).is_err(), "{width} x {height}");
    }
}

#[test]
fn an_image_that_says_it_is_huge_is_refused_before_it_is_decoded() {
    let jpeg = [
        &b"\xff\xd8\xff\xc0\0\x11\x08\x80\0\x80\0\x03\x01\x22\0\x02\x11\x01\x03\x11\x01"[..],
        b"\xff\xda\0\x0c\x03\x01\0\x02\x11\x03\x11\0\x3f\0",
        &[0; 99],
    ]
    .concat();
    let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\x01\0\0\0\x01\0\0\x08\x02\0\0\0\xe3\xe6\xa7\xb4"[..], &[0; 99]].concat();
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
    let mut bmp = [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\0\0\xff\xff\0\0\x01\0\x18\0"[..], &[0; 99]].concat();
    let huge = |bytes: &[u8]| {
        let started = Instant::now();
        let error = Preset::unit().apply(Source::Encoded(bytes), (224, 224), Quality::Exact, &Limits::default()).unwrap_err();
        assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
        assert!(started.elapsed().as_millis() < 100);
    };
    [&jpeg[..], &png, &gif, &bmp].iter().for_each(|bytes| huge(bytes));
    // The same for a height that counts from the top.
    bmp[22..26].copy_from_slice(&(-60_000_i32).to_le_bytes());
    bmp[25] = 0xff;
    huge(&bmp);
}

/// The weights of a long axis would take gigabytes if they were worked out all at once, and so would a column of one
/// pixel that is made 224 wide.
#[test]
fn an_image_of_one_long_line_takes_little_more_than_its_pixels() {
    const LONG: u32 = 20_000_000;
    let limits = Limits::default();
    for (width, height) in [(LONG, 1), (1, LONG)] {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_compression(png::Compression::Fastest);
        encoder.write_header().unwrap().write_image_data(&vec![9; LONG as usize]).unwrap();
        let apply = |preset: Preset| preset.apply(Source::Encoded(&file), (224, 224), Quality::Exact, &limits);
        match apply(Preset::unit()) {
            Ok(rgb) => assert!(width == LONG && rgb.pixels.iter().all(|v| *v == 9)),
            Err(error) => assert!(height == LONG && matches!(error, ImageError::Resized { .. }), "{error}"),
        }
        assert!(matches!(apply(Preset::imagenet()), Err(ImageError::Resized { .. })));
        let small = thumbnail(Source::Encoded(&file), 64, &limits).unwrap();
        assert_eq!((small.width, small.height), if width == 1 { (1, 64) } else { (64, 1) });
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 500 << 10, "{peak}");
}

#[test]
fn junk_is_refused_without_a_panic() {
    let jpeg = photo(&cat(), 300, 200);
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let limits = Limits { pixels: 1 << 20, ..Limits::default() };
    let mut refused = 0;
    for start in [
        &b"\xff\xd8\xff"[..],
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"RIFF\xff\0\0\0WEBPVP8L",
        b"RIFF\xff\0\0\0WEBPVP8 ",
        &jpeg,
    ] {
        for _ in 0..300 {
            let mut bytes = start.to_vec();
            bytes.extend((0..random(200)).map(|_| random(256) as u8));
            let (at, cut) = (random(bytes.len()), random(bytes.len()) + 1);
            bytes[at] = random(256) as u8;
            bytes.truncate(cut);
            let result = Preset::unit().apply(Source::Encoded(&bytes), (224, 224), Quality::Fast, &limits);
            refused += usize::from(result.is_err());
            let _ = thumbnail(Source::Encoded(&bytes), 64, &limits);
        }
    }
    assert!(refused > 1800, "{refused}");
}
