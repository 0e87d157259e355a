//! One deployment from `up` to `down`, on a sandbox of its own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path as Folder;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tritondeploy_support::faults::Mode;
use tritondeploy_support::sandbox::{Sandbox, cache, root};

use crate::cloud::Cloud;
use crate::log::{Calls, Log};
use crate::path::Path;
use crate::program::{Ran, User, run};

/// Pictures in the folder that `infer` classifies.
const PICTURES: usize = 32;
/// Runs of what takes milliseconds.
const QUICK: usize = 20;
/// Runs of an `up` that finds nothing to do.
const AGAIN: usize = 5;

/// One run of a command.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
    pub(crate) peak: u64,
    pub(crate) log: Log,
}

impl Run {
    pub(crate) fn calls(&self) -> Calls {
        self.log.calls
    }
}

/// A walk that changed everything.
pub(crate) struct Walked {
    pub(crate) command: Run,
    pub(crate) path: Path,
}

/// A life; the commands in between only where they were asked for.
pub(crate) struct Life {
    pub(crate) factor: f64,
    pub(crate) up: Walked,
    pub(crate) down: Walked,
    pub(crate) again: Vec<Run>,
    pub(crate) others: Vec<Run>,
    pub(crate) tokens: Vec<Run>,
    /// Calls that were throttled; none: of a life without throttling.
    pub(crate) refused: Option<u64>,
}

/// What a life is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `up` and `down`.
    Short,
    /// With the other commands between them.
    Whole,
    /// `up` and `down`, where AWS throttles as it publishes.
    Throttled,
}

/// Somebody at work in one sandbox.
struct Home<'a> {
    sandbox: &'a Sandbox,
    folder: &'a Folder,
}

/// Lives once, `factor` times as fast as AWS.
pub(crate) fn live(factor: f64, kind: Kind) -> Result<Life, String> {
    let sandbox = Sandbox::at_speed(factor);
    crate::running(Some(sandbox.folder()));
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let home = Home { sandbox: &sandbox, folder: folder.path() };
    home.furnish()?;
    let throttled = kind == Kind::Throttled;
    if throttled {
        sandbox.mode(Mode::Throttling { share: 1.0 });
    }
    let up = home.walks("up", &["up", "--yes", "--json"])?;
    let (mut again, mut others, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    if kind == Kind::Whole {
        for _ in 0..AGAIN {
            again.push(home.runs("up, nothing to do", &["up", "--yes", "--json"])?);
        }
        others.push(home.runs("plan", &["plan", "--json"])?);
        others.push(home.runs("status", &["status", "--json"])?);
        home.change_a_model()?;
        others.push(home.runs("push-models, one changed", &["push-models", "--json"])?);
        others.push(home.runs("infer, 32 pictures", &["infer", "pictures", "--json"])?);
        home.token_needs_no_network()?;
        for _ in 0..QUICK {
            tokens.push(home.runs("token", &["token"])?);
        }
    }
    let down = home.walks("down", &["down", "--yes", "--json"])?;
    let refused = throttled.then(|| refused(&sandbox.ask("GET", "modes")));
    drop(sandbox);
    crate::running(None);
    Ok(Life { factor, up, down, again, others, tokens, refused })
}

/// How many calls the modes that are on refused.
fn refused(modes: &Value) -> u64 {
    let by_api = modes["modes"][0]["refused"].as_object();
    by_api.into_iter().flatten().filter_map(|(_, times)| times.as_u64()).sum()
}

impl Home<'_> {
    /// The demo's configuration and models, and a folder of pictures.
    fn furnish(&self) -> Result<(), String> {
        let copied = run(Command::new("cp").arg("-r").arg(cache().join("models")).arg(self.folder));
        copied.map_err(|why| format!("{why}; `sandbox/models/build` makes them"))?;
        let made = || -> std::io::Result<()> {
            fs::copy(root().join("sandbox/demo.toml"), self.folder.join("tritondeploy.toml"))?;
            fs::create_dir(self.folder.join("pictures"))?;
            (0..PICTURES).try_for_each(|number| {
                symlink(root().join("assets/cat.png"), self.folder.join(format!("pictures/cat-{number}.png")))
            })
        };
        made().map_err(|why| format!("{}: {why}", self.folder.display()))
    }

    fn user(&self) -> User<'_> {
        User { folder: self.folder, env: &self.sandbox.env }
    }

    fn runs(&self, name: &'static str, arguments: &[&str]) -> Result<Run, String> {
        let log = self.folder.join("log");
        drop(fs::remove_file(&log));
        let Ran { wall, peak, .. } = self.user().runs(arguments, &log)?;
        Ok(Run { name, seconds: wall.as_secs_f64(), peak, log: Log::read(&log)? })
    }

    fn walks(&self, name: &'static str, arguments: &[&str]) -> Result<Walked, String> {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|why| why.to_string())?;
        let command = self.runs(name, arguments)?;
        let path = Path::of(&command.log.walk, &Cloud::read(self.sandbox, begun.as_secs_f64())?)?;
        Ok(Walked { command, path })
    }

    /// The same graph in other bytes: ONNX ignores what a producer writes about itself (field 2; the last one wins).
    fn change_a_model(&self) -> Result<(), String> {
        let model = self.folder.join("models/efficientnet_lite0/1/model.onnx");
        let changed = fs::OpenOptions::new().append(true).open(&model);
        let changed = changed.and_then(|mut file| file.write_all(b"\x12\x05again"));
        changed.map_err(|why| format!("{}: {why}", model.display()))
    }

    /// In a network namespace of its own there is nobody to ask.
    fn token_needs_no_network(&self) -> Result<(), String> {
        let mut command = self.user().command("unshare".into());
        let ran = run(command.arg("--net").arg(User::program()?).arg("token"))?;
        if ran.json()["kind"] == "ExecCredential" { Ok(()) } else { Err(format!("no token: {}", ran.out)) }
    }
}
