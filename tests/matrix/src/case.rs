//! One case: a call, what happens to it, and what comes after that.

use std::collections::BTreeMap;
use std::fmt;

use crate::account::Account;
use crate::operator::Operator;

/// What happens to a call of `up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is applied, its answer never comes, and AWS shows for a while nothing of what is new.
    Lost,
    /// It is applied, and its caller is killed (SIGKILL) while the answer is held.
    Killed,
}

/// What comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// All of it must be there once, and one more `up` must change nothing.
    Up,
    /// Nothing must be left.
    Down,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The call's action, `SERVICE:OPERATION`.
    pub action: String,
    /// It is the so-manieth of this action, from 1. Which resource's that is differs from run to run.
    pub nth: usize,
    /// What happens to it.
    pub fault: Fault,
    /// What comes after it.
    pub then: Then,
}

/// What `up` does where nothing goes wrong.
pub(crate) struct Reference {
    /// The actions of its mutating calls.
    pub(crate) calls: Vec<String>,
    /// How many of everything there are then.
    pub(crate) counts: BTreeMap<String, usize>,
}

impl Reference {
    /// Every call, with everything that can happen.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut cases = Vec::new();
        for action in &self.calls {
            let nth = seen.entry(action).or_default();
            *nth += 1;
            for fault in [Fault::Lost, Fault::Killed] {
                cases.extend([Then::Up, Then::Down].map(|then| Case { action: action.clone(), nth: *nth, fault, then }));
            }
        }
        cases
    }
}

impl Case {
    /// Err: why it did not end as it must.
    pub(crate) fn run(&self, operator: &Operator, account: &Account, reference: &Reference) -> Result<(), String> {
        let stood = match self.fault {
            Fault::Lost => self.lose(operator, account)?,
            Fault::Killed => self.kill(operator, account)?,
        };
        match self.then {
            Then::Up => up(operator, account, reference, stood),
            Then::Down => down(operator, account),
        }
    }

    /// Whether `up` did it all the same.
    fn lose(&self, operator: &Operator, account: &Account) -> Result<bool, String> {
        account.hide_what_is_new();
        account.lose(&self.action, self.nth);
        let ran = operator.run(account, "up");
        if account.has_lost() { Ok(ran.ok) } else { Err(format!("up did not make the call\n{}", ran.said)) }
    }

    fn kill(&self, operator: &Operator, account: &Account) -> Result<bool, String> {
        account.hold(&self.action, self.nth);
        let mut running = operator.start(account, "up");
        if !running.until(|| account.holds()) {
            return Err(format!("up did not make the call\n{}", running.said()));
        }
        running.kill();
        account.release();
        Ok(false)
    }
}

/// `up` until all of it stands, which one run must do, and once more.
fn up(operator: &Operator, account: &Account, reference: &Reference, stood: bool) -> Result<(), String> {
    if !stood {
        let ran = operator.run(account, "up");
        if !ran.ok {
            return Err(format!("up failed\n{}", ran.said));
        }
    }
    account.forget_calls();
    let again = operator.run(account, "up");
    let calls = account.calls();
    if !again.ok || !calls.is_empty() {
        return Err(format!("up, where all stands, made the calls {calls:?}\n{}", again.said));
    }
    let counts = account.counts();
    let differs = |(place, many): (&String, &usize)| {
        let wanted = reference.counts.get(place).copied().unwrap_or(0);
        (wanted != *many).then(|| format!("{place}: {many}, not {wanted}"))
    };
    let differ: Vec<String> = counts.iter().filter_map(differs).collect();
    if differ.is_empty() { Ok(()) } else { Err(format!("not one of each: {}", differ.join("; "))) }
}

fn down(operator: &Operator, account: &Account) -> Result<(), String> {
    let ran = operator.run(account, "down");
    if !ran.ok {
        return Err(format!("down failed\n{}", ran.said));
    }
    account.differs_from_empty().map_or(Ok(()), |left| Err(format!("down left something: {left}")))
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, nth, fault, then } = self;
        let (fault, then) = (format!("{fault:?}").to_lowercase(), format!("{then:?}").to_lowercase());
        write!(f, "{action} {nth} {fault} {then}")
    }
}
