//! Some of the matrix, of each kind as many, drawn by a seed.

#![allow(clippy::print_stdout, reason = "a test")]

use std::path::Path;

use tritondeploy_matrix::Kind;

/// Another seed, to see what one said again.
const SEED: &str = "TRITONDEPLOY_MATRIX_SEED";
const CASES: usize = 30;
/// Without another one: a test that fails must fail again. `make matrix` runs all cases.
const USUAL: u64 = 20_261_130;

#[test]
fn what_goes_wrong_with_any_call_of_up_and_down_is_mended_by_up_and_taken_away_by_down() {
    let seed = std::env::var(SEED).ok().map_or(USUAL, |seed| seed.parse().expect("a number"));
    println!("{SEED}={seed}");
    let table = tritondeploy_matrix::run(Path::new(env!("CARGO_BIN_EXE_hurried")), |mut cases| {
        fastrand::Rng::with_seed(seed).shuffle(&mut cases);
        let drawn = |(round, kind)| cases.iter().filter(|case| case.kind == kind).nth(round).cloned();
        let rounds = (0..cases.len()).flat_map(|round| Kind::ALL.map(|kind| (round, kind)));
        rounds.filter_map(drawn).take(CASES).collect()
    });
    assert_eq!(table.failed(), 0, "{SEED}={seed} draws the same cases again");
}
