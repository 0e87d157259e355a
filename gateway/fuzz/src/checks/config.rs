use std::collections::HashSet;

use crate::config::{Config, DEFAULT};

/// A configuration that is taken can be served with.
///
/// # Panics
/// When it does not hold.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text) {
        Ok(config) => {
            assert!(!config.storage.bucket.is_empty());
            assert!(config.pipeline.iter().any(|model| model.pipeline == DEFAULT));
            assert!(config.pipeline.iter().all(|model| config.preset(&model.preset).is_some()));
            let names: HashSet<_> = config.pipeline.iter().map(|model| (&model.pipeline, &model.alias)).collect();
            assert_eq!(names.len(), config.pipeline.len());
            let limits = &config.limits;
            assert!(limits.connections > 0 && limits.running > 0 && limits.request_seconds > 0);
            assert!((1..=1 << 30).contains(&limits.message_bytes) && limits.message_bytes <= limits.incoming_bytes);
            assert!(limits.message_bytes <= limits.bytes);
        }
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}
