//! The figures that have a bar, each by its bar: 1 is the bar itself.

use std::fmt::Write;

use crate::rows::{Bar, Verdict};

const WIDTH: f64 = 900.0;
const NAMES: f64 = 470.0;
const LINE: f64 = 26.0;
/// The right end of the axis; the bar, at 1, is in the middle.
const MOST: f64 = 2.0;

/// A drawing of dots with their intervals, one line each.
pub(super) fn verdicts(verdicts: &[&Verdict]) -> String {
    let judged: Vec<_> = verdicts.iter().filter_map(|verdict| Some((*verdict, bar(verdict)?))).collect();
    let height = LINE * (judged.len() as f64 + 2.0);
    let at = |share: f64| NAMES + (WIDTH - NAMES - 20.0) * share.clamp(0.0, MOST) / MOST;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <line x1=\"{0}\" x2=\"{0}\" y1=\"{LINE}\" y2=\"{1}\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\n\
         <text x=\"{0}\" y=\"17\" text-anchor=\"middle\">the bar</text>\n",
        at(1.0),
        height - LINE / 2.0
    );
    for (number, (verdict, bar)) in judged.iter().enumerate() {
        let y = LINE * (number as f64 + 1.6);
        let colour = if verdict.met() == Some(true) { "#2a7d2a" } else { "#c02020" };
        let (found, what) = (verdict.found, escaped(&verdict.what));
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{what}</text>\n\
             <line x1=\"{}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <circle cx=\"{}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>\n",
            NAMES - 10.0,
            y + 4.0,
            at(found.low / bar),
            at(found.high / bar),
            at(found.value / bar)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(verdict: &Verdict) -> Option<f64> {
    match verdict.bar {
        Bar::AtMost(bar) | Bar::AtLeast(bar) | Bar::LowAtLeast(bar) => Some(bar),
        Bar::None => None,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
