//! What `up` and `down` do where nothing goes wrong: the cases come from their calls, and an end is held to what stands then.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::Account;
use crate::case::{Case, Command, Fault, Kind};
use crate::operator::Operator;

pub(crate) struct Reference {
    up: Vec<String>,
    down: Vec<String>,
    /// How many of everything there are after `up`.
    counts: BTreeMap<String, usize>,
}

impl Reference {
    pub(crate) fn of(operator: &Operator, account: &Account) -> Self {
        let calls = |command: Command| {
            account.forget_calls();
            let ran = operator.run(account, command);
            assert!(ran.ok, "{}, where nothing goes wrong: {}", command.word(), ran.said);
            account.accepted_calls()
        };
        let up = calls(Command::Up);
        let counts = account.counts();
        let down = calls(Command::Down);
        assert_eq!(account.differs_from_empty(), None, "down, where nothing goes wrong, left something");
        Self { up, down, counts }
    }

    /// The actions of a command's calls, in their order.
    pub(crate) fn calls(&self, of: Command) -> &[String] {
        match of {
            Command::Up => &self.up,
            Command::Down => &self.down,
        }
    }

    /// Every call, with everything that can happen.
    pub(crate) fn cases(&self) -> Vec<Case> {
        Kind::ALL.into_iter().flat_map(|kind| self.of_kind(kind)).collect()
    }

    fn of_kind(&self, kind: Kind) -> Vec<Case> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let numbered = self.calls(kind.of).iter().map(|action| {
            let nth = seen.entry(action).or_default();
            *nth += 1;
            Case { kind, action: action.clone(), nth: *nth }
        });
        // What a call that is never made leaves is what was there before it: one of each action is enough.
        numbered.filter(|case| kind.fault != Fault::KilledBefore || case.nth == 1).collect()
    }

    /// Where there are more or fewer.
    pub(crate) fn differ(&self, counts: &BTreeMap<String, usize>) -> Vec<String> {
        let places: BTreeSet<&String> = self.counts.keys().chain(counts.keys()).collect();
        let of = |counts: &BTreeMap<String, usize>, place: &str| counts.get(place).copied().unwrap_or(0);
        let differs = |place: &String| {
            let (many, wanted) = (of(counts, place), of(&self.counts, place));
            (many != wanted).then(|| format!("{place}: {many}, not {wanted}"))
        };
        places.into_iter().filter_map(differs).collect()
    }
}
