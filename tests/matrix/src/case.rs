//! One case: a command's call, what happens to it, and what comes after that.

use std::fmt;

use crate::account::Account;
use crate::operator::{Operator, Ran};
use crate::reference::Reference;

/// What somebody runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// In an empty account; or after a fault, when all must be there once, and one more `up` must change nothing.
    Up,
    /// Where all of it stands; or after a fault, when nothing must be left.
    Down,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is applied and its answer never comes. Of what is new, AWS shows nothing for a while.
    Lost,
    /// It is applied, and its caller is killed (SIGKILL) while the answer is held.
    KilledAfter,
    /// Its caller is killed while it is held, and it is never applied.
    KilledBefore,
}

/// Whose calls, what happens to one of them, and what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Whose call it is.
    pub of: Command,
    /// What happens to the call.
    pub fault: Fault,
    /// What comes after it.
    pub then: Command,
}

const fn kind(of: Command, fault: Fault, then: Command) -> Kind {
    Kind { of, fault, then }
}

impl Kind {
    /// All that are tried. A `down` that goes on without an answer leaves nothing for an `up` to find; and one that is killed
    /// before a call stands where one that was killed after the call before it does.
    pub const ALL: [Self; 9] = [
        kind(Command::Up, Fault::Lost, Command::Up),
        kind(Command::Up, Fault::Lost, Command::Down),
        kind(Command::Up, Fault::KilledAfter, Command::Up),
        kind(Command::Up, Fault::KilledAfter, Command::Down),
        kind(Command::Up, Fault::KilledBefore, Command::Up),
        kind(Command::Up, Fault::KilledBefore, Command::Down),
        kind(Command::Down, Fault::Lost, Command::Down),
        kind(Command::Down, Fault::KilledAfter, Command::Up),
        kind(Command::Down, Fault::KilledAfter, Command::Down),
    ];
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is tried.
    pub kind: Kind,
    /// The call's action, `SERVICE:OPERATION`.
    pub action: String,
    /// It is the so-manieth of this action, from 1. Which resource's that is differs from run to run.
    pub nth: usize,
}

impl Case {
    /// Err: why it did not end as it must.
    pub(crate) fn run(&self, operator: &Operator, account: &Account, reference: &Reference) -> Result<(), String> {
        if self.kind.of == Command::Down {
            well(operator.run(account, Command::Up), "up, where nothing goes wrong,")?;
        }
        let ran = match self.kind.fault {
            Fault::Lost => Some(self.lose(operator, account)?),
            Fault::KilledAfter => self.kill(operator, account, "after").map(|()| None)?,
            Fault::KilledBefore => self.kill(operator, account, "before").map(|()| None)?,
        };
        match (self.kind.then, ran) {
            (Command::Up, ran) => up(operator, account, reference, ran.is_some_and(|ran| ran.ok)),
            // A deletion that has no answer is looked at: no second `down` is needed for it.
            (Command::Down, Some(ran)) if self.kind.of == Command::Down => nothing_is_left(account, ran),
            (Command::Down, _) => nothing_is_left(account, operator.run(account, Command::Down)),
        }
    }

    fn lose(&self, operator: &Operator, account: &Account) -> Result<Ran, String> {
        if self.kind.of == Command::Up {
            account.hide_what_is_new();
        }
        account.lose(&self.action, self.nth);
        let ran = operator.run(account, self.kind.of);
        if account.has_lost() { Ok(ran) } else { Err(format!("the call was not made\n{}", ran.said)) }
    }

    fn kill(&self, operator: &Operator, account: &Account, when: &str) -> Result<(), String> {
        account.hold(&self.action, self.nth, when);
        let mut running = operator.start(account, self.kind.of);
        if !running.until(|| account.holds()) {
            return Err(format!("the call was not made\n{}", running.said()));
        }
        running.kill();
        account.release();
        Ok(())
    }
}

fn well(ran: Ran, what: &str) -> Result<(), String> {
    if ran.ok { Ok(()) } else { Err(format!("{what} failed\n{}", ran.said)) }
}

/// `up` until all of it stands, which one run must do, and once more.
fn up(operator: &Operator, account: &Account, reference: &Reference, stood: bool) -> Result<(), String> {
    if !stood {
        well(operator.run(account, Command::Up), "up")?;
    }
    account.forget_calls();
    let again = operator.run(account, Command::Up);
    let calls = account.calls();
    if !again.ok || !calls.is_empty() {
        return Err(format!("up, where all stands, made the calls {calls:?}\n{}", again.said));
    }
    let differ = reference.differ(&account.counts());
    if differ.is_empty() { Ok(()) } else { Err(format!("not one of each: {}", differ.join("; "))) }
}

fn nothing_is_left(account: &Account, down: Ran) -> Result<(), String> {
    well(down, "down")?;
    account.differs_from_empty().map_or(Ok(()), |left| Err(format!("down left something: {left}")))
}

impl Command {
    /// As it is typed.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Lost => "lost",
            Fault::KilledAfter => "killed after",
            Fault::KilledBefore => "killed before",
        };
        write!(f, "{} {fault}, then {}", self.of.word(), self.then.word())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.action, self.nth, self.kind)
    }
}
