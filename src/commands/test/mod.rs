//! `test`: a deployment, or any server, checked from outside.

mod bucket;
mod connection;
mod inference;
mod older;
mod readiness;
mod side;
mod stream;
mod tally;
mod triton;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tritondeploy_client::Object;
use tritondeploy_client::v1::Client;

use self::bucket::Objects;
use self::inference::{Picture, Spoken};
use self::older::Question;
use self::readiness::Readiness;
use self::side::{Deployment, Side};
use self::tally::{BEFORE_BUCKET, CHECKS, Found, Not, OF_GATEWAY, Tally, planned};
use super::target::Target;
use super::{Session, infer, log};
use crate::cli::{Level, Test};
use crate::cloud::Cloud;
use crate::error::Error;
use crate::report::checks::{self, Check};
use crate::report::{show, words};

/// All checks together, but the first look at the account.
const LIMIT: Duration = Duration::from_secs(180);

pub(super) async fn run(session: &Session, test: Test) -> Result<(), Error> {
    let subject = match &test.url {
        Some(url) => Subject::Any(Target::parse(url)?),
        None => Subject::Ours(session.cloud("test").await?),
    };
    // Whoever names a server needs neither a configuration nor credentials, and gets a log where one is asked for.
    if test.url.is_some() && session.log.is_some() {
        log::open(session.log.as_deref(), "", "test")?;
    }
    let show: fn(&Check) = if session.json() { |_| {} } else { checks::line };
    let mut tally = Tally::new(subject.planned(test.level), show);
    let in_time = tokio::select! {
        () = session.cancel.cancelled() => None,
        ended = timeout(LIMIT, subject.check(session, &mut tally)) => Some(ended.is_ok()),
    };
    match in_time {
        None => return Err(Error::unchanged().with(tally.as_json())),
        Some(false) => tally.end_at_limit(LIMIT),
        Some(true) => {}
    }
    finish(session, &tally)
}

/// The closing line, and whether something failed.
fn finish(session: &Session, tally: &Tally) -> Result<(), Error> {
    if !session.json() {
        show::line(format!("\n{}", tally.verdict()));
    }
    let failed: Vec<&Check> = tally.failures().collect();
    let Some(first) = failed.first() else {
        if session.json() {
            show::json(&tally.as_json());
        }
        return Ok(());
    };
    let names: Vec<&str> = failed.iter().map(|check| check.name.as_str()).collect();
    let checks = if failed.len() == 1 { "check" } else { "checks" };
    let why = format!("{} {checks} failed: {}", failed.len(), words::brief(&names));
    Err(Error::failed(why, first.next.clone().unwrap_or_default()).with(tally.as_json()))
}

/// What is checked.
enum Subject {
    /// Any server, by its address.
    Any(Target),
    /// The configuration's deployment.
    Ours(Arc<Cloud>),
}

impl Subject {
    fn planned(&self, level: Level) -> Vec<&'static str> {
        match self {
            Self::Any(target) => planned(level, false, target.tls),
            Self::Ours(_) => planned(level, true, false),
        }
    }

    async fn check(&self, session: &Session, tally: &mut Tally) {
        match self {
            Self::Any(target) => Round { target, side: &Side::Any, cloud: None }.run(tally).await,
            Self::Ours(cloud) => {
                let side = Side::Ours(Box::new(Deployment::new(&cloud.config, |command| session.again(command))));
                let found = tally.check("address", address(session, cloud)).await;
                if let Some(target) = found {
                    return Round { target: &target, side: &side, cloud: Some(cloud) }.run(tally).await;
                }
                if tally.is_planned("bucket/list")
                    && let Some(ours) = side.ours()
                {
                    tally.skip_all(&BEFORE_BUCKET, "address");
                    tally.check("bucket/list", bucket::list(cloud, ours)).await;
                }
                tally.skip_all(&CHECKS.map(|(name, _)| name), "address");
            }
        }
    }
}

/// The deployment's WebSocket.
async fn address(session: &Session, cloud: &Arc<Cloud>) -> Found<Target> {
    let why = match infer::address::of(session, cloud).await.and_then(|url| Target::parse(&url)) {
        Ok(target) => {
            let told = format!("the load balancer of {} is active, with a healthy target: {}", cloud.config.name, target.url);
            return Ok((target, told));
        }
        Err(why) => why,
    };
    Err(Not::failed(&why, "without it there is no way to the gateway from outside", why.next()))
}

/// One server's checks.
struct Round<'a> {
    target: &'a Target,
    side: &'a Side,
    cloud: Option<&'a Arc<Cloud>>,
}

/// A gateway that takes connections.
struct Gateway {
    ready: Readiness,
    spoken: Option<Spoken>,
}

impl Round<'_> {
    async fn run(&self, tally: &mut Tally) {
        let Some(addresses) = connection::resolve(tally, self.target, self.side).await else {
            tally.skip_all(&BEFORE_BUCKET, "dns");
            self.list(tally).await;
            return tally.skip_all(&OF_GATEWAY, "dns");
        };
        let tcp = tally.check("tcp", connection::tcp(&addresses, self.target, self.side)).await;
        let gateway = match tcp {
            Some(at) => self.connect(tally, at).await,
            None => Err("tcp"),
        };
        if let Err(cause) = gateway {
            tally.skip_all(&["tls", "websocket", "readyz", "greeting"], cause);
        }
        let ip = tcp.map(|at| at.ip()).or(addresses.first().copied());
        let mut models = Vec::new();
        if tally.is_planned("triton/health")
            && let Some(ip) = ip
        {
            models = triton::checks(tally, ip, self.target, self.side).await;
        }
        let objects = self.list(tally).await;
        match gateway {
            Ok(gateway) => self.infer(tally, &gateway, &objects, ip, &models).await,
            Err(cause) => tally.skip_all(&OF_GATEWAY, cause),
        }
    }

    /// From TLS to the greeting, or which check failed that all others need.
    async fn connect(&self, tally: &mut Tally, at: SocketAddr) -> Result<Gateway, &'static str> {
        let Self { target, side, .. } = self;
        if target.tls && tally.check("tls", connection::tls(at, target)).await.is_none() {
            return Err("tls");
        }
        let mut speaks_http = false;
        let opened = tally.check("websocket", connection::websocket(at, target, side, &mut speaks_http)).await;
        let mut ready = Readiness::default();
        if speaks_http {
            tally.check("readyz", readiness::readyz(at, target, side, &mut ready)).await;
        }
        opened.ok_or("websocket")?;
        let mut spoken = None;
        tally.check("greeting", inference::greeting(target, side, &mut spoken)).await;
        Ok(Gateway { ready, spoken })
    }

    async fn list(&self, tally: &mut Tally) -> Objects {
        if tally.is_planned("bucket/list") {
            let (Some(cloud), Some(ours)) = (self.cloud, self.side.ours()) else {
                tally.skip("bucket/list", "--url names no bucket");
                tally.skip("bucket/read", "--url names no bucket");
                return Objects::unknown();
            };
            return tally.check("bucket/list", bucket::list(cloud, ours)).await.unwrap_or_else(Objects::unknown);
        }
        Objects::unknown()
    }

    /// What needs answers of models.
    async fn infer(&self, tally: &mut Tally, gateway: &Gateway, objects: &Objects, ip: Option<IpAddr>, models: &[String]) {
        match &gateway.spoken {
            None => tally.skip_all(&OF_GATEWAY, "greeting"),
            Some(_) if gateway.ready.nobody => tally.skip_all(&OF_GATEWAY, "readyz"),
            Some(Spoken::V1(client)) => self.by_v1(tally, client, &gateway.ready, objects).await,
            // Of our own deployment that is a failure, and told.
            Some(Spoken::V0) if self.side.ours().is_some() => tally.skip_all(&OF_GATEWAY, "greeting"),
            Some(Spoken::V0) => self.by_v0(tally, ip, models).await,
        }
    }

    async fn by_v1(&self, tally: &mut Tally, client: &Client, ready: &Readiness, objects: &Objects) {
        let mut picture = Picture::BuiltIn;
        // What protocol v0 is asked for: it knows no inline images.
        let mut object = None;
        if self.cloud.is_some() && tally.is_planned("bucket/read") {
            let mut models = client.greeting().models.iter().filter(|model| model.image.is_some());
            let model = models.find(|model| ready.has(&model.name));
            match (objects.key(), model) {
                (None, _) => tally.skip("bucket/read", "images/ has no image, not even the built-in photo that `up` puts there"),
                (_, None) => tally.skip("bucket/read", "no model that takes images is READY"),
                (Some(key), Some(model)) => {
                    let read = tally.check("bucket/read", bucket::read(client, &model.name, key, self.side)).await;
                    if read == Some(true) {
                        object = Some(key);
                        picture = if objects.is_empty() { Picture::BuiltIn } else { Picture::Object(key.to_owned()) };
                    }
                }
            }
        }
        if !tally.is_planned("inference") {
            return;
        }
        let first = inference::models(tally, client, &picture, ready, self.side).await;
        if ready.is_whole() {
            tally.check("protocol/v1", inference::pipeline(client, &picture, self.side)).await;
            let bucket = self.cloud.map(|cloud| cloud.bucket());
            match (bucket.zip(object), older::of_greeting(client)) {
                (Some((bucket, key)), _) => {
                    let object = Object { bucket, key: key.to_owned() };
                    tally.check("protocol/v0", older::once(self.target, &Question::Image(object), self.side)).await;
                }
                (None, Some(sample)) => {
                    tally.check("protocol/v0", older::once(self.target, &Question::Tensor(sample), self.side)).await;
                }
                (None, None) => tally.skip("protocol/v0", "no object can be read, and no model takes one tensor of FP32"),
            }
        } else {
            tally.skip_all(&["protocol/v1", "protocol/v0"], "readyz");
        }
        match first {
            Some(model) => drop(tally.check("round-trips", inference::round_trips(client, &model, &picture, self.side)).await),
            None => tally.skip("round-trips", "because no model answered"),
        }
    }

    async fn by_v0(&self, tally: &mut Tally, ip: Option<IpAddr>, models: &[String]) {
        if !tally.is_planned("inference") {
            return;
        }
        let samples = match ip {
            Some(ip) => older::of_triton(models, ip, self.target).await,
            None => Vec::new(),
        };
        tally.skip("protocol/v1", "the server speaks v0 only");
        let question = samples.first().cloned().map_or(Question::Nothing, Question::Tensor);
        tally.check("protocol/v0", older::once(self.target, &question, self.side)).await;
        older::models(tally, self.target, &samples, self.side).await;
    }
}
