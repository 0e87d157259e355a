//! The log of a run: every call, and every event of its walk with its moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

/// Seconds since 1970.
pub(crate) type Moment = f64;

/// A call for a node, by the engine's word for it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) kind: String,
    pub(crate) from: Moment,
    pub(crate) to: Moment,
}

/// What happened to a node once everything that it waits for was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    pub(crate) ready: Moment,
    /// What came last of all that it waited for.
    pub(crate) after: Option<String>,
    pub(crate) calls: Vec<Call>,
    /// When it was seen to be as it should be; none: the walk passed by.
    pub(crate) finished: Option<Moment>,
}

/// A walk as it was.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) nodes: usize,
    pub(crate) began: Moment,
    pub(crate) ended: Moment,
    pub(crate) turns: BTreeMap<String, Turn>,
}

/// So many calls to AWS and to Kubernetes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

/// What a log tells.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The last walk: those before it only make the bucket.
    pub(crate) walk: Walk,
    pub(crate) calls: Calls,
    /// By service and operation, or by verb and path.
    pub(crate) by_call: BTreeMap<String, usize>,
    /// How long each proof took, in seconds.
    pub(crate) proofs: Vec<f64>,
}

/// When this was, as logs of both sides write it.
pub(crate) fn moment(text: &str) -> Option<Moment> {
    let nanoseconds = text.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
    #[allow(clippy::cast_precision_loss, reason = "a microsecond is enough")]
    Some(nanoseconds as f64 / 1e9)
}

impl Log {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let mut log = Self::default();
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|why| format!("{}: {why}", path.display()))?;
            let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
            let at = line["timestamp"].as_str().and_then(moment);
            let at = at.ok_or_else(|| format!("{}: a line without its moment: {line}", path.display()))?;
            log.take(at, &line);
        }
        Ok(log)
    }

    fn take(&mut self, at: Moment, line: &Value) {
        let fields = &line["fields"];
        let text = |name: &str| fields[name].as_str().unwrap_or_default();
        match line["target"].as_str() {
            Some("walk") => {
                if let Ok(event) = serde_json::from_str::<Value>(text("event")) {
                    self.event(at, &event);
                }
            }
            // The clients say more than calls.
            Some("aws") if !text("call").is_empty() => {
                let call = text("call");
                let reads = ["Describe", "List", "Get", "Head"].iter().any(|reading| call.starts_with(reading));
                self.call(format!("{} {call}", text("service")), reads);
            }
            Some("kubernetes") => {
                let method = text("method");
                self.call(format!("Kubernetes {method} {}", text("path")), method == "GET");
            }
            // What has 128 bits is text in a log.
            Some("proof") => {
                let ms = fields["ms"].as_f64().or_else(|| text("ms").parse().ok());
                self.proofs.push(ms.unwrap_or_default() / 1000.0);
            }
            _ => {}
        }
    }

    fn call(&mut self, what: String, reads: bool) {
        *(if reads { &mut self.calls.reads } else { &mut self.calls.writes }) += 1;
        *self.by_call.entry(what).or_default() += 1;
    }

    fn event(&mut self, at: Moment, event: &Value) {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let node = text("node").unwrap_or_default();
        let seconds = event["seconds"].as_f64().unwrap_or_default();
        let turns = &mut self.walk.turns;
        match event["event"].as_str() {
            Some("began") => {
                let nodes = usize::try_from(event["nodes"].as_u64().unwrap_or_default()).unwrap_or_default();
                self.walk = Walk { nodes, began: at, ..Walk::default() };
            }
            Some("ended") => self.walk.ended = at,
            Some("ready") => {
                turns.insert(node, Turn { ready: at, after: text("after"), ..Turn::default() });
            }
            Some("called") => {
                if let Some(turn) = turns.get_mut(&node) {
                    turn.calls.push(Call { kind: text("call").unwrap_or_default(), from: at - seconds, to: at });
                }
            }
            Some("finished") => {
                if let Some(turn) = turns.get_mut(&node) {
                    turn.finished = Some(at);
                }
            }
            _ => {}
        }
    }
}
