//! What a resource may be made from, and how much of it is known.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::id::NodeId;

/// The key under which a value that is not known yet stands in a serialized state.
pub(super) const KNOWN_AFTER: &str = "known after";

/// A value, or the name of the node after which it will be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<T> {
    /// The value.
    Known(T),
    /// Not known yet.
    Unknown {
        /// Known once this node is there.
        until: Arc<str>,
    },
}

impl<T> Given<T> {
    /// Both values, where both are known; else the first that is not.
    pub fn zip<U: Clone>(&self, other: &Given<U>) -> Given<(T, U)>
    where
        T: Clone,
    {
        match (self, other) {
            (Self::Known(one), Given::Known(two)) => Given::Known((one.clone(), two.clone())),
            (Self::Unknown { until }, _) | (_, Given::Unknown { until }) => Given::Unknown { until: until.clone() },
        }
    }

    /// Applies `f` to the value, where it is known.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Given<U> {
        match self {
            Self::Known(value) => Given::Known(f(value)),
            Self::Unknown { until } => Given::Unknown { until: until.clone() },
        }
    }

    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }
}

impl<T: Serialize> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Unknown { until } => HashMap::from([(KNOWN_AFTER, until.as_ref())]).serialize(serializer),
        }
    }
}

/// An output without its type.
pub(super) type Output = Arc<dyn Any + Send + Sync>;

/// Outputs that are known so far.
#[derive(Clone, Default)]
pub struct Known(HashMap<NodeId, Arc<dyn Any + Send + Sync>>);

impl Known {
    pub(super) fn insert(&mut self, id: NodeId, output: Output) {
        self.0.insert(id, output);
    }

    pub(super) fn remove(&mut self, id: NodeId) {
        self.0.remove(&id);
    }

    /// These alone: to copy all of them for each node would take the square of their number.
    pub(super) fn of(&self, ids: impl IntoIterator<Item = NodeId>) -> Self {
        Self(ids.into_iter().filter_map(|id| Some((id, self.0.get(&id)?.clone()))).collect())
    }

    pub(super) fn output(&self, id: NodeId) -> Option<&Output> {
        self.0.get(&id)
    }

    pub(super) fn get<T: Clone + 'static>(&self, id: NodeId) -> Option<T> {
        self.0.get(&id).and_then(|output| output.downcast_ref::<T>()).cloned()
    }
}

/// What a resource may hang from or be made of: nodes, orders, lists, options and tuples of them.
pub trait Inputs: Clone + Send + Sync + 'static {
    /// All of them known.
    type Values: Clone + Send + Sync + 'static;
    /// Each of them known or not yet.
    type Givens: Clone + Send + Sync + 'static;
    /// Which nodes are meant.
    fn edges(&self, into: &mut Vec<NodeId>);
    /// Those of them without which nothing can be found.
    fn parents(&self, into: &mut Vec<NodeId>) {
        self.edges(into);
    }
    /// The values, when all are known.
    fn values(&self, known: &Known) -> Option<Self::Values>;
    /// The values as far as they are known.
    fn givens(&self, known: &Known) -> Self::Givens;
    /// Values that are all known, so that what is made comes from the same function as what is wanted.
    fn given(values: &Self::Values) -> Self::Givens;
}

impl<N: Inputs> Inputs for Vec<N> {
    type Values = Vec<N::Values>;
    type Givens = Vec<N::Givens>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        self.iter().for_each(|need| need.edges(into));
    }
    fn parents(&self, into: &mut Vec<NodeId>) {
        self.iter().for_each(|need| need.parents(into));
    }
    fn values(&self, known: &Known) -> Option<Self::Values> {
        self.iter().map(|need| need.values(known)).collect()
    }
    fn givens(&self, known: &Known) -> Self::Givens {
        self.iter().map(|need| need.givens(known)).collect()
    }
    fn given(values: &Self::Values) -> Self::Givens {
        values.iter().map(N::given).collect()
    }
}

impl<N: Inputs> Inputs for Option<N> {
    type Values = Option<N::Values>;
    type Givens = Option<N::Givens>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        self.iter().for_each(|need| need.edges(into));
    }
    fn parents(&self, into: &mut Vec<NodeId>) {
        self.iter().for_each(|need| need.parents(into));
    }
    fn values(&self, known: &Known) -> Option<Self::Values> {
        match self {
            None => Some(None),
            Some(need) => need.values(known).map(Some),
        }
    }
    fn givens(&self, known: &Known) -> Self::Givens {
        self.as_ref().map(|need| need.givens(known))
    }
    fn given(values: &Self::Values) -> Self::Givens {
        values.as_ref().map(N::given)
    }
}

/// What something is found beside: it is looked for after that, which tells of several just alike the one that is kept, and is
/// found without it, too.
#[derive(Clone)]
pub struct Beside<N>(pub N);

impl<N: Inputs> Inputs for Beside<N> {
    type Values = Option<N::Values>;
    type Givens = Option<N::Values>;
    fn edges(&self, into: &mut Vec<NodeId>) {
        self.0.edges(into);
    }
    fn parents(&self, _: &mut Vec<NodeId>) {}
    fn values(&self, known: &Known) -> Option<Self::Values> {
        Some(self.0.values(known))
    }
    fn givens(&self, known: &Known) -> Self::Givens {
        self.0.values(known)
    }
    fn given(values: &Self::Values) -> Self::Givens {
        values.clone()
    }
}

macro_rules! tuple {
    ($($name:ident . $index:tt),*) => {
        impl<$($name: Inputs),*> Inputs for ($($name,)*) {
            type Values = ($($name::Values,)*);
            type Givens = ($($name::Givens,)*);
            fn edges(&self, _into: &mut Vec<NodeId>) { $(self.$index.edges(_into);)* }
            fn parents(&self, _into: &mut Vec<NodeId>) { $(self.$index.parents(_into);)* }
            fn values(&self, _known: &Known) -> Option<Self::Values> { Some(($(self.$index.values(_known)?,)*)) }
            #[allow(clippy::unused_unit, reason = "the empty tuple is one of the cases")]
            fn givens(&self, _known: &Known) -> Self::Givens { ($(self.$index.givens(_known),)*) }
            #[allow(clippy::unused_unit, reason = "the empty tuple is one of the cases")]
            fn given(_values: &Self::Values) -> Self::Givens { ($($name::given(&_values.$index),)*) }
        }
    };
}
tuple!();
tuple!(A.0);
tuple!(A.0, B.1);
tuple!(A.0, B.1, C.2);
tuple!(A.0, B.1, C.2, D.3);
tuple!(A.0, B.1, C.2, D.3, E.4);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6);

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that a node tells.
    #[derive(Clone)]
    struct One(usize);

    impl Inputs for One {
        type Values = u64;
        type Givens = Given<u64>;
        fn edges(&self, into: &mut Vec<NodeId>) {
            into.push(NodeId(self.0));
        }
        fn values(&self, known: &Known) -> Option<u64> {
            known.get(NodeId(self.0))
        }
        fn givens(&self, known: &Known) -> Given<u64> {
            self.values(known).map_or_else(|| Given::Unknown { until: self.0.to_string().into() }, Given::Known)
        }
        fn given(values: &u64) -> Given<u64> {
            Given::Known(*values)
        }
    }

    fn edges(inputs: &impl Inputs) -> [Vec<usize>; 2] {
        let (mut edges, mut parents) = (Vec::new(), Vec::new());
        inputs.edges(&mut edges);
        inputs.parents(&mut parents);
        [edges, parents].map(|ids| ids.into_iter().map(|NodeId(id)| id).collect())
    }

    #[test]
    fn lists_options_and_tuples_stand_for_what_is_in_them() {
        let inputs = (vec![One(0), One(1)], Some(One(2)), None::<One>, Beside(One(3)));
        assert_eq!(edges(&inputs), [vec![0, 1, 2, 3], vec![0, 1, 2]]);
        let mut known = Known::default();
        for id in 0..2 {
            known.insert(NodeId(id), Arc::new(id as u64 + 10));
        }
        assert_eq!(inputs.values(&known), None, "the third one is not known");
        let until = |id: &str| Given::Unknown { until: id.into() };
        assert_eq!(inputs.givens(&known), (vec![Given::Known(10), Given::Known(11)], Some(until("2")), None, None));
        known.insert(NodeId(2), Arc::new(12_u64));
        let values = (vec![10, 11], Some(12), None, None);
        assert_eq!(inputs.values(&known), Some(values.clone()), "what it is beside need not be known");
        known.insert(NodeId(3), Arc::new(13_u64));
        assert_eq!(inputs.values(&known), Some((values.0.clone(), values.1, None, Some(13))));
        type All = (Vec<One>, Option<One>, Option<One>, Beside<One>);
        let given = <All as Inputs>::given(&(values.0, values.1, None, Some(13)));
        assert_eq!(given, (vec![Given::Known(10), Given::Known(11)], Some(Given::Known(12)), None, Some(13)));
        assert_eq!(given, inputs.givens(&known));
        known.remove(NodeId(0));
        assert_eq!(inputs.values(&known), None);
    }

    #[test]
    fn two_values_are_known_together_and_else_the_first_that_is_not_is_named() {
        let (one, two) = (Given::Known(1), Given::Known("two"));
        let later = |until: &str| Given::<u64>::Unknown { until: until.into() };
        assert_eq!(one.zip(&two).known(), Some(&(1, "two")));
        assert_eq!(one.zip(&later("b")).map(|_| 0), Given::Unknown { until: "b".into() });
        assert_eq!(later("a").zip(&later("b")).known(), None);
        assert_eq!(later("a").zip(&later("b")).map(|_| 0), later("a"));
    }
}
