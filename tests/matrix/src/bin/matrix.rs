//! All cases, or those whose lines (`ACTION NTH of up|down lost|killed after|killed before, then up|down`) contain one of the arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let program = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("hurried")));
    let Some(program) = program else { return ExitCode::FAILURE };
    let table = tritondeploy_matrix::run(&program, |mut cases| {
        cases.retain(|case| wanted.is_empty() || wanted.iter().any(|part| case.to_string().contains(part)));
        cases
    });
    if table.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
