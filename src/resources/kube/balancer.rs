//! The network load balancer behind the Service, watched: the cloud controller makes it. There once
//! AWS calls it active and a target of each of its ports is healthy (3 to 5 minutes on AWS). Its name is not
//! resolved before, since a resolver would remember for a while that there is no such name.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer, LoadBalancerStateEnum, TargetHealthDescription, TargetHealthStateEnum,
};
use kube::Api;
use serde::Serialize;

use super::applied::Applied;
use super::endpoint::Endpoint;
use super::service::{Service, ServiceOutput};
use crate::cloud::aws::OrFault as _;
use crate::cloud::kube::OrFault as _;
use crate::cloud::{Cloud, Cx};
use crate::engine::{Action, After, Fact, Fault, Found, Node, Observation, Observe, Remedy};

/// The balancer.
pub struct Balancer;

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

    pub(super) async fn find(cx: &Cx, service: &ServiceOutput) -> Result<Option<LoadBalancer>, Fault> {
        let answer = cx.world.aws.elb.describe_load_balancers().names(&service.balancer).send().await;
        let found = answer.fault_or_absent(&["LoadBalancerNotFound", "LoadBalancerNotFoundException"])?;
        Ok(found.and_then(|found| found.load_balancers.unwrap_or_default().into_iter().next()))
    }

    /// The targets behind each port of the balancer.
    async fn targets(cx: &Cx, balancer: &LoadBalancer) -> Result<Vec<Behind>, Fault> {
        let elb = &cx.world.aws.elb;
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        let listeners = elb.describe_listeners().load_balancer_arn(arn).send().await.fault()?;
        let mut behind = Vec::new();
        for listener in listeners.listeners() {
            let Some(port) = listener.port().and_then(|port| u16::try_from(port).ok()) else { continue };
            let mut targets = Vec::new();
            for group in listener.default_actions().iter().filter_map(|action| action.target_group_arn()) {
                let health = elb.describe_target_health().target_group_arn(group).send().await.fault()?;
                targets.extend(health.target_health_descriptions.unwrap_or_default());
            }
            behind.push(Behind { port, targets });
        }
        Ok(behind)
    }
}

/// What is behind a port of the balancer.
struct Behind {
    port: u16,
    targets: Vec<TargetHealthDescription>,
}

/// Why a port does not lead to a pod yet; None: it does.
fn waits_for(port: u16, behind: &[Behind]) -> Option<String> {
    let Some(behind) = behind.iter().find(|behind| behind.port == port) else {
        return Some(format!("it has no listener on port {port} yet"));
    };
    if behind.targets.iter().any(healthy) {
        return None;
    }
    let why = behind.targets.first().map_or_else(|| "there is none".to_owned(), told);
    Some(format!("no target of port {port} is healthy yet: {why}"))
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

impl Observe for Balancer {
    type World = Cloud;
    const KIND: &'static str = "balancer";
    const ENDS_WITH_PARENT: bool = true;
    type Within = Node<Applied<Service>>;
    /// Without values: the pods that its targets lead to.
    type Uses = After;
    type State = State;
    type Output = Endpoint;

    fn want(&self, _: &Cloud, _: &crate::engine::Given<ServiceOutput>, (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, service: &ServiceOutput) -> Result<Observation<Self>, Fault> {
        let changing = |why: String| Ok(Observation::Changing { why, found: None });
        let Some(host) = Self::ingress(cx, service).await? else {
            return changing("the cluster's cloud controller has not made it yet".to_owned());
        };
        let Some(balancer) = Self::find(cx, service).await? else {
            return changing(format!("{} is not visible yet", service.balancer));
        };
        let state = balancer.state().and_then(|state| state.code());
        let told = state.map_or("no state", LoadBalancerStateEnum::as_str);
        let reason = balancer.state().and_then(|state| state.reason()).map(|why| format!(": {why}")).unwrap_or_default();
        match state {
            // An impaired one has fewer resources than it wants, and leads to its targets all the same.
            Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => {}
            Some(LoadBalancerStateEnum::Failed) => {
                let output = Endpoint { host, open: service.open.clone() };
                return Ok(Observation::Broken { output, why: format!("{told}{reason}"), remedy: Remedy::User });
            }
            _ => return changing(format!("{told}{reason}")),
        }
        let behind = Self::targets(cx, &balancer).await?;
        if let Some(why) = service.open.iter().find_map(|open| waits_for(open.port(), &behind)) {
            return changing(why);
        }
        Ok(Observation::Present(Found::one(Endpoint { host, open: service.open.clone() }, State)))
    }

    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(15 * 60)
    }

    async fn evidence(&self, cx: &Cx, service: &ServiceOutput) -> Vec<String> {
        let mut lines = Vec::new();
        if let Ok(Some(balancer)) = Self::find(cx, service).await {
            let behind = Self::targets(cx, &balancer).await.unwrap_or_default();
            let line = |port, target| format!("port {port}: {}", told(target));
            lines.extend(behind.iter().flat_map(|Behind { port, targets }| targets.iter().map(move |target| line(port, target))));
        }
        if let Ok(client) = cx.world.kube.client(&cx.world.aws, &service.namespace.cluster).await {
            lines.extend(super::pods::events(&client, &service.namespace.name, "Service", &service.name).await);
        }
        lines
    }

    fn facts(&self, endpoint: &Endpoint) -> Vec<Fact> {
        endpoint.facts()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealth};

    use super::*;

    fn behind(port: u16, states: &[TargetHealthStateEnum]) -> Behind {
        let target = |state: &TargetHealthStateEnum| {
            TargetHealthDescription::builder()
                .target(TargetDescription::builder().id("i-1").build())
                .target_health(TargetHealth::builder().state(state.clone()).build())
                .build()
        };
        Behind { port, targets: states.iter().map(target).collect() }
    }

    #[test]
    fn every_port_waits_for_a_healthy_target_of_its_own() {
        use TargetHealthStateEnum::{Healthy, Initial, Unhealthy};
        let ports = [behind(8080, &[Unhealthy, Healthy]), behind(8000, &[Initial]), behind(8002, &[])];
        assert_eq!(waits_for(8080, &ports), None);
        let why = waits_for(8000, &ports).unwrap();
        assert_eq!(why, "no target of port 8000 is healthy yet: target i-1 is initial");
        assert!(waits_for(8002, &ports).unwrap().ends_with("there is none"));
        assert_eq!(waits_for(8001, &ports).unwrap(), "it has no listener on port 8001 yet");
    }
}
