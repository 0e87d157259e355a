//! One file a command; what all of them begin with is here.

mod data;
mod down;
mod infer;
mod init;
mod kubeconfig;
mod lock;
mod log;
mod logs;
mod plan;
mod push_models;
mod status;
mod target;
mod test;
mod token;
mod unlock;
mod up;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command};
use crate::cloud::Cloud;
use crate::cloud::aws::Aws;
use crate::cloud::inventory::Inventory;
use crate::cloud::machine::Machine;
use crate::config::{self, Config};
use crate::deployment;
use crate::engine::{Events, Failure, Fault, FaultKind, Gate, Graph, Outcome, Report, Seen, Timing, Walk, with_origin};
use crate::error::Error;
use crate::models::{Checked, Repository};
use crate::report::{Mode, show, words};

/// Runs one command to its end; its walks take this timing.
///
/// # Errors
/// What the command ends with when it does not end well.
pub fn run(cli: Cli, timing: Timing) -> Result<(), Error> {
    let mut runtime = match cli.command {
        // Thousands of small answers a second: to hand each from thread to thread costs more than to read it.
        Command::Infer(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|why| Error::failed(format!("no runtime: {why}"), ""))?;
    let ended = runtime.block_on(dispatch(cli, timing));
    // A second Ctrl-C, or a call that never answers, must not hold the exit.
    runtime.shutdown_background();
    ended
}

async fn dispatch(cli: Cli, timing: Timing) -> Result<(), Error> {
    let session = Session {
        config: cli.config,
        name: cli.name,
        region: cli.region,
        mode: Mode::choose(cli.json),
        log: cli.log,
        cancel: CancellationToken::new(),
        timing,
        local: OnceLock::new(),
    };
    interrupted(session.cancel.clone());
    match cli.command {
        Command::Init(init) => init::run(&session, init).await,
        Command::Plan => plan::run(&session).await,
        Command::Up(up) => up::run(&session, &up).await,
        Command::PushModels(lock) => push_models::run(&session, lock).await,
        Command::Infer(infer) => infer::run(&session, infer).await,
        Command::Test(test) => test::run(&session, test).await,
        Command::Status(status) => status::run(&session, status).await,
        Command::Logs(logs) => logs::run(&session, logs).await,
        Command::Down(down) => down::run(&session, &down).await,
        Command::Unlock(unlock) => unlock::run(&session, unlock.yes).await,
        Command::Kubeconfig(to) => kubeconfig::run(&session, to.output).await,
        Command::Token => token::run(&session).await,
    }
}

/// The first Ctrl-C asks to stop, the second one exits at once. SIGTERM (a CI job that is cancelled, a pod that ends) and
/// SIGHUP (a terminal that is closed) are the same.
fn interrupted(cancel: CancellationToken) {
    tokio::spawn(async move {
        let Ok(mut signals) = Signals::new() else { return };
        signals.next().await;
        cancel.cancel();
        signals.next().await;
        #[allow(clippy::exit, reason = "the user asked twice")]
        std::process::exit(130);
    });
}

/// The signals that ask to stop.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> std::io::Result<Self> {
        let of = |kind: fn() -> SignalKind| signal(kind());
        Ok(Self([of(SignalKind::interrupt)?, of(SignalKind::terminate)?, of(SignalKind::hangup)?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// What the command line says to every command.
struct Session {
    config: PathBuf,
    name: Option<String>,
    region: Option<String>,
    mode: Mode,
    log: Option<PathBuf>,
    cancel: CancellationToken,
    timing: Timing,
    /// The local models, once a command has read them.
    local: OnceLock<Arc<Checked>>,
}

impl Session {
    fn json(&self) -> bool {
        self.mode == Mode::Json
    }

    fn config(&self) -> Result<Config, Error> {
        config::load(&self.config, self.name.as_deref(), self.region.as_deref())
    }

    /// Configuration, log file and clients.
    async fn cloud(&self, command: &str) -> Result<Arc<Cloud>, Error> {
        let config = self.config()?;
        log::open(self.log.as_deref(), &config.name, command)?;
        Self::connect(config).await
    }

    /// The clients. Region and endpoint are then those that they found.
    async fn connect(mut config: Config) -> Result<Arc<Cloud>, Error> {
        let aws = Aws::connect(&config).await.map_err(|why| {
            let next = why.next();
            Error::failed(why.to_string(), next)
        })?;
        config.region = Some(aws.region.clone());
        config.endpoint_url.clone_from(&aws.endpoint_url);
        Ok(Arc::new(Cloud::new(aws, config)))
    }

    /// What the graph is made of. To make something, the zones are chosen that are not chosen yet.
    async fn inventory(&self, cloud: &Arc<Cloud>, to_make: bool) -> Result<Inventory, Error> {
        let mut inventory = Inventory::read(cloud).await.map_err(|why| self.unusable(&why))?;
        if to_make {
            let mut problems = inventory.machine.problems(&cloud.config);
            problems.extend(inventory.admins.problems(&cloud.aws).await.map_err(|why| fault(&why, "look at access.admins"))?);
            if !problems.is_empty() {
                let why = format!("{}:\n  {}", self.config.display(), problems.join("\n  "));
                return Err(Error::usage(why, "correct the configuration; nothing was changed"));
            }
            inventory.choose(&cloud.aws, &cloud.config).await.map_err(|why| self.unusable(&why))?;
        }
        Ok(inventory)
    }

    /// What is wrong with the configuration, as the account sees it; or why the account could not be looked at.
    fn unusable(&self, why: &Fault) -> Error {
        match (why.kind, &why.next) {
            (FaultKind::Fatal, Some(next)) => {
                Error::usage(format!("{}: {}", self.config.display(), why.message), format!("{next}; nothing was changed"))
            }
            _ => fault(why, LOOKING),
        }
    }

    /// A walk through the graph that is made of this, to make it or to compare it: the local models are read. They may be
    /// many gigabytes, and may be on another machine for who only looks.
    fn to_make(&self, cloud: &Arc<Cloud>, inventory: &Inventory) -> Walk<Cloud> {
        self.through(cloud, inventory, Some(self.local(&cloud.config)))
    }

    /// A walk through the graph that is made of this.
    fn through(&self, cloud: &Arc<Cloud>, inventory: &Inventory, local: Option<&Arc<Checked>>) -> Walk<Cloud> {
        self.over(cloud, deployment::graph(&cloud.config, inventory, local))
    }

    /// A walk through this graph that may not act yet.
    fn over(&self, cloud: &Arc<Cloud>, graph: Graph<Cloud>) -> Walk<Cloud> {
        let (cancel, gate, timing) = (self.cancel.child_token(), Gate::reads_only(lock::NONE), self.timing);
        Walk { graph: Arc::new(graph), world: cloud.clone(), events: Events::nowhere(), cancel, gate, timing }
    }

    /// Looks at everything once, unless the user stops it.
    async fn look(&self, walk: &Walk<Cloud>) -> Result<Report, Error> {
        self.look_to_act(walk).await.map(|(survey, _)| survey)
    }

    /// The same, and keeps what was seen for a walk that follows at once.
    async fn look_to_act(&self, walk: &Walk<Cloud>) -> Result<(Report, Seen), Error> {
        let seen = walk.look_to_act().await;
        if self.cancel.is_cancelled() { Err(Error::unchanged()) } else { Ok(seen) }
    }

    /// The local models, read once and hashed.
    fn local(&self, config: &Config) -> &Arc<Checked> {
        self.local.get_or_init(|| Arc::new(Repository::open(&config.models.directory, &config.models.serve)))
    }

    /// The local models, or every problem of them.
    fn models(&self, config: &Config, command: &str) -> Result<Repository, Error> {
        let repository = Checked::clone(self.local(config)).and_then(|repository| {
            let asked = config.pipeline.iter().map(|model| model.model.as_str()).chain(config.proof.model.as_deref());
            repository.has(asked)
        });
        repository.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let why = format!("the model repository is not in order:\n  {}", lines.join("\n  "));
            Error::failed(why, format!("correct it, then {}; nothing was changed", self.again(command)))
        })
    }

    /// The same, for the nodes that there are: without GPUs some models cannot be served.
    async fn served(&self, cloud: &Cloud, command: &str) -> Result<Repository, Error> {
        let local = self.models(&cloud.config, command)?;
        let hungry: Vec<String> = local.wanting_a_gpu().map(|problem| problem.to_string()).collect();
        if hungry.is_empty() {
            return Ok(local);
        }
        let machine = Machine::read(&cloud.aws, &cloud.config).await.map_err(|why| fault(&why, "look at the instance type"))?;
        if machine.has_gpu() {
            return Ok(local);
        }
        let kind = &cloud.config.nodes.instance_type;
        let next = "leave these models out (models.serve), or choose a type with an NVIDIA GPU (nodes.instance_type = \"g4dn.xlarge\"); nothing was changed";
        Err(Error::failed(format!("{kind} has no GPU, and these models need one:\n  {}", hungry.join("\n  ")), next))
    }

    /// The command line as far as it leads to the same deployment, for "type next".
    fn again(&self, command: &str) -> String {
        let mut line = format!("tritondeploy {command}");
        if self.config.as_os_str() != "tritondeploy.toml" {
            line.push_str(&format!(" --config {}", self.config.display()));
        }
        for (flag, value) in [("--name", &self.name), ("--region", &self.region)] {
            if let Some(value) = value {
                line.push_str(&format!(" {flag} {value}"));
            }
        }
        line
    }
}

/// What the first calls of a command do.
const LOOKING: &str = "look at the account";

/// A call that failed outside a walk.
fn fault(why: &Fault, doing: &str) -> Error {
    let next = match (why.next.as_deref(), why.kind) {
        (Some(next), _) => next,
        (None, FaultKind::Denied) => "ask for the permission, or use other credentials",
        (None, FaultKind::TryAgain | FaultKind::Unsure) => "run it again",
        (None, FaultKind::Fatal) => "",
    };
    Error::failed(format!("could not {doing}: {why}"), next)
}

/// How a walk that did not go well is told: each cause once, with what it stopped and what is known of it.
fn ended(outcome: &Outcome, next: String) -> Result<(), Error> {
    if outcome.ok() {
        return Ok(());
    }
    let names = |nodes: &[Arc<str>]| nodes.iter().map(ToString::to_string).collect();
    let (exists, may_exist) = (names(&outcome.exists), names(&outcome.unknown));
    if outcome.interrupted && outcome.failures.is_empty() {
        return Err(Error::interrupted("stopped", next).with_existing(exists, may_exist));
    }
    let lost = outcome.shut.iter().map(|why| format!("stopped after finishing the calls in flight: {why}"));
    let mut why: Vec<String> = lost.chain(causes(&outcome.failures)).collect();
    if !outcome.blocked.is_empty() {
        why.push(format!("skipped because of the failures above: {}", words::brief(&outcome.blocked)));
    }
    let next = steps_before(outcome.failures.iter().filter_map(|failure| failure.next.as_deref()), next);
    let why = why.join("\n  ");
    let ended = match outcome.interrupted {
        true => Error::interrupted(format!("stopped; before that:\n  {why}"), next),
        false => Error::failed(why, next),
    };
    Err(ended.with_existing(exists, may_exist))
}

/// What is to be done first, each step once, before what is to be typed then.
fn steps_before<'a>(steps: impl IntoIterator<Item = &'a str>, then: String) -> String {
    let mut known = HashSet::new();
    let steps: Vec<&str> = steps.into_iter().filter(|step| known.insert(*step)).collect();
    if steps.is_empty() { then } else { format!("{}; then {then}", steps.join("; ")) }
}

/// Each cause with the nodes that it stopped, and its evidence, without saying a line twice.
fn causes(failures: &[Failure]) -> Vec<String> {
    let mut causes: Vec<(&str, Vec<&Failure>)> = Vec::new();
    for failure in failures {
        match causes.iter_mut().find(|(known, _)| *known == failure.why) {
            Some((_, alike)) => alike.push(failure),
            None => causes.push((&failure.why, vec![failure])),
        }
    }
    let mut told = HashSet::new();
    let one = |(why, alike): &(&str, Vec<&'_ Failure>)| {
        let names: Vec<&str> = alike.iter().map(|failure| &*failure.node).collect();
        let evidence = alike.iter().flat_map(|failure| &failure.evidence);
        let evidence = evidence.filter(|line| !why.contains(line.as_str()) && told.insert(line.to_string()));
        let evidence: String = evidence.take(show::EVIDENCE).map(|line| format!("\n    {line}")).collect();
        let origin = alike.iter().find_map(|failure| failure.origin.as_deref());
        format!("{}: {}{evidence}", words::brief(&names), with_origin(why, origin))
    };
    causes.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Origin;

    #[test]
    fn a_cause_is_told_once_with_all_that_it_stopped() {
        let failure = |node: &str, why: &str, evidence: &[&str]| Failure {
            node: node.into(),
            kind: "x",
            why: why.to_owned(),
            origin: Some(Origin { request_id: Some(format!("of-{node}")), ..Origin::default() }.into()),
            next: None,
            evidence: evidence.iter().map(|line| (*line).to_owned()).collect(),
        };
        let failures = [
            failure("vpc", "expired", &[]),
            failure("role", "expired", &[]),
            failure("pod", "no image", &["pull: no image found", "no image", "pull: no image found"]),
        ];
        assert_eq!(
            causes(&failures),
            ["vpc, role: expired (request of-vpc)", "pod: no image (request of-pod)\n    pull: no image found"]
        );
    }
}
