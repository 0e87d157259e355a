//! The gateway sees the same pixels as pillow 11.0.0, to the last bit, and refuses the same files.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tritondeploy_gateway::image::{Limits, Preset, Quality, Source};

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

#[test]
fn every_kind_of_image_has_the_pixels_of_pillow() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow/goldens.py");
    run(Command::new(python()).args(["-W", "ignore"]).arg(script).arg(folder.path()));
    let mut wrong = Vec::new();
    let (mut same, mut refused) = (0, 0);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|p| !matches!(p.extension().and_then(|e| e.to_str()), Some("rgb" | "refused"))) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let want = fs::read(path.with_file_name(format!("{name}.rgb"))).ok();
        match (
            want,
            Preset::unit().apply(Source::Encoded(&fs::read(path).unwrap()), (224, 224), Quality::Exact, &Limits::default()),
        ) {
            (Some(want), Ok(got)) if want == got.pixels => same += 1,
            (Some(want), Ok(got)) => {
                let apart = want.iter().zip(&got.pixels).map(|(a, b)| a.abs_diff(*b));
                wrong.push(format!(
                    "{name}: off by up to {:?} in {} of {}",
                    apart.clone().max(),
                    apart.filter(|d| *d > 0).count(),
                    want.len()
                ));
            }
            (None, Err(_)) => refused += 1,
            (Some(_), Err(error)) => wrong.push(format!("{name}: refused: {error}")),
            (None, Ok(_)) => {
                let why = fs::read_to_string(path.with_file_name(format!("{name}.refused"))).unwrap();
                wrong.push(format!("{name}: accepted, where pillow says: {}", why.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{same} the same, {refused} refused by both, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same >= 100 && refused >= 10, "{same} the same, {refused} refused");
}
