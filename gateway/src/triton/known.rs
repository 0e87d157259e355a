//! What models take and give, asked for once for all who want to know it, and what Triton has not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::{Error, Metadata};

/// What was asked for a moment ago is not asked for again: input that does not fit would make everybody wait.
const FRESH: Duration = Duration::from_secs(2);

/// Names of models that Triton has not, until the next look at its index. Clients choose them.
const ABSENT: usize = 1024;

/// So long: a model that was just released is not missed by those who waited for it.
const BRIEF: Duration = Duration::from_millis(500);

type Answer = Result<Arc<Metadata>, Error>;

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownModels(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, (Instant, Arc<Metadata>)>,
    absent: HashMap<String, (Instant, Error)>,
    /// By whom it is waited for: it goes on though all of them leave.
    asking: HashMap<String, Shared<BoxFuture<'static, Answer>>>,
    /// What was asked before this is of models that were there before.
    age: u64,
}

impl KnownModels {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known without asking.
    pub(super) fn get(&self, model: &str) -> Option<Arc<Metadata>> {
        self.state().known.get(model).map(|(_, metadata)| metadata.clone())
    }

    /// What is known, or what `ask` answers, which is called where nobody else asks the same.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) async fn get_or_ask<F>(&self, model: &str, ask: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Result<Metadata, Error>> + Send + 'static,
    {
        let asking = {
            let mut state = self.state();
            if let Some((_, metadata)) = state.known.get(model) {
                return Ok(metadata.clone());
            }
            if let Some((_, error)) = state.absent.get(model).filter(|(asked, _)| asked.elapsed() < BRIEF) {
                return Err(error.clone());
            }
            match state.asking.get(model) {
                Some(asking) => asking.clone(),
                None => self.begin(&mut state, model, ask()),
            }
        };
        asking.await
    }

    fn begin<F>(&self, state: &mut State, model: &str, asked: F) -> Shared<BoxFuture<'static, Answer>>
    where
        F: Future<Output = Result<Metadata, Error>> + Send + 'static,
    {
        let (all, name, age) = (self.clone(), model.to_owned(), state.age);
        let task = tokio::spawn(async move {
            let answer = asked.await.map(Arc::new);
            all.state().learn(name, age, &answer);
            answer
        });
        let answer = task.map(|ended| ended.unwrap_or_else(|e| Err(Error::Failed(e.to_string())))).boxed().shared();
        state.asking.insert(model.to_owned(), answer.clone());
        answer
    }

    /// After an inference that did not fit: the model may have changed since it was asked for.
    pub(super) fn doubt(&self, model: &str) {
        let mut state = self.state();
        if state.known.get(model).is_some_and(|(asked, _)| asked.elapsed() >= FRESH) {
            state.known.remove(model);
        }
    }

    /// Triton's index was read again: what it had not it may have now.
    pub(super) fn forget_absent(&self) {
        self.state().absent.clear();
    }

    /// The models are other ones.
    pub(super) fn forget_all(&self) {
        let mut state = self.state();
        *state = State { age: state.age + 1, ..State::default() };
    }
}

impl State {
    fn learn(&mut self, model: String, age: u64, answer: &Answer) {
        if age != self.age {
            return;
        }
        self.asking.remove(&model);
        match answer {
            Ok(metadata) => drop(self.known.insert(model, (Instant::now(), metadata.clone()))),
            Err(error @ Error::NoModel(_)) if self.absent.len() < ABSENT || self.absent.contains_key(&model) => {
                self.absent.insert(model, (Instant::now(), error.clone()));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;

    /// Somebody who counts how often they are asked, and answers a second later.
    #[derive(Clone, Default)]
    struct Asked(Arc<AtomicUsize>);

    impl Asked {
        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }

        async fn about(&self, models: &KnownModels, name: &str, answer: Result<(), Error>) -> Result<String, Error> {
            let (asked, version) = (self.clone(), name.to_owned());
            let ask = || async move {
                asked.0.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
                answer.map(|()| Metadata { name: version, ..Metadata::default() })
            };
            models.get_or_ask(name, ask).await.map(|metadata| metadata.name.clone())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_who_want_to_know_the_same_ask_once_and_whoever_leaves_stops_nobody() {
        let (models, asked) = (KnownModels::default(), Asked::default());
        let leaves = tokio::time::timeout(Duration::from_millis(500), asked.about(&models, "m", Ok(())));
        assert!(leaves.await.is_err());
        let all = (0..1000).map(|_| asked.about(&models, "m", Ok(())));
        assert!(futures::future::join_all(all).await.into_iter().all(|answer| answer == Ok("m".to_owned())));
        assert_eq!((asked.count(), models.get("m").is_some()), (1, true));
        assert!(models.state().asking.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn input_that_does_not_fit_makes_nobody_wait_but_once_in_a_while() {
        let (models, asked) = (KnownModels::default(), Asked::default());
        asked.about(&models, "m", Ok(())).await.unwrap();
        for _ in 0..1000 {
            models.doubt("m");
            asked.about(&models, "m", Ok(())).await.unwrap();
        }
        assert_eq!(asked.count(), 1);
        sleep(FRESH).await;
        models.doubt("m");
        asked.about(&models, "m", Ok(())).await.unwrap();
        assert_eq!(asked.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_triton_has_not_is_not_asked_for_again_at_once_and_other_failures_are() {
        let (models, asked) = (KnownModels::default(), Asked::default());
        let missing = || Err(Error::NoModel("none".to_owned()));
        for _ in 0..10 {
            assert_eq!(asked.about(&models, "m", missing()).await, Err(Error::NoModel("none".to_owned())));
        }
        assert_eq!(asked.count(), 1);
        models.forget_absent();
        assert_eq!(asked.about(&models, "m", missing()).await, missing().map(|()| String::new()));
        sleep(BRIEF).await;
        assert_eq!(asked.about(&models, "m", Ok(())).await, Ok("m".to_owned()));
        for _ in 0..2 {
            assert!(asked.about(&models, "late", Err(Error::Timeout(5))).await.is_err());
        }
        assert_eq!(asked.count(), 5);
        // Names that clients make up take no more than so much.
        for number in 0..ABSENT + 10 {
            drop(models.get_or_ask(&number.to_string(), || std::future::ready(Err(Error::NoModel(String::new())))).await);
        }
        assert_eq!(models.state().absent.len(), ABSENT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_of_former_models_is_not_remembered_of_the_new_ones() {
        let (models, asked) = (KnownModels::default(), Asked::default());
        let (answer, ()) = tokio::join!(asked.about(&models, "m", Ok(())), async { models.forget_all() });
        assert!(answer.is_ok());
        assert!(models.get("m").is_none());
        asked.about(&models, "m", Ok(())).await.unwrap();
        assert_eq!((asked.count(), models.get("m").is_some()), (2, true));
    }
}
