//! Live bars on a terminal: one for each node that something happens to, and one for all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lines::Lines;
use super::words;
use crate::engine::Event;

/// The bars on the screen.
pub(super) struct Bars {
    screen: Option<MultiProgress>,
    all: Option<ProgressBar>,
    nodes: HashMap<Arc<str>, ProgressBar>,
    lines: Lines,
}

/// What took less is only counted: a screen is short.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

impl Bars {
    pub(super) fn new(visible: bool) -> Self {
        Self { screen: visible.then(MultiProgress::new), all: None, nodes: HashMap::new(), lines: Lines::default() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Began { walk, nodes } => self.begin(walk, *nodes),
            Event::Started { node, action, .. } => self.say(node, words::doing(*action).to_owned()),
            Event::Waiting { node, action, why, .. } => self.say(node, format!("{}: {why}", words::doing(*action))),
            Event::Progress { node, what, done, total } => self.say(node, words::progress(what, *done, *total)),
            Event::Retrying { node, why, .. } => self.say(node, format!("again: {why}")),
            Event::Finished { node, took, .. } => {
                self.remove(node);
                self.step();
                if *took >= WORTH_A_LINE {
                    self.print(event);
                }
            }
            Event::Failed(failure) => {
                self.remove(&failure.node);
                self.step();
                self.print(event);
            }
            Event::Blocked { .. } => self.step(),
            Event::Ready { .. } | Event::Called { .. } => {}
            Event::Said { .. } | Event::Stopping { .. } => self.print(event),
            Event::Ended { .. } => {
                self.print(event);
                self.end();
            }
        }
    }

    pub(super) fn end(&mut self) {
        for (_, bar) in self.nodes.drain() {
            bar.finish_and_clear();
        }
        if let Some(all) = self.all.take() {
            all.finish_and_clear();
        }
    }

    fn begin(&mut self, walk: &'static str, nodes: usize) {
        let Some(screen) = &self.screen else { return };
        let all = screen.add(ProgressBar::new(nodes as u64));
        if let Ok(style) = ProgressStyle::with_template("{prefix:>6} [{bar:32}] {pos}/{len}  {elapsed}") {
            all.set_style(style.progress_chars("=> "));
        }
        all.set_prefix(walk);
        all.enable_steady_tick(Duration::from_millis(500));
        self.all = Some(all);
    }

    fn say(&mut self, node: &Arc<str>, message: String) {
        let (Some(screen), Some(all)) = (&self.screen, &self.all) else { return };
        let bar = self.nodes.entry(node.clone()).or_insert_with(|| {
            let bar = screen.insert_before(all, ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix:33!} {elapsed:>4}  {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(node.to_string());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        bar.set_message(message);
    }

    fn remove(&mut self, node: &Arc<str>) {
        if let Some(bar) = self.nodes.remove(node) {
            bar.finish_and_clear();
        }
    }

    fn step(&self) {
        // Twins are no nodes of the graph.
        if let Some(all) = self.all.as_ref().filter(|all| all.length().is_none_or(|most| all.position() < most)) {
            all.inc(1);
        }
    }

    fn print(&mut self, event: &Event) {
        let Some(screen) = &self.screen else { return };
        if let Some(line) = self.lines.of(event) {
            let _ = screen.println(line);
        }
    }
}
