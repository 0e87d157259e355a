//! A client for answers that take long, such as that of a gateway that loads models: nothing is timed out, and TCP's
//! keep-alive keeps the silent connection known to what lies between. A load balancer forgets one after 350 s
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html>).

use std::error::Error;
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, Client, ConfigExt};
use tower::{Layer, Service};

use super::calls::CallLog;
use crate::cloud::proxy::Via;

/// Of a connection on which nothing is said.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A client as configured; its proxy is `via`.
pub(super) fn client(config: &kube::Config, via: Option<Via>) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_connect_timeout(config.connect_timeout);
    let Some(via) = via else { return over(config, tcp) };
    let tunnel = Tunnel::new(via.url, config.rustls_https_connector_with_connector(tcp)?);
    over(config, via.auth.into_iter().fold(tunnel, Tunnel::with_auth))
}

fn over<C>(config: &kube::Config, connector: C) -> Result<Client, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http: Http<_, Body> = Http::builder(TokioExecutor::new()).build(connector);
    let service = config.extra_headers_layer()?.layer(http);
    let service = CallLog.layer(config.base_uri_layer().layer(service));
    Ok(Client::new(service, "default"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    /// Whether a connection to this port of 127.0.0.1 has a keep-alive timer: field `tr` of proc_net_tcp.txt (kernel), 2.
    fn kept_alive(port: u16) -> bool {
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let remote = format!("0100007F:{port:04X}");
        table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .any(|fields| fields.get(2) == Some(&&*remote) && fields.get(5).is_some_and(|timer| timer.starts_with("02:")))
    }

    #[tokio::test]
    async fn a_silent_connection_is_kept_alive_through_a_proxy_too() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for proxied in [false, true] {
            // It accepts, and says nothing.
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let here: Uri = format!("http://127.0.0.1:{port}").parse().unwrap();
            let (to, via) = match proxied {
                false => (here, None),
                true => ("https://203.0.113.1".parse().unwrap(), Some(Via { url: here, auth: None })),
            };
            let client = client(&kube::Config::new(to), via).unwrap();
            let asked = tokio::spawn(async move { client.apiserver_version().await });
            let begun = Instant::now();
            while !kept_alive(port) {
                assert!(begun.elapsed() < Duration::from_secs(20) && !asked.is_finished(), "proxied: {proxied}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            asked.abort();
        }
    }
}
