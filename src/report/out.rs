//! Lines on standard output and standard error. Where nobody reads them any more (`| head`), the work is not at fault.

use std::fmt::Arguments;
use std::io::Write;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

static CLOSED: OnceLock<CancellationToken> = OnceLock::new();

/// Stops a command whose output is all that it is for, once standard output is closed.
pub fn stop_when_closed(cancel: &CancellationToken) {
    let _ = CLOSED.set(cancel.clone());
}

/// A line on standard output, at once, so that whoever reads a pipe sees it.
pub(super) fn line(text: Arguments<'_>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// The same, where it is no matter whether anybody reads it.
pub(super) fn out(text: Arguments<'_>) {
    if let (Err(_), Some(cancel)) = (line(text), CLOSED.get()) {
        cancel.cancel();
    }
}

/// A line on standard error.
pub(super) fn err(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// As `println!`, which ends the program where standard output is closed.
macro_rules! outln {
    () => { $crate::report::out::out(format_args!("")) };
    ($($text:tt)*) => { $crate::report::out::out(format_args!($($text)*)) };
}

/// As `eprintln!`, which ends the program where standard error is closed.
macro_rules! errln {
    () => { $crate::report::out::err(format_args!("")) };
    ($($text:tt)*) => { $crate::report::out::err(format_args!($($text)*)) };
}
