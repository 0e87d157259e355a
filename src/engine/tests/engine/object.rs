//! The model cloud's objects as resources of the engine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tritondeploy_engine::{
    Action, Adjust, After, Change, Cx, Fact, Fault, Given, Graph, Inputs, Node, Observation, Observe, Removal, Resource,
    Unwanted, UpdateMode,
};

use crate::cloud::Cloud;
use crate::spec::{Role, Spec};

/// One object; whether it ends with its parent is part of its type, as the engine wants it.
pub struct Object<const ENDS: bool> {
    pub at: usize,
    pub spec: Spec,
}

/// Nodes of both types.
pub type Others = (Vec<Node<Object<false>>>, Vec<Node<Object<true>>>);

#[derive(Serialize)]
pub struct State {
    pub size: u64,
    pub steps: BTreeMap<String, bool>,
    pub made_from: Vec<Given<u64>>,
    /// What the cloud chose: never compared.
    pub zone: Option<u64>,
}

/// Both types' values in one list, in no order that matters.
fn all<T: Clone>((plain, ending): &(Vec<T>, Vec<T>)) -> Vec<T> {
    plain.iter().chain(ending).cloned().collect()
}

impl<const ENDS: bool> Observe for Object<ENDS> {
    type World = Cloud;
    const KIND: &'static str = "object";
    const ENDS_WITH_PARENT: bool = ENDS;
    type Within = Others;
    type Uses = (Others, After);
    type State = State;
    type Output = u64;

    fn want(&self, _: &Cloud, _: &<Others as Inputs>::Givens, uses: &<Self::Uses as Inputs>::Givens) -> State {
        State {
            size: self.spec.size,
            steps: (0..self.spec.steps).map(|step| (step.to_string(), true)).collect(),
            made_from: all(&uses.0),
            zone: None,
        }
    }

    async fn observe(&self, cx: &Cx<Cloud>, within: &<Others as Inputs>::Values) -> Result<Observation<Self>, Fault> {
        cx.world.look(self.at, &all(within)).await
    }

    fn patience(&self, _: Action) -> Duration {
        self.spec.patience()
    }

    async fn evidence(&self, _: &Cx<Cloud>, _: &<Others as Inputs>::Values) -> Vec<String> {
        vec![format!("evidence of {}", self.at)]
    }

    /// Of what has a name there is one.
    fn id(&self, found: &u64) -> Option<String> {
        (!self.spec.named).then(|| found.to_string())
    }

    fn facts(&self, found: &u64) -> Vec<Fact> {
        vec![Fact { key: "id", value: found.to_string() }]
    }
}

impl<const ENDS: bool> Resource for Object<ENDS> {
    async fn create(
        &self,
        cx: &Cx<Cloud>,
        within: &<Others as Inputs>::Values,
        uses: &<Self::Uses as Inputs>::Values,
    ) -> Result<(), Fault> {
        cx.world.create(self.at, all(within), all(&uses.0), cx.token()).await
    }

    async fn update(
        &self,
        cx: &Cx<Cloud>,
        _: &<Others as Inputs>::Values,
        uses: &<Self::Uses as Inputs>::Values,
        found: &u64,
        changes: &[Change],
    ) -> Result<(), Fault> {
        cx.world.update(self.at, *found, &changes[0].field, all(&uses.0)).await
    }

    async fn delete(&self, cx: &Cx<Cloud>, _: &<Others as Inputs>::Values, found: &u64) -> Result<(), Fault> {
        cx.world.delete(self.at, *found).await
    }

    fn how(&self, change: &Change) -> UpdateMode {
        if self.spec.rigid && !change.field.starts_with("steps") { UpdateMode::Refuse } else { UpdateMode::InPlace }
    }

    fn why_not(&self, change: &Change) -> Option<String> {
        (change.field == "made_from").then(|| "it stays what it is made from".to_owned())
    }
}

impl<const ENDS: bool> Adjust for Object<ENDS> {
    async fn update(
        &self,
        cx: &Cx<Cloud>,
        _: &<Others as Inputs>::Values,
        uses: &<Self::Uses as Inputs>::Values,
        found: &u64,
        changes: &[Change],
    ) -> Result<(), Fault> {
        cx.world.update(self.at, *found, &changes[0].field, all(&uses.0)).await
    }
}

enum Handle {
    Plain(Node<Object<false>>),
    Ending(Node<Object<true>>),
}

/// The name of a spec's node.
pub fn name(at: usize) -> String {
    format!("object-{at}")
}

/// The graph of these specs.
pub fn graph(specs: &[Spec]) -> Graph<Cloud> {
    let mut graph = Graph::new();
    let mut handles: Vec<Handle> = Vec::new();
    for (at, spec) in specs.iter().enumerate() {
        let others = |ids: &[usize]| {
            let mut others: Others = Default::default();
            for &id in ids {
                match &handles[id] {
                    Handle::Plain(node) => others.0.push(node.clone()),
                    Handle::Ending(node) => others.1.push(node.clone()),
                }
            }
            others
        };
        let after = |&id: &usize| match &handles[id] {
            Handle::Plain(node) => After::of(node.clone()),
            Handle::Ending(node) => After::of(node.clone()),
        };
        let after = After::of(spec.after.iter().map(after).collect::<Vec<_>>());
        let (within, uses) = (others(&spec.within), (others(&spec.uses), after));
        handles.push(if spec.ends_with_parent {
            Handle::Ending(add(&mut graph, Object::<true> { at, spec: spec.clone() }, within, uses))
        } else {
            Handle::Plain(add(&mut graph, Object::<false> { at, spec: spec.clone() }, within, uses))
        });
    }
    if let Some(at) = specs.iter().position(|spec| spec.last) {
        match &handles[at] {
            Handle::Plain(node) => graph.delete_last(node),
            Handle::Ending(node) => graph.delete_last(node),
        }
    }
    graph
}

fn add<const ENDS: bool>(
    graph: &mut Graph<Cloud>,
    object: Object<ENDS>,
    within: Others,
    uses: (Others, After),
) -> Node<Object<ENDS>> {
    let name = name(object.at);
    let why = |removal| Unwanted::new(removal, "it was asked for once");
    match object.spec.role {
        Role::Made => graph.add(name, object, within, uses),
        Role::Watched => graph.watch(name, object, within, uses),
        Role::Adjusted => graph.adjust(name, object, within, uses),
        Role::Swept => graph.sweep(name, object, within, uses),
        Role::Unwanted => graph.remove(name, why(Removal::Early), object, within, uses),
        Role::Last => graph.remove(name, why(Removal::Last), object, within, uses),
        Role::Never => graph.remove(name, why(Removal::Never), object, within, uses),
    }
}
