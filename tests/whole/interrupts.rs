//! Ctrl-C: once, and what was begun is finished and told; twice, and it ends at once.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::user::User;
use tritondeploy_support::sandbox::{Sandbox, USER};

/// Starts `up` and waits until it has asked for the NAT gateway, and the answer is held back. (Which call is the n-th
/// differs from run to run, and an upload need not be finished.)
fn up_in_the_middle(sandbox: &Sandbox, user: &User) -> Child {
    sandbox.ask("POST", "reset-calls");
    sandbox.ask("POST", &format!("hold?nth=1&when=after&who={USER}&action=ec2:CreateNatGateway"));
    let up = user.start(&["up", "--yes", "--json"]);
    let begun = Instant::now();
    while sandbox.ask("GET", "hold")["held"].is_null() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the call never came");
        std::thread::sleep(Duration::from_millis(50));
    }
    up
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_finishes_the_call_in_flight_and_says_what_exists_and_again_ends_at_once() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);

    let mut up = up_in_the_middle(&sandbox, &user);
    interrupt(&up);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(up.try_wait().unwrap(), None, "the call in flight was not waited for");
    sandbox.ask("POST", "release");
    assert_eq!(up.wait().unwrap().code(), Some(130));
    let out = std::fs::read_to_string(user.path("out")).unwrap();
    let told: Value = serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(told["error"], "stopped", "{told}");
    assert!(told["exists_now"].as_array().is_some_and(|exists| exists.contains(&"vpc".into())), "{told}");
    assert!(
        told["next"].as_str().is_some_and(|next| next.contains("tritondeploy up") && next.contains("tritondeploy down")),
        "{told}"
    );
    user.does(&["down", "--yes"]);
    assert_eq!(sandbox.dump(), before);

    let mut up = up_in_the_middle(&sandbox, &user);
    interrupt(&up);
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    interrupt(&up);
    assert_eq!(up.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(20));
    sandbox.ask("POST", "release");
    user.does(&["down", "--yes"]);
    assert_eq!(sandbox.dump(), before);
}
