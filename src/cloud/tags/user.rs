//! The user's own tags on an object, compared with those that are there, and the steps from these to those.
//!
//! Tags that others put on are left. A tag of ours lists the keys that we set for the user, so that one that is not wanted
//! any more is known; of many or long keys there are several such tags.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Tags;
use crate::config::tags::{listed, lists};
use crate::engine::Change;

/// Lists the keys that we set for the user; the second such tag is `tritondeploy:tags-2`.
const LIST: &str = "tritondeploy:tags";

/// The user's tags, and what lists them.
#[must_use]
pub fn user(tags: &BTreeMap<String, String>) -> Tags {
    let list = |(i, list)| (if i == 0 { LIST.to_owned() } else { format!("{LIST}-{}", i + 1) }, list);
    let lists = lists(tags.keys()).into_iter().enumerate().map(list);
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).chain(lists).collect()
}

fn is_list(key: &str) -> bool {
    key.strip_prefix(LIST).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What we once set on an object for the user, and is not wanted.
fn surplus(tags: &Tags, wanted: &Tags) -> Vec<String> {
    let lists = || tags.iter().filter(|(key, _)| is_list(key));
    let ours: BTreeSet<String> = lists().flat_map(|(_, list)| listed(list)).filter(|key| tags.get(key).is_some()).collect();
    let lists = lists().map(|(key, _)| key.to_owned());
    ours.into_iter().chain(lists).filter(|key| wanted.get(key).is_none()).collect()
}

/// An object's tags as a part of its state: wanted and actual.
#[derive(Serialize)]
pub struct Tagged {
    tags: Tags,
    surplus_tags: Vec<String>,
}

impl Tagged {
    /// These must be there, and none that we once set beside them.
    #[must_use]
    pub fn wanted(tags: Tags) -> Self {
        Self { tags, surplus_tags: Vec::new() }
    }

    /// These are there.
    #[must_use]
    pub fn of(tags: Tags, wanted: &Tags) -> Self {
        Self { surplus_tags: surplus(&tags, wanted), tags }
    }

    /// One more that is wanted.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.tags = self.tags.with(key, value);
        self
    }
}

/// The tags of several things as one state: a value that all have, or what each has that has another.
#[derive(Serialize)]
pub struct AllTagged {
    tags: BTreeMap<String, Value>,
    surplus_tags: Vec<String>,
}

impl AllTagged {
    /// All must have these.
    #[must_use]
    pub fn wanted(tags: &Tags) -> Self {
        let tags = tags.iter().map(|(key, value)| (key.to_owned(), value.into()));
        Self { tags: tags.collect(), surplus_tags: Vec::new() }
    }

    /// What the things have, by their ids.
    #[must_use]
    pub fn of(things: &BTreeMap<String, Tags>, wanted: &Tags) -> Self {
        let all = |key: &str, wanted: &str| {
            let mut values: Vec<Option<&str>> = things.values().map(|tags| tags.get(key)).collect();
            values.dedup();
            let odd = things.iter().filter(|(_, tags)| tags.get(key) != Some(wanted));
            match *values {
                [] => wanted.into(),
                [value] => value.map_or(Value::Null, Value::from),
                _ => odd.map(|(id, tags)| (id.clone(), tags.get(key).map_or(Value::Null, Value::from))).collect(),
            }
        };
        let surplus: BTreeSet<String> = things.values().flat_map(|tags| surplus(tags, wanted)).collect();
        let tags = wanted.iter().map(|(key, value)| (key.to_owned(), all(key, value)));
        Self { tags: tags.collect(), surplus_tags: surplus.into_iter().collect() }
    }
}

/// Whether it is a difference of tags, which every service changes in place.
#[must_use]
pub fn is_of_tags(change: &Change) -> bool {
    change.field == "surplus_tags" || change.field.starts_with("tags.")
}

/// One call of a service, in order: what lists the keys goes on saying what is there wherever the way ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Takes these keys away, whatever their values.
    Untag(Vec<String>),
    /// Sets these.
    Tag(Tags),
}

/// The steps from these differences to what is wanted; empty where none is of tags.
#[must_use]
pub fn steps(changes: &[Change]) -> Vec<Step> {
    let value = |change: &Change| Some((change.field.strip_prefix("tags.")?.to_owned(), change.to.as_str()?.to_owned()));
    let surplus = changes.iter().filter(|change| change.field == "surplus_tags");
    let surplus = surplus.flat_map(|change| change.from.as_array().into_iter().flatten().filter_map(Value::as_str));
    in_order(surplus.map(str::to_owned).collect(), changes.iter().filter_map(value).collect())
}

/// The steps from the tags that a thing has to what is wanted.
#[must_use]
pub fn steps_between(tags: &Tags, wanted: &Tags) -> Vec<Step> {
    let missing = wanted.iter().filter(|(key, value)| tags.get(key) != Some(value)).collect();
    in_order(surplus(tags, wanted), missing)
}

/// A key goes while it is still listed, and a list that is not wanted once another has all that it lists.
fn in_order(surplus: Vec<String>, missing: Tags) -> Vec<Step> {
    let untag = |keys: Vec<String>| (!keys.is_empty()).then_some(Step::Untag(keys));
    if missing == Tags::default() {
        return untag(surplus).into_iter().collect();
    }
    let (lists, keys): (Vec<_>, Vec<_>) = surplus.into_iter().partition(|key| is_list(key));
    [untag(keys), Some(Step::Tag(missing)), untag(lists)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::differences;

    fn tags(of: &[(&str, &str)]) -> Tags {
        of.iter().copied().collect()
    }

    fn wanted(of: &[(&str, &str)]) -> Tags {
        user(&of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn between(there: &Tags, wanted: &Tags) -> Vec<Change> {
        let (wanted, there) = (Tagged::wanted(wanted.clone()), Tagged::of(there.clone(), wanted));
        differences(&json!(wanted), &json!(there))
    }

    #[test]
    fn tags_of_others_are_no_difference() {
        let ours = wanted(&[("Owner", "vision")]);
        assert_eq!(ours, tags(&[("Owner", "vision"), (LIST, "Owner")]));
        assert_eq!(between(&ours.clone().with("aws:x", "y").with("Backup", "daily"), &ours), []);
        assert_eq!(between(&tags(&[("Backup", "daily")]), &wanted(&[])), []);
    }

    #[test]
    fn a_key_that_is_not_wanted_any_more_goes_while_it_is_listed() {
        let there = wanted(&[("Owner", "vision"), ("Stage", "test")]).with("Backup", "daily");
        let now = wanted(&[("Owner", "audio")]);
        let changes = between(&there, &now);
        let fields: Vec<&str> = changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["tags.Owner", "tags.tritondeploy:tags", "surplus_tags"]);
        assert!(changes.iter().all(is_of_tags));
        let way = [Step::Untag(vec!["Stage".to_owned()]), Step::Tag(now.clone())];
        assert_eq!((steps(&changes), steps_between(&there, &now)), (way.to_vec(), way.to_vec()));
        // With none left, the list goes with the last key.
        let way = [Step::Untag(["Owner", "Stage", LIST].map(str::to_owned).to_vec())];
        assert_eq!(steps_between(&there, &wanted(&[])), way);
        assert_eq!(steps(&between(&there, &wanted(&[]))), way);
    }

    #[test]
    fn keys_that_differ_in_case_only_are_one_to_iam() {
        let now = wanted(&[("Owner", "vision")]);
        let there = tags(&[("owner", "vision"), ("Backup", "daily"), (LIST, "Owner")]);
        assert_eq!(between(&there.clone().cased_as(&now), &now), []);
        assert_eq!(between(&there, &now)[0].field, "tags.Owner");
    }

    #[test]
    fn a_list_that_was_lost_or_is_too_many_is_put_right() {
        let now = wanted(&[("Owner", "vision")]);
        assert_eq!(steps_between(&tags(&[("Owner", "vision")]), &now), [Step::Tag(tags(&[(LIST, "Owner")]))]);
        let many: BTreeMap<String, String> = (0..5).map(|i| (format!("{i:0100}"), String::new())).collect();
        let there = user(&many);
        assert_eq!(there.iter().filter(|(key, _)| is_list(key)).count(), 3);
        let fewer = user(&many.iter().take(1).map(|(key, value)| (key.clone(), value.clone())).collect());
        let way = steps_between(&there, &fewer);
        assert!(matches!(&*way, [Step::Untag(keys), Step::Tag(_), Step::Untag(lists)] if keys.len() == 4 && lists.len() == 2));
        // A list's key that begins alike is nobody's.
        assert!(!is_list("tritondeploy:tagsx"));
    }

    #[test]
    fn of_several_things_those_that_differ_are_named() {
        let now = wanted(&[("Owner", "vision")]);
        let of = |things: &[(&str, &Tags)]| {
            let things: BTreeMap<String, Tags> = things.iter().map(|(id, tags)| ((*id).to_owned(), (*tags).clone())).collect();
            differences(&json!(AllTagged::wanted(&now)), &json!(AllTagged::of(&things, &now)))
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[("i-1", &now), ("vol-1", &now)]), []);
        let old = wanted(&[("Owner", "audio")]);
        let all = of(&[("i-1", &old), ("vol-1", &old)]);
        assert!(matches!(&*all, [owner] if owner.from == "audio" && owner.to == "vision"), "{all:?}");
        let one = of(&[("i-1", &now), ("vol-1", &tags(&[])), ("vol-2", &old)]);
        assert_eq!(one[0].from, json!({"vol-1": null, "vol-2": "audio"}));
    }
}
