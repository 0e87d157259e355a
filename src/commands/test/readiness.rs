//! What the gateway says of its own readiness: `GET /readyz` on the WebSocket's port.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::Method;
use serde::Deserialize;

use super::super::target::Target;
use super::side::Side;
use super::stream::{self, Fault, Page};
use super::tally::{Found, Not};
use crate::report::words;

/// What is known of who can be asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    /// No model can be asked: the gateway drains, or Triton is not there.
    pub(super) nobody: bool,
    /// Models that are not READY.
    pub(super) waiting: Vec<String>,
}

impl Readiness {
    /// Whether the whole pipeline can be asked.
    pub(super) fn is_whole(&self) -> bool {
        !self.nobody && self.waiting.is_empty()
    }

    /// Whether this model can be asked.
    pub(super) fn has(&self, model: &str) -> bool {
        !self.nobody && !self.waiting.iter().any(|waiting| waiting == model)
    }
}

/// The gateway's answer (docs/protocol.md, "Health").
#[derive(Deserialize)]
struct Answer {
    ready: bool,
    #[serde(default)]
    draining: bool,
    triton: Option<String>,
    #[serde(default)]
    models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
struct Model {
    state: String,
    reason: Option<String>,
}

/// Whether the gateway is ready. What it says of its models goes into `known`, also when it is not.
pub(super) async fn readyz(address: SocketAddr, target: &Target, side: &Side, known: &mut Readiness) -> Found<()> {
    let page = match stream::open(target, address).await {
        Ok(stream) => stream::ask(stream, &target.authority(target.port), Method::GET, "/readyz").await,
        Err(why) => Err(why),
    };
    read(page, side, known)
}

fn read(page: Result<Page, Fault>, side: &Side, known: &mut Readiness) -> Found<()> {
    let page = page.map_err(|why| absent(why.to_string(), side))?;
    let Ok(answer) = serde_json::from_slice::<Answer>(&page.body) else { return Err(absent(page.told(), side)) };
    let waiting = answer.models.iter().filter(|(_, model)| model.state != "READY");
    *known = Readiness {
        nobody: answer.draining || answer.triton.is_some(),
        waiting: waiting.clone().map(|(name, _)| name.clone()).collect(),
    };
    let names: Vec<&String> = answer.models.keys().collect();
    if answer.ready {
        return Ok(((), format!("ready; READY in Triton: {}", words::brief(&names))));
    }
    let status = |any| side.next(|ours| ours.status.as_str(), any);
    if answer.draining {
        return Err(Not::failed(
            "it drains",
            "the gateway is about to stop: a pod is being replaced",
            status("run it again in a minute"),
        ));
    }
    if let Some(why) = answer.triton {
        return Err(Not::failed(why, "the gateway runs, and Triton does not answer it", status("look at Triton's log")));
    }
    let one = |(name, model): (&String, &Model)| match model.reason.as_deref().filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{name} is {}: {reason}", model.state),
        None => format!("{name} is {}", model.state),
    };
    let detail = waiting.map(one).collect::<Vec<_>>().join("; ");
    Err(Not::failed(
        detail,
        "the gateway waits for models; the load balancer sends it nothing meanwhile",
        status("look at Triton's log"),
    ))
}

/// There is no such page. Other servers need not have one.
fn absent(told: String, side: &Side) -> Not {
    match side.ours() {
        Some(ours) => Not::failed(told, "what answers there is not this deployment's gateway, or an older one", &ours.up),
        None => Not::Skipped(format!("the server does not report its readiness: {told}")),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::commands::test::side::Deployment;
    use crate::config::Config;

    fn page(status: u16, body: &str) -> Result<Page, Fault> {
        Ok(Page { status: StatusCode::from_u16(status).unwrap(), body: body.to_owned().into() })
    }

    fn finding(page: Result<Page, Fault>, known: &mut Readiness) -> (String, String) {
        match read(page, &Side::Any, known) {
            Err(Not::Failed(finding)) => (finding.detail, finding.meaning),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_gateway_says_for_what_it_waits() {
        let known = &mut Readiness::default();
        let models = r#"{"ready":false,"draining":false,"models":{"a":{"state":"READY"},"b":{"state":"LOADING"},
            "c":{"state":"UNAVAILABLE","reason":"no weights"}}}"#;
        assert_eq!(finding(page(503, models), known).0, "b is LOADING; c is UNAVAILABLE: no weights");
        assert!(!known.is_whole() && known.has("a") && !known.has("b"), "{known:?}");
        let triton = r#"{"ready":false,"draining":false,"triton":"refused","models":{}}"#;
        assert!(finding(page(503, triton), known).1.contains("Triton does not answer"));
        assert!(!known.has("a"), "{known:?}");
        assert_eq!(finding(page(503, r#"{"ready":false,"draining":true}"#), known).0, "it drains");
        let ready = r#"{"ready":true,"draining":false,"models":{"a":{"state":"READY"}}}"#;
        assert_eq!(read(page(200, ready), &Side::Any, known).unwrap().1, "ready; READY in Triton: a");
        assert!(known.is_whole());
    }

    #[test]
    fn a_server_without_the_page_is_another_one_and_never_ours() {
        let known = &mut Readiness::default();
        for other in [page(404, "no such page"), page(200, "<html>"), Err(Fault::Closed)] {
            let Err(Not::Skipped(_)) = read(other, &Side::Any, known) else { panic!("not skipped") };
        }
        let ours = Side::Ours(Box::new(Deployment::new(&Config::default(), str::to_owned)));
        let Err(Not::Failed(finding)) = read(page(404, ""), &ours, known) else { panic!("not failed") };
        assert_eq!((finding.detail.as_str(), finding.next.as_str()), ("HTTP 404 Not Found", "up"));
        assert!(known.is_whole(), "nothing is known");
    }
}
