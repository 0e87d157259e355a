//! The ports that the Service can open, and where clients find them.

use crate::config::Config;
use crate::engine::Fact;

/// What `workload.expose` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposed {
    /// The gateway's WebSocket.
    WebSocket,
    /// Triton's HTTP port, read-only.
    Http,
    /// Triton's metrics.
    Metrics,
}

impl Exposed {
    /// All of them, in the order of the Service's ports.
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::Http, Self::Metrics];

    /// Those that the configuration names.
    pub fn of(config: &Config) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|open| config.workload.expose.iter().any(|name| name == open.name()))
    }

    /// Its name in `workload.expose`, and of the port in the Service and the pod.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "ws",
            Self::Http => "http",
            Self::Metrics => "metrics",
        }
    }

    /// The Service's port, and so the balancer's.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::WebSocket => 8080,
            Self::Http => 8000,
            Self::Metrics => 8002,
        }
    }

    /// The pod's port behind it: a listener of the gateway.
    #[must_use]
    pub const fn pod_port(self) -> u16 {
        match self {
            Self::WebSocket => 8080,
            Self::Http => 8084,
            Self::Metrics => 8085,
        }
    }

    /// Where it answers at `host`.
    fn fact(self, host: &str) -> Fact {
        let port = self.port();
        match self {
            Self::WebSocket => Fact { key: "websocket", value: format!("ws://{host}:{port}/") },
            Self::Http => Fact { key: "http", value: format!("http://{host}:{port}") },
            Self::Metrics => Fact { key: "metrics", value: format!("http://{host}:{port}/metrics") },
        }
    }
}

/// Where the deployment answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The balancer's DNS name (or, where a controller gives one, address).
    pub host: String,
    /// What is open there.
    pub open: Vec<Exposed>,
}

impl Endpoint {
    /// The WebSocket's URL.
    #[must_use]
    pub fn url(&self) -> String {
        Exposed::WebSocket.fact(&self.host).value
    }

    /// The URL of each open port.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        self.open.iter().map(|open| open.fact(&self.host)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_port_is_told_where_clients_find_it() {
        let told = |open: &[Exposed]| {
            let endpoint = Endpoint { host: "h".to_owned(), open: open.to_vec() };
            endpoint.facts().into_iter().map(|fact| (fact.key, fact.value)).collect::<Vec<_>>()
        };
        let websocket = ("websocket", "ws://h:8080/".to_owned());
        assert_eq!(told(&[Exposed::WebSocket]), std::slice::from_ref(&websocket));
        let (http, metrics) = (("http", "http://h:8000".to_owned()), ("metrics", "http://h:8002/metrics".to_owned()));
        assert_eq!(told(&Exposed::ALL), [websocket, http, metrics]);
    }
}
