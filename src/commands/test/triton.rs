//! Triton's own pages: health, metadata and the repository index on port 8000, metrics on port 8002.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::super::target::Target;
use super::side::Side;
use super::stream::{self, Fault, Page};
use super::tally::{Found, Not, Tally};
use crate::report::words;

/// To see that a port which must be closed is.
const GLANCE: Duration = Duration::from_secs(2);

/// One of Triton's ports, at the server that is tested.
pub(super) struct Port<'a> {
    at: SocketAddr,
    authority: String,
    /// Its word in `workload.expose`.
    word: &'static str,
    /// A page that Triton has there.
    page: &'static str,
    side: &'a Side,
}

impl<'a> Port<'a> {
    pub(super) fn http(ip: IpAddr, target: &Target, side: &'a Side) -> Self {
        Self { at: (ip, 8000).into(), authority: target.authority(8000), word: "http", page: "/v2/health/live", side }
    }

    pub(super) fn metrics(ip: IpAddr, target: &Target, side: &'a Side) -> Self {
        Self { at: (ip, 8002).into(), authority: target.authority(8002), word: "metrics", page: "/metrics", side }
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Page, Fault> {
        let stream = stream::connect(self.at).await?;
        stream::ask(Box::new(stream), &self.authority, method, path).await
    }

    /// Whether the port is to be asked: of our own deployment, as the configuration says, and what it leaves closed must
    /// be; of any other server, when it is open.
    async fn door(&self) -> Result<(), Not> {
        let (port, word) = (self.at.port(), self.word);
        let Some(ours) = self.side.ours() else {
            return match stream::connect(self.at).await {
                Ok(_) => Ok(()),
                Err(why) => Err(Not::Closed(format!("port {port} is not open ({why})"))),
            };
        };
        if ours.workload.expose.iter().any(|open| open == word) {
            return Ok(());
        }
        match timeout(GLANCE, self.ask(Method::GET, self.page)).await {
            Ok(Ok(page)) if page.status == StatusCode::OK => {
                let detail = format!("port {port} answers, and workload.expose does not name {word:?}");
                Err(Not::failed(
                    detail,
                    "Triton is open to whoever may reach the WebSocket",
                    format!("{} (it puts back what differs)", ours.up),
                ))
            }
            _ => Err(Not::Closed(format!("closed by design: workload.expose does not name {word:?}"))),
        }
    }

    /// The page, when it is there.
    async fn page(&self, method: Method, path: &str) -> Result<Page, Not> {
        let page = self.ask(method, path).await.map_err(|why| self.failed(why.to_string()))?;
        if page.status == StatusCode::OK { Ok(page) } else { Err(self.failed(format!("{path}: {}", page.told()))) }
    }

    fn failed(&self, detail: String) -> Not {
        let port = self.at.port();
        let meaning = format!("Triton's page on port {port} cannot be read");
        let next = self.side.next(|ours| ours.status.as_str(), "look at Triton's log, and at what is before it");
        Not::failed(detail, meaning, next)
    }

    fn json<T: DeserializeOwned>(&self, page: &Page, path: &str) -> Result<T, Not> {
        serde_json::from_slice(&page.body).map_err(|why| self.failed(format!("{path} is not what Triton answers: {why}")))
    }
}

/// The checks of both ports; the READY models where the index tells them.
pub(super) async fn checks(tally: &mut Tally, ip: IpAddr, target: &Target, side: &Side) -> Vec<String> {
    let (http, metrics) = (Port::http(ip, target, side), Port::metrics(ip, target, side));
    let mut closed = None;
    let health = async {
        let door = http.door().await;
        if let Err(Not::Closed(why)) = &door {
            closed = Some(why.clone());
        }
        door?;
        self::health(&http).await
    };
    let is_open = tally.check("triton/health", health).await.is_some();
    // A port that is closed is tried once.
    let without = |tally: &mut Tally, name| match &closed {
        Some(why) => tally.close(name, why),
        None => tally.skip_all(&[name], "triton/health"),
    };
    match is_open {
        true => drop(tally.check("triton/metadata", http.metadata()).await),
        false => without(tally, "triton/metadata"),
    }
    tally.check("triton/metrics", async { metrics.door().await.map(|()| metrics.samples())?.await }).await;
    if is_open {
        return tally.check("triton/index", http.index()).await.unwrap_or_default();
    }
    without(tally, "triton/index");
    Vec::new()
}

async fn health(port: &Port<'_>) -> Found<()> {
    port.page(Method::GET, "/v2/health/live").await?;
    port.page(Method::GET, "/v2/health/ready").await?;
    Ok(((), "live and ready".to_owned()))
}

/// `GET /v2`: KServe's predict protocol v2, "Server Metadata".
#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
    #[serde(default)]
    extensions: Vec<String>,
}

/// One line of `POST /v2/repository/index`: Triton's model repository extension.
#[derive(Deserialize)]
struct Indexed {
    name: String,
    version: Option<String>,
    state: Option<String>,
    reason: Option<String>,
}

impl Port<'_> {
    async fn metadata(&self) -> Found<()> {
        let page = self.page(Method::GET, "/v2").await?;
        let Metadata { name, version, extensions } = self.json(&page, "/v2")?;
        Ok(((), format!("{name} {version}, {} extensions", extensions.len())))
    }

    async fn samples(&self) -> Found<()> {
        let page = self.page(Method::GET, "/metrics").await?;
        let text = String::from_utf8_lossy(&page.body);
        match text.lines().filter(|line| line.starts_with("nv_")).count() {
            0 => Err(self.failed("/metrics has no sample of Triton's (nv_...)".to_owned())),
            samples => Ok(((), format!("{samples} samples of Triton's"))),
        }
    }

    async fn index(&self) -> Found<Vec<String>> {
        const PATH: &str = "/v2/repository/index";
        let page = self.page(Method::POST, PATH).await?;
        let index = self.json::<Vec<Indexed>>(&page, PATH)?;
        summary(&index).map_err(|detail| {
            let next = self.side.next(|ours| ours.logs.as_str(), "look at Triton's log");
            Not::failed(detail, "Triton could not load a model: whoever asks for it gets an error", next)
        })
    }
}

/// The READY models and every state in words, or what could not be loaded.
fn summary(index: &[Indexed]) -> Result<(Vec<String>, String), String> {
    let state =
        |model: &Indexed| model.state.clone().filter(|state| !state.is_empty()).unwrap_or_else(|| "not loaded".to_owned());
    // A version that was replaced is UNAVAILABLE with the reason "unloaded".
    let is_broken = |model: &&Indexed| {
        let reason = model.reason.as_deref().unwrap_or_default();
        model.state.as_deref() == Some("UNAVAILABLE") && !reason.is_empty() && reason != "unloaded"
    };
    let broken = index
        .iter()
        .filter(is_broken)
        .map(|model| format!("{} is UNAVAILABLE: {}", model.name, model.reason.as_deref().unwrap_or_default()));
    let broken: Vec<String> = broken.collect();
    if !broken.is_empty() {
        return Err(broken.join("; "));
    }
    let all = index.iter().map(|model| match model.version.as_deref().unwrap_or_default() {
        "" => format!("{} {}", model.name, state(model)),
        version => format!("{} version {version} {}", model.name, state(model)),
    });
    let ready = index.iter().filter(|model| model.state.as_deref() == Some("READY")).map(|model| model.name.clone());
    let all: Vec<String> = all.collect();
    let told = if all.is_empty() { "no models".to_owned() } else { words::brief(&all) };
    Ok((ready.collect(), told))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::commands::test::side::Deployment;
    use crate::config::Config;

    /// What there is to say of a port where this answers.
    async fn door(answer: &'static [u8], side: &Side) -> Result<(), Not> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let _ = client.read(&mut [0; 1000]).await;
                let _ = client.write_all(answer).await;
            }
        });
        Port { at, authority: "t".to_owned(), word: "http", page: "/v2/health/live", side }.door().await
    }

    #[tokio::test]
    async fn a_port_that_the_configuration_leaves_closed_is_closed_by_design_and_a_finding_when_triton_answers() {
        let mut config = Config::default();
        let ours = |config: &Config| Side::Ours(Box::new(Deployment::new(config, str::to_owned)));
        let (nothing, triton) = (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let Err(Not::Closed(why)) = door(nothing, &ours(&config)).await else { panic!("not closed") };
        assert_eq!(why, "closed by design: workload.expose does not name \"http\"");
        let Err(Not::Failed(open)) = door(triton, &ours(&config)).await else { panic!("not failed") };
        assert!(open.detail.ends_with("answers, and workload.expose does not name \"http\""), "{open:?}");
        config.workload.expose.push("http".to_owned());
        assert_eq!(door(nothing, &ours(&config)).await, Ok(()));
        assert_eq!(door(nothing, &Side::Any).await, Ok(()));
    }

    #[test]
    fn the_index_is_told_with_every_state_and_a_replaced_version_is_no_failure() {
        let index = |text: &str| serde_json::from_str::<Vec<Indexed>>(text).unwrap();
        let good = r#"[{"name":"a","version":"1","state":"UNAVAILABLE","reason":"unloaded"},
            {"name":"a","version":"2","state":"READY"},{"name":"b"}]"#;
        let (ready, told) = summary(&index(good)).unwrap();
        assert_eq!((ready, told.as_str()), (vec!["a".to_owned()], "a version 1 UNAVAILABLE, a version 2 READY, b not loaded"));
        let bad =
            r#"[{"name":"a","version":"2","state":"READY"},{"name":"c","version":"1","state":"UNAVAILABLE","reason":"no file"}]"#;
        assert_eq!(summary(&index(bad)).unwrap_err(), "c is UNAVAILABLE: no file");
        assert_eq!(summary(&[]).unwrap().1, "no models");
    }
}
