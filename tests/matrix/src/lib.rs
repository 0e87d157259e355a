//! Every mutating AWS call of `up` and of `down`, with its answer lost or its caller killed; and after that `up`, which must
//! bring about all of it once, or `down`, which must leave nothing (docs/testing.md has the table).
//!
//! The program is the real one but for the timing of its walks (`bin/hurried.rs`), AWS is the sandbox's, and Kubernetes is a
//! real control plane without machines (`sandbox/nodeless`), one a worker, that is used for case after case.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod account;
mod case;
mod operator;
mod plane;
mod reference;
mod table;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub use case::{Case, Command, Fault, Kind};
pub use table::{Done, Table};

use account::Account;
use operator::Operator;
use plane::Plane;
use reference::Reference;

/// As many as the machine that the tests are made for has processors.
const WORKERS: usize = 2;

/// Runs those of all cases that `choose` leaves, by `program`, and tells of each as it ends.
#[must_use]
pub fn run(program: &Path, choose: impl FnOnce(Vec<Case>) -> Vec<Case>) -> Table {
    let first = Worker::start(program);
    let reference = first.reference();
    let cases = choose(reference.cases());
    let calls = |of| reference.calls(of).len();
    println!("{} cases, of {} mutating calls of up and {} of down", cases.len(), calls(Command::Up), calls(Command::Down));
    let (left, table) = (Mutex::new(VecDeque::from(cases)), Mutex::new(Table::default()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let begun = Instant::now();
    let work = |worker: Worker| {
        while let Some(case) = next() {
            let done = worker.run(case, &reference);
            println!("{done}");
            table.lock().unwrap_or_else(PoisonError::into_inner).0.push(done);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..WORKERS {
            scope.spawn(|| work(Worker::start(program)));
        }
        work(first);
    });
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{table}\n{:.0} s in all", begun.elapsed().as_secs_f64());
    table
}

/// One control plane, and somebody who works with it.
struct Worker {
    plane: Plane,
    operator: Operator,
}

impl Worker {
    fn start(program: &Path) -> Self {
        let plane = Plane::start();
        let operator = Operator::new(program, &plane);
        Self { plane, operator }
    }

    fn reference(&self) -> Reference {
        Reference::of(&self.operator, &Account::new(&self.plane))
    }

    fn run(&self, case: Case, reference: &Reference) -> Done {
        let begun = Instant::now();
        let outcome = case.run(&self.operator, &Account::new(&self.plane), reference);
        Done { case, seconds: begun.elapsed().as_secs_f64(), outcome }
    }
}
