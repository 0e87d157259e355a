//! Nothing but the start: the program is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    tritondeploy::program::main(tritondeploy::engine::Timing::default())
}
