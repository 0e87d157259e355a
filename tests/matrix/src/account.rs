//! A new account, whose clusters all have the control plane of one [`Plane`].

use std::collections::BTreeMap;

use serde_json::Value;
use tritondeploy_support::faults::{Effect, Fault, Mode};
use tritondeploy_support::local_aws::LocalAws;

use crate::plane::Plane;

/// The model that the stand-in for the gateway answers for.
pub(crate) const ALIAS: &str = "m";
/// How much faster than AWS it is.
const SPEED: u32 = 600;
/// Seconds of its clock that it hides what is new, where it does: some looks at our pace, and less than the walk waits.
const HIDDEN: u32 = 240;
/// Whose calls count: the cloud controller makes some, too.
const WHO: &str = "user/sandbox";

pub(crate) struct Account {
    pub(crate) aws: LocalAws,
    empty: Value,
}

impl Account {
    pub(crate) fn new(plane: &Plane) -> Self {
        let aws = LocalAws::on_plane(SPEED, plane.folder(), ALIAS);
        let empty = aws.dump();
        Self { aws, empty }
    }

    /// The actions of the mutating calls since the last [`Self::forget_calls`], in their order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls_that(|_| true)
    }

    /// The same of those that were not refused: a deletion may be, until what depends on it has gone, and how often differs.
    pub(crate) fn accepted_calls(&self) -> Vec<String> {
        self.calls_that(|call| call["status"].as_u64().is_some_and(|status| status < 400))
    }

    fn calls_that(&self, count: impl Fn(&Value) -> bool) -> Vec<String> {
        let calls = self.aws.ask("GET", "calls");
        let ours = |call: &&Value| call["principal"].as_str().is_some_and(|who| who.ends_with(WHO)) && count(call);
        let calls = calls["calls"].as_array().unwrap().iter().filter(ours);
        calls.map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn forget_calls(&self) {
        self.aws.reset_calls();
    }

    /// What is made is not shown for a while, as on AWS: who cannot wait for it makes it twice.
    pub(crate) fn hide_what_is_new(&self) {
        self.aws.mode(Mode::VisibilityDelay { seconds: HIDDEN });
    }

    /// Closes the connection of the `nth` call of this action without an answer.
    pub(crate) fn lose(&self, action: &str, nth: usize) {
        self.aws.fault(&Fault::of(Effect::Lost).on(action).by(WHO).mutating(true).after(nth - 1).times(1));
    }

    /// Whether a call's answer was lost.
    pub(crate) fn has_lost(&self) -> bool {
        self.aws.ask("GET", "faults")["faults"][0]["fired"].as_u64() == Some(1)
    }

    /// Holds the `nth` call of this action `before` it is applied, or its answer `after` that.
    pub(crate) fn hold(&self, action: &str, nth: usize, when: &str) {
        self.aws.ask("POST", &format!("hold?nth={nth}&when={when}&who={WHO}&action={action}"));
    }

    pub(crate) fn holds(&self) -> bool {
        !self.aws.ask("GET", "hold")["held"].is_null()
    }

    pub(crate) fn release(&self) {
        self.aws.ask("POST", "release");
    }

    /// What is there now and was not there before, or the other way round: where it is first seen.
    pub(crate) fn differs_from_empty(&self) -> Option<String> {
        let now = self.aws.dump();
        (now != self.empty).then(|| difference("", &self.empty, &now))
    }

    /// How many there are of everything that a service keeps in a collection of its own. S3 is left out: a release that was
    /// killed leaves files that nothing reads until they are cleaned up.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (service, held) in self.aws.dump().as_object().unwrap() {
            if service != "s3" {
                count(service, held, 1, &mut counts);
            }
        }
        counts
    }
}

fn count(place: &str, held: &Value, deeper: usize, counts: &mut BTreeMap<String, usize>) {
    match held {
        Value::Object(fields) if deeper > 0 => {
            fields.iter().for_each(|(name, held)| count(&format!("{place}.{name}"), held, deeper - 1, counts));
        }
        Value::Object(fields) => drop(counts.insert(place.to_owned(), fields.len())),
        Value::Array(items) => drop(counts.insert(place.to_owned(), items.len())),
        _ => {}
    }
}

fn difference(place: &str, before: &Value, now: &Value) -> String {
    if let (Value::Object(before), Value::Object(now)) = (before, now) {
        let names = before.keys().chain(now.keys());
        let differs = |name: &&String| before.get(*name) != now.get(*name);
        if let Some(name) = names.into_iter().find(differs) {
            let of = |fields: &serde_json::Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
            return difference(&format!("{place}/{name}"), &of(before), &of(now));
        }
    }
    let cut = |value: &Value| value.to_string().chars().take(300).collect::<String>();
    format!("{place} was {} and is {}", cut(before), cut(now))
}
