//! `tritondeploy-bench`: measures the gateway against Triton itself. See docs/benchmarks.md, and `make bench`.

mod compare;
mod delay;
mod drive;
mod failure;
mod floor;
mod frame;
mod hostile;
mod http;
mod models;
mod multiplexed;
mod native;
mod objects;
mod path;
mod payload;
mod perf_analyzer;
mod processor;
mod report;
mod rows;
mod soak;
mod socket;
mod statistics;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use compare::Length;
use failure::{Doing, Failure};
use report::Report;
use rows::ROWS;
use world::{Contents, Programs, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the gateway against Triton itself.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures rows of the table.
    Rows {
        #[command(flatten)]
        place: Place,
        /// Only these; all by default.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Blocks of each side.
        #[arg(long, default_value_t = 12)]
        blocks: usize,
        /// Seconds of each block.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
        /// A folder for benchmarks.md and its plot.
        #[arg(long)]
        report: Option<PathBuf>,
    },
    /// Asks everything at once for a while, with cancels; every answer must be right and the gateway's memory flat.
    Soak {
        #[command(flatten)]
        place: Place,
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
    },
    /// Attacks the gateway in many ways, beside a polite client; fails when that client, the memory or the health suffers.
    Hostile {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: hostile::Options,
    },
    /// One attack on a gateway of this machine; says as a line of JSON what was delivered.
    Attack(hostile::Arguments),
    /// Serves the files below a folder as S3 would.
    Objects {
        /// On 127.0.0.1.
        port: u16,
        /// Holds a folder for each bucket.
        folder: PathBuf,
    },
}

/// What is measured.
#[derive(Args)]
struct Place {
    /// The gateway; by default what lies beside this program.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Starts a Triton.
    #[arg(long, default_value = "sandbox/triton/local")]
    triton: PathBuf,
    /// NVIDIA's load tool, if it is to be asked, too.
    #[arg(long)]
    perf_analyzer: Option<PathBuf>,
    /// Lines for the gateway's configuration.
    #[arg(long, default_value = "")]
    config: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One thread: what a load tool does on a second processor, it takes from what it measures. It is the main thread, too,
    // that the processes of a measurement are bound to.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.doing("making a runtime").and_then(|runtime| runtime.block_on(run(arguments.command)));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            report::say(&format!("failed: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<bool, Failure> {
    match command {
        Command::Objects { port, folder } => objects::serve(port, &folder).await.map(|()| true),
        Command::Rows { place, only, blocks, seconds, report } => {
            if let Some(unknown) = only.iter().find(|name| ROWS.iter().all(|row| row.name != **name)) {
                let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
                return Err(Failure(format!("there is no row {unknown:?}; there are {}", known.join(", "))));
            }
            let length = Length { blocks, seconds };
            unless_interrupted(measure(place, &only, length, report)).await
        }
        Command::Attack(arguments) => hostile::attack(arguments).await,
        Command::Hostile { place, options } => unless_interrupted(attacked(place, options)).await,
        Command::Soak { place, minutes } => unless_interrupted(soaked(place, minutes)).await,
    }
}

/// Stops when somebody asks this process to end; what it has started then ends with it.
async fn unless_interrupted(work: impl Future<Output = Result<bool, Failure>>) -> Result<bool, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).doing("signals")?;
    tokio::select! {
        done = work => done,
        _ = terminate.recv() => Err(Failure("interrupted".to_owned())),
        _ = tokio::signal::ctrl_c() => Err(Failure("interrupted".to_owned())),
    }
}

impl Place {
    async fn start(&self, contents: Contents) -> Result<World, Failure> {
        let gateway = match &self.gateway {
            Some(gateway) => gateway.clone(),
            None => std::env::current_exe().doing("finding this program")?.with_file_name("tritondeploy-gateway"),
        };
        let perf_analyzer = self.perf_analyzer.clone();
        World::start(Programs { gateway, triton: self.triton.clone(), perf_analyzer }, contents).await
    }
}

async fn soaked(place: Place, minutes: f64) -> Result<bool, Failure> {
    let mut world = place.start(Contents::default()).await?;
    world.gateway(&place.config).await?;
    soak::soak(&mut world, minutes).await
}

async fn attacked(place: Place, options: hostile::Options) -> Result<bool, Failure> {
    options.check()?;
    let groups = hostile::Groups::new();
    let mut world = place.start(hostile::contents()?).await?;
    hostile::hostile(&mut world, &groups, &place.config, &options).await
}

async fn measure(place: Place, only: &[String], length: Length, folder: Option<PathBuf>) -> Result<bool, Failure> {
    let mut world = place.start(Contents::default()).await?;
    let mut report = Report::new(length);
    for row in ROWS.iter().filter(|row| only.is_empty() || only.iter().any(|name| name == row.name)) {
        report::say(&format!("\n{}: {}", row.name, row.title));
        world.gateway(&place.config).await?;
        let found = (row.run)(&mut world, length).await;
        // A row that cannot be measured says why; the others are measured all the same.
        let found = found.and_then(|found| world.watch_over().map(|()| found));
        report.add(row, found);
        // After each row: a run that is interrupted leaves what it found.
        if let Some(folder) = &folder {
            report.write(folder)?;
        }
    }
    Ok(report.is_whole())
}
