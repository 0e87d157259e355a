//! The gateway sees the same pixels as pillow 11.0.0, to the last bit, and refuses the same files.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tritondeploy_gateway::image::{Filter, Limits, Orientation, Preset, Quality, Source};

/// The virtual environment with the reference, made once and kept in the cache.
fn python() -> PathBuf {
    let cache =
        env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from(env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    let venv = cache.join("tritondeploy/venv-goldens");
    let python = venv.join("bin/python");
    let ready = |python: &Path| {
        let check = "import PIL; assert PIL.__version__ == '11.0.0'";
        Command::new(python).args(["-c", check]).status().is_ok_and(|s| s.success())
    };
    if !ready(&python) {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow/requirements.txt");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements));
    }
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|e| panic!("{command:?} cannot start: {e}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// What the functions of the same names in `pictures.py` do.
fn presets() -> [(&'static str, Preset, (usize, usize)); 3] {
    let upright = Preset { filter: Filter::Bilinear, orientation: Orientation::Apply, ..Preset::unit() };
    [("unit", Preset::unit(), (224, 224)), ("imagenet", Preset::imagenet(), (224, 224)), ("upright", upright, (301, 97))]
}

#[test]
fn every_kind_of_image_has_the_pixels_of_pillow() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow/goldens.py");
    // In halves, side by side: it takes pillow longer than us.
    let python = python();
    let make = |kinds: &[&str]| {
        Command::new(&python).args(["-B", "-W", "ignore"]).arg(&script).arg(folder.path()).args(kinds).spawn().unwrap()
    };
    let halves = [make(&["jpeg", "png", "damaged", "refused"]), make(&["webp", "gif", "bmp"])];
    let made = halves.map(|mut half| half.wait().unwrap().success());
    assert_eq!(made, [true, true], "{}", script.display());
    let mut wrong = Vec::new();
    let (mut same, mut refused) = (0, 0);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let is_answer =
        |p: &Path| matches!(p.extension().and_then(|e| e.to_str()), Some("unit" | "imagenet" | "upright" | "refused"));
    for path in names.iter().filter(|p| !is_answer(p)) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(path).unwrap();
        let why = fs::read_to_string(path.with_file_name(format!("{name}.refused"))).ok();
        for (preset, how, size) in presets() {
            let want = fs::read(path.with_file_name(format!("{name}.{preset}"))).ok();
            match (&why, how.apply(Source::Encoded(&bytes), size, Quality::Exact, &Limits::default())) {
                (Some(_), Err(_)) => refused += 1,
                (None, Ok(got)) if want.as_ref() == Some(&got.pixels) => same += 1,
                (None, Ok(got)) => wrong.push(format!("{name}, {preset}: {}", apart(&want.unwrap(), &got.pixels))),
                (None, Err(error)) => wrong.push(format!("{name}, {preset}: refused: {error}")),
                (Some(why), Ok(_)) => wrong.push(format!("{name}, {preset}: accepted, where pillow says: {}", why.trim())),
            }
        }
    }
    assert!(wrong.is_empty(), "{same} the same, {refused} refused by both, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same >= 2000 && refused >= 500, "{same} the same, {refused} refused");
}

fn apart(want: &[u8], got: &[u8]) -> String {
    let apart = want.iter().zip(got).map(|(a, b)| a.abs_diff(*b));
    format!("off by up to {:?} in {} of {}", apart.clone().max(), apart.filter(|d| *d > 0).count(), want.len())
}
