//! HTTP/1.1 to a port of a pod that no Service exposes, through the API server's port-forward.

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use super::OrFault;
use crate::engine::Fault;

/// An answer is a short JSON document; whatever is longer is no answer to us.
const LONGEST: usize = 16 << 20;

/// Status and body.
type Answer = (u16, Vec<u8>);

/// A port of a running pod.
#[derive(Clone)]
pub struct Serving {
    pods: Api<Pod>,
    pod: String,
    port: u16,
}

impl Serving {
    /// The port `port` of the pod `pod`, also where it listens on the pod's loopback only.
    #[must_use]
    pub fn new(client: Client, namespace: &str, pod: &str, port: u16) -> Self {
        Self { pods: Api::namespaced(client, namespace), pod: pod.to_owned(), port }
    }

    /// The pod's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pod
    }

    /// Asks for `path` with a GET.
    ///
    /// # Errors
    /// As [`Serving::ask`].
    pub async fn get(&self, path: &str) -> Result<Answer, Fault> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Sends a JSON body to `path` with a POST.
    ///
    /// # Errors
    /// As [`Serving::ask`].
    pub async fn post(&self, path: &str, json: &serde_json::Value) -> Result<Answer, Fault> {
        self.ask(Method::POST, path, json.to_string().into()).await
    }

    /// One request over a connection of its own. How long the answer may take is the caller's matter.
    ///
    /// # Errors
    /// `TryAgain` when the port was not reached, `Unsure` when it was and no whole answer came.
    pub async fn ask(&self, method: Method, path: &str, json: Bytes) -> Result<Answer, Fault> {
        let mut forward = self.pods.portforward(&self.pod, &[self.port]).await.fault()?;
        let error = forward.take_error(self.port);
        let stream = forward.take_stream(self.port).ok_or_else(|| Fault::try_again(self.told(&"no stream came")))?;
        let answer = tokio::select! {
            biased;
            answer = self.send(TokioIo::new(stream), method, path, json) => answer,
            Some(Some(why)) = async { Some(error?.await) } => Err(Fault::try_again(self.told(&why))),
        };
        forward.abort();
        answer
    }

    async fn send<S>(&self, stream: TokioIo<S>, method: Method, path: &str, json: Bytes) -> Result<Answer, Fault>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let lost = |why: &dyn std::fmt::Display| Fault::unsure(self.told(why));
        let (mut sender, connection) = http1::handshake(stream).await.map_err(|why| Fault::try_again(self.told(&why)))?;
        // It ends with the sender, or with the stream.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1")
            .header(header::CONNECTION, "close")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(json))
            .map_err(|why| Fault::fatal(self.told(&why)))?;
        let (head, body) = sender.send_request(request).await.map_err(|why| lost(&why))?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|why| lost(&why))?;
        Ok((head.status.as_u16(), body.to_bytes().into()))
    }

    fn told(&self, why: &dyn std::fmt::Display) -> String {
        format!("port {} of the pod {}: {why}", self.port, self.pod)
    }
}
