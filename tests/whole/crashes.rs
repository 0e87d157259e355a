//! kill -9 before and after a mutating call of `up`: the next `up` or `down` goes on from what is there.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::user::User;
use tritondeploy_support::sandbox::{Sandbox, USER};

/// Kills `up` when its n-th mutating call has arrived (and not been applied), or was applied (and not been answered).
fn crash(sandbox: &Sandbox, user: &User, nth: usize, when: &str) {
    sandbox.ask("POST", "reset-calls");
    sandbox.ask("POST", &format!("hold?nth={nth}&when={when}&who={USER}"));
    let mut up = user.start(&["up", "--yes"]);
    let begun = Instant::now();
    while sandbox.ask("GET", "hold")["held"].is_null() {
        if let Some(status) = up.try_wait().unwrap() {
            panic!("up ended ({status}) before its call {nth}");
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "call {nth} never came");
        std::thread::sleep(Duration::from_millis(50));
    }
    up.kill().unwrap();
    up.wait().unwrap();
    sandbox.ask("POST", "release");
}

/// The same four in every run; another seed: `TRITONDEPLOY_CRASH_SEED=7`.
fn calls() -> [usize; 4] {
    let seed = std::env::var("TRITONDEPLOY_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4);
    let mut random = fastrand::Rng::with_seed(seed);
    std::array::from_fn(|_| random.usize(1..50))
}

#[test]
fn down_after_a_crash_leaves_nothing() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    for (nth, when) in calls().into_iter().zip(["before", "after", "before", "after"]) {
        let user = User::of(&sandbox);
        crash(&sandbox, &user, nth, when);
        let down = user.does(&["down", "--yes", "--json"]).json();
        assert_eq!(down["left"], json!([]), "after a crash {when} call {nth}");
        assert_eq!(sandbox.dump(), before, "after a crash {when} call {nth}");
    }
}

#[test]
fn up_after_crashes_ends_with_one_of_each() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    for (nth, when) in calls().into_iter().zip(["after", "before", "after", "before"]) {
        // Each crash begins where the one before it ended, so that it may have fewer calls to make.
        crash(&sandbox, &user, nth.div_ceil(4), when);
    }
    user.does(&["up", "--yes"]);
    sandbox.ask("POST", "reset-calls");
    let again = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(again["outcome"]["changed"], 0, "{again}");
    assert_eq!(sandbox.mutating_calls(), Vec::<serde_json::Value>::new());
    user.does(&["down", "--yes"]);
    assert_eq!(sandbox.dump(), before);
}
