//! What holds for every graph, whatever goes wrong, and for every moment of a crash.

mod mishaps;
mod one_failure;
mod two_walks;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tritondeploy_engine::{Gate, Outcome, Walk};

use crate::cloud::{Cloud, WALKER};
use crate::ledger::is_true;
use crate::spec::Role;
use crate::story::{Case, End, case};
use crate::{virtually, walk};

/// Longer than anything is hidden or told late.
const LONG_HIDDEN: Duration = Duration::from_secs(70);

/// So many cases all properties try together, if nobody says how many.
const CASES: u32 = 500;

/// Runs the property on so many of [`CASES`] random cases, the same in every run unless a seed is given. Each of these
/// mishaps must happen in one of 20 of them; fewer cases than usual are too few to tell.
fn walks(share: u32, mishaps: &[&'static str], property: impl AsyncFn(Case, Index) -> Result<Arc<Cloud>, TestCaseError>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let all = number("TRITONDEPLOY_ENGINE_CASES").unwrap_or(CASES);
    let cases = (all * share).div_ceil(CASES);
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("TRITONDEPLOY_ENGINE_SEED").unwrap_or(1).to_le_bytes());
    let max_shrink_iters = number("TRITONDEPLOY_ENGINE_SHRINKS").unwrap_or(3000);
    let config = Config { cases, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let fired: RefCell<BTreeMap<&'static str, u32>> = RefCell::default();
    let outcome = runner.run(&(case(), any::<Index>()), |(case, index)| {
        let cloud = virtually(case.seed, property(case, index))?;
        cloud.state().storm.fired.iter().for_each(|kind| *fired.borrow_mut().entry(kind).or_default() += 1);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, (case, index))) => panic!("{why}\n{case}\n- {index:?}"),
        Err(other) => panic!("{other}"),
    }
    let fired = fired.into_inner();
    println!("{cases} cases, in which: {fired:?}");
    for kind in mishaps {
        let times = fired.get(kind).copied().unwrap_or(0);
        assert!(all < CASES || times >= (cases / 20).max(1), "\"{kind}\" in {times} of {cases} cases: {fired:?}");
    }
}

/// No rule was broken, and nobody slept longer than between two looks.
fn kept_the_rules(cloud: &Cloud) -> Result<(), TestCaseError> {
    cloud.rest();
    let state = cloud.state();
    prop_assert!(state.violations.is_empty(), "{:?}", state.violations);
    prop_assert!(state.longest_gap <= Duration::from_secs(17), "idle for {:?}", state.longest_gap);
    Ok(())
}

fn went_well(outcome: &Outcome) -> Result<(), TestCaseError> {
    prop_assert!(outcome.ok(), "{outcome:?}");
    Ok(())
}

/// A walk that may act as long as the leave to act is its own.
fn with_leave(cloud: &Arc<Cloud>, who: usize) -> Walk<Cloud> {
    let asked = cloud.clone();
    let gate = Gate::checking(move || {
        let leader = asked.state().leader;
        leader.is_some_and(|leader| leader != who).then(|| format!("{leader:?} has the leave to act"))
    });
    Walk { gate, ..walk(cloud) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// One of several walks; its ending tells what is true.
async fn go(cloud: &Arc<Cloud>, walk: &Walk<Cloud>, way: Way, who: usize) -> Result<Outcome, TestCaseError> {
    cloud.state().ledger.begin(who);
    let walking = async {
        match way {
            Way::Up => walk.up().await,
            Way::Down => walk.down().await,
        }
    };
    let outcome = WALKER.scope(who, walking).await;
    is_true(cloud, who, &outcome)?;
    Ok(outcome)
}

/// A walk that goes to its end or is ended; None: it was killed.
async fn ended(case: &Case, cloud: &Arc<Cloud>, way: Way) -> Result<Option<Outcome>, TestCaseError> {
    let walk = with_leave(cloud, 0);
    {
        let mut state = cloud.state();
        let begun = state.calls;
        state.leader = Some(0);
        match case.end {
            End::Own => {}
            End::Killed { call, applied } => state.cut = Some((begun + call, applied)),
            End::Stopped { call } => state.cancel_at = Some(begun + call),
            End::Shut { call } => state.handed_over = Some((begun + call, 1)),
        }
    }
    let outcome = tokio::select! {
        () = cloud.cut.notified() => None,
        outcome = go(cloud, &walk, way, 0) => Some(outcome?),
    };
    kept_the_rules(cloud)?;
    Ok(outcome)
}

/// One of each is there, just as wanted.
fn is_as_wanted(case: &Case, cloud: &Cloud) -> Result<(), TestCaseError> {
    prop_assert_eq!(cloud.count(), case.wanted());
    let state = cloud.state();
    let ids = |list: &[usize]| {
        let mut ids: Vec<u64> = state.things.iter().filter(|thing| list.contains(&thing.at)).map(|thing| thing.id).collect();
        ids.sort_unstable();
        ids
    };
    for thing in &state.things {
        let (spec, mut parents, mut from) = (&case.specs[thing.at], thing.parents.clone(), thing.from.clone());
        parents.sort_unstable();
        from.sort_unstable();
        prop_assert_eq!((parents, from), (ids(&spec.within), ids(&spec.uses)), "{:?}", thing);
        prop_assert!(thing.is_configured(spec), "{:?}", thing);
    }
    Ok(())
}

/// Nothing goes wrong: up makes all as wanted.
async fn up(case: &Case, cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    went_well(&go(cloud, &walk(cloud), Way::Up, 0).await?)?;
    kept_the_rules(cloud)?;
    is_as_wanted(case, cloud)
}

/// A second up changes nothing.
async fn up_changes_nothing(cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    let before = cloud.state().mutations.len();
    let outcome = go(cloud, &walk(cloud), Way::Up, 0).await?;
    went_well(&outcome)?;
    prop_assert_eq!((outcome.changed, cloud.state().mutations.len()), (0, before));
    Ok(())
}

/// Looks, acts on what was shown, and again, as a user does who is told of twins: then there is one of each.
async fn up_as_shown_to_one_of_each(case: &Case, cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    for _ in 0..2 {
        tokio::time::sleep(LONG_HIDDEN).await;
        cloud.calm();
        let plan = walk(cloud).look().await;
        cloud.state().ledger.begin(0);
        let outcome = walk(cloud).up_as_shown(&plan).await;
        went_well(&outcome)?;
        is_true(cloud, 0, &outcome)?;
        kept_the_rules(cloud)?;
    }
    // A twin that was asked to go is seen no more before it is gone.
    tokio::time::sleep(LONG_HIDDEN).await;
    is_as_wanted(case, cloud)?;
    up_changes_nothing(cloud).await
}

/// Nothing goes wrong: down leaves nothing.
async fn down(cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    let outcome = go(cloud, &walk(cloud), Way::Down, 0).await?;
    went_well(&outcome)?;
    kept_the_rules(cloud)?;
    prop_assert!(outcome.exists.is_empty(), "told that {:?} is left", outcome.exists);
    prop_assert!(cloud.state().things.is_empty(), "left: {:?}", cloud.state().things);
    Ok(())
}

/// Whether this node is made by us.
fn is_made(case: &Case, at: usize) -> bool {
    case.specs[at].role == Role::Made
}
