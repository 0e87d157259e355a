//! A walk that says aloud what it waits for.

use std::sync::Arc;

use tritondeploy::cloud::Cloud;
use tritondeploy::engine::{Event, Events, Gate, Graph, Timing, Walk};

/// Through this graph; `said` gets each line, too.
pub fn aloud(cloud: &Arc<Cloud>, graph: Graph<Cloud>, said: impl Fn(String) + Send + 'static) -> Walk<Cloud> {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let line = match event {
                Event::Waiting { node, why, .. } => format!("{node}: {why}"),
                Event::Retrying { node, why, .. } => format!("{node}: again after: {why}"),
                Event::Said { node, line } => format!("{node}: {line}"),
                Event::Failed(failure) => format!("FAILED: {failure:?}"),
                _ => continue,
            };
            eprintln!("{line}");
            said(line);
        }
    });
    Walk {
        graph: Arc::new(graph),
        world: cloud.clone(),
        events: Events::to(sender),
        cancel: Default::default(),
        gate: Gate::open(),
        timing: Timing::default(),
    }
}
