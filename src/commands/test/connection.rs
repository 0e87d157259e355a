//! From a name to an open WebSocket, phase by phase.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::super::target::Target;
use super::side::Side;
use super::stream::{self, Fault, first_bytes};
use super::tally::{Found, Not, Tally};
use crate::engine::format_duration;

/// For the resolver.
const RESOLVE: Duration = Duration::from_secs(10);

/// For the upgrade: as long as clients give it.
const UPGRADE: Duration = Duration::from_secs(10);

/// For the Close handshake.
const CLOSE: Duration = Duration::from_secs(2);

/// Nothing longer is read on a WebSocket that is closed at once.
const LARGEST: usize = 1 << 20;

/// A name of more addresses is asked at these.
const ADDRESSES: usize = 16;

/// Where the name leads to. None: what needs it is skipped already.
pub(super) async fn resolve(tally: &mut Tally, target: &Target, side: &Side) -> Option<Vec<IpAddr>> {
    tally.check("dns", dns(target, side)).await
}

async fn dns(target: &Target, side: &Side) -> Found<Vec<IpAddr>> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok((vec![address], format!("{address} is an address already")));
    }
    let found = timeout(RESOLVE, lookup_host((target.host.as_str(), target.port))).await;
    let failed = |why: String| {
        let detail = format!("{} is not found: {why}", target.host);
        let Some(ours) = side.ours() else {
            let meaning = "there is no such name, or this machine's resolver does not know it";
            return Err(Not::failed(detail, meaning, "check the name, and the network's DNS"));
        };
        let meaning = "the load balancer's name is not published yet, which takes a minute or two, or this machine's resolver \
                       still remembers that there was none";
        Err(Not::failed(detail, meaning, format!("wait a minute, then {}", ours.test)))
    };
    match found {
        Err(_) => failed(format!("no answer within {}", format_duration(RESOLVE))),
        Ok(Err(why)) => failed(why.to_string()),
        Ok(Ok(addresses)) => {
            let mut all: Vec<IpAddr> = Vec::new();
            addresses.map(|address| address.ip()).for_each(|ip| {
                if !all.contains(&ip) {
                    all.push(ip)
                }
            });
            all.truncate(ADDRESSES);
            let listed = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if all.is_empty() { failed("no address".to_owned()) } else { Ok((all, format!("{} -> {listed}", target.host))) }
        }
    }
}

/// The first address that takes a connection. All are tried, at once.
pub(super) async fn tcp(addresses: &[IpAddr], target: &Target, side: &Side) -> Found<SocketAddr> {
    let tries = join_all(addresses.iter().map(|ip| {
        let address = SocketAddr::new(*ip, target.port);
        async move { (address, stream::connect(address).await.map(drop)) }
    }));
    let tries = tries.await;
    let failures = tries.iter().filter_map(|(address, tried)| Some((*address, tried.as_ref().err()?.clone())));
    let failures: Vec<(SocketAddr, Fault)> = failures.collect();
    let told = failures.iter().map(|(address, why)| format!("{address}: {why}")).collect::<Vec<_>>().join("; ");
    match tries.iter().find(|(_, tried)| tried.is_ok()) {
        Some((address, _)) if failures.is_empty() => Ok((*address, format!("{address} takes connections"))),
        Some((address, _)) => Ok((*address, format!("{address} takes connections; {told}"))),
        None => Err(unreached(&failures, told, side)),
    }
}

/// What it means that no address takes a connection.
fn unreached(failures: &[(SocketAddr, Fault)], detail: String, side: &Side) -> Not {
    let is = |kind: fn(&Fault) -> bool| failures.iter().any(|(_, why)| kind(why));
    if is(|why| matches!(why, Fault::TimedOut(_))) {
        let Some(ours) = side.ours() else {
            let meaning = "packets are dropped on the way: a firewall, a security group, or a host that is off";
            return Not::failed(detail, meaning, "check the address, and from where the server may be reached");
        };
        let own = failures.first().and_then(|(address, _)| own_address(*address));
        let own = own.map_or_else(String::new, |own| format!("; this machine is {own} there, or what a NAT makes of it"));
        let meaning = format!("packets are dropped on the way: {} may reach it{own}", ours.ranges());
        return Not::failed(detail, meaning, format!("put your address into workload.source_ranges, then {}", ours.up));
    }
    if is(|why| matches!(why, Fault::Refused)) {
        let meaning = side.next(|_| "the load balancer has no healthy target: no pod is ready", "nothing listens on that port");
        return Not::failed(detail, meaning, side.next(|ours| &ours.status, "check the port, and that the server runs"));
    }
    Not::failed(detail, "this machine has no way there", "check this machine's network, a VPN and its routes")
}

/// This machine's address on the way to another. Nothing is sent for it.
fn own_address(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// TLS with a certificate that clients accept.
pub(super) async fn tls(address: SocketAddr, target: &Target) -> Found<()> {
    match stream::open(target, address).await {
        Ok(_) => Ok(((), format!("the certificate is valid for {}", target.host))),
        Err(Fault::Other(why)) if why.contains("corrupt message") || why.contains("InvalidContentType") => {
            let meaning = "the port does not speak TLS";
            Err(Not::failed(why, meaning, format!("try ws://{}/", target.authority(target.port))))
        }
        Err(why @ Fault::Other(_)) => {
            let meaning = "the server's certificate is none that clients accept: public roots only, and for this name";
            Err(Not::failed(why, meaning, "name the server as its certificate does, or renew that"))
        }
        Err(why) => Err(Not::failed(why, "the port takes connections and does not speak TLS", "check the port, or try ws://")),
    }
}

/// The upgrade, as clients of protocol v0 ask for it: without a subprotocol. `speaks_http`: whether HTTP was answered.
pub(super) async fn websocket(address: SocketAddr, target: &Target, side: &Side, speaks_http: &mut bool) -> Found<()> {
    let request = target.url.as_str().into_client_request();
    let request = request.map_err(|why| Not::failed(why, "the address is none", "check --url"))?;
    let stream = stream::open(target, address).await;
    let stream = stream.map_err(|why| Not::failed(why, "the first connection was taken, the second was not", "run it again"))?;
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let upgraded = timeout(UPGRADE, client_async_with_config(request, stream, Some(config))).await;
    *speaks_http = matches!(upgraded, Ok(Ok(_) | Err(tungstenite::Error::Http(_))));
    match upgraded {
        Ok(Ok((mut socket, _))) => {
            let closing = async {
                if socket.close(None).await.is_ok() {
                    while let Some(Ok(_)) = socket.next().await {}
                }
            };
            // Whoever does not answer a Close is connected all the same.
            let aside = if timeout(CLOSE, closing).await.is_err() { "; it does not answer a Close" } else { "" };
            Ok(((), format!("Connection successful! {}{aside}", target.url)))
        }
        Ok(Err(why)) => Err(not_upgraded(why, address, target, side).await),
        Err(_) => {
            let detail = format!("no answer to the upgrade within {}", format_duration(UPGRADE));
            let meaning = "something takes the connection and says nothing: no WebSocket server, or one that hangs";
            Err(Not::failed(detail, meaning, side.next(|ours| &ours.status, "check the port, and the server's log")))
        }
    }
}

async fn not_upgraded(why: tungstenite::Error, address: SocketAddr, target: &Target, side: &Side) -> Not {
    let next = side.next(|ours| &ours.status, "check host, port and path");
    match why {
        tungstenite::Error::Http(answer) => {
            let status = answer.status();
            let body = answer.into_body().unwrap_or_default();
            let detail = stream::Page { status, body: body.into() }.told();
            Not::failed(detail, refusal(status.as_u16()), next)
        }
        tungstenite::Error::Io(why) => {
            Not::failed(Fault::from(why), "it takes the connection and ends it during the upgrade", next)
        }
        tungstenite::Error::Protocol(ProtocolError::WrongHttpVersion) => {
            Not::failed("it answers with HTTP/1.0", "a web server answers there, and no WebSocket", next)
        }
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            Not::failed("closed during the upgrade", "it takes the connection and ends it without an answer", next)
        }
        tungstenite::Error::Protocol(ProtocolError::HttparseError(_)) => {
            let (detail, meaning, hint) = unread(&if target.tls { Vec::new() } else { first_bytes(address).await }, target);
            Not::failed(detail, meaning, hint.as_deref().unwrap_or(next))
        }
        tungstenite::Error::AttackAttempt | tungstenite::Error::Capacity(_) => {
            Not::failed("its answer to the upgrade does not end", "that is no WebSocket server", next)
        }
        why => Not::failed(why, "it answers the upgrade, and not as RFC 6455 wants it", next),
    }
}

/// What an HTTP answer to an upgrade means.
fn refusal(status: u16) -> &'static str {
    match status {
        200..=299 => "a web server answers there, and no WebSocket",
        300..=399 => "it leads elsewhere, and WebSocket clients do not follow",
        401 | 403 => "the server, or a proxy before it, wants credentials; the gateway never does",
        404 | 405 | 426 => "there is no WebSocket at this path",
        502..=504 => "the gateway is full or stops, or a proxy has nothing behind it",
        _ => "the server does not take the upgrade",
    }
}

/// What is not HTTP: what it begins with, what that means, and what to do about it.
fn unread(bytes: &[u8], target: &Target) -> (String, &'static str, Option<String>) {
    // A TLS server answers anything else with a record of type 21 (alert).
    if let [21, 3, ..] = bytes {
        let next = format!("try wss://{}/", target.authority(target.port));
        return ("it answers with a TLS alert".to_owned(), "the port speaks TLS", Some(next));
    }
    let begins = match bytes {
        [] => String::new(),
        bytes => format!(": it begins with {:?}", String::from_utf8_lossy(bytes)),
    };
    (format!("what it answers is not HTTP{begins}"), "something else than a WebSocket server listens there", None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::test::side::Deployment;
    use crate::commands::test::stream::CONNECT;
    use crate::config::Config;

    fn ours() -> Side {
        let mut config = Config::default();
        config.workload.source_ranges = vec!["203.0.113.0/24".to_owned()];
        Side::Ours(Box::new(Deployment::new(&config, |command| format!("tritondeploy {command}"))))
    }

    fn told(why: Fault, side: &Side) -> (String, String) {
        let Not::Failed(finding) = unreached(&[(([127, 0, 0, 1], 80).into(), why)], String::new(), side) else { panic!() };
        (finding.meaning, finding.next)
    }

    #[test]
    fn each_way_of_not_being_reached_has_its_own_meaning() {
        let (meaning, next) = told(Fault::TimedOut(CONNECT), &ours());
        assert!(
            meaning.contains("only 203.0.113.0/24 (workload.source_ranges)") && meaning.contains("this machine is 127.0.0.1")
        );
        assert!(next.ends_with("then tritondeploy up"), "{next}");
        let (meaning, next) = told(Fault::Refused, &ours());
        assert!(meaning.contains("no healthy target") && next == "tritondeploy status", "{meaning} {next}");
        let (meaning, next) = told(Fault::Refused, &Side::Any);
        assert!(meaning.contains("nothing listens") && !next.contains("tritondeploy"), "{meaning} {next}");
        assert!(told(Fault::TimedOut(CONNECT), &Side::Any).0.contains("firewall"));
        assert!(told(Fault::Other("no route to host".to_owned()), &ours()).0.contains("no way there"));
    }

    #[test]
    fn what_is_not_http_is_told_by_how_it_begins() {
        let target = Target::parse("ws://a:8443/").unwrap();
        let (detail, _, next) = unread(&[21, 3, 1, 0, 2, 2, 70], &target);
        assert_eq!((detail.as_str(), next.as_deref()), ("it answers with a TLS alert", Some("try wss://a:8443/")));
        assert!(unread(b"SSH-2.0-x\r\n", &target).0.contains("SSH-2.0-x"));
        assert_eq!(unread(b"", &target).0, "what it answers is not HTTP");
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_means_something_else_for_our_own_balancer() {
        let target = Target::parse("ws://no-such-host.invalid:80/").unwrap();
        let Err(Not::Failed(any)) = dns(&target, &Side::Any).await else { panic!() };
        let Err(Not::Failed(our)) = dns(&target, &ours()).await else { panic!() };
        assert!(any.next.contains("check the name") && our.meaning.contains("not published yet"), "{any:?} {our:?}");
        let address = dns(&Target::parse("ws://[::1]:80/").unwrap(), &ours()).await.unwrap();
        assert_eq!(address.0, [IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
    }
}
