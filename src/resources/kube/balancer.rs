//! The network load balancer behind the Service, watched: the cloud controller makes it. There once
//! AWS calls it active and a target of it is healthy (3 to 5 minutes on AWS). Its name is not
//! resolved before, since a resolver would remember for a while that there is no such name.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerStateEnum, TargetHealthDescription, TargetHealthStateEnum,
};
use kube::Api;
use serde::Serialize;

use super::applied::Applied;
use super::service::{PORT, Service, ServiceOutput};
use crate::cloud::aws::OrFault as _;
use crate::cloud::kube::OrFault as _;
use crate::cloud::{Cloud, Cx};
use crate::engine::{After, Doing, Fact, Fault, Found, Node, Resource, Seen};

/// The balancer.
pub struct Balancer;

/// Where the WebSocket answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The balancer's DNS name (or, where a controller gives one, address).
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Endpoint {
    /// As a WebSocket client wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}:{}/", self.host, self.port)
    }
}

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

impl Balancer {
    /// The Service's ingress, once the cloud controller has written it there.
    async fn ingress(cx: &Cx, service: &ServiceOutput) -> Result<Option<String>, Fault> {
        let client = cx.world.kube.client(&cx.world.aws, &service.namespace.cluster).await?;
        let api: Api<k8s_openapi::api::core::v1::Service> = Api::namespaced(client, &service.namespace.name);
        let found = api.get(&service.name).await.fault_or_absent()?;
        let status = found.and_then(|service| service.status).and_then(|status| status.load_balancer);
        let ingress = status.and_then(|balancer| balancer.ingress).unwrap_or_default().into_iter().next();
        Ok(ingress.and_then(|ingress| ingress.hostname.or(ingress.ip)))
    }

    async fn find(cx: &Cx, service: &ServiceOutput) -> Result<Option<LoadBalancer>, Fault> {
        let answer = cx.world.aws.elb.describe_load_balancers().names(&service.balancer).send().await;
        let found = answer.fault_or_absent(&["LoadBalancerNotFound", "LoadBalancerNotFoundException"])?;
        Ok(found.and_then(|found| found.load_balancers.unwrap_or_default().into_iter().next()))
    }

    async fn targets(cx: &Cx, balancer: &LoadBalancer) -> Result<Vec<TargetHealthDescription>, Fault> {
        let elb = &cx.world.aws.elb;
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        let groups = elb.describe_target_groups().load_balancer_arn(arn).send().await.fault()?;
        let mut targets = Vec::new();
        for group in groups.target_groups() {
            let Some(arn) = group.target_group_arn() else { continue };
            let health = elb.describe_target_health().target_group_arn(arn).send().await.fault()?;
            targets.extend(health.target_health_descriptions.unwrap_or_default());
        }
        Ok(targets)
    }
}

fn healthy(target: &TargetHealthDescription) -> bool {
    target.target_health().and_then(|health| health.state()) == Some(&TargetHealthStateEnum::Healthy)
}

/// One target, as a line of evidence.
fn told(target: &TargetHealthDescription) -> String {
    let id = target.target().and_then(|target| target.id()).unwrap_or("?");
    let health = target.target_health();
    let state = health.and_then(|health| health.state()).map_or("unknown", TargetHealthStateEnum::as_str);
    match health.and_then(|health| health.description()) {
        Some(why) => format!("target {id} is {state}: {why}"),
        None => format!("target {id} is {state}"),
    }
}

impl Resource for Balancer {
    type World = Cloud;
    const KIND: &'static str = "balancer";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Applied<Service>>;
    /// Without values: the pods that its targets lead to.
    type Uses = After;
    type State = State;
    type Output = Endpoint;

    fn want(&self, _: &crate::engine::Given<ServiceOutput>, (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, service: &ServiceOutput) -> Result<Seen<Self>, Fault> {
        let changing = |why: String| Ok(Seen::Changing { why, found: None });
        let Some(host) = Self::ingress(cx, service).await? else {
            return changing("the cluster's cloud controller has not made it yet".to_owned());
        };
        let Some(balancer) = Self::find(cx, service).await? else {
            return changing(format!("{} is not to be seen yet", service.balancer));
        };
        let state = balancer.state().and_then(|state| state.code());
        if state != Some(&LoadBalancerStateEnum::Active) {
            return changing(state.map_or("no state", LoadBalancerStateEnum::as_str).to_owned());
        }
        let targets = Self::targets(cx, &balancer).await?;
        if !targets.iter().any(healthy) {
            let why = targets.first().map_or_else(|| "it has no target".to_owned(), told);
            return changing(format!("no target is healthy yet: {why}"));
        }
        Ok(Seen::Present(Found::one(Endpoint { host, port: PORT }, State)))
    }

    async fn create(&self, _: &Cx, _: &ServiceOutput, (): &()) -> Result<(), Fault> {
        Err(Fault::Fatal("a balancer is made by the cluster's cloud controller".to_owned()))
    }

    async fn delete(&self, _: &Cx, _: &ServiceOutput, _: &Endpoint) -> Result<(), Fault> {
        Err(Fault::Fatal("a balancer is deleted by the cluster's cloud controller".to_owned()))
    }

    fn patience(&self, _: Doing) -> Duration {
        Duration::from_secs(15 * 60)
    }

    async fn evidence(&self, cx: &Cx, service: &ServiceOutput) -> Vec<String> {
        let mut lines = Vec::new();
        if let Ok(Some(balancer)) = Self::find(cx, service).await {
            lines.extend(Self::targets(cx, &balancer).await.iter().flatten().map(told));
        }
        if let Ok(client) = cx.world.kube.client(&cx.world.aws, &service.namespace.cluster).await {
            lines.extend(super::pods::events(&client, &service.namespace.name, "Service", &service.name).await);
        }
        lines
    }

    fn facts(&self, endpoint: &Endpoint) -> Vec<Fact> {
        vec![Fact { key: "websocket", value: endpoint.url() }]
    }
}
