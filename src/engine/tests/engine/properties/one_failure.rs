//! One thing that fails for good, and what it keeps from being done.

use proptest::prelude::*;

use super::{Way, go, is_made, kept_the_rules, up, walks};
use crate::spec::{Fate, Spec};
use crate::story::passes;
use crate::{names, object, walk};

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
    walks(12, &["an answer is lost"], async |case, index| {
        let mut case = case.only(passes);
        let at = index.index(case.specs.len());
        prop_assume!(is_made(&case, at));
        case.specs[at].create_fatal = true;
        let cloud = case.cloud();
        cloud.befall(&case.mishaps);
        let outcome = go(&cloud, &walk(&cloud), Way::Up, 0).await?;
        kept_the_rules(&cloud)?;
        let above = above(&case.specs, at);
        let blocked: Vec<String> = above.iter().map(|&id| object::name(id)).collect();
        prop_assert_eq!(names(&outcome.blocked), blocked);
        prop_assert_eq!(outcome.failures.len(), 1);
        let mut wanted = case.wanted();
        above.iter().chain([&at]).for_each(|&id| wanted[id] = 0);
        prop_assert_eq!(cloud.count(), wanted);
        Ok(cloud)
    });
}

#[test]
fn what_cannot_be_deleted_blocks_only_what_it_hangs_from() {
    walks(12, &["an answer is lost"], async |case, index| {
        let mut case = case.only(passes);
        let at = index.index(case.specs.len());
        prop_assume!(is_made(&case, at) && !case.specs[at].ends_with_parent);
        // Making a broken one anew is a deletion, too.
        case.specs[at].fate = Fate::Well;
        case.specs[at].delete_fatal = true;
        let cloud = case.cloud();
        cloud.befall(&case.mishaps);
        up(&case, &cloud).await?;
        tokio::time::sleep(super::LONG_HIDDEN).await;
        let outcome = go(&cloud, &walk(&cloud), Way::Down, 0).await?;
        cloud.rest();
        let left = (0..case.specs.len()).filter(|&id| id == at || above(&case.specs, id).contains(&at));
        let left: Vec<String> = left.filter(|&id| is_made(&case, id)).map(object::name).collect();
        prop_assert_eq!(names(&outcome.exists), left.clone());
        let there: Vec<String> = cloud.state().things.iter().map(|thing| object::name(thing.at)).collect();
        prop_assert_eq!(there.len(), left.len());
        prop_assert!(cloud.state().violations.is_empty(), "{:?}", cloud.state().violations);
        Ok(cloud)
    });
}

#[test]
fn what_is_not_ours_is_refused_before_the_first_change() {
    walks(6, &[], async |mut case, index| {
        let at = index.index(case.specs.len());
        prop_assume!(case.specs[at].within.is_empty());
        case.specs[at].foreign = true;
        let cloud = case.cloud();
        let outcome = go(&cloud, &walk(&cloud), Way::Up, 0).await?;
        prop_assert_eq!(outcome.failures.len(), 1);
        prop_assert_eq!(outcome.changed, 0);
        prop_assert!(cloud.state().mutations.is_empty());
        Ok(cloud)
    });
}
