//! Answers that are not AWS's: of a proxy or a gateway on the way.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::cloud::proxy::Proxy;
use crate::engine::Fault;

/// A service names each of its answers.
pub(super) fn is_services(response: &HttpResponse) -> bool {
    ["x-amz-request-id", "x-amzn-requestid"].iter().any(|name| response.headers().get(*name).is_some())
}

/// What somebody between us and AWS answered: a proxy, a gateway. Whether AWS ever saw the call, nobody knows.
pub(super) fn of_others(status: u16) -> Fault {
    let told = format!("HTTP {status} of something between here and AWS, as a proxy{}", Proxy::hint());
    match status {
        403 | 407 => Fault::denied(told).with_next("ask who runs the network, or a proxy, what it refuses"),
        _ => Fault::unsure(told),
    }
}
