//! kill -9 before and after a mutating call of `up`: the next `up` or `down` goes on from what is there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::user::User;
use tritondeploy_support::sandbox::{Sandbox, USER};

/// Starts this and kills it as soon as `there`, which must come before its end.
pub fn kill(user: &User, args: &[&str], there: impl Fn() -> bool) {
    let mut running = user.start(args);
    let begun = Instant::now();
    while !there() {
        if let Some(status) = running.try_wait().unwrap() {
            panic!("{args:?} ended ({status}) before it was to be killed");
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "the moment to kill {args:?} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill().unwrap();
    running.wait().unwrap();
}

/// Kills `up` when its n-th mutating call has arrived (and not been applied), or was applied (and not been answered).
fn crash(sandbox: &Sandbox, user: &User, nth: usize, when: &str) {
    sandbox.ask("POST", "reset-calls");
    sandbox.ask("POST", &format!("hold?nth={nth}&when={when}&who={USER}"));
    kill(user, &["up", "--yes"], || holds(sandbox));
    sandbox.ask("POST", "release");
}

/// Whether a call is being held.
pub fn holds(sandbox: &Sandbox) -> bool {
    !sandbox.ask("GET", "hold")["held"].is_null()
}

/// All of it stands, and once.
pub fn up_again_changes_nothing(sandbox: &Sandbox, user: &User) {
    sandbox.ask("POST", "reset-calls");
    let writes = sandbox.kubernetes_writes().len();
    let again = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(again["outcome"]["changed"], 0, "{again}");
    assert_eq!(sandbox.mutating_calls(), Vec::<Value>::new());
    assert_eq!(sandbox.kubernetes_writes()[writes..], [Value::Null; 0]);
}

/// Takes all of it away, and looks whether something is left.
pub fn down_leaves_nothing(sandbox: &Sandbox, user: &User, before: &Value) {
    let down = user.does(&["down", "--yes", "--json"]).json();
    assert_eq!(down["left"], json!([]));
    assert_eq!(sandbox.dump(), *before, "down has left something, or taken something that was there before");
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
        eprintln!("killed {when} call {nth}");
        down_leaves_nothing(&sandbox, &user, &before);
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
    up_again_changes_nothing(&sandbox, &user);
    down_leaves_nothing(&sandbox, &user, &before);
}
