//! THE ARCHITECTURE: every node of the deployment.

use crate::cloud::Cloud;
use crate::cloud::inventory::Inventory;
use crate::config::Config;
use crate::engine::{After, Graph, Node};
use crate::resources::network::{
    ElasticIp, InternetGateway, Leftovers, NatGateway, Route, RouteTable, RouteTableAssociation, S3Endpoint, Subnet, Vpc,
};

/// The graph of a deployment, in order of creation.
#[must_use]
pub fn graph(config: &Config, inventory: &Inventory) -> Graph<Cloud> {
    let mut g = Graph::new();
    let _network = network(&mut g, config, inventory);
    g
}

/// What the rest of the deployment stands in.
pub struct Net {
    /// Nodes and pods.
    pub private: Vec<Node<Subnet>>,
    /// The NAT gateway and balancers.
    pub public: Vec<Node<Subnet>>,
    /// The private subnets reach the internet, and S3 without it: nodes can join and pull.
    pub way_out: After,
    /// The public subnets can be reached: balancers can be made.
    pub way_in: After,
    /// What is made after this is gone before what Kubernetes leaves in the VPC is swept.
    pub before_sweep: After,
}

/// A VPC with public and private subnets in each zone, and one NAT gateway for all of them.
pub fn network(g: &mut Graph<Cloud>, config: &Config, inventory: &Inventory) -> Net {
    let net = &config.network;
    let vpc = g.add("vpc", Vpc::new(&net.cidr), (), ());
    let door = g.add("internet-gateway", InternetGateway, (), vpc.clone());
    let subnets = |g: &mut Graph<Cloud>, side: &str, cidrs: &[String], subnet: fn(&str, &str) -> Subnet| {
        let one = |(i, cidr): (usize, &String)| {
            g.add(format!("subnet/{side}-{i}"), subnet(cidr, inventory.zone(i)), vpc.clone(), ())
        };
        cidrs.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let public = subnets(g, "public", &net.public, Subnet::public);
    let private = subnets(g, "private", &net.private, Subnet::private);
    let held = (door.clone(), public.clone(), private.clone());
    let leftovers = g.sweep("leftovers", Leftovers::of(&config.name), vpc.clone(), held);

    let outside = g.add("route-table/public", RouteTable, vpc.clone(), ());
    let route = g.add("route/public", Route::everywhere(), outside.clone(), door);
    let mut way_in = vec![route.after()];
    for (i, subnet) in public.iter().enumerate() {
        let name = format!("route-table-association/public-{i}");
        way_in.push(g.add(name, RouteTableAssociation, subnet.clone(), outside.clone()).after());
    }
    let way_in = After::all(way_in);

    let address = g.add("nat/address", ElasticIp, (), ());
    let nat = g.add("nat-gateway", NatGateway, vpc.clone(), (public[0].clone(), address, way_in.clone()));
    let inside = g.add("route-table/private", RouteTable, vpc.clone(), ());
    let mut way_out = vec![g.add("route/private", Route::everywhere(), inside.clone(), nat).after()];
    for (i, subnet) in private.iter().enumerate() {
        let name = format!("route-table-association/private-{i}");
        way_out.push(g.add(name, RouteTableAssociation, subnet.clone(), inside.clone()).after());
    }
    way_out.push(g.add("s3-endpoint", S3Endpoint, vpc, vec![inside]).after());
    Net { private, public, way_out: After::all(way_out), way_in, before_sweep: leftovers.after() }
}
