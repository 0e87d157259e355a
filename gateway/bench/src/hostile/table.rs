//! What the attacks did, as a table for people.

use super::measure::{Outcome, Told};

/// Its first lines.
pub(super) fn head(alone: &Told) -> String {
    format!(
        "Alone, the polite client has {} answers with a p95 of {}.\n\n\
         | attack | delivered | memory: before, peak, after (MiB) | back after | polite: answers, p95, slowest | errors | \
         health: p99, slowest, failed | bars |\n|---|---|---|---|---|---|---|---|",
        alone.answers,
        milliseconds(alone.p95)
    )
}

/// The line of one attack.
pub(super) fn line(outcome: &Outcome) -> String {
    let Outcome { row, delivered, memory, polite, health, .. } = outcome;
    let counts = |counts: &std::collections::BTreeMap<String, u64>| {
        counts.iter().map(|(kind, count)| format!("{count} {}", kind.replace('|', "/"))).collect::<Vec<_>>().join(", ")
    };
    let delivered = format!(
        "{} connections, {} messages, {} MiB; {}; closed: {}",
        delivered.connections,
        delivered.messages,
        delivered.bytes >> 20,
        counts(&delivered.answers),
        counts(&delivered.closes)
    );
    let missed: Vec<_> = outcome.bars.iter().filter(|bar| !bar.met).map(|bar| bar.what).collect();
    let cells = [
        (*row).to_owned(),
        delivered,
        format!("{:.0}, {:.0}, {:.0}", memory.before, memory.peak, memory.after),
        memory.back_after_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s")),
        format!("{}, {}, {}", polite.answers, milliseconds(polite.p95), milliseconds(polite.most)),
        format!("{}{}", counts(&polite.errors), if outcome.triton_crashes > 0 { " (Triton crashed)" } else { "" }),
        format!("{}, {}, {}", milliseconds(health.p99), milliseconds(health.most), counts(&health.errors)),
        if missed.is_empty() { "met".to_owned() } else { format!("MISSED: {}", missed.join(", ")) },
    ];
    format!("| {} |", cells.join(" | "))
}

fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0} ms"))
}
