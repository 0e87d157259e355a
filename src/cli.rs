//! The command line: types only.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Serves vision models on NVIDIA Triton behind a WebSocket on EKS, and takes it all away again.
#[derive(Debug, Parser)]
#[command(name = "tritondeploy", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 130 interrupted.")]
pub struct Cli {
    /// The configuration; where there is no tritondeploy.toml, the built-in defaults (deployment triton-streaming-cluster)
    #[arg(
        short,
        long,
        global = true,
        help_heading = "For every command",
        value_name = "FILE",
        default_value = "tritondeploy.toml"
    )]
    pub config: PathBuf,
    /// Deployment name, instead of the configuration's
    #[arg(long, global = true, help_heading = "For every command", value_name = "NAME")]
    pub name: Option<String>,
    /// AWS region, instead of the configuration's
    #[arg(long, global = true, help_heading = "For every command", value_name = "REGION")]
    pub region: Option<String>,
    /// JSON for scripts: one object a line while it runs, one object at the end
    #[arg(long, global = true, help_heading = "For every command")]
    pub json: bool,
    /// Log file with every AWS call and its request id [default: a new one in $XDG_STATE_HOME/tritondeploy/NAME, which keeps 20 of each command; none for `token` and `test --url`]
    #[arg(long, global = true, help_heading = "For every command", value_name = "FILE")]
    pub log: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a tritondeploy.toml and the bundled models' configurations
    Init(Init),
    /// Show what `up` would do, and what it costs; changes nothing
    Plan,
    /// Bring everything up, or go on from where an earlier run stopped, until a real image has been classified
    Up(Up),
    /// Release the changed models to the running servers; on failure the former ones still answer
    PushModels(Lock),
    /// Classify images and videos through the deployment's WebSocket
    Infer(Infer),
    /// Check a deployment, or any server, from outside: connection, health, models, bucket, inference
    Test(Test),
    /// Show how everything stands and why something is wrong; exit code 1 if anything is wrong or not as configured
    Status(Status),
    /// Show the logs of the pods, gateway and Triton together
    Logs(Logs),
    /// Delete everything, with the models, images and videos in the bucket, and prove that nothing is left
    Down(Down),
    /// Remove the lease of a run that died; by itself it expires a minute after that
    Unlock(Unlock),
    /// Write a kubeconfig that uses `tritondeploy token`
    Kubeconfig(Kubeconfig),
    /// Print a token for the cluster (an ExecCredential, what kubectl asks for)
    Token,
}

#[derive(Debug, Args)]
pub struct Ask {
    /// Do not ask before changing anything
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub lock: Lock,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Lock {
    /// If another run is changing this deployment, wait up to this long for it to end (90s, 10m) [default: fail at once]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lock_timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct Unlock {
    /// Do not ask before removing it
    #[arg(short, long)]
    pub yes: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with its unit, such as 90s, 10m or 2h".to_owned();
    text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()).ok_or_else(wrong)
}

#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub ask: Ask,
    /// Also delete this bucket or repository of an earlier configuration, with all that is in it: NAME, or bucket/NAME or
    /// repository/NAME where both have it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub delete_data: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Down {
    #[command(flatten)]
    pub ask: Ask,
    /// Leave the bucket and the repository with all that is in them, for a later `up`
    #[arg(long)]
    pub keep_data: bool,
}

#[derive(Debug, Args)]
pub struct Init {
    /// CIDRs that may reach the WebSocket
    #[arg(long, value_name = "CIDR", value_delimiter = ',', conflicts_with = "public_without_auth")]
    pub source_ranges: Vec<String>,
    /// Let the whole world reach the WebSocket, without authentication
    #[arg(long)]
    pub public_without_auth: bool,
}

/// What `infer` is asked for. Images and videos may stand together; which one a file is, its content tells.
#[derive(Debug, Args)]
pub struct Infer {
    /// Images and videos: files, folders, patterns, s3://BUCKET/PREFIX, or - for a list on standard input [default: images/ and videos/ of the deployment's bucket]
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// Ask this model, by its Triton name; may be repeated [default: the pipeline]
    #[arg(short, long = "model", value_name = "MODEL")]
    pub models: Vec<String>,
    /// How many classes to keep
    #[arg(short = 'k', long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub top: u16,
    /// Requests at once: a number, or `auto`, which begins with 5 and follows the server
    #[arg(short = 'j', long, value_name = "N", default_value = "auto")]
    pub concurrency: Concurrency,
    /// Protocol: v1, or v0 for older servers
    #[arg(long, value_name = "PROTOCOL", default_value = "v1")]
    pub protocol: Protocol,
    /// Any server's WebSocket, instead of the deployment's
    #[arg(long, value_name = "WS_URL")]
    pub url: Option<String>,
    /// Show what would be asked for, how much it is, and what S3 will charge; asks for nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Folder in which the folders of results are made [default: the current one; for a single image, no files are written]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Go on with a run: its journal [default: the newest in the folder of results that asked the same]
    #[arg(long, value_name = "JOURNAL", num_args = 0..=1, require_equals = true)]
    pub resume: Option<Option<PathBuf>>,
    /// Say nothing but errors and the closing summary
    #[arg(short, long)]
    pub quiet: bool,
    /// Also write a page to look at: one HTML file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Videos at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub videos: u16,
    /// Frames of each video at once
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub frames: u16,
    /// Ask for every Nth frame of a video
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Ask for so many frames a second of a video, instead of every Nth
    #[arg(long, value_name = "FPS", conflicts_with = "every")]
    pub fps: Option<f64>,
}

/// Requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as the server takes well.
    Auto,
    /// So many.
    Fixed(u16),
}

impl std::str::FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let number = text.parse().ok().filter(|number| (1..=1024).contains(number));
        number.map(Self::Fixed).ok_or_else(|| "a number from 1 to 1024, or auto".to_owned())
    }
}

/// The gateway's protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    V0,
    V1,
}

#[derive(Debug, Args)]
pub struct Test {
    /// How far to go
    #[arg(long, value_name = "LEVEL", default_value = "inference")]
    pub level: Level,
    /// Any server's WebSocket, instead of the deployment's
    #[arg(long, value_name = "WS_URL")]
    pub url: Option<String>,
}

/// Each level has the checks of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Name, TCP, WebSocket, readiness
    Simple,
    /// Triton's health, metadata, metrics and repository, and the bucket
    Extended,
    /// One inference for each model, both protocols, and round trips
    Inference,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Also write everything that support would ask for, without secrets: what listens where, pods, errors, GPU, models, versions, configuration; - for standard output
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// Go on showing what is logged from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Only what is newer, such as 90s, 10m or 2h
    #[arg(long, value_name = "DURATION")]
    pub since: Option<String>,
    /// The last lines of each container [default: 100; all with --since]
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// Only one pod: its name, or the last part of it, such as x2x4z
    #[arg(long, value_name = "POD")]
    pub pod: Option<String>,
    /// Only one container: gateway, triton or sync
    #[arg(long, value_name = "CONTAINER")]
    pub container: Option<String>,
}

#[derive(Debug, Args)]
pub struct Kubeconfig {
    /// Write here instead of printing; readable only by you (0600)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The command lines in a page: what begins with `tritondeploy` on a line of a block, or in a code span.
    fn commands(page: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut is_block = false;
        for line in page.lines() {
            if line.trim_start().starts_with("```") {
                is_block = !is_block;
                continue;
            }
            let spans: Vec<&str> = if is_block { vec![line.trim_start()] } else { line.split('`').skip(1).step_by(2).collect() };
            let ends = ["#", "|", "&&", ";", ">", "2>", "("];
            let of_ours = spans.into_iter().filter(|span| span.starts_with("tritondeploy "));
            found.extend(of_ours.map(|span| {
                let words = span.split_whitespace().take_while(|word| !ends.iter().any(|end| word.starts_with(end)));
                words.collect::<Vec<_>>().join(" ")
            }));
        }
        found
    }

    #[test]
    fn every_command_in_the_documentation_is_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
        let pages: Vec<_> = pages.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
        let mut seen = 0;
        for page in pages.iter().chain([&root.join("README.md"), &root.join("ARCHITECTURE.md")]) {
            for command in commands(&std::fs::read_to_string(page).unwrap()) {
                seen += 1;
                if let Err(why) = Cli::try_parse_from(command.split(' ')) {
                    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
                    assert!(matches!(why.kind(), DisplayHelp | DisplayVersion), "{}: {command}: {why}", page.display());
                }
            }
        }
        assert!(seen > 20, "only {seen} commands were found");
    }

    #[test]
    fn a_command_ends_where_the_shell_or_the_reader_goes_on() {
        let page = "Type `tritondeploy up --yes`, not `kubectl`.\n```\ntritondeploy infer a.jpg   # one\n  tritondeploy logs | head\n```\n";
        assert_eq!(commands(page), ["tritondeploy up --yes", "tritondeploy infer a.jpg", "tritondeploy logs"]);
    }
}
