//! Requests must be for this machine. A page in the browser of somebody who has a port-forward open can let its own name
//! resolve to 127.0.0.1 (DNS rebinding) and so reach this port; its requests then carry that name in `Host`.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tritondeploy_wire::echo::Quoted;

use super::error;

/// Answers 403 to requests for other hosts.
pub(super) async fn local_only(request: Request, next: Next) -> Response {
    match check(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            let next_step = "ask for http://127.0.0.1:PORT, in the pod or through a port-forward";
            error(
                StatusCode::FORBIDDEN,
                &format!("{why}; this port answers only for 127.0.0.1, localhost and [::1]: {next_step}"),
            )
        }
    }
}

fn check(headers: &HeaderMap, uri: &Uri) -> Result<(), String> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else { return Err("the request has no Host header".to_owned()) };
    if hosts.next().is_some() {
        return Err("the request has more than one Host header".to_owned());
    }
    // A request line may name a host, too, and then that one counts: RFC 9112, 3.2.2.
    let host = String::from_utf8_lossy(host.as_bytes());
    let named = uri.authority().map(|authority| authority.as_str());
    match [Some(&*host), named].into_iter().flatten().find(|host| !is_local(host)) {
        Some(other) => Err(format!("the request is for the host {}", Quoted(other))),
        None => Ok(()),
    }
}

/// One of this machine's own names, with or without a port.
fn is_local(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_s_own_names_are_local() {
        for host in ["127.0.0.1", "127.0.0.1:8081", "localhost", "LocalHost:1", "[::1]", "[::1]:8081"] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            ":8081",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8081",
            "evil.example:127.0.0.1",
            "localhost:",
            "localhost:80:80",
            "user@localhost",
            "127.0.0.1 ",
            "::1",
            "0.0.0.0",
            "10.0.0.1:8081",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
