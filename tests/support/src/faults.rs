//! What goes wrong in a local AWS on demand: single calls, and how AWS is as a whole (docs/sandbox.md).

use serde_json::{Value, json};

use crate::local_aws::LocalAws;
#[cfg(feature = "sandbox")]
use crate::sandbox::Sandbox;

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Refused before it is applied.
    Error { code: &'static str, status: u16 },
    /// Applied, and refused all the same.
    ErrorAfter { code: &'static str, status: u16 },
    /// Not applied, and answered so by something between us and AWS.
    AnswerOfOthers { status: u16, body: &'static str },
    /// Applied, and answered so by something between us and AWS.
    AnswerOfOthersAfter { status: u16, body: &'static str },
    /// Not applied, and answered so, as if by AWS, with 200.
    Answer { body: &'static str },
    /// Applied; the answer never arrives.
    Lost,
    /// Applied so many of AWS's seconds later.
    Delay(f64),
    /// Held up until the fault ends.
    Hang,
    /// The connection is reset, and nothing is applied.
    Reset,
    /// Refused as too many of its kind, in the service's own words.
    Throttle,
}

/// Which calls it happens to; every one, as long as nothing else is said.
#[derive(Clone, Debug)]
pub struct Fault(Value);

impl Fault {
    #[must_use]
    pub fn of(effect: Effect) -> Self {
        let effect = match effect {
            Effect::Error { code, status } => json!({"kind": "error", "code": code, "status": status}),
            Effect::ErrorAfter { code, status } => json!({"kind": "error", "code": code, "status": status, "when": "after"}),
            Effect::AnswerOfOthers { status, body } => {
                json!({"kind": "answer", "status": status, "body": body, "stamped": false})
            }
            Effect::AnswerOfOthersAfter { status, body } => {
                json!({"kind": "answer", "status": status, "body": body, "stamped": false, "when": "after"})
            }
            Effect::Answer { body } => json!({"kind": "answer", "body": body}),
            Effect::Lost => json!({"kind": "lost"}),
            Effect::Delay(seconds) => json!({"kind": "delay", "seconds": seconds}),
            Effect::Hang => json!({"kind": "hang"}),
            Effect::Reset => json!({"kind": "reset"}),
            Effect::Throttle => json!({"kind": "throttle"}),
        };
        Self(json!({"fault": effect, "match": {}}))
    }

    /// Only calls of an action, as policies name it (`ec2:CreateVpc`, `ec2:Describe*`).
    #[must_use]
    pub fn on(mut self, action: &str) -> Self {
        let (service, operation) = action.split_once(':').expect("SERVICE:OPERATION");
        self.0["match"]["service"] = service.into();
        self.0["match"]["operation"] = operation.into();
        self
    }

    /// Only calls with this parameter.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: &str) -> Self {
        self.0["match"]["params"][parameter] = value.into();
        self
    }

    /// Only calls that change something, or only those that change nothing.
    #[must_use]
    pub fn mutating(mut self, mutating: bool) -> Self {
        self.0["match"]["mutating"] = mutating.into();
        self
    }

    /// Only calls of whom this ends the ARN of.
    #[must_use]
    pub fn by(mut self, who: &str) -> Self {
        self.0["match"]["who"] = who.into();
        self
    }

    /// All but so many first ones.
    #[must_use]
    pub fn after(mut self, skip: usize) -> Self {
        self.0["skip"] = skip.into();
        self
    }

    /// Only so many of them.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.0["times"] = times.into();
        self
    }

    /// Each call counts apart: the same operation, parameters and principal.
    #[must_use]
    pub fn each(mut self) -> Self {
        self.0["each"] = true.into();
        self
    }

    /// Only so many of a hundred, drawn from the seed.
    #[must_use]
    pub fn percent(mut self, percent: u32, seed: u64) -> Self {
        self.0["percent"] = percent.into();
        self.0["seed"] = seed.into();
        self
    }
}

/// How AWS is until it is ended; seconds are AWS's.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    Quota { code: &'a str, vcpus: u32 },
    Capacity { zone: &'a str },
    NodeCreationFailure { seconds: u32 },
    Degraded,
    SlowAccessEntry { seconds: u32 },
    CachedServiceAccount,
    LingeringEndpoint { seconds: u32 },
    GuardDuty,
    InterfaceInUse { seconds: u32 },
    DeletionFails { kind: &'a str },
    ClockSkew { seconds: i32 },
    Throttling { share: f64 },
    VisibilityDelay { seconds: u32 },
}

impl Mode<'_> {
    fn body(self) -> Value {
        match self {
            Self::Quota { code, vcpus } => json!({"mode": "quota", "code": code, "vcpus": vcpus}),
            Self::Capacity { zone } => json!({"mode": "capacity", "zone": zone}),
            Self::NodeCreationFailure { seconds } => json!({"mode": "node-creation-failure", "seconds": seconds}),
            Self::Degraded => json!({"mode": "degraded"}),
            Self::SlowAccessEntry { seconds } => json!({"mode": "slow-access-entry", "seconds": seconds}),
            Self::CachedServiceAccount => json!({"mode": "cached-service-account"}),
            Self::LingeringEndpoint { seconds } => json!({"mode": "lingering-endpoint", "seconds": seconds}),
            Self::GuardDuty => json!({"mode": "guardduty"}),
            Self::InterfaceInUse { seconds } => json!({"mode": "interface-in-use", "seconds": seconds}),
            Self::DeletionFails { kind } => json!({"mode": "deletion-fails", "kind": kind}),
            Self::ClockSkew { seconds } => json!({"mode": "clock-skew", "seconds": seconds}),
            Self::Throttling { share } => json!({"mode": "throttling", "share": share}),
            Self::VisibilityDelay { seconds } => json!({"mode": "visibility-delay", "seconds": seconds}),
        }
    }
}

impl LocalAws {
    /// From now on, until the faults are ended.
    pub fn fault(&self, fault: &Fault) {
        self.send("POST", "faults", Some(&fault.0));
    }

    /// Ends all faults; the actions that they fired at, in order of each.
    pub fn end_faults(&self) -> Vec<String> {
        let ended = self.ask("DELETE", "faults");
        let faults = ended["faults"].as_array().expect("faults").iter();
        let firings = faults.flat_map(|fault| fault["firings"].as_array().expect("firings"));
        firings.map(|firing| firing["action"].as_str().expect("an action").to_owned()).collect()
    }

    /// From now on, until the modes are ended.
    pub fn mode(&self, mode: Mode<'_>) {
        self.send("POST", "modes", Some(&mode.body()));
    }

    /// Ends all modes; as they were.
    pub fn end_modes(&self) -> Value {
        self.ask("DELETE", "modes")["modes"].take()
    }
}

#[cfg(feature = "sandbox")]
impl Sandbox {
    /// From now on, until the faults are ended.
    pub fn fault(&self, fault: &Fault) {
        self.send("POST", "faults", &["--json", &fault.0.to_string()]);
    }

    /// From now on, until the modes are ended.
    pub fn mode(&self, mode: Mode<'_>) {
        self.send("POST", "modes", &["--json", &mode.body().to_string()]);
    }
}
