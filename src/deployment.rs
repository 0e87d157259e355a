//! THE ARCHITECTURE: every node of the deployment, what it lies within, and what it is made from or after.

mod orphans;

use std::sync::Arc;

use crate::cloud::{Cloud, inventory::Inventory};
use crate::config::Config;
use crate::engine::{After, Beside, Graph, Node, Removal, Unwanted};
use crate::models::Checked;
use crate::resources::eks::{AccessEntry, AccessPolicy, Addon, Cluster, LaunchTemplate, NodeEntry, NodeGroup, NodeTags};
use crate::resources::iam::{ModelAccess, OidcProvider, PolicyAttachment as Policy, Role};
use crate::resources::kube::{
    Applied, Balancer, BalancerTags, ConfigMap, Deployment, DevicePlugin, GatewayConfig, Gpus, Namespace, PodRole, Rollout,
    Served, Service, ServiceAccount,
};
use crate::resources::network::{
    ElasticIp, InternetGateway, Leftovers, NatGateway, Route, RouteTable, RouteTableAssociation, S3Endpoint, Subnet, Vpc,
};
use crate::resources::registry::{GatewayImage, Repository};
use crate::resources::{proof::Proof, storage::Bucket, storage::Models, storage::ProofImage};

/// The bucket alone: made before all else, since the lease lies in it.
#[must_use]
pub fn bucket() -> Graph<Cloud> {
    let mut g = Graph::new();
    g.add("bucket", Bucket::configured(), (), ());
    g
}

/// The graph of a deployment, in an order of creation. The local models are needed only to make it or to compare it.
#[must_use]
pub fn graph(config: &Config, inventory: &Inventory, local: Option<&Arc<Checked>>) -> Graph<Cloud> {
    let Config { network: net, nodes, workload: pod, .. } = config;
    let Inventory { orphans: old, machine, admins, .. } = inventory;
    let ami_type = machine.ami_type(nodes);
    let mut g = Graph::new();

    // A VPC with public and private subnets in each zone, and one NAT gateway for all of them.
    let vpc = g.add("vpc", Vpc::new(&net.cidr), (), ());
    let internet_gateway = g.add("internet-gateway", InternetGateway, Beside(vpc.clone()), vpc.clone());
    let subnet = |i, side: &str, subnet| (format!("subnet/{side}-{i}"), subnet, vpc.clone(), ());
    let (public, private) = (net.public.iter().enumerate(), net.private.iter().enumerate());
    let public = g.each(public.map(|(i, cidr)| subnet(i, "public", Subnet::public(cidr, inventory.zone(i)))));
    let private = g.each(private.map(|(i, cidr)| subnet(i, "private", Subnet::private(cidr, inventory.zone(i)))));
    let join = |side: &str, subnets: &[Node<Subnet>], table: &Node<RouteTable>| {
        let name = |i| format!("route-table-association/{side}-{i}");
        let one = |(i, subnet): (_, &Node<_>)| (name(i), RouteTableAssociation, subnet.clone(), table.clone());
        subnets.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let outside = g.add("route-table/public", RouteTable, vpc.clone(), ());
    let route = g.add("route/public", Route::everywhere(), outside.clone(), internet_gateway.clone());
    let public_routing = After::of((route, g.each(join("public", &public, &outside))));
    let address = g.add("nat/address", ElasticIp, Beside(vpc.clone()), ());
    let nat = g.add("nat-gateway", NatGateway, vpc.clone(), (public[0].clone(), address, public_routing.clone()));
    let inside = g.add("route-table/private", RouteTable, vpc.clone(), ());
    let route = g.add("route/private", Route::everywhere(), inside.clone(), nat);
    let joined = g.each(join("private", &private, &inside));
    let dropped = orphans::subnets(&mut g, old, &vpc, (&outside, &inside));
    let held = (internet_gateway, public.clone(), private.clone(), dropped);
    let leftovers = g.sweep("leftovers", Leftovers::of(&config.name), vpc.clone(), held);
    let s3 = g.add("s3-endpoint", S3Endpoint, vpc, vec![inside]);
    let private_routing = After::of((route, joined, s3));

    // What the pod is made from.
    let bucket = g.add("bucket", Bucket::configured(), (), ());
    g.delete_last(&bucket);
    let repository = g.add("repository", Repository::configured(), (), ());
    orphans::data(&mut g, old, &bucket, &repository);

    // The EKS cluster, its roles, its add-ons and its nodes.
    let policies = |part: &str, role: &Node<Role>, policies: &[&str]| {
        let one = |policy: &&str| (format!("role/{part}/{policy}"), Policy::of(policy), role.clone(), ());
        policies.iter().map(one).collect::<Vec<_>>()
    };
    let role = g.add("role/cluster", Role::cluster(), (), None);
    let allowed = g.each(policies("cluster", &role, &["AmazonEKSClusterPolicy"]));
    let uses = (role, private.clone(), After::of((allowed, leftovers)));
    let cluster = g.add("cluster", Cluster::new(&config.cluster).without(&old.subnets), (), uses);
    let entry = g.add("access-entry", AccessEntry::of_caller(), cluster.clone(), ());
    let admitted = After::of(g.add("access-policy", AccessPolicy, (cluster.clone(), entry), ()));
    for admin in &admins.listed {
        let (who, entry) = (admins.short(admin), AccessEntry::of_admin(admin, &config.name));
        let entry = g.add(format!("access-entry/{who}"), entry, cluster.clone(), ());
        g.add(format!("access-policy/{who}"), AccessPolicy, (cluster.clone(), entry), ());
    }
    for admin in &admins.former {
        let (who, why) = (admins.short(admin), format!("access.admins listed {admin}"));
        let (name, unwanted) = (format!("access-entry/{who}"), Unwanted::new(Removal::Early, why));
        g.remove(name, unwanted, AccessEntry::of_admin(admin, &config.name), cluster.clone(), ());
    }
    let provider = g.add("oidc-provider", OidcProvider, Beside(cluster.clone()), cluster.clone());
    let reader = g.add("role/workload", Role::workload(&pod.namespace, &pod.service_account), (), Some(provider));
    let may_read = After::of(g.add("role/workload/model-access", ModelAccess, reader.clone(), bucket.clone()));
    let cni = g.add("addon/vpc-cni", Addon::plain("vpc-cni"), cluster.clone(), After::default());
    let proxy = g.add("addon/kube-proxy", Addon::plain("kube-proxy"), cluster.clone(), After::default());
    let role = g.add("role/node", Role::node(), (), None);
    let allowed = g.each(policies("node", &role, &NodeGroup::POLICIES));
    let template = g.add("launch-template", LaunchTemplate::new(nodes.disk_gib, ami_type), (), ());
    let entry = g.sweep("access-entry/nodes", NodeEntry, (cluster.clone(), role.clone()), ());
    let uses = (role, private, template, After::of((private_routing, allowed, cni, proxy, entry)));
    let group = g.add("node-group", NodeGroup::new(nodes, machine), cluster.clone(), uses);
    let ready = After::of(group.clone());
    let dns = if machine.has_gpu() { Addon::coredns() } else { Addon::plain("coredns") };
    let dns = g.add("addon/coredns", dns, cluster.clone(), ready.clone());
    g.adjust("tags/nodes", NodeTags, group, After::of(dns));

    // Triton and the gateway, the way in, and the proof that they answer.
    let models = g.add("models", Models::new(local.cloned()), bucket.clone(), ());
    let image = g.add("gateway-image", GatewayImage::new(), repository, ());
    let namespace = Applied::new(config, Namespace { name: pod.namespace.clone() });
    let namespace = g.add("kube/namespace", namespace, cluster.clone(), admitted.clone());
    let account = Applied::new(config, ServiceAccount { name: pod.service_account.clone() });
    let account = g.add("kube/service-account", account, namespace.clone(), reader);
    let map = Applied::new(config, ConfigMap { name: GatewayConfig::MAP.to_owned(), gateway: GatewayConfig::new(config) });
    let map = g.add("kube/config-map", map, namespace.clone(), bucket.clone());
    let plugin = DevicePlugin::is_needed(ami_type).then(|| {
        let plugin = Applied::new(config, DevicePlugin { image: pod.device_plugin_image.clone() });
        g.add("kube/device-plugin", plugin, cluster.clone(), admitted.clone())
    });
    let gpus = machine.has_gpu().then(|| {
        let uses = After::of((ready.clone(), plugin.clone(), admitted.clone()));
        g.watch("kube/gpus", Gpus { nodes: nodes.desired }, cluster.clone(), uses)
    });
    let uses = (account, map, bucket.clone(), image, After::of((ready.clone(), may_read, models.clone())));
    let deployment = g.add("kube/deployment", Applied::new(config, Deployment::new(config).on(machine)), namespace.clone(), uses);
    let role = g.adjust("kube/pod-role", PodRole, deployment.clone(), ready.clone());
    let runs = After::of((ready.clone(), gpus, role));
    let rollout = g.watch("kube/rollout", Rollout, deployment.clone(), runs.clone());
    let served = (After::of(rollout.clone()), After::of(models));
    g.watch("models/served", Served, (deployment.clone(), bucket.clone()), served);
    orphans::objects(&mut g, (config, old), &cluster, plugin.is_some(), (&deployment, runs));
    // Made after the pods, and so gone before them: no client is led to a pod that is going.
    let reached = After::of((public_routing, ready, deployment));
    let service = g.add("kube/service", Applied::new(config, Service::new(config, "kube/service")), namespace, reached);
    let balancer = g.watch("balancer", Balancer, service.clone(), After::of(rollout));
    g.adjust("tags/balancer", BalancerTags, service, After::of(balancer.clone()));
    let photo = g.add("proof/photo", ProofImage, bucket, ());
    g.watch("proof", Proof, (balancer, photo), ());
    g
}
