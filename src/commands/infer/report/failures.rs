//! What failed: by cause, and one by one.

use serde::Serialize;

use super::super::results::record::Failure;
use super::text::{json, visible};

/// Causes that are told apart.
const CAUSES: usize = 200;
/// Names that stand for the others of a cause.
const EXAMPLES: usize = 3;
/// Failures that are listed one by one.
pub(super) const LISTED: usize = 1_000;
/// Of the list, and of the causes, as JSON: a server may choose messages of the greatest length.
const BYTES: usize = 1_000_000;

/// Everything that has no result.
#[derive(Default)]
pub(super) struct Failures {
    causes: Vec<Cause>,
    /// All that are not told apart.
    others: Option<Cause>,
    listed: Vec<Listed>,
    /// Of both, as JSON.
    bytes: [usize; 2],
    pub(super) count: u64,
    /// Of these what `--resume` asks for again.
    pub(super) retryable: u64,
}

#[derive(Clone, Serialize)]
struct Cause {
    code: String,
    message: String,
    count: u64,
    retryable: bool,
    examples: Vec<String>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    code: String,
    message: String,
}

/// Failures as the page shows them.
#[derive(Serialize)]
pub(super) struct Shown {
    count: u64,
    retryable: u64,
    /// The most frequent first.
    causes: Vec<Cause>,
    /// The first [`LISTED`].
    listed: Vec<Listed>,
}

impl Failures {
    /// `name` is what is shown of it, `uri` what a message would call it by.
    pub(super) fn add(&mut self, name: &str, uri: &str, why: &Failure) {
        self.count += 1;
        self.retryable += u64::from(why.retryable);
        let code = visible(&why.code);
        // The same cause, whichever item it befell.
        let message = match uri.is_empty() {
            true => visible(&why.message),
            false => visible(&why.message.replace(uri, "…")),
        };
        let [of_causes, of_list] = &mut self.bytes;
        if self.listed.len() < LISTED && *of_list < BYTES {
            let listed = Listed { name: name.to_owned(), code: code.clone(), message: message.clone() };
            *of_list += json(&listed).len();
            self.listed.push(listed);
        }
        let same = |known: &&mut Cause| known.code == code && known.message == message && known.retryable == why.retryable;
        if let Some(known) = self.causes.iter_mut().find(same) {
            known.count += 1;
            if known.examples.len() < EXAMPLES && *of_causes < BYTES {
                *of_causes += json(&name).len();
                known.examples.push(name.to_owned());
            }
            return;
        }
        let retryable = why.retryable;
        let cause = Cause { code, message, count: 1, retryable, examples: vec![name.to_owned()] };
        if self.causes.len() < CAUSES && *of_causes < BYTES {
            *of_causes += json(&cause).len();
            self.causes.push(cause);
        } else if let Some(others) = &mut self.others {
            others.count += 1;
        } else {
            self.others = Some(Cause { code: String::new(), message: "other causes".to_owned(), ..cause });
        }
    }

    pub(super) fn shown(mut self) -> Shown {
        self.causes.extend(self.others);
        self.causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        Shown { count: self.count, retryable: self.retryable, causes: self.causes, listed: self.listed }
    }
}
