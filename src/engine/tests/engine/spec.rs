//! What an object of the model cloud is like, and what it needs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// What the walk does with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Role {
    #[default]
    Made,
    Watched,
    Adjusted,
    Swept,
    /// `up` deletes it as soon as what it needs is there.
    Unwanted,
    /// `up` deletes it once all that is wanted stands.
    Last,
    /// `up` leaves it.
    Never,
}

/// What goes wrong with an object by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Fate {
    #[default]
    Well,
    /// The first one made breaks and never works.
    BreaksOnce,
    /// Every one breaks.
    Breaks,
    /// The first one is broken for a while and heals.
    Ails,
    /// Only the user could help.
    Hopeless,
    /// Every one breaks; only the user could help, and then it must be made anew.
    BreaksForLack,
}

/// One object: times in seconds unless they say otherwise.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Spec {
    pub within: Vec<usize>,
    pub uses: Vec<usize>,
    pub after: Vec<usize>,
    pub role: Role,
    pub ends_with_parent: bool,
    pub making: u64,
    pub changing: u64,
    pub ending: u64,
    /// So long after the creation nobody can see it.
    pub hidden: u64,
    /// So long after its end it still stands in the way of what it hung from.
    pub lingers: u64,
    /// Fields that only an update sets, one a call.
    pub steps: u8,
    /// Its output can be told while it is being made.
    pub early: bool,
    /// A second one of its name is refused.
    pub named: bool,
    /// The service honours client tokens.
    pub tokens: bool,
    pub fate: Fate,
    /// As wanted.
    pub size: u64,
    /// Nothing but its steps can be changed in place.
    pub rigid: bool,
    /// Updates are taken and do nothing.
    pub stubborn: bool,
    /// Somebody else's object of that name is there.
    pub foreign: bool,
    /// Every look is denied, or fails for good.
    pub look_denied: bool,
    pub look_fatal: bool,
    /// Looks are denied until this long after that other object is ready.
    pub look_allowed_by: Option<(usize, u64)>,
    pub create_fatal: bool,
    pub delete_fatal: bool,
    /// A deletion is accepted, and fails afterwards.
    pub sticks: bool,
    /// So long after the first creating call all of them are refused for now.
    pub refused: u64,
    /// A creation has no answer, and makes nothing.
    pub create_lost: bool,
    /// It goes after all else, and is made from nothing.
    pub last: bool,
    /// A watched one is seen so long after all that it needs is ready.
    pub appears: u64,
    /// 0: ten minutes.
    pub patience: u64,
}

/// What it needs and what is not as usual, so that a failed case can be read.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (how, ids) in [("within", &self.within), ("made from", &self.uses), ("after", &self.after)] {
            let ids: Vec<String> = ids.iter().map(|&id| crate::object::name(id)).collect();
            if !ids.is_empty() {
                write!(f, " {how} {}", ids.join(" and "))?;
            }
        }
        let usual = serde_json::to_value(Self::new()).unwrap();
        let Value::Object(fields) = serde_json::to_value(self).unwrap() else { return Ok(()) };
        let is_told = |key: &str| ["within", "uses", "after"].contains(&key);
        let differing = fields.iter().filter(|(key, value)| !is_told(key) && usual[*key] != **value);
        let differing: Vec<String> = differing.map(|(key, value)| format!("{} {value}", key.replace('_', " "))).collect();
        write!(f, ": {}", differing.join(", "))
    }
}

impl Spec {
    pub fn new() -> Self {
        Self { named: true, tokens: true, ..Self::default() }
    }

    /// Of a service without names and client tokens, so that two just alike can come about.
    pub fn nameless() -> Self {
        Self { named: false, tokens: false, ..Self::default() }
    }

    pub fn within(mut self, parents: impl Into<Vec<usize>>) -> Self {
        self.within = parents.into();
        self
    }

    pub fn uses(mut self, used: impl Into<Vec<usize>>) -> Self {
        self.uses = used.into();
        self
    }

    pub fn after(mut self, before: impl Into<Vec<usize>>) -> Self {
        self.after = before.into();
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn needs(&self) -> impl Iterator<Item = usize> {
        self.within.iter().chain(&self.uses).chain(&self.after).copied()
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs(if self.patience == 0 { 600 } else { self.patience })
    }
}
