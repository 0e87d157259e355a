//! Which requests reach Triton: an exact list. Whatever is not on it is refused, so that what a later release of Triton adds
//! is refused too.

use http::header::{TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request};
use hyper::body::Body;

use super::Port;
use crate::triton::models::LONGEST_MODEL_NAME;

/// What can be asked of a model, or of one of its versions, beside its metadata.
const OF_A_MODEL: [&str; 3] = ["config", "ready", "stats"];

/// Digits of a version: it is an `i64`.
const LONGEST_VERSION: usize = 18;

/// What Triton is asked. Every byte of it was compared with the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
}

/// What a request asks of Triton; None: of the gateway itself.
///
/// # Errors
/// Why it is refused.
pub(super) fn route<B: Body>(port: Port, request: &Request<B>) -> Result<Option<Asked>, &'static str> {
    let (uri, headers) = (request.uri(), request.headers());
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err("the request target must be a path");
    }
    if uri.query().is_some() {
        return Err("a query is not taken here");
    }
    if headers.contains_key(UPGRADE) {
        return Err("there is no upgrade here; WebSockets are served on port 8080");
    }
    if headers.contains_key(TRANSFER_ENCODING) || !request.body().is_end_stream() {
        return Err("a request must have no body here");
    }
    let path = uri.path();
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    let posts = request.method() == Method::POST;
    match port {
        Port::Http if reads && is_read_only(path) => Ok(Some(asked(Method::GET, path))),
        Port::Http if posts && path == "/v2/repository/index" => Ok(Some(asked(Method::POST, path))),
        Port::Http => Err(HTTP),
        Port::Metrics if reads && path == METRICS => Ok(Some(asked(Method::GET, METRICS))),
        Port::Metrics => Err("only GET /metrics is here"),
        Port::Scrape if reads && path == METRICS => Ok(None),
        Port::Scrape if reads && path == "/triton/metrics" => Ok(Some(asked(Method::GET, METRICS))),
        Port::Scrape => Err("only GET /metrics and GET /triton/metrics are here"),
    }
}

/// Where both programs have their metrics.
const METRICS: &str = "/metrics";

const HTTP: &str = "this port is read-only: GET /v2, /v2/health/live, /v2/health/ready, /v2/models/stats, \
    /v2/models/NAME[/versions/N][/config, /ready or /stats], and POST /v2/repository/index without a body";

fn asked(method: Method, path: &str) -> Asked {
    Asked { method, path: path.to_owned() }
}

fn is_read_only(path: &str) -> bool {
    match path {
        // The last one is Triton's, of all models, also where one has the name.
        "/v2" | "/v2/health/live" | "/v2/health/ready" | "/v2/models/stats" => true,
        _ => path.strip_prefix("/v2/models/").is_some_and(is_of_a_model),
    }
}

/// `NAME`, `NAME/versions/N`, and either with one of [`OF_A_MODEL`] behind it.
fn is_of_a_model(path: &str) -> bool {
    // One part more than there may be, so that many slashes cost nothing.
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    match parts[..] {
        [name] => is_name(name),
        [name, what] => is_name(name) && OF_A_MODEL.contains(&what),
        [name, "versions", version] => is_name(name) && is_version(version),
        [name, "versions", version, what] => is_name(name) && is_version(version) && OF_A_MODEL.contains(&what),
        _ => false,
    }
}

/// Names that nobody reads in another way: nothing in them is encoded, and none is a step in a path.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=LONGEST_MODEL_NAME).contains(&name.len()) && name.bytes().all(plain) && name != "." && name != ".."
}

fn is_version(version: &str) -> bool {
    (1..=LONGEST_VERSION).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    fn request<B>(method: &str, target: &str, body: B) -> Request<B> {
        Request::builder().method(method).uri(target).body(body).unwrap()
    }

    fn routed(port: Port, method: &str, target: &str) -> Result<(String, String), &'static str> {
        let asked = route(port, &request(method, target, Empty::<Bytes>::new()))?.ok_or("the gateway's own")?;
        Ok((asked.method.to_string(), asked.path))
    }

    #[test]
    fn what_is_on_the_list_reaches_triton_as_it_is() {
        for path in [
            "/v2",
            "/v2/health/live",
            "/v2/health/ready",
            "/v2/models/stats",
            "/v2/models/densenet_onnx",
            "/v2/models/densenet_onnx/config",
            "/v2/models/densenet_onnx/ready",
            "/v2/models/densenet_onnx/stats",
            "/v2/models/densenet_onnx/versions/12",
            "/v2/models/densenet_onnx/versions/12/config",
            "/v2/models/densenet_onnx/versions/12/ready",
            "/v2/models/densenet_onnx/versions/12/stats",
            "/v2/models/A-1.b_2",
            "/v2/models/...",
            "/v2/models/versions",
        ] {
            for method in ["GET", "HEAD"] {
                assert_eq!(routed(Port::Http, method, path), Ok(("GET".to_owned(), path.to_owned())), "{method} {path}");
            }
            assert!(routed(Port::Metrics, "GET", path).is_err(), "{path}");
        }
        assert_eq!(
            routed(Port::Http, "POST", "/v2/repository/index"),
            Ok(("POST".to_owned(), "/v2/repository/index".to_owned()))
        );
        assert_eq!(routed(Port::Metrics, "GET", "/metrics"), Ok(("GET".to_owned(), "/metrics".to_owned())));
        assert_eq!(routed(Port::Metrics, "HEAD", "/metrics"), Ok(("GET".to_owned(), "/metrics".to_owned())));
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("/v2/models/{}", "a".repeat(LONGEST_MODEL_NAME + 1));
        let slashes = format!("/v2/models/{}", "/".repeat(8000));
        for target in [
            "/",
            "*",
            "/v2/",
            "/V2",
            "//v2",
            "/v2//health/live",
            "/v2/health",
            "/v2/health/",
            "/v2/health/live/",
            "/v2/health/live;x",
            "/v2/./health/live",
            "/v2/x/../health/live",
            "/v2?x=1",
            "/v2?",
            "/v2/health/ready?a=/v2/models",
            "/%76%32",
            "/v2%2fhealth%2flive",
            "/v2/models",
            "/v2/models/",
            "/v2/models//config",
            "/v2/models/.",
            "/v2/models/..",
            "/v2/models/../repository/index",
            "/v2/models/%2e%2e",
            "/v2/models/a%2fload",
            "/v2/models/a%00",
            "/v2/models/a%20b",
            "/v2/models/a+b",
            "/v2/models/a\\b",
            "/v2/models/a/",
            "/v2/models/a/Config",
            "/v2/models/a/config/",
            "/v2/models/a/config/x",
            "/v2/models/a/infer",
            "/v2/models/a/generate",
            "/v2/models/a/generate_stream",
            "/v2/models/a/trace/setting",
            "/v2/models/a/load",
            "/v2/models/a/versions",
            "/v2/models/a/versions/",
            "/v2/models/a/versions/x",
            "/v2/models/a/versions/-1",
            "/v2/models/a/versions/1/",
            "/v2/models/a/versions/1/infer",
            "/v2/models/a/versions/1/config/x",
            "/v2/models/a/versions/9999999999999999999",
            "/v2/repository/index",
            "/v2/repository/index/",
            "/v2/repository/models/a/load",
            "/v2/repository/models/a/unload",
            "/v2/systemsharedmemory/status",
            "/v2/systemsharedmemory/region/a/register",
            "/v2/cudasharedmemory/status",
            "/v2/cudasharedmemory/region/a/register",
            "/v2/trace/setting",
            "/v2/logging",
            "/metrics",
            "http://127.0.0.1:8000/v2",
            "http://elsewhere.example/v2/health/live",
            &long,
            &slashes,
        ] {
            assert!(routed(Port::Http, "GET", target).is_err(), "{target}");
        }
        for target in ["/", "/v2", "/metrics/", "/metrics?x", "//metrics", "/%6detrics", "/Metrics", "http://a/metrics"] {
            assert!(routed(Port::Metrics, "GET", target).is_err(), "{target}");
        }
    }

    #[test]
    fn a_method_is_what_it_is_and_nothing_else() {
        for method in ["get", "head", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "GET_", "PROPFIND"] {
            assert!(routed(Port::Http, method, "/v2").is_err(), "{method}");
            assert!(routed(Port::Metrics, method, "/metrics").is_err(), "{method}");
        }
        for method in ["GET", "HEAD", "post", "PUT", "DELETE"] {
            assert!(routed(Port::Http, method, "/v2/repository/index").is_err(), "{method}");
        }
    }

    #[test]
    fn a_body_or_an_upgrade_is_refused() {
        let body = || Full::new(Bytes::from_static(b"{\"ready\":true}"));
        assert!(route(Port::Http, &request("POST", "/v2/repository/index", body())).unwrap_err().contains("no body"));
        assert!(route(Port::Http, &request("GET", "/v2", body())).unwrap_err().contains("no body"));
        // Its length is not known yet.
        let mut chunked = request("GET", "/v2", Empty::<Bytes>::new());
        chunked.headers_mut().insert(TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert!(route(Port::Http, &chunked).is_err());
        let mut upgrade = request("GET", "/v2", Empty::<Bytes>::new());
        upgrade.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
        assert!(route(Port::Http, &upgrade).unwrap_err().contains("8080"));
    }
}
