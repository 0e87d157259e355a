//! `tritondeploy-walks`: measures the walks. See docs/benchmarks.md, and `make bench-walks`.

mod cloud;
mod figures;
mod graphs;
mod life;
mod log;
mod path;
mod program;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, exit};
use std::sync::{Mutex, PoisonError};

use clap::{Parser, Subcommand};
use life::Kind;
use report::say;
use tokio::signal::unix::{SignalKind, signal};
use tritondeploy_support::sandbox::root;

/// Measures the walks.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Whole lives of a deployment, and the engine alone.
    Rows {
        /// By how much the sandbox's AWS is faster than the real one; the bars are for 10.
        #[arg(long, default_value_t = 10.0)]
        factor: f64,
        /// Lives at this factor.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Lives more at this factor, where AWS throttles as it publishes.
        #[arg(long, default_value_t = 3)]
        throttled: usize,
        /// One life more at this factor, which is only told; 0: none.
        #[arg(long, default_value_t = 60.0)]
        beside: f64,
        /// A folder with benchmarks.md, for the section in it.
        #[arg(long)]
        report: Option<PathBuf>,
    },
    /// The engine alone, on this many nodes; says what it took as a line of JSON.
    Graph { nodes: usize },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        What::Graph { nodes } => graphs::here(nodes).and_then(|took| {
            say(&serde_json::to_string(&took).map_err(|why| why.to_string())?);
            Ok(())
        }),
        What::Rows { factor, rounds, throttled, beside, report } => {
            stop_when_asked();
            measure(factor, (rounds, throttled), beside, report.as_deref())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("failed: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(factor: f64, (rounds, throttled): (usize, usize), beside: f64, folder: Option<&Path>) -> Result<(), String> {
    let engine = graphs::SIZES.into_iter().map(graphs::apart).collect::<Result<Vec<_>, _>>()?;
    say(&report::graphs(&engine));
    let mut lives = Vec::new();
    let mut slowed = Vec::new();
    for round in 0..rounds.max(throttled) {
        // Side by side: whatever else this machine does, it does to both.
        if round < throttled {
            let life = life::live(factor, Kind::Throttled)?;
            say(&report::walks(std::slice::from_ref(&life)));
            slowed.push(life);
        }
        if round >= rounds {
            continue;
        }
        let life = life::live(factor, if round == 0 { Kind::Whole } else { Kind::Short })?;
        say(&report::walks(std::slice::from_ref(&life)));
        [&life.up, &life.down].iter().for_each(|walked| say(&report::gaps(&walked.path)));
        life.again.first().into_iter().chain(life.tokens.first()).for_each(|run| say(&report::calls(run)));
        lives.push(life);
    }
    let fast =
        if beside > 0.0 { vec![life::live(beside, if rounds == 0 { Kind::Whole } else { Kind::Short })?] } else { Vec::new() };
    let mut rows = figures::of_walks(&lives);
    rows.extend(figures::of_throttling(&lives, &slowed));
    rows.extend(figures::of_walks(&fast));
    lives.extend(fast);
    rows.extend(lives.first().map(figures::of_commands).unwrap_or_default());
    rows.extend(figures::of_memory(&lives));
    rows.extend(figures::of_graphs(&engine));
    let section = report::section(&lives, &rows, &engine);
    say(&section);
    folder.map_or(Ok(()), |folder| report::write(folder, &section))
}

/// The state of the sandbox that runs now: whoever ends this program with a signal ends that, too.
static RUNNING: Mutex<Option<PathBuf>> = Mutex::new(None);

fn running(state: Option<&Path>) {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = state.map(Path::to_owned);
}

fn stop_when_asked() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
            let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if let Some(state) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                drop(Command::new(root().join("sandbox/run")).arg("-s").arg(state).arg("stop").status());
                drop(std::fs::remove_dir_all(state));
            }
            #[allow(clippy::exit, reason = "the sandbox is gone, and nothing is worth going on for")]
            exit(130);
        });
    });
}
