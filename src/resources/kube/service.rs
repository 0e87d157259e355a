//! The way in: a Service for which the cluster's cloud controller makes a network load balancer.
//! It goes only after the balancer has gone (the controller's finalizer).

use kube::api::DynamicObject;
use kube::core::ApiResource;
use serde_json::{Value, json};

use super::applied::{Applied, Object, Place};
use super::endpoint::Exposed;
use super::manifest::{Error, render};
use super::namespace::{Namespace, NamespaceOutput};
use crate::cloud::tags::{Tags, user};
use crate::config::Config;
use crate::engine::{After, Given, Node};

/// A Service.
pub struct Service {
    name: String,
    open: Vec<Exposed>,
    source_ranges: Vec<String>,
    tags: String,
}

/// A Service that was applied; its balancer may still be on its way.
#[derive(Clone)]
pub struct ServiceOutput {
    /// Where it lies.
    pub namespace: NamespaceOutput,
    /// Its name.
    pub name: String,
    /// Its balancer's name in the ELB API, which the cloud controller makes from the Service's UID.
    pub balancer: String,
    /// The ports that it opens now, whatever it should open.
    pub open: Vec<Exposed>,
}

impl Service {
    /// As configured. `node` is its name in the graph, which the balancer carries as a tag.
    #[must_use]
    pub fn new(config: &Config, node: &str) -> Self {
        let workload = &config.workload;
        let source_ranges = match workload.source_ranges.as_slice() {
            [] if workload.public_without_auth => vec!["0.0.0.0/0".to_owned()],
            ranges => ranges.to_vec(),
        };
        Self { name: workload.service.clone(), open: Exposed::of(config).collect(), source_ranges, tags: tags(config, node) }
    }
}

/// Our ownership tags and the user's as the annotation wants them: `key=value`, separated by commas. A tag with more `=` in
/// it would be cut off there (cloud-provider-aws, `getKeyValuePropertiesFromAnnotation`): the balancer gets it afterwards.
fn tags(config: &Config, node: &str) -> String {
    let tags = Tags::new(&config.name, &super::gateway_config::region(config), node).and(user(&config.tags));
    let whole = tags.iter().filter(|(key, value)| !key.contains('=') && !value.contains('='));
    whole.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// What a Service of the cluster opens.
pub(super) fn open(service: &DynamicObject) -> Vec<Exposed> {
    let ports = service.data["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_there = |open: &Exposed| ports.iter().any(|port| port["port"] == open.port());
    Exposed::ALL.into_iter().filter(is_there).collect()
}

/// cloud-provider's `DefaultLoadBalancerName`: "a" and the UID without dashes, at most 32 characters.
fn balancer(uid: &str) -> String {
    let name = format!("a{}", uid.replace('-', ""));
    name.chars().take(32).collect()
}

impl Object for Service {
    const KIND: &'static str = "service";
    type Within = Node<Applied<Namespace>>;
    /// Without values: the subnets' way to the internet, and the nodes.
    type Uses = After;
    type Output = ServiceOutput;

    fn api() -> ApiResource {
        ApiResource::erase::<k8s_openapi::api::core::v1::Service>(&())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(within: &NamespaceOutput) -> Place<'_> {
        within.place()
    }

    fn manifest(&self, within: &Given<NamespaceOutput>, (): &()) -> Given<Result<Value, Error>> {
        const TEMPLATE: &str = include_str!("../../../templates/service.yaml");
        let port = |open: &Exposed| json!({"name": open.name(), "port": open.port()});
        let ports: Vec<_> = self.open.iter().map(port).collect();
        within.map(|namespace| {
            let values = json!({
                "name": self.name,
                "namespace": namespace.name,
                "selector": self.name,
                "ports": ports,
                "source_ranges": self.source_ranges,
                "tags": self.tags,
            });
            render("service.yaml", TEMPLATE, values)
        })
    }

    fn output(&self, within: &NamespaceOutput, found: &DynamicObject) -> ServiceOutput {
        ServiceOutput {
            namespace: within.clone(),
            name: self.name.clone(),
            balancer: balancer(found.metadata.uid.as_deref().unwrap_or_default()),
            open: open(found),
        }
    }

    /// A balancer takes minutes to go.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_has_every_tag_that_it_can_carry() {
        let of = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let tags = [of("Owner", "a team"), of("a=b", "c"), of("formula", "a=b")].into();
        let told = super::tags(&Config { tags, ..Config::default() }, "kube/service");
        let parts: Vec<&str> = told.split(',').filter(|tag| !tag.starts_with("tritondeploy:deployment")).collect();
        assert!(parts.contains(&"Owner=a team") && parts.contains(&"tritondeploy:tags=Owner a@-b formula"), "{told}");
        assert!(parts.iter().all(|tag| tag.matches('=').count() == 1), "{told}");
    }

    #[test]
    fn a_balancer_is_found_by_its_services_uid() {
        assert_eq!(balancer("9f0b2a62-6b0e-4c55-8f7a-0123456789ab"), "a9f0b2a626b0e4c558f7a0123456789a");
    }
}
