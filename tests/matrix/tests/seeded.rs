//! Some of the matrix, drawn by a seed.

#![allow(clippy::print_stdout, reason = "a test")]

use std::path::Path;

/// Another seed, to see what one said again.
const SEED: &str = "TRITONDEPLOY_MATRIX_SEED";
const CASES: usize = 30;

#[test]
fn what_goes_wrong_with_any_call_of_up_is_mended_by_up_and_taken_away_by_down() {
    let seed = std::env::var(SEED).ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("{SEED}={seed}");
    let table = tritondeploy_matrix::run(Path::new(env!("CARGO_BIN_EXE_hurried")), |mut cases| {
        fastrand::Rng::with_seed(seed).shuffle(&mut cases);
        cases.truncate(CASES);
        cases
    });
    assert_eq!(table.failed(), 0, "{SEED}={seed} draws the same cases again");
}
