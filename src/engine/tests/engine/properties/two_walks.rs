//! Two walks at the same time.

use std::time::Duration;

use proptest::prelude::*;

use super::{Way, down, go, is_as_wanted, up_as_shown_to_one_of_each, walks, went_well, with_leave};
use crate::mishap::Mishap;
use crate::story::{Case, passes};

/// Deletions that fail leave something broken under what the other walk makes, which nobody can then make anew.
fn case(case: Case) -> Case {
    case.only(|mishap| passes(mishap) && !matches!(mishap, Mishap::DeletionFails { .. }))
}

fn ways(case: &Case) -> [Way; 2] {
    [[Way::Up, Way::Up], [Way::Up, Way::Up], [Way::Up, Way::Down], [Way::Down, Way::Down]][(case.seed % 4) as usize]
}

#[test]
fn what_two_walks_without_a_gate_made_is_one_of_each_after_the_next_ups_and_nothing_after_a_down() {
    walks(50, &["a twin is made", "an answer is lost", "a look tells what was"], async |drawn, _| {
        let case = case(drawn).with_slow_services();
        let cloud = case.cloud();
        case.build_some(&cloud).await;
        cloud.befall(&case.mishaps);
        cloud.state().lawless = true;
        let [one, other] = [with_leave(&cloud, 1), with_leave(&cloud, 2)];
        cloud.state().cancel = None;
        let ways = ways(&case);
        let (first, second) = tokio::join!(go(&cloud, &one, ways[0], 1), go(&cloud, &other, ways[1], 2));
        first?;
        second?;
        tokio::time::sleep(Duration::from_secs(case.seed % 90)).await;
        if case.seed.is_multiple_of(3) {
            cloud.calm();
            tokio::time::sleep(super::LONG_HIDDEN).await;
        } else {
            up_as_shown_to_one_of_each(&case, &cloud).await?;
        }
        down(&cloud).await?;
        Ok(cloud)
    });
}

#[test]
fn of_two_walks_of_which_one_may_act_the_other_does_nothing_and_this_one_gets_to_its_end() {
    walks(30, &["a call is throttled", "an answer is lost"], async |drawn, _| {
        let case = case(drawn);
        let cloud = case.cloud();
        cloud.befall(&case.mishaps);
        let [one, other] = [with_leave(&cloud, 1), with_leave(&cloud, 2)];
        (cloud.state().cancel, cloud.state().leader) = (None, Some(1));
        let (first, second) = tokio::join!(go(&cloud, &one, Way::Up, 1), go(&cloud, &other, ways(&case)[1], 2));
        let (first, second) = (first?, second?);
        went_well(&first)?;
        prop_assert_eq!((second.changed, cloud.state().ledger.acts(2)), (0, 0));
        is_as_wanted(&case, &cloud)?;
        prop_assert!(cloud.state().violations.is_empty(), "{:?}", cloud.state().violations);
        cloud.calm();
        down(&cloud).await?;
        Ok(cloud)
    });
}

#[test]
fn a_walk_that_loses_its_leave_to_another_begins_no_act_and_what_both_made_is_one_of_each_after_the_next_ups() {
    walks(20, &["the leave to act is lost", "an answer is lost"], async |drawn, index| {
        let case = case(drawn).with_slow_services();
        let cloud = case.cloud();
        case.build_some(&cloud).await;
        cloud.befall(&case.mishaps);
        let [one, other] = [with_leave(&cloud, 1), with_leave(&cloud, 2)];
        {
            let mut state = cloud.state();
            state.handed_over = Some((index.index(40) + 1, 2));
            (state.cancel, state.leader, state.lawless) = (None, Some(1), true);
        }
        let ways = ways(&case);
        let first = async {
            let outcome = go(&cloud, &one, ways[0], 1).await;
            cloud.state().leader = Some(2);
            outcome
        };
        let second = async {
            while cloud.state().leader == Some(1) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            go(&cloud, &other, ways[1], 2).await
        };
        let (first, second) = tokio::join!(first, second);
        first?;
        second?;
        prop_assert!(cloud.state().violations.is_empty(), "{:?}", cloud.state().violations);
        up_as_shown_to_one_of_each(&case, &cloud).await?;
        down(&cloud).await?;
        Ok(cloud)
    });
}
