//! What is looked for after something that it is found without, too: an address beside a network.

use std::sync::Arc;

use tritondeploy_engine::{Beside, Cx, Fault, Found, Given, Graph, Node, Observation, Observe, Resource, Status, Walk};

use crate::cloud::Cloud;
use crate::object::{Object, Others, name};
use crate::spec::Spec;
use crate::{cloud, names, virtually, walk};

type Network = Object<false>;

/// The one that serves the network is kept, the first one where the network is not known; others serve elsewhere.
struct Address {
    at: usize,
}

impl Observe for Address {
    type World = Cloud;
    const KIND: &'static str = "address";
    type Within = Beside<Node<Network>>;
    type Uses = Node<Network>;
    type State = Option<Given<u64>>;
    type Output = u64;

    fn want(&self, _: &Cloud, beside: &Option<u64>, network: &Given<u64>) -> Self::State {
        // The same, told in two ways.
        assert!(beside.is_none() || beside.as_ref() == network.known());
        Some(network.clone())
    }

    async fn observe(&self, cx: &Cx<Cloud>, beside: &Option<u64>) -> Result<Observation<Self>, Fault> {
        cx.world.look::<false>(self.at, &[]).await?;
        let state = cx.world.state();
        let (mine, others): (Vec<_>, Vec<_>) = state
            .things
            .iter()
            .filter(|thing| thing.at == self.at)
            .partition(|thing| beside.is_none_or(|network| thing.from == [network]));
        let twins: Vec<u64> = mine.iter().skip(1).chain(&others).map(|thing| thing.id).collect();
        Ok(match mine.first() {
            Some(kept) => {
                let actual = kept.from.first().copied().map(Given::Known);
                Observation::Present(Found { output: kept.id, actual, twins, ails: Vec::new() })
            }
            None if twins.is_empty() => Observation::Absent,
            None => Observation::Elsewhere(twins),
        })
    }

    fn id(&self, found: &u64) -> Option<String> {
        Some(found.to_string())
    }
}

impl Resource for Address {
    async fn create(&self, cx: &Cx<Cloud>, beside: &Option<u64>, network: &u64) -> Result<(), Fault> {
        assert!(beside.is_none_or(|beside| beside == *network));
        cx.world.create(self.at, Vec::new(), vec![*network], cx.token()).await
    }

    async fn delete(&self, cx: &Cx<Cloud>, _: &Option<u64>, found: &u64) -> Result<(), Fault> {
        cx.world.delete(self.at, *found).await
    }
}

/// A network with something in it, so that one of two is kept, and an address beside it.
fn beside(cloud: &Arc<Cloud>) -> Walk<Cloud> {
    let mut graph = Graph::new();
    let object = |at: usize| Object::<false> { at, spec: cloud.specs[at].clone() };
    let network = graph.add(name(0), object(0), Others::default(), Default::default());
    graph.add(name(1), object(1), (vec![network.clone()], Vec::new()), Default::default());
    graph.add(name(2), Address { at: 2 }, Beside(network.clone()), network);
    Walk { graph: Arc::new(graph), ..walk(cloud) }
}

fn specs() -> Vec<Spec> {
    vec![Spec::nameless(), Spec::new().within([0]), Spec::nameless().uses([0])]
}

/// Two networks: the first is kept, the address serves the other.
fn address_of_the_twin() -> (Arc<Cloud>, u64, u64) {
    let cloud = cloud(specs());
    let (kept, twin) = (cloud.put(0, &[], &[], 0), cloud.put(0, &[], &[], 0));
    cloud.put_in(1, vec![kept], vec![], 0);
    cloud.put_in(1, vec![twin], vec![], 0);
    // Something more that hangs from the first.
    cloud.put_in(1, vec![kept], vec![], 0);
    let address = cloud.put_in(2, vec![], vec![twin], 0);
    (cloud, kept, address)
}

#[test]
fn what_serves_a_twin_is_shown_as_one_and_up_makes_another_before_it_deletes_that() {
    virtually(1, async {
        let (cloud, kept, address) = address_of_the_twin();
        let nodes = beside(&cloud).look().await.nodes;
        assert_eq!(nodes[2].status, Status::Absent);
        let twins: Vec<_> = nodes[2].twins.iter().map(|twin| (twin.id.clone(), twin.kept.clone())).collect();
        assert_eq!(twins, [(Some(address.to_string()), None)]);
        let outcome = beside(&cloud).up().await;
        assert!(outcome.ok(), "{outcome:?}");
        assert_eq!(cloud.state().mutations[..2], ["create object-2", "delete object-2"]);
        let from: Vec<_> = cloud.state().things.iter().filter(|t| t.at == 2).map(|t| t.from.clone()).collect();
        assert_eq!(from, [[kept]]);
    });
}

#[test]
fn what_serves_a_twin_is_deleted_by_down() {
    virtually(1, async {
        let (cloud, ..) = address_of_the_twin();
        let outcome = beside(&cloud).down().await;
        assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?} {:?}", cloud.state().things);
    });
}

#[test]
fn what_is_found_beside_something_is_found_and_deleted_without_it() {
    virtually(1, async {
        let cloud = cloud(specs());
        cloud.put_in(2, vec![], vec![7], 0);
        let seen = beside(&cloud).look_at("object-2").await.unwrap();
        assert_eq!(seen.status, Status::Present);
        assert_eq!(cloud.state().calls, 2, "what it is beside is looked at, too");
        let outcome = beside(&cloud).down().await;
        assert!(outcome.ok() && cloud.state().things.is_empty(), "{outcome:?}");
        assert_eq!(names(&outcome.exists), [""; 0]);
    });
}
