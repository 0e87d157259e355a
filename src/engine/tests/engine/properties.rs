//! What holds for every graph, every weather and every moment of a crash.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tritondeploy_engine::Outcome;

use crate::cloud::{Cloud, Weather};
use crate::spec::{Fate, Role, Spec};
use crate::{names, object, virtually, walk};

/// The longest that anything is hidden, in seconds.
const HIDDEN: u64 = 20;

#[derive(Clone, Debug)]
struct Case {
    specs: Vec<Spec>,
    weather: Weather,
    seed: u64,
}

impl Case {
    fn cloud(&self) -> Arc<Cloud> {
        Arc::new(Cloud::new(self.specs.clone(), self.seed, self.weather))
    }

    /// One of each that is made by us.
    fn wanted(&self) -> Vec<usize> {
        self.specs.iter().map(|spec| usize::from(spec.role == Role::Made)).collect()
    }
}

fn spec() -> impl Strategy<Value = (Spec, [Vec<Index>; 3])> {
    let edges = |most| vec(any::<Index>(), 0..=most);
    let times = (0..40_u64, 0..12_u64, 0..40_u64, prop_oneof![3 => Just(0), 1 => 0..HIDDEN], 0..20_u64);
    let kinds = (0..4_u8, any::<[bool; 4]>(), 0..10_u8, 0..12_u8);
    ((edges(1), edges(2), edges(1)), times, kinds).prop_map(|((within, uses, after), times, kinds)| {
        let (making, changing, ending, hidden, lingers) = times;
        let (steps, [ends_with_parent, early, named, tokens], fate, role) = kinds;
        let fate = match fate {
            0 => Fate::BreaksOnce,
            1 => Fate::Ails,
            _ => Fate::Well,
        };
        let role = if role == 0 { Role::Watched } else { Role::Made };
        let spec = Spec {
            making,
            changing,
            ending,
            hidden,
            lingers,
            steps,
            early,
            named,
            tokens,
            ends_with_parent,
            fate,
            role,
            size: 3,
            appears: changing,
            ..Spec::new()
        };
        (spec, [within, uses, after])
    })
}

fn case() -> impl Strategy<Value = Case> {
    let weather = prop_oneof![
        2 => Just(Weather::default()),
        1 => (0..25_u8, 0..15_u8).prop_map(|(throttled, lost)| Weather { throttled, lost }),
    ];
    (vec(spec(), 1..12), weather, any::<u64>()).prop_map(|(drawn, weather, seed)| {
        let mut specs: Vec<Spec> = Vec::new();
        for (mut spec, edges) in drawn {
            let pick = |indices: &[Index], what: &dyn Fn(&Spec) -> bool| {
                let able: Vec<usize> = (0..specs.len()).filter(|&id| what(&specs[id])).collect();
                let able = (!able.is_empty()).then_some(able);
                let mut ids: Vec<usize> =
                    able.iter().flat_map(|able| indices.iter().map(|index| able[index.index(able.len())])).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            };
            let made = |spec: &Spec| spec.role == Role::Made;
            spec.within = pick(&edges[0], &made);
            spec.uses = pick(&edges[1], &made);
            spec.after = pick(&edges[2], &|_| true);
            spec.ends_with_parent &= !spec.within.is_empty();
            specs.push(spec);
        }
        Case { specs, weather, seed }
    })
}

/// Runs the property on so many random cases, the same in every run unless a seed is given.
fn walks(share: u32, property: impl AsyncFn(Case, Index) -> Result<(), TestCaseError>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let cases = number("TRITONDEPLOY_ENGINE_CASES").unwrap_or(60) / share;
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number("TRITONDEPLOY_ENGINE_SEED").unwrap_or(1).to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let outcome = runner.run(&(case(), any::<Index>()), |(case, index)| virtually(case.seed, property(case, index)));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, (case, index))) => {
            panic!("{why}\n{:#?}\n{:?} seed {} {index:?}", case.specs, case.weather, case.seed)
        }
        Err(other) => panic!("{other}"),
    }
}

/// No rule was broken, and nobody slept longer than between two looks.
fn kept_the_rules(cloud: &Cloud) -> Result<(), TestCaseError> {
    cloud.rest();
    let state = cloud.state();
    prop_assert!(state.violations.is_empty(), "{:?}", state.violations);
    prop_assert!(state.longest_gap <= Duration::from_secs(16), "idle for {:?}", state.longest_gap);
    Ok(())
}

fn went_well(outcome: &Outcome) -> Result<(), TestCaseError> {
    prop_assert!(outcome.ok(), "{outcome:?}");
    Ok(())
}

async fn up(case: &Case, cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    went_well(&walk(cloud).up().await)?;
    kept_the_rules(cloud)?;
    prop_assert_eq!(cloud.count(), case.wanted());
    Ok(())
}

async fn down(cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    let outcome = walk(cloud).down().await;
    went_well(&outcome)?;
    kept_the_rules(cloud)?;
    prop_assert!(outcome.exists.is_empty(), "told that {:?} is left", outcome.exists);
    prop_assert!(cloud.state().things.is_empty(), "left: {:?}", cloud.state().things);
    Ok(())
}

#[test]
fn up_makes_one_of_each_and_up_twice_changes_nothing_and_down_leaves_nothing() {
    walks(1, async |case, _| {
        let cloud = case.cloud();
        up(&case, &cloud).await?;
        let before = cloud.state().mutations.len();
        let outcome = walk(&cloud).up().await;
        went_well(&outcome)?;
        prop_assert_eq!(outcome.changed, 0);
        prop_assert_eq!(cloud.state().mutations.len(), before);
        down(&cloud).await
    });
}

/// How many calls a walk makes; a walk in the same weather makes the same.
async fn calls(case: &Case) -> usize {
    let cloud = case.cloud();
    let _ = walk(&cloud).up().await;
    cloud.state().calls
}

/// Ends a walk at its n-th call as a crash would: from one moment to the next.
async fn crash(cloud: &Arc<Cloud>, at: usize, applied: bool, down: bool) {
    let begun = cloud.state().calls;
    cloud.state().cut = Some((begun + at, applied));
    let walk = walk(cloud);
    let walking = async {
        let _ = if down { walk.down().await } else { walk.up().await };
    };
    tokio::select! {
        () = cloud.cut.notified() => {}
        () = walking => {}
    }
    cloud.rest();
    // Nobody types the next command before what was made can be seen.
    tokio::time::sleep(Duration::from_secs(HIDDEN + 1)).await;
}

#[test]
fn up_after_a_crash_goes_on_to_one_of_each() {
    walks(1, async |case, index| {
        let cloud = case.cloud();
        let at = index.index(calls(&case).await) + 1;
        crash(&cloud, at, case.seed % 2 == 0, false).await;
        up(&case, &cloud).await?;
        down(&cloud).await
    });
}

#[test]
fn down_after_a_crash_leaves_nothing() {
    walks(1, async |case, index| {
        let cloud = case.cloud();
        let at = index.index(calls(&case).await) + 1;
        crash(&cloud, at, case.seed % 2 == 0, false).await;
        // And the way down may crash as well.
        crash(&cloud, index.index(40) + 1, case.seed % 3 == 0, true).await;
        down(&cloud).await
    });
}

/// What there is by name, and what a walk says that there is.
fn nothing_untold(cloud: &Cloud, outcome: &Outcome) -> Result<(), TestCaseError> {
    let told = [names(&outcome.exists), names(&outcome.unknown)].concat();
    for thing in &cloud.state().things {
        let name = object::name(thing.at);
        prop_assert!(told.contains(&name.as_str()), "{name} exists and was not told: {told:?}");
    }
    Ok(())
}

#[test]
fn a_cancelled_up_starts_no_new_call_and_tells_what_exists() {
    walks(1, async |case, index| {
        let cloud = case.cloud();
        let at = index.index(calls(&case).await) + 1;
        cloud.state().cancel_at = Some(at);
        let outcome = walk(&cloud).up().await;
        prop_assert!(outcome.interrupted || outcome.ok(), "{outcome:?}");
        kept_the_rules(&cloud)?;
        nothing_untold(&cloud, &outcome)?;
        // It was waited for what was new, so that a down at once finds it.
        down(&cloud).await
    });
}

#[test]
fn a_cancelled_down_tells_what_is_left() {
    walks(2, async |case, index| {
        let cloud = case.cloud();
        up(&case, &cloud).await?;
        let begun = cloud.state().calls;
        cloud.state().cancel_at = Some(begun + index.index(40) + 1);
        let outcome = walk(&cloud).down().await;
        prop_assert!(outcome.interrupted || outcome.ok(), "{outcome:?}");
        kept_the_rules(&cloud)?;
        nothing_untold(&cloud, &outcome)?;
        down(&cloud).await
    });
}

/// All that needs `at`, directly or not.
fn above(specs: &[Spec], at: usize) -> Vec<usize> {
    let mut above = vec![at];
    for (id, spec) in specs.iter().enumerate().skip(at + 1) {
        if spec.needs().any(|need| above.contains(&need)) {
            above.push(id);
        }
    }
    above.remove(0);
    above
}

#[test]
fn what_cannot_be_made_blocks_only_what_needs_it() {
    walks(2, async |mut case, index| {
        let at = index.index(case.specs.len());
        prop_assume!(case.specs[at].role == Role::Made);
        case.specs[at].create_fatal = true;
        let cloud = case.cloud();
        let outcome = walk(&cloud).up().await;
        kept_the_rules(&cloud)?;
        let above = above(&case.specs, at);
        let blocked: Vec<String> = above.iter().map(|&id| object::name(id)).collect();
        prop_assert_eq!(names(&outcome.blocked), blocked);
        prop_assert_eq!(outcome.failures.len(), 1);
        let mut wanted = case.wanted();
        above.iter().chain([&at]).for_each(|&id| wanted[id] = 0);
        prop_assert_eq!(cloud.count(), wanted);
        nothing_untold(&cloud, &outcome)
    });
}

#[test]
fn what_cannot_be_deleted_blocks_only_what_it_hangs_from() {
    walks(2, async |mut case, index| {
        let at = index.index(case.specs.len());
        prop_assume!(case.specs[at].role == Role::Made && !case.specs[at].ends_with_parent);
        // Making a broken one anew is a deletion, too.
        case.specs[at].fate = Fate::Well;
        case.specs[at].delete_fatal = true;
        let cloud = case.cloud();
        up(&case, &cloud).await?;
        let outcome = walk(&cloud).down().await;
        kept_the_rules(&cloud)?;
        let left: Vec<usize> = (0..case.specs.len())
            .filter(|&id| id == at || above(&case.specs, id).contains(&at))
            .filter(|&id| case.specs[id].role == Role::Made)
            .collect();
        let left: Vec<String> = left.into_iter().map(object::name).collect();
        prop_assert_eq!(names(&outcome.exists), left.clone());
        let there: Vec<String> = cloud.state().things.iter().map(|thing| object::name(thing.at)).collect();
        prop_assert_eq!(there.len(), left.len());
        nothing_untold(&cloud, &outcome)
    });
}

#[test]
fn what_is_not_ours_is_refused_before_the_first_change() {
    walks(4, async |mut case, index| {
        case.weather = Weather::default();
        let at = index.index(case.specs.len());
        prop_assume!(case.specs[at].within.is_empty());
        case.specs[at].foreign = true;
        let cloud = case.cloud();
        let outcome = walk(&cloud).up().await;
        prop_assert_eq!(outcome.failures.len(), 1);
        prop_assert_eq!(outcome.changed, 0);
        prop_assert!(cloud.state().mutations.is_empty());
        Ok(())
    });
}

/// Some of them are of services without names and tokens, which hide what is new for longer than a walk waits for it.
fn nameless(case: &mut Case) {
    for (at, spec) in case.specs.iter_mut().enumerate().filter(|(_, spec)| spec.role == Role::Made) {
        if (case.seed >> (at % 60)) & 1 == 0 {
            (spec.named, spec.tokens, spec.fate) = (false, false, Fate::Well);
        }
    }
}

/// Looks, acts on what was shown, and again, as a user does who is told of twins: then there is one of each.
async fn up_as_shown_to_one_of_each(case: &Case, cloud: &Arc<Cloud>) -> Result<(), TestCaseError> {
    cloud.rest();
    cloud.state().violations.clear();
    for _ in 0..2 {
        tokio::time::sleep(LONG_HIDDEN).await;
        let plan = walk(cloud).look().await;
        went_well(&walk(cloud).up_as_shown(&plan).await)?;
    }
    prop_assert!(cloud.state().violations.is_empty(), "{:?}", cloud.state().violations);
    prop_assert_eq!(cloud.count(), case.wanted());
    let before = cloud.state().mutations.len();
    went_well(&walk(cloud).up().await)?;
    prop_assert_eq!(cloud.state().mutations.len(), before);
    Ok(())
}

/// Longer than anything is hidden in these.
const LONG_HIDDEN: Duration = Duration::from_secs(70);

#[test]
fn what_answers_that_get_lost_made_twice_is_one_of_each_after_the_next_up() {
    let twice = std::cell::Cell::new(0);
    walks(1, async |mut case, _| {
        nameless(&mut case);
        for spec in case.specs.iter_mut().filter(|spec| !spec.named && !spec.tokens) {
            spec.hidden += 35;
        }
        case.weather.lost = case.weather.lost.max(15);
        let cloud = case.cloud();
        let _ = walk(&cloud).up().await;
        twice.set(twice.get() + usize::from(cloud.count().into_iter().any(|count| count > 1)));
        up_as_shown_to_one_of_each(&case, &cloud).await
    });
    assert!(twice.get() >= 3, "answers made twins in {} cases only", twice.get());
}

#[test]
fn what_two_ups_at_once_made_is_one_of_each_after_the_next_up() {
    let twice = std::cell::Cell::new(0);
    walks(1, async |mut case, _| {
        nameless(&mut case);
        let cloud = case.cloud();
        let (one, other) = (walk(&cloud), walk(&cloud));
        drop(tokio::join!(one.up(), other.up()));
        twice.set(twice.get() + usize::from(cloud.count().into_iter().any(|count| count > 1)));
        up_as_shown_to_one_of_each(&case, &cloud).await
    });
    assert!(twice.get() >= 3, "two at once made twins in {} cases only", twice.get());
}

#[test]
fn down_leaves_nothing_of_what_two_ups_at_once_made() {
    walks(2, async |mut case, _| {
        nameless(&mut case);
        let cloud = case.cloud();
        let (one, other) = (walk(&cloud), walk(&cloud));
        drop(tokio::join!(one.up(), other.up()));
        tokio::time::sleep(LONG_HIDDEN).await;
        cloud.rest();
        cloud.state().violations.clear();
        down(&cloud).await
    });
}
