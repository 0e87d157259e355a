//! Progress of work outside a walk.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Mode, words};

/// One piece of long work.
pub struct Work {
    mode: Mode,
    name: &'static str,
    bar: Option<ProgressBar>,
    told: AtomicU64,
}

impl Work {
    /// Begins to tell.
    #[must_use]
    pub fn start(mode: Mode, name: &'static str) -> Self {
        let bar = (mode == Mode::Bars).then(ProgressBar::new_spinner);
        if let (Some(bar), Ok(style)) = (&bar, ProgressStyle::with_template("  {spinner} {prefix} {elapsed:>4}  {wide_msg}")) {
            bar.set_style(style);
            bar.set_prefix(name);
            bar.enable_steady_tick(std::time::Duration::from_millis(250));
        }
        Self { mode, name, bar, told: AtomicU64::new(0) }
    }

    /// How far it is.
    pub fn progress(&self, what: &str, done: u64, total: u64) {
        let text = words::progress(what, done, total);
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        } else if self.mode == Mode::Lines {
            // A line for every tenth is enough where nothing moves.
            let tenth = (done * 10).checked_div(total).map_or(0, |tenth| tenth + 1);
            if self.told.swap(tenth, Ordering::Relaxed) != tenth {
                errln!("  {}: {text}", self.name);
            }
        }
    }

    /// It is over.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
