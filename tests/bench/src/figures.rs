//! The rows: what was found, and the bar that it is held to.

use crate::graphs::Took;
use crate::life::{Life, Run, Walked};

/// A figure and its bar.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) found: f64,
    /// The lowest and the highest of several.
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) unit: &'static str,
    /// At most this; none: it is only told.
    pub(crate) bar: Option<f64>,
}

impl Row {
    fn of(what: impl Into<String>, several: Vec<f64>, unit: &'static str, bar: Option<f64>) -> Self {
        let (low, high) = several.iter().fold((f64::MAX, f64::MIN), |(low, high), one| (low.min(*one), high.max(*one)));
        let range = (several.len() > 1).then_some((low, high));
        Self { what: what.into(), found: median(several), range, unit, bar }
    }

    pub(crate) fn met(&self) -> Option<bool> {
        self.bar.map(|bar| self.found <= bar)
    }
}

/// The middle one; of none: no number.
pub(crate) fn median(mut several: Vec<f64>) -> f64 {
    several.sort_by(f64::total_cmp);
    match (several.len(), several.len() / 2) {
        (0, _) => f64::NAN,
        (count, middle) if count % 2 == 1 => several[middle],
        (_, middle) => f64::midpoint(several[middle - 1], several[middle]),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts and bytes far below 2^52")]
pub(crate) fn number(count: impl TryInto<u64>) -> f64 {
    count.try_into().map_or(f64::NAN, |count| count as f64)
}

/// Which walk of a life.
type Side = fn(&Life) -> &Walked;

/// The rows of lives at the factor that the bars are for.
pub(crate) fn of_walks(lives: &[Life]) -> Vec<Row> {
    let mut rows = Vec::new();
    let Some(factor) = lives.first().map(|life| life.factor) else { return rows };
    let sides: [(&str, Side, f64); 2] = [("up", |life| &life.up, 8.0), ("down", |life| &life.down, 12.0)];
    for (name, side, bar) in sides {
        let of = |figure: fn(&Walked) -> f64| lives.iter().map(side).map(figure).collect::<Vec<_>>();
        let held = (factor - 10.0).abs() < f64::EPSILON;
        let what = format!("`{name}` at factor {factor}: idle on the critical path");
        rows.push(Row::of(what, of(|walked| walked.path.idle_share() * 100.0), "% of the walk", held.then_some(bar)));
        rows.push(Row::of(format!("`{name}` at factor {factor}: the walk"), of(|walked| walked.path.wall), "s", None));
        let whole = of(|walked| walked.command.seconds);
        rows.push(Row::of(format!("`{name}` at factor {factor}: the whole command"), whole, "s", None));
        let reads = of(|walked| number(walked.command.calls().reads));
        let writes = of(|walked| number(walked.command.calls().writes));
        rows.push(Row::of(format!("`{name}` at factor {factor}: API calls that read"), reads, "calls", None));
        rows.push(Row::of(format!("`{name}` at factor {factor}: API calls that write"), writes, "calls", None));
        let a_node = of(|walked| a_node(&walked.command));
        rows.push(Row::of(format!("`{name}` at factor {factor}: API calls for each node"), a_node, "calls", None));
    }
    rows
}

/// How much longer a walk takes where AWS throttles.
pub(crate) fn of_throttling(lives: &[Life], slowed: &[Life]) -> Vec<Row> {
    let mut rows = Vec::new();
    if lives.is_empty() || slowed.is_empty() {
        return rows;
    }
    let sides: [(&str, Side); 2] = [("up", |life| &life.up), ("down", |life| &life.down)];
    for (name, side) in sides {
        let seconds = |lives: &[Life]| lives.iter().map(side).map(|walked| walked.command.seconds).collect::<Vec<_>>();
        let usual = median(seconds(lives));
        let ratios = seconds(slowed).into_iter().map(|seconds| seconds / usual).collect();
        let what = format!("`{name}` at factor {}, throttled as published: time, by the time without", slowed[0].factor);
        rows.push(Row::of(what, ratios, "", Some(1.3)));
    }
    let refused = slowed.iter().filter_map(|life| life.refused).map(number).collect();
    rows.push(Row::of("`up` and `down`, throttled as published: calls that were refused", refused, "calls", None));
    rows
}

fn a_node(run: &Run) -> f64 {
    number(run.calls().reads + run.calls().writes) / number(run.log.walk.nodes)
}

/// The rows of what runs between `up` and `down`.
pub(crate) fn of_commands(life: &Life) -> Vec<Row> {
    let mut rows = Vec::new();
    let of = |runs: &[Run], figure: fn(&Run) -> f64| runs.iter().map(figure).collect::<Vec<_>>();
    let again = |figure| of(&life.again, figure);
    rows.push(Row::of("`up`, nothing to do: API calls that write", again(|run| number(run.calls().writes)), "calls", Some(0.0)));
    rows.push(Row::of("`up`, nothing to do: API calls that read", again(|run| number(run.calls().reads)), "calls", None));
    rows.push(Row::of("`up`, nothing to do: API calls for each node", again(a_node), "calls", Some(2.0)));
    let without = |run: &Run| run.seconds - run.log.proofs.iter().sum::<f64>();
    rows.push(Row::of("`up`, nothing to do: time, less the proof's own", again(without), "s", Some(1.5)));
    let proof = |run: &Run| run.log.proofs.iter().sum();
    rows.push(Row::of("`up`, nothing to do: the proof's own time", again(proof), "s", None));
    for run in &life.others {
        rows.push(Row::of(format!("`{}`: time", run.name), vec![run.seconds], "s", None));
    }
    let tokens = of(&life.tokens, |run| run.seconds * 1000.0);
    rows.push(Row::of("`token` with static credentials: time", tokens, "ms", Some(100.0)));
    let calls = of(&life.tokens, |run| number(run.calls().reads + run.calls().writes));
    rows.push(Row::of("`token` with static credentials: calls (it also ran without a network)", calls, "calls", Some(0.0)));
    rows
}

/// The most memory of every command.
pub(crate) fn of_memory(lives: &[Life]) -> Vec<Row> {
    let mut runs: Vec<(&str, f64)> = Vec::new();
    for life in lives {
        let walks = [&life.up.command, &life.down.command];
        let all = walks.into_iter().chain(&life.again).chain(&life.others).chain(&life.tokens);
        runs.extend(all.map(|run| (run.name, number(run.peak) / 1e6)));
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &runs {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let most = |name: &str| runs.iter().filter(|(of, _)| *of == name).map(|(_, peak)| *peak).fold(0.0, f64::max);
    names.into_iter().map(|name| Row::of(format!("`{name}`: most memory"), vec![most(name)], "MB", Some(150.0))).collect()
}

type Figure = fn(&Took) -> f64;

/// How a graph's time grows: a node of the largest against one of the smallest.
pub(crate) fn of_graphs(graphs: &[Took]) -> Vec<Row> {
    let (Some(small), Some(large)) = (graphs.first(), graphs.last()) else { return Vec::new() };
    let sides: [(&str, Figure); 4] = [
        ("plan", |took| took.plan),
        ("up", |took| took.up),
        ("up, nothing to do", |took| took.again),
        ("down", |took| took.down),
    ];
    let grows = |figure: Figure| (figure(large) / number(large.nodes)) / (figure(small) / number(small.nodes));
    let row = |(name, figure): (&str, Figure)| {
        let what = format!("engine, `{name}`: time a node, {} nodes by {}", large.nodes, small.nodes);
        Row::of(what, vec![grows(figure)], "", None)
    };
    sides.into_iter().map(row).collect()
}
