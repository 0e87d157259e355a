//! The realised critical path of a walk: from the last node that was done back over what each had waited for longest, to the
//! walk's begin. What is on it took the time of the walk, and is split into what waited for what.

use std::ops::AddAssign;

use crate::cloud::Cloud;
use crate::log::{Moment, Turn, Walk};

/// Where time went, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Split {
    /// From the answer to an act until the cloud was done with it.
    pub(crate) cloud: f64,
    /// Our call was in flight.
    pub(crate) call: f64,
    /// From the moment at which everything was there that a node needs until its first act.
    pub(crate) to_act: f64,
    /// From the moment at which the cloud was done until we went on.
    pub(crate) to_see: f64,
}

impl Split {
    pub(crate) fn idle(&self) -> f64 {
        self.to_act + self.to_see
    }
}

impl AddAssign for Split {
    fn add_assign(&mut self, other: Self) {
        self.cloud += other.cloud;
        self.call += other.call;
        self.to_act += other.to_act;
        self.to_see += other.to_see;
    }
}

/// One node on the path, and what its time was.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) node: String,
    pub(crate) split: Split,
    /// How long it was the walk's turn for it.
    pub(crate) took: f64,
}

/// The path, in the order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    pub(crate) steps: Vec<Step>,
    /// The look at everything with which the walk begins.
    pub(crate) first_look: f64,
    /// From the last node to the end of the walk.
    pub(crate) rest: f64,
    /// The whole walk.
    pub(crate) wall: f64,
}

impl Path {
    pub(crate) fn of(walk: &Walk, cloud: &Cloud) -> Result<Self, String> {
        let finished = walk.turns.iter().filter_map(|(name, turn)| Some((name, turn.finished?)));
        let last = finished.max_by(|one, other| one.1.total_cmp(&other.1));
        let (last, end) = last.ok_or("the log has no walk with a node that was done")?;
        let (mut path, mut node, mut until) = (Self::default(), last.clone(), end);
        let first = loop {
            let turn = walk.turns.get(&node).ok_or_else(|| format!("{node} was waited for, and has no turn in the log"))?;
            path.steps.push(Step { split: split(&node, turn, until, cloud), took: until - turn.ready, node });
            match &turn.after {
                Some(after) => (node, until) = (after.clone(), turn.ready),
                None => break turn.ready,
            }
        };
        path.steps.reverse();
        path.first_look = first - walk.began;
        path.rest = walk.ended - end;
        path.wall = walk.ended - walk.began;
        Ok(path)
    }

    pub(crate) fn sum(&self) -> Split {
        let mut sum = Split::default();
        self.steps.iter().for_each(|step| sum += step.split);
        sum
    }

    /// The part of the walk in which nothing was under way that it waited for.
    pub(crate) fn idle_share(&self) -> f64 {
        self.sum().idle() / self.wall
    }
}

/// One node's time from its turn to the next one's.
fn split(node: &str, turn: &Turn, until: Moment, cloud: &Cloud) -> Split {
    let mut split = Split::default();
    // To look at the proof is to make it: a picture goes through all that was built.
    let act = |kind: &str| kind != "look" || node == "proof";
    let (mut since, mut acted) = (turn.ready, false);
    for call in turn.calls.iter().filter(|call| act(&call.kind) && call.from < until) {
        let from = call.from.max(since);
        if acted {
            // A call that was refused is made again: what it waited for is then another's.
            waited(&mut split, cloud.done(node, since, from).or_else(|| cloud.any(since, from)), since, from);
        } else {
            split.to_act += from - since;
        }
        since = call.to.clamp(from, until);
        split.call += since - from;
        acted = true;
    }
    waited(&mut split, cloud.done(node, since, until), since, until);
    split
}

/// Between two moments, in which the cloud was done at this one; none: it had nothing to do.
fn waited(split: &mut Split, done: Option<Moment>, from: Moment, to: Moment) {
    let done = done.unwrap_or(from);
    split.cloud += done - from;
    split.to_see += to - done;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Call;

    fn turn(ready: f64, after: Option<&str>, calls: &[(&str, f64, f64)], finished: f64) -> Turn {
        let calls = calls.iter().map(|(kind, from, to)| Call { kind: (*kind).to_owned(), from: *from, to: *to });
        Turn { ready, after: after.map(str::to_owned), calls: calls.collect(), finished: Some(finished) }
    }

    #[test]
    fn the_path_goes_back_over_what_came_last_and_its_parts_are_the_whole_walk() {
        let turns = [
            ("vpc", turn(1.0, None, &[("create", 1.0, 1.5), ("look", 1.5, 2.0)], 2.0)),
            ("role", turn(1.0, None, &[("create", 1.0, 1.2)], 1.5)),
            ("cluster", turn(2.0, Some("vpc"), &[("look", 2.0, 2.25), ("create", 2.25, 3.0), ("look", 9.0, 9.5)], 9.5)),
            ("pod", turn(9.5, Some("cluster"), &[("look", 9.5, 10.0)], 10.0)),
        ];
        let turns = turns.map(|(name, turn)| (name.to_owned(), turn)).into();
        let walk = Walk { nodes: 4, began: 0.0, ended: 10.5, turns };
        let cloud = Cloud::of_aws(&[("cluster", 8.0), ("cluster", 99.0), ("node-group", 9.0)]);
        let path = Path::of(&walk, &cloud).unwrap();
        let names: Vec<&str> = path.steps.iter().map(|step| step.node.as_str()).collect();
        assert_eq!(names, ["vpc", "cluster", "pod"]);
        let Split { cloud, call, to_act, to_see } = path.steps[1].split;
        assert_eq!((cloud, call, to_act, to_see), (5.0, 0.75, 0.25, 1.5));
        let Split { cloud, call, to_act, to_see } = path.sum();
        let parts = cloud + call + to_act + to_see + path.first_look + path.rest;
        assert!((parts - path.wall).abs() < 1e-9, "{path:?}");
    }
}
