//! What an earlier configuration made and this one does not name: it is known by our tags and labels.
//!
//! Every look asks the tagging API once and the cluster for our labels; both may be late or silent, so that what they name
//! counts only once its own look has found it, and what they cannot tell is said. `down` also lists what the account has.

mod listed;
pub mod objects;
mod tagged;

use futures::future::{join, join3};

use self::objects::Object;
use super::Cloud;
use crate::engine::Fault;

/// Things of ours with names or places that the configuration does not have.
#[derive(Clone, Debug, Default)]
pub struct Orphans {
    /// Buckets by name.
    pub buckets: Vec<String>,
    /// Repositories by name.
    pub repositories: Vec<String>,
    /// Private and public subnets after the configured ones.
    pub subnets: Vec<Subnet>,
    /// All objects in the cluster that carry our label, also those that the configuration names.
    pub objects: Vec<Object>,
    /// What is not ours keeps these from being deleted.
    pub held: Vec<String>,
    /// What we may not look at, and so cannot tell whether it is ours.
    pub unknown: Vec<String>,
    /// What is to become of buckets and repositories.
    pub data: Data,
}

/// A subnet that the configuration has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `private` or `public`.
    pub side: &'static str,
    /// Its place in that list of the configuration that it was made for.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Its range.
    pub cidr: String,
}

impl Subnet {
    /// Its node's name, which is also its tag.
    #[must_use]
    pub fn node(&self) -> String {
        format!("subnet/{}-{}", self.side, self.index)
    }
}

/// What is to become of buckets and repositories, with all that is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// `up` leaves those of an earlier configuration; `down` deletes all.
    #[default]
    AsUsual,
    /// `up` deletes these of an earlier configuration, by their nodes' names.
    Delete(Vec<String>),
    /// `down` leaves all.
    Keep,
}

impl Orphans {
    /// What a look finds without a list of the whole account.
    pub(super) async fn find(cloud: &Cloud) -> Self {
        let (tagged, objects) = join(tagged::find(cloud), objects::find(cloud)).await;
        let mut orphans = Self::default();
        match tagged {
            Ok(found) => orphans.add(cloud, found),
            Err(fault) => orphans.unknown.push(format!("buckets and repositories of other names ({fault})")),
        }
        orphans.take(objects);
        orphans
    }

    /// All that can be found: what `down` takes.
    ///
    /// # Errors
    /// When S3 or ECR does not tell. Where they may not tell us, [`Orphans::unknown`] says so.
    pub(super) async fn find_all(cloud: &Cloud) -> Result<Self, Fault> {
        let (listed, tagged, objects) = join3(listed::find(cloud), tagged::find(cloud), objects::find(cloud)).await;
        let mut orphans = Self::default();
        orphans.add(cloud, listed?);
        // The list has all that it may tell; the tagging API may know of what the list may not.
        if let Ok(found) = tagged {
            orphans.add(cloud, found);
        }
        // What could not be read of the cluster ends with it.
        orphans.take(objects.map_err(|_| String::new()));
        orphans.unknown.retain(|why| !why.is_empty());
        Ok(orphans)
    }

    /// With these buckets and repositories, but for the configured ones.
    fn add(&mut self, cloud: &Cloud, found: Self) {
        let merged = |mine: &mut Vec<String>, found: Vec<String>, configured: &str| {
            mine.extend(found.into_iter().filter(|name| name != configured));
            mine.sort_unstable();
            mine.dedup();
        };
        merged(&mut self.buckets, found.buckets, &cloud.bucket());
        merged(&mut self.repositories, found.repositories, &cloud.config.repository());
        self.unknown.extend(found.unknown);
    }

    /// With what the cluster has.
    fn take(&mut self, objects: Result<(Vec<Object>, Vec<String>), String>) {
        match objects {
            Ok((objects, held)) => (self.objects, self.held) = (objects, held),
            Err(why) => self.unknown.push(why),
        }
    }

    /// Only what these have too: what was not shown is not deleted.
    #[must_use]
    pub fn shown_in(mut self, shown: &Self) -> Self {
        self.buckets.retain(|name| shown.buckets.contains(name));
        self.repositories.retain(|name| shown.repositories.contains(name));
        self.subnets.retain(|subnet| shown.subnets.contains(subnet));
        self.objects.retain(|object| shown.objects.contains(object));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Kind;

    #[test]
    fn what_was_not_shown_is_not_deleted() {
        let object = |name: &str| Object { kind: Kind::Service, namespace: Some("triton".to_owned()), name: name.to_owned() };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let shown = Orphans { buckets: names(&["a"]), objects: vec![object("old")], ..Orphans::default() };
        let found = Orphans {
            buckets: names(&["a", "b"]),
            repositories: names(&["c"]),
            objects: vec![object("old"), object("older")],
            ..Orphans::default()
        };
        let left = found.shown_in(&shown);
        assert_eq!((left.buckets, left.repositories.len(), left.objects), (names(&["a"]), 0, vec![object("old")]));
    }
}
