//! The whole program: parse, dispatch, exit code; nothing else.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::engine::Timing;
use crate::error::Error;
use crate::{commands, report};

/// Runs the command line of this process; its walks take this timing.
#[must_use]
pub fn main(timing: Timing) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // What could not be parsed cannot say how it wants to be told.
        Err(why) if why.use_stderr() && std::env::args().any(|arg| arg == "--json") => {
            let text = why.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            return ended(&Error::usage(first, "tritondeploy --help"), true);
        }
        Err(why) => why.exit(),
    };
    let json = cli.json;
    commands::run(cli, timing).map_or_else(|error| ended(&error, json), |()| ExitCode::SUCCESS)
}

fn ended(error: &Error, json: bool) -> ExitCode {
    report::error(error, json);
    ExitCode::from(error.exit_code())
}
