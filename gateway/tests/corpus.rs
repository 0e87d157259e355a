//! What fuzzing found worth keeping, through the same checks: `make fuzz` looks for more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

#[allow(unreachable_pub, reason = "another crate's they are reachable in")]
#[path = "../fuzz/src/checks/mod.rs"]
mod checks;

use std::fs;
use std::path::Path;

use tritondeploy_gateway::{config, image};

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 20, "{target}: only {} files", files.len());
    for file in files {
        // Shown where the check fails.
        println!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
}

#[test]
fn the_corpus_of_v0_passes() {
    replay("v0", checks::v0);
}

#[test]
fn the_corpus_of_v1_passes() {
    replay("v1", checks::v1);
}

#[test]
fn the_corpus_of_images_passes() {
    replay("image", checks::image);
}

#[test]
fn the_corpus_of_configurations_passes() {
    replay("config", checks::config);
}
