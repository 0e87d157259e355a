//! THE ARCHITECTURE: every node of the deployment.

use crate::cloud::Cloud;
use crate::cloud::inventory::Inventory;
use crate::config::Config;
use crate::engine::{After, Graph, Node};
use crate::resources::eks::{AccessEntry, AccessPolicy, Addon, Cluster, LaunchTemplate, NodeGroup};
use crate::resources::iam::{ModelAccess, OidcProvider, PolicyAttachment, Role};
use crate::resources::kube::{
    Applied, Balancer, ConfigMap, Deployment, DevicePlugin, GatewayConfig, Namespace, Rollout, Service, ServiceAccount,
};
use crate::resources::network::{
    ElasticIp, InternetGateway, Leftovers, NatGateway, Route, RouteTable, RouteTableAssociation, S3Endpoint, Subnet, Vpc,
};
use crate::resources::proof::Proof;
use crate::resources::registry::{GatewayImage, Repository};
use crate::resources::storage::{Bucket, Models, Photo};

/// The graph of a deployment, in order of creation.
#[must_use]
pub fn graph(config: &Config, inventory: &Inventory) -> Graph<Cloud> {
    let mut g = Graph::new();
    let net = network(&mut g, config, inventory);
    let stores = stores(&mut g, config);
    let eks = cluster(&mut g, config, &net, &stores.bucket);
    workload(&mut g, config, &net, &stores, &eks);
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
        let one =
            |(i, cidr): (usize, &String)| g.add(format!("subnet/{side}-{i}"), subnet(cidr, inventory.zone(i)), vpc.clone(), ());
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

/// What the pod is made from.
pub struct Stores {
    pub bucket: Node<Bucket>,
    pub models: Node<Models>,
    pub repository: Node<Repository>,
}

/// The bucket with the models, and the gateway image's repository.
pub fn stores(g: &mut Graph<Cloud>, config: &Config) -> Stores {
    let bucket = g.add("bucket", Bucket, (), ());
    let models = g.add("models", Models::new(&config.models.directory, &config.models.serve), bucket.clone(), ());
    Stores { bucket, models, repository: g.add("repository", Repository, (), ()) }
}

/// A cluster that we may enter, with nodes.
pub struct Eks {
    pub cluster: Node<Cluster>,
    /// The pod's role.
    pub workload: Node<Role>,
    /// We are let in: Kubernetes objects can be looked at.
    pub admitted: After,
    /// There are nodes.
    pub nodes: After,
    /// The pod may read the bucket.
    pub may_read: After,
}

/// The EKS cluster, its roles, its add-ons and its GPU nodes.
pub fn cluster(g: &mut Graph<Cloud>, config: &Config, net: &Net, bucket: &Node<Bucket>) -> Eks {
    let policies = |g: &mut Graph<Cloud>, part: &str, role: &Node<Role>, policies: &[&str]| {
        let one = |policy: &&str| g.add(format!("role/{part}/{policy}"), PolicyAttachment::of(policy), role.clone(), ()).after();
        After::all(policies.iter().map(one).collect::<Vec<_>>())
    };
    let role = g.add("role/cluster", Role::cluster(), (), None);
    let allowed = policies(g, "cluster", &role, &["AmazonEKSClusterPolicy"]);
    let uses = (role, net.private.clone(), After::all([allowed, net.before_sweep.clone()]));
    let cluster = g.add("cluster", Cluster::new(&config.cluster), (), uses);
    let entry = g.add("access-entry", AccessEntry, cluster.clone(), ());
    let admitted = g.add("access-policy", AccessPolicy, (cluster.clone(), entry), ()).after();

    let provider = g.add("oidc-provider", OidcProvider, (), cluster.clone());
    let workload = &config.workload;
    let workload = Role::workload(&workload.namespace, &workload.service_account);
    let workload = g.add("role/workload", workload, (), Some(provider));
    let may_read = g.add("role/workload/model-access", ModelAccess, workload.clone(), bucket.clone()).after();

    let cni = g.add("addon/vpc-cni", Addon::plain("vpc-cni"), cluster.clone(), After::default()).after();
    let proxy = g.add("addon/kube-proxy", Addon::plain("kube-proxy"), cluster.clone(), After::default()).after();
    let role = g.add("role/node", Role::node(), (), None);
    let node_policies = [
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKS_CNI_Policy",
        "AmazonSSMManagedInstanceCore",
    ];
    let allowed = policies(g, "node", &role, &node_policies);
    let template = g.add("launch-template", LaunchTemplate::new(&config.nodes), (), ());
    let can_join = After::all([net.way_out.clone(), allowed, cni, proxy]);
    let uses = (role, net.private.clone(), template, can_join);
    let nodes = g.add("node-group", NodeGroup::new(&config.nodes), cluster.clone(), uses).after();
    g.add("addon/coredns", Addon::coredns(), cluster.clone(), nodes.clone());
    Eks { cluster, workload, admitted, nodes, may_read }
}

/// Triton and the gateway, the way in, and the proof that they answer.
pub fn workload(g: &mut Graph<Cloud>, config: &Config, net: &Net, stores: &Stores, eks: &Eks) {
    let workload = &config.workload;
    let image = g.add("gateway-image", GatewayImage::new(), stores.repository.clone(), ());
    let name = workload.namespace.clone();
    let namespace = g.add("kube/namespace", Applied::new(config, Namespace { name }), eks.cluster.clone(), eks.admitted.clone());
    let name = workload.service_account.clone();
    let account = Applied::new(config, ServiceAccount { name });
    let account = g.add("kube/service-account", account, namespace.clone(), eks.workload.clone());
    let map = Applied::new(config, ConfigMap { name: "gateway".to_owned(), gateway: GatewayConfig::new(config) });
    let map = g.add("kube/config-map", map, namespace.clone(), stores.bucket.clone());
    let mut gpus = vec![eks.nodes.clone()];
    if DevicePlugin::is_needed(&config.nodes.ami_type) {
        let plugin = Applied::new(config, DevicePlugin { image: workload.device_plugin_image.clone() });
        gpus.push(g.add("kube/device-plugin", plugin, eks.cluster.clone(), eks.admitted.clone()).after());
    }
    let ready = After::all([eks.nodes.clone(), eks.may_read.clone(), stores.models.after()]);
    let uses = (account, map, stores.bucket.clone(), image, ready);
    let deployment = g.add("kube/deployment", Applied::new(config, Deployment::new(config)), namespace.clone(), uses);
    let rollout = g.watch("kube/rollout", Rollout, deployment.clone(), After::all(gpus));
    // Made after the pods, and so gone before them: no client is led to a pod that is going.
    let reached = After::all([net.way_in.clone(), eks.nodes.clone(), deployment.after()]);
    let service = Applied::new(config, Service::new(config, "kube/service"));
    let service = g.add("kube/service", service, namespace, reached);
    let balancer = g.watch("balancer", Balancer, service, rollout.after());
    let photo = g.add("proof/photo", Photo, stores.bucket.clone(), ());
    g.watch("proof", Proof, (balancer, photo), ());
}
