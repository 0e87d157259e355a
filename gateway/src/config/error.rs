//! Why there is no configuration, in words that help to mend it.

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or holds something else than it may.
    #[error("the configuration is wrong: {0}")]
    Parse(String),
    /// A value that cannot be.
    #[error("the configuration is wrong: {0}")]
    Value(&'static str),
}

impl Error {
    /// What the parser says, with the key that was probably meant.
    pub(super) fn of(error: &toml::de::Error) -> Self {
        Self::Parse(told(error))
    }
}

fn told(error: &toml::de::Error) -> String {
    let text = error.to_string().trim_end().to_owned();
    let mut words = error.message().split('`').skip(1).step_by(2);
    let nearest = || {
        if !error.message().starts_with("unknown field") {
            return None;
        }
        let unknown = words.next()?;
        let near = words.map(|known| (strsim::damerau_levenshtein(unknown, known), known));
        near.filter(|(distance, known)| *distance <= known.len() / 3 + 1).min().map(|(_, known)| known.to_owned())
    };
    match nearest() {
        Some(known) => format!("{text}\ndid you mean `{known}`?"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn an_unknown_key_is_told_with_the_nearest_known_one() {
        let told = |text: &str| Config::parse(text).unwrap_err().to_string();
        let error = told("[storage]\nbucket = \"b\"\n[limits]\nmesage_bytes = 5");
        assert!(error.contains("line 4") && error.contains("did you mean `message_bytes`?"), "{error}");
        let error = told("[storage]\nbuckets = \"b\"");
        assert!(error.contains("did you mean `bucket`?"), "{error}");
        let error = told("lisen = \"x\"");
        assert!(error.contains("did you mean `listen`?"), "{error}");
        let error = told("quite_other = 1");
        assert!(!error.contains("did you mean"), "{error}");
    }
}
