//! The command line: types only.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Serves vision models on NVIDIA Triton behind a WebSocket on EKS, and takes it all away again.
#[derive(Debug, Parser)]
#[command(name = "tritondeploy", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 130 interrupted.")]
pub struct Cli {
    /// The configuration; without the file, the reference deployment's defaults
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
    /// Log file with every AWS call and its request id [default: a new one in $XDG_STATE_HOME/tritondeploy/NAME, which keeps 20; none for `token`]
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
    /// Bring everything up, or on from where it stopped, until a real image has been classified
    Up(Ask),
    /// Release the changed models to the running servers; on failure the former ones still answer
    PushModels,
    /// Classify one photo through the deployment's WebSocket
    Infer(Infer),
    /// Show how everything stands, with the cause when something is wrong or not as configured (exit code 1)
    Status,
    /// Take everything away and prove that nothing is left
    Down(Ask),
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

#[derive(Debug, Args)]
pub struct Infer {
    /// A local photo, or s3://BUCKET/KEY in the deployment's bucket
    pub image: String,
    /// Ask one model, by its Triton name [default: the pipeline]
    #[arg(short, long)]
    pub model: Option<String>,
    /// How many classes to show
    #[arg(short = 'k', long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub top: u16,
}

#[derive(Debug, Args)]
pub struct Kubeconfig {
    /// Write here instead of printing; only we may read it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
