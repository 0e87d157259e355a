//! Logs: one JSON object a line for machines, plain lines on a terminal. No payload is ever logged.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Writes logs to stderr from now on. `RUST_LOG` chooses what; by default our own from info, others from warn.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,tritondeploy_gateway=info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = if std::io::stderr().is_terminal() {
        logs.compact().try_init()
    } else {
        logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    // Somebody who embeds us (a test) has set up logs already.
    drop(set);
}
