//! The leave to act: asked before every act of a walk, and lost for good once it is refused.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// What every mutating call of a walk passes. Looks pass it by.
///
/// A gate that shuts stops its walk as the user would: no new act begins, what is in flight is finished, and what was just
/// created is looked for. [`Outcome::shut`](super::Outcome::shut) says why.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

type Check = Box<dyn Fn() -> Option<String> + Send + Sync>;

struct Inner {
    /// Why there is no leave now; asked before each act, since time alone may end it.
    check: Check,
    why: OnceLock<Arc<str>>,
    is_shut: CancellationToken,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("why", &self.0.why.get()).finish_non_exhaustive()
    }
}

impl Gate {
    /// One that never shuts by itself.
    #[must_use]
    pub fn open() -> Self {
        Self::checking(|| None)
    }

    /// One for a walk that must find nothing to do: it shuts at the first act, and does not keep the walk from looking.
    #[must_use]
    pub fn reads_only(why: &'static str) -> Self {
        Self::checking(move || Some(why.to_owned()))
    }

    /// One that asks before each act why it may not be made.
    #[must_use]
    pub fn checking(check: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { check: Box::new(check), why: OnceLock::new(), is_shut: CancellationToken::new() }))
    }

    /// Shuts it. The first reason is the one that is told.
    pub fn shut(&self, why: &str) {
        self.0.why.get_or_init(|| why.into());
        self.0.is_shut.cancel();
    }

    /// Why no act may begin; none may ever again once there is a reason.
    #[must_use]
    pub fn refusal(&self) -> Option<Arc<str>> {
        if self.0.why.get().is_none()
            && let Some(why) = (self.0.check)()
        {
            self.shut(&why);
        }
        self.0.why.get().cloned()
    }

    /// Returns once it is shut.
    pub async fn until_shut(&self) {
        self.0.is_shut.cancelled().await;
    }
}
