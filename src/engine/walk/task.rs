//! One node's way through a walk: its looks, its calls, and its patience.

mod twin;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::probe::{cx, look};
use super::run::{Reason, Run};
use super::timing::Timing;
use crate::erased::{AnyNode, AnyObservation};
use crate::inputs::Output;
use crate::resource::token;
use crate::{Action, Call, Change, Cx, Event, Fault, FaultKind, Known, format_duration};

pub(super) use twin::Twinned;

/// Why a node's task ended before its time.
pub(super) enum Stop {
    /// It cannot be brought there.
    Failed(Reason),
    /// The user asked to stop.
    Interrupted,
}

/// A mutating call.
pub(super) enum Act<'a> {
    Create,
    Update(&'a Output, &'a [Change]),
    Delete(&'a Output),
}

/// One node on its way.
pub(super) struct NodeTask<'a, W> {
    pub(super) run: &'a Run<'a, W>,
    pub(super) id: usize,
    pub(super) node: &'a dyn AnyNode<W>,
    pub(super) known: Known,
    /// What it did last, for the user.
    pub(super) did: Option<Action>,
    /// Since when it does what it does now: patience and the pace of looks count from here.
    pub(super) since: Instant,
    /// What its waiting is for.
    pub(super) action: Action,
    /// What it is called in what is told.
    called_as: Arc<str>,
    /// It is of a twin, so that it says nothing of the node's own.
    pub(super) twin: Option<Twinned>,
    cx: Cx<W>,
    begun: Instant,
    /// Calls of the same kind that failed in a row, and since when.
    failing: Option<(u32, Instant)>,
    told: Option<String>,
    /// A creating call was answered, so that it is there, seen or not.
    made: bool,
    /// Acts of the kind that it does now which were accepted: patience counts from the first of them.
    accepted: u32,
    /// When its last mutating call ended.
    called: Option<Instant>,
    /// What the last call or look that failed said.
    pub(super) last_fault: Option<Fault>,
}

impl<'a, W: Send + Sync + 'static> NodeTask<'a, W> {
    pub(super) fn new(run: &'a Run<'a, W>, id: usize) -> Self {
        let node = run.node(id);
        Self {
            run,
            id,
            node,
            known: run.known_to(id),
            did: None,
            since: Instant::now(),
            action: Action::Watch,
            called_as: node.name().clone(),
            twin: None,
            cx: cx(run.walk, node),
            begun: Instant::now(),
            failing: None,
            told: None,
            made: false,
            accepted: 0,
            called: None,
            last_fault: None,
        }
    }

    /// How long this walk waits for what.
    pub(super) fn timing(&self) -> &'a Timing {
        &self.run.walk.timing
    }

    fn patience(&self) -> Duration {
        self.timing().patience(self.node, self.action)
    }

    /// Begins to do something: patience starts anew, and its calls get a token of their own.
    pub(super) fn start(&mut self, action: Action) {
        self.action = action;
        self.since = Instant::now();
        self.failing = None;
        self.told = None;
        self.accepted = 0;
        self.last_fault = None;
        self.cx.token = token();
        self.cx.forget_cause();
        let node = self.called_as.clone();
        self.run.walk.events.send(Event::Started { node, kind: self.node.kind(), action });
    }

    /// Looks until there is an answer. A failed look is tried again within patience.
    pub(super) async fn look(&mut self) -> Result<AnyObservation, Stop> {
        loop {
            let (cancel, begun) = (&self.run.walk.cancel, Instant::now());
            let told = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(Stop::Interrupted),
                told = look(self.timing().look, self.node, &self.cx, &self.known) => told,
            };
            self.timed(Call::Look, begun, matches!(told, Some(Ok(_))));
            match told {
                Some(Ok(sight)) => {
                    self.seen(&sight);
                    return Ok(sight);
                }
                // The walk asks in order, so that a parent that is not known is not there.
                None => return Ok(AnyObservation::Absent),
                Some(Err(fault)) => {
                    self.not_seen();
                    self.retry_or_fail(fault, false).await?;
                }
            }
        }
    }

    /// Its last look failed: only what this walk has made is there for certain.
    fn not_seen(&self) {
        if self.twin.is_none() && !self.node.made_by_others() {
            let mut state = self.run.state();
            state.exists[self.id] = self.made;
            state.unknown[self.id] = !self.made;
        }
    }

    fn seen(&self, sight: &AnyObservation) {
        let mut state = self.run.state();
        match &self.twin {
            Some(Twinned::Within(_)) => return,
            Some(Twinned::Own) | None => state.twins[self.id] = sight.twins().to_vec(),
        }
        let exists = !matches!(sight, AnyObservation::Absent | AnyObservation::Foreign(_));
        state.exists[self.id] = (exists || self.made) && !self.node.made_by_others();
        state.unknown[self.id] = false;
    }

    /// Makes a mutating call, unless the user asked to stop or the walk has no leave to act. Once begun it is always finished.
    pub(super) async fn call(&mut self, act: Act<'_>) -> Result<Result<(), Fault>, Stop> {
        if !self.run.may_act() {
            return Err(Stop::Interrupted);
        }
        let limit = self.patience().max(self.timing().call_at_least);
        let begun = Instant::now();
        let (kind, call) = match act {
            Act::Create => (Call::Create, self.node.create(&self.cx, &self.known)),
            Act::Update(output, changes) => (Call::Update, self.node.update(&self.cx, &self.known, output, changes)),
            Act::Delete(output) => (Call::Delete, self.node.delete(&self.cx, &self.known, output)),
        };
        let answer = match timeout(limit, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::unsure(format!("within {}", format_duration(limit)))),
        };
        self.timed(kind, begun, answer.is_ok());
        let now = Instant::now();
        self.called = Some(now);
        match &answer {
            Ok(()) => {
                self.failing = None;
                self.last_fault = None;
                self.accepted += 1;
                // An act that is asked for again does not get its time again; each update is another one.
                if self.accepted == 1 || self.action == Action::Update {
                    self.since = now;
                }
                self.made = kind == Call::Create || self.made && kind != Call::Delete;
                self.run.state().acted[self.id] = Some(now);
            }
            Err(fault) if self.run.cancelled() && fault.kind != FaultKind::Unsure => {
                self.say(format!("stopped: {fault}"));
                return Err(Stop::Interrupted);
            }
            Err(_) => {}
        }
        if answer.as_ref().map_or_else(|fault| fault.kind == FaultKind::Unsure, |()| true) {
            let mut state = self.run.state();
            state.changed += 1;
            state.lost[self.id] |= kind == Call::Create && answer.is_err();
        }
        if self.made {
            self.run.state().exists[self.id] = true;
        }
        Ok(answer)
    }

    /// After a call that failed: waits before the next try, or says that there is none.
    pub(super) async fn retry_or_fail(&mut self, fault: Fault, quietly: bool) -> Result<(), Stop> {
        let (tries, since) = self.failing.unwrap_or((0, Instant::now()));
        let limit = match fault.kind {
            FaultKind::TryAgain | FaultKind::Unsure => self.patience(),
            FaultKind::Denied => self.permission(),
            FaultKind::Fatal => Duration::ZERO,
        };
        // Once an act was accepted, what fails after it gets no time of its own.
        let counts_from = if fault.may_pass() && self.accepted > 0 { since.min(self.since) } else { since };
        let (why, reason) = (fault.to_string(), Reason::of(&fault));
        self.last_fault = Some(fault);
        if counts_from.elapsed() >= limit {
            return Err(self.failed(reason).await);
        }
        self.failing = Some((tries + 1, since));
        let wait = self.timing().back_off(tries);
        if quietly {
            self.tell(&why);
        } else {
            let node = self.called_as.clone();
            self.run.walk.events.send(Event::Retrying { node, kind: self.node.kind(), why, wait });
        }
        self.sleep(wait).await
    }

    /// How much longer a refusal may be that of a permission that this walk has just given.
    fn permission(&self) -> Duration {
        let state = self.run.state();
        let just = |need: &usize| state.acted[*need].is_some_and(|acted| acted.elapsed() < self.timing().permission);
        if self.run.inputs(self.id).iter().any(just) { self.timing().permission } else { Duration::ZERO }
    }

    /// Waits until the next look is due; patience may end instead.
    pub(super) async fn wait(&mut self, why: &str) -> Result<(), Stop> {
        self.failing = None;
        let (so_far, patience) = (self.since.elapsed(), self.patience());
        if so_far >= patience {
            let mut reason = Reason::from(format!("{why}; gave up after {}", format_duration(so_far)));
            if let Some(last) = &self.last_fault {
                let cause = last.cause();
                if !why.contains(&cause) {
                    reason.why.push_str(&format!("; the last error: {cause}"));
                }
                reason.origin.clone_from(&last.origin);
                reason.next.clone_from(&last.next);
            }
            return Err(self.failed(reason).await);
        }
        self.tell(why);
        self.sleep(self.timing().next_look(so_far)).await
    }

    /// Says what it waits for, once.
    fn tell(&mut self, why: &str) {
        if self.told.as_deref() != Some(why) {
            self.told = Some(why.to_owned());
            let (node, kind, action) = (self.called_as.clone(), self.node.kind(), self.action);
            self.run.walk.events.send(Event::Waiting { node, kind, action, why: why.to_owned() });
        }
    }

    async fn sleep(&self, wait: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.run.walk.cancel.cancelled() => Err(Stop::Interrupted),
            () = sleep(wait) => Ok(()),
        }
    }

    /// It cannot be brought there: gathers what else is known of it.
    pub(super) async fn failed(&self, reason: impl Into<Reason>) -> Stop {
        let evidence = timeout(self.timing().evidence, self.node.evidence(&self.cx, &self.known)).await;
        Stop::Failed(Reason { evidence: evidence.unwrap_or_default(), ..reason.into() })
    }

    /// Looks, although the user asked to stop, until what was just created can be seen: a `down`
    /// right after this must find it. What is not seen in that time may be there all the same.
    pub(super) async fn until_seen(&mut self) {
        let called = self.called.unwrap_or(self.since);
        while called.elapsed() < self.timing().hidden {
            match look(self.timing().look, self.node, &self.cx, &self.known).await {
                Some(Ok(AnyObservation::Absent | AnyObservation::Elsewhere(_))) => {}
                Some(Err(fault)) if fault.may_pass() => {}
                Some(Ok(AnyObservation::Foreign(_)) | Err(_)) | None => break,
                Some(Ok(sight)) => return self.seen(&sight),
            }
            sleep(self.timing().next_look(called.elapsed())).await;
        }
        let mut state = self.run.state();
        state.unknown[self.id] = !state.exists[self.id];
    }

    /// Tells how long a call took.
    fn timed(&self, call: Call, begun: Instant, ok: bool) {
        let took = begun.elapsed();
        self.run.walk.events.send(Event::Called { node: self.called_as.clone(), call, ok, took });
    }

    /// A line worth reading.
    pub(super) fn say(&self, line: String) {
        self.run.walk.events.send(Event::Said { node: self.called_as.clone(), line });
    }

    /// Tells that the node is where it should be.
    pub(super) fn finished(&self, output: Option<&Output>) {
        let facts = output.map(|output| self.node.facts(output)).unwrap_or_default();
        if self.twin.is_none() {
            self.run.state().facts[self.id].clone_from(&facts);
        }
        self.run.walk.events.send(Event::Finished {
            node: self.called_as.clone(),
            kind: self.node.kind(),
            did: self.did,
            took: self.begun.elapsed(),
            facts,
        });
    }
}
