//! What it was measured on.

use std::fs;
use std::process::Command;

/// A list of facts, as Markdown.
pub(super) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let gib = field(&memory, "MemTotal").split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1_048_576.0;
    let virtual_machine =
        if field(&cpus, "flags").split(' ').any(|flag| flag == "hypervisor") { ", a virtual machine" } else { "" };
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    [
        format!("{count} processors: {}{virtual_machine}", field(&cpus, "model name")),
        format!("{gib:.0} GiB of memory; Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("loads of the last 1, 5 and 15 minutes at the end: {load}"),
        format!("commit {}, {}", said("git", &["describe", "--always", "--dirty"]), said("rustc", &["--version"])),
        format!("{}", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %Z")),
    ]
    .map(|fact| format!("- {fact}\n"))
    .concat()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
