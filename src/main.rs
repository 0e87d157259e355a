//! Parse, dispatch, exit code; nothing else.

use std::process::ExitCode;

use clap::Parser;
use tritondeploy::cli::Cli;
use tritondeploy::{commands, report};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}
