//! What an earlier configuration made and this one does not name: how `up` takes it away, and why it is not wanted.
//!
//! All of it goes last, when what is wanted stands and has proved that it answers. One thing goes before: old pods that hold
//! the place of the new ones, once the scheduler has found none beside them. Data is left: only `--delete-data` names it.

use crate::cloud::Cloud;
use crate::cloud::orphans::objects::{Kind, Object};
use crate::cloud::orphans::{Data, Orphans};
use crate::config::Config;
use crate::engine::{After, Graph, Node, Removal, Sweep, Unwanted};
use crate::resources::eks::Cluster;
use crate::resources::kube::{Applied, Deployment, DevicePlugin, GatewayConfig, Orphan, Placement};
use crate::resources::network::{RouteTable, RouteTableAssociation, Subnet, Vpc};
use crate::resources::registry::Repository;
use crate::resources::storage::Bucket;

/// Subnets, each with its place in a route table (public, private): what goes last, for what must go before it.
pub(super) fn subnets(
    g: &mut Graph<Cloud>,
    old: &Orphans,
    vpc: &Node<Vpc>,
    (public, private): (&Node<RouteTable>, &Node<RouteTable>),
) -> Vec<(Node<Subnet>, Node<RouteTableAssociation>)> {
    let one = |subnet: &crate::cloud::orphans::Subnet| {
        let why = || Unwanted::new(Removal::Last, format!("network.{} had {}", subnet.side, subnet.cidr));
        let (made, table) = match subnet.side {
            "public" => (Subnet::public(&subnet.cidr, &subnet.zone), public),
            _ => (Subnet::private(&subnet.cidr, &subnet.zone), private),
        };
        let node = g.remove(subnet.node(), why(), made, vpc.clone(), ());
        let name = format!("route-table-association/{}-{}", subnet.side, subnet.index);
        let association = g.remove(name, why(), RouteTableAssociation, node.clone(), table.clone());
        (node, association)
    };
    old.subnets.iter().map(one).collect()
}

/// Buckets and repositories of other names; and what is to become of the configured ones.
pub(super) fn data(g: &mut Graph<Cloud>, old: &Orphans, bucket: &Node<Bucket>, repository: &Node<Repository>) {
    for name in &old.buckets {
        let why = format!("storage.bucket was {name}");
        one_of_data(g, old, (format!("bucket/{name}"), why), Bucket::of_name(name));
    }
    for name in &old.repositories {
        let why = format!("registry.repository was {name}");
        one_of_data(g, old, (format!("repository/{name}"), why), Repository::of_name(name));
    }
    if old.data == Data::Keep {
        g.spare(bucket);
        g.spare(repository);
    }
}

fn one_of_data<R>(g: &mut Graph<Cloud>, old: &Orphans, (node, why): (String, String), resource: R)
where
    R: Sweep<World = Cloud, Within = (), Uses = ()>,
{
    let is_named = matches!(&old.data, Data::Delete(named) if named.contains(&node));
    let removal = if is_named { Removal::Last } else { Removal::Never };
    let node = g.remove(node, Unwanted::new(removal, why), resource, (), ());
    if old.data == Data::Keep {
        g.spare(&node);
    }
}

/// Objects in the cluster under other names, or in other namespaces.
pub(super) fn objects(
    g: &mut Graph<Cloud>,
    (config, old): (&Config, &Orphans),
    cluster: &Node<Cluster>,
    has_plugin: bool,
    (deployment, runs): (&Node<Applied<Deployment>>, After),
) {
    let unwanted: Vec<(&Object, String)> =
        old.objects.iter().filter_map(|object| Some((object, why_unwanted(config, has_plugin, object)?))).collect();
    let add = |g: &mut Graph<Cloud>, kind: Kind, removal: Removal, after: After| {
        let of_kind = unwanted.iter().filter(|(object, _)| object.kind == kind);
        let one = |(object, why): &(&Object, String)| {
            let orphan = Orphan::new(object, &config.name);
            g.remove(node(object), Unwanted::new(removal, why.as_str()), orphan, cluster.clone(), after.clone())
        };
        of_kind.map(one).collect::<Vec<_>>()
    };
    let namespaces = After::of(add(g, Kind::Namespace, Removal::Last, After::default()));
    let accounts = add(g, Kind::ServiceAccount, Removal::Last, namespaces.clone());
    let maps = add(g, Kind::ConfigMap, Removal::Last, namespaces.clone());
    add(g, Kind::DaemonSet, Removal::Last, namespaces.clone());
    let made_from = After::of((namespaces, accounts, maps));
    let has_pods = unwanted.iter().any(|(object, _)| object.kind == Kind::Deployment);
    let placed = has_pods.then(|| g.watch("kube/placement", Placement::default(), deployment.clone(), runs));
    let pods = add(g, Kind::Deployment, Removal::Early, After::of((made_from.clone(), placed)));
    // Made after the pods, and so gone before them in `down`.
    add(g, Kind::Service, Removal::Last, After::of((made_from, pods)));
}

/// A node's name: `kube/service/NAMESPACE/NAME`.
fn node(object: &Object) -> String {
    let place = object.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("kube/{}/{place}{}", object.kind.name(), object.name)
}

/// What the configuration said once; None: it still does.
fn why_unwanted(config: &Config, has_plugin: bool, object: &Object) -> Option<String> {
    let pod = &config.workload;
    let Object { kind, namespace, name } = object;
    let namespace = if *kind == Kind::Namespace { Some(name) } else { namespace.as_ref() };
    let moved = namespace.filter(|namespace| **namespace != pod.namespace);
    let moved = moved.map(|namespace| format!("workload.namespace was {namespace}"));
    let renamed = |key: &str, now: &str| (name != now).then(|| format!("{key} was {name}"));
    let told = match kind {
        Kind::Namespace => [moved, None],
        Kind::Deployment | Kind::Service => [moved, renamed("workload.service", &pod.service)],
        Kind::ServiceAccount => [moved, renamed("workload.service_account", &pod.service_account)],
        Kind::ConfigMap => [moved, (name != GatewayConfig::MAP).then(|| "its name was another".to_owned())],
        Kind::DaemonSet => {
            let is_plugin = has_plugin && name == DevicePlugin::NAME;
            [(!is_plugin).then(|| "nodes.instance_type or nodes.ami_type needed it".to_owned()), None]
        }
    };
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}
