//! One walk, and what goes wrong meanwhile.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    LONG_HIDDEN, Way, down, ended, go, is_made, kept_the_rules, up, up_as_shown_to_one_of_each, up_changes_nothing, walks,
};
use crate::mishap::{Mishap, NEVER};
use crate::story::{Case, End, passes};
use crate::{names, object, walk};

const PASS: [&str; 4] = ["a call is throttled", "an answer is lost", "a look is lost", "a look tells what was"];
const HAPPEN: [&str; 4] = ["no look is answered for a while", "something vanishes", "something turns foreign", "a twin appears"];
const END: [&str; 3] = ["a walk is killed", "the user stops a walk", "the leave to act is lost"];

#[test]
fn up_makes_one_of_each_among_mishaps_that_pass_and_up_twice_changes_nothing_and_down_leaves_nothing() {
    walks(100, &PASS, async |case, _| {
        let case = case.only(passes);
        let cloud = case.cloud();
        cloud.befall(&case.mishaps);
        up(&case, &cloud).await?;
        cloud.calm();
        up_changes_nothing(&cloud).await?;
        down(&cloud).await?;
        Ok(cloud)
    });
}

#[test]
fn whatever_goes_wrong_in_an_up_and_however_it_ends_the_next_ups_make_one_of_each_and_down_leaves_nothing() {
    walks(150, &[&PASS[..], &HAPPEN, &END, &["a twin is made"]].concat(), async |case, _| {
        let case = case.only(|mishap| !is_for_ever(mishap)).with_slow_services();
        let cloud = case.cloud();
        case.build_some(&cloud).await;
        cloud.befall(&case.mishaps);
        ended(&case, &cloud, Way::Up).await?;
        up_as_shown_to_one_of_each(&case, &cloud).await?;
        down(&cloud).await?;
        Ok(cloud)
    });
}

#[test]
fn an_up_that_is_stopped_waits_until_what_it_made_can_be_seen_so_that_a_down_at_once_finds_it() {
    walks(30, &[&PASS[..3], &END[1..]].concat(), async |mut case, _| {
        let case = {
            case.end = match case.end {
                End::Own => End::Stopped { call: 20 },
                End::Killed { call, .. } => End::Shut { call },
                end => end,
            };
            case.only(|mishap| passes(mishap) && !matches!(mishap, Mishap::Late { .. }))
        };
        let cloud = case.cloud();
        cloud.befall(&case.mishaps);
        let outcome = ended(&case, &cloud, Way::Up).await?.unwrap();
        prop_assert!(outcome.interrupted || outcome.shut.is_some() || outcome.ok(), "{outcome:?}");
        down(&cloud).await?;
        Ok(cloud)
    });
}

fn is_for_ever(mishap: &Mishap) -> bool {
    matches!(mishap, Mishap::DeletionFails { times: NEVER, .. })
}

/// What cannot be deleted, and what it hangs from, of what is there.
fn stuck(case: &Case, there: &BTreeSet<usize>) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let sticks = |at: &usize| case.mishaps.iter().any(|mishap| is_for_ever(mishap) && mishap.at() == *at);
    let stuck: BTreeSet<usize> = there.iter().copied().filter(sticks).collect();
    let mut below = BTreeSet::new();
    for at in (0..case.specs.len()).rev() {
        if stuck.contains(&at) || below.contains(&at) {
            below.extend(case.specs[at].needs());
        }
    }
    let blocked = below.into_iter().filter(|at| there.contains(at) && is_made(case, *at)).collect();
    (stuck, blocked)
}

#[test]
fn whatever_goes_wrong_in_a_down_and_however_it_ends_the_next_down_leaves_only_what_cannot_go_and_tells_it() {
    let deletions = ["a deletion fails and then does not", "a deletion fails each time"];
    walks(90, &[&PASS[..], &HAPPEN, &END, &deletions].concat(), async |case, _| {
        let cloud = case.cloud();
        case.build_all(&cloud).await;
        cloud.befall(&case.mishaps);
        ended(&case, &cloud, Way::Down).await?;
        cloud.calm();
        tokio::time::sleep(LONG_HIDDEN).await;
        let there: BTreeSet<usize> = cloud.state().things.iter().map(|thing| thing.at).collect();
        let (stuck, blocked) = stuck(&case, &there);
        let outcome = go(&cloud, &walk(&cloud), Way::Down, 0).await?;
        kept_the_rules(&cloud)?;
        let left: BTreeSet<usize> = cloud.state().things.iter().map(|thing| thing.at).collect();
        prop_assert_eq!(&left, &stuck.union(&blocked).copied().collect(), "{:?}", outcome);
        let called = |ids: &mut dyn Iterator<Item = usize>| ids.map(object::name).collect::<Vec<_>>();
        let exists: Vec<&str> = names(&outcome.exists).into_iter().filter(|name| !name.contains('(')).collect();
        prop_assert_eq!(exists, called(&mut left.iter().copied()));
        prop_assert_eq!(names(&outcome.blocked), called(&mut blocked.iter().copied()));
        let failed: BTreeSet<&str> = outcome.failures.iter().map(|failure| &*failure.node).collect();
        let failing = called(&mut stuck.difference(&blocked).copied());
        prop_assert_eq!(failed, failing.iter().map(String::as_str).collect());
        Ok(cloud)
    });
}
