//! The graph by itself: what may be written, and a part of one.

use std::sync::Arc;
use std::time::Duration;

use tritondeploy_engine::{After, Graph, Node, Removal, Unwanted, Walk};

use crate::cloud::Cloud;
use crate::object::{self, Object, Others};
use crate::spec::Spec;
use crate::{cloud, virtually, walk};

fn object() -> Object<false> {
    Object { at: 0, spec: Spec::new() }
}

fn nothing() -> Others {
    Others::default()
}

#[test]
fn a_graph_up_to_a_node_is_that_node_and_what_was_added_before_it() {
    let graph = object::graph(&[Spec::new(), Spec::new(), Spec::new()]).up_to("object-1");
    assert_eq!(graph.names().collect::<Vec<_>>(), [("object-0", "object"), ("object-1", "object")]);
}

#[test]
fn what_is_deleted_last_is_so_in_a_part_of_the_graph_where_it_is_in_that() {
    virtually(1, async {
        for last in [0, 2] {
            let plain = || Spec::new().with(|s| s.ending = 60);
            let mut specs = vec![Spec::new(), plain(), plain()];
            specs[last].last = true;
            let cloud = cloud(specs);
            (0..2).for_each(|at| _ = cloud.put(at, &[], &[], 0));
            let part = Walk { graph: Arc::new(object::graph(&cloud.specs).up_to("object-1")), ..walk(&cloud) };
            let outcome = part.down().await;
            assert!(outcome.ok() && outcome.took >= Duration::from_secs(60), "{outcome:?}");
            let order: &[&str] =
                if last == 0 { &["delete object-1", "delete object-0"] } else { &["delete object-0", "delete object-1"] };
            let mut mutations = cloud.state().mutations.clone();
            if last == 2 {
                mutations.sort();
            }
            assert_eq!(mutations, order);
        }
    });
}

#[test]
fn several_of_one_kind_are_added_in_their_order() {
    let mut graph: Graph<Cloud> = Graph::new();
    let one = |name: &str| (name.to_owned(), object(), nothing(), Default::default());
    let nodes: Vec<Node<Object<false>>> = graph.each([one("a"), one("b")]);
    assert_eq!(nodes.len(), 2);
    assert_eq!(graph.names().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
#[should_panic(expected = "two nodes named a")]
fn two_nodes_have_two_names() {
    let mut graph = Graph::new();
    graph.add("a", object(), nothing(), Default::default());
    graph.add("a", object(), nothing(), Default::default());
}

#[test]
#[should_panic(expected = "b is wanted, and needs what is deleted after it")]
fn what_is_wanted_needs_nothing_that_goes_last() {
    let mut graph = Graph::new();
    let gone = graph.remove("a", Unwanted::new(Removal::Last, "once"), object(), nothing(), Default::default());
    graph.add("b", object(), nothing(), (nothing(), After::of(gone)));
}

#[test]
#[should_panic(expected = "b would wait for itself")]
fn what_is_deleted_last_is_made_from_nothing() {
    let mut graph = Graph::new();
    let below = graph.add("a", object(), nothing(), Default::default());
    let above = graph.add("b", object(), (vec![below], Vec::new()), Default::default());
    graph.delete_last(&above);
}

#[test]
#[should_panic(expected = "no node named b")]
fn a_graph_ends_at_a_node_that_is_in_it() {
    let mut graph = Graph::new();
    graph.add("a", object(), nothing(), Default::default());
    let _ = graph.up_to("b");
}
