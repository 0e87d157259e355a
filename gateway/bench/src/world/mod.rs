//! Everything that is measured: Triton, the gateway and a server of objects, on free ports of this machine.

mod process;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::failure::{Doing, Failure};
use crate::perf_analyzer::PerfAnalyzer;
use crate::processor::{Role, Watched};
use crate::{http, models, payload};
pub(crate) use process::Process;
use tritondeploy_support::leftovers::Leftovers;

/// The bucket that holds the photographs.
pub(crate) const BUCKET: &str = "photographs";

/// From a start to the first answer: Triton starts a Python for each instance of a model.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a photograph lies in the bucket.
pub(crate) fn key(number: usize) -> String {
    format!("images/{number}.jpg")
}

/// Where a small photograph lies.
pub(crate) fn small_key(number: usize) -> String {
    format!("images/small-{number:04}.jpg")
}

/// As many images as a user has.
pub(crate) const SMALL: usize = 1000;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The gateway's binary.
    pub(crate) gateway: PathBuf,
    /// `sandbox/triton/local`.
    pub(crate) triton: PathBuf,
    /// NVIDIA's load tool.
    pub(crate) perf_analyzer: Option<PathBuf>,
}

/// What the bucket holds.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// Photographs, from [`key`] 0 on.
    pub(crate) photos: usize,
    /// Objects that are small photographs, from [`small_key`] 0 on, [`payload::COUNT`] different ones.
    pub(crate) small: usize,
    /// Other objects by their names below `images/`.
    pub(crate) more: Vec<(&'static str, Bytes)>,
}

impl Default for Contents {
    fn default() -> Self {
        Self { photos: payload::COUNT, small: SMALL, more: Vec::new() }
    }
}

/// What runs. All of it ends, and its files go, when this is dropped.
#[derive(Debug)]
pub(crate) struct World {
    // In the order in which they are stopped.
    gateway: Option<Process>,
    triton: Process,
    leftovers: Leftovers,
    objects: Process,
    pub(crate) programs: Programs,
    pub(crate) ports: Ports,
    pub(crate) photos: Vec<Bytes>,
    /// The different ones.
    pub(crate) small: Vec<Bytes>,
    folder: TempDir,
}

/// All on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) gateway: u16,
    /// Where the gateway answers for its health alone.
    pub(crate) health: u16,
    admin: u16,
    pub(crate) triton_http: u16,
    pub(crate) triton_grpc: u16,
    triton_metrics: u16,
    pub(crate) objects: u16,
}

impl Ports {
    fn free() -> Result<Self, Failure> {
        let listeners: Result<Vec<_>, _> = (0..7).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
        let ports: Result<Vec<_>, _> = listeners.doing("looking for free ports")?.iter().map(TcpListener::local_addr).collect();
        let ports: Vec<u16> = ports.doing("looking for free ports")?.iter().map(std::net::SocketAddr::port).collect();
        let [gateway, admin, health, triton_http, triton_grpc, triton_metrics, objects] = ports[..] else {
            return Err(Failure("there are no seven free ports".to_owned()));
        };
        Ok(Self { gateway, admin, health, triton_http, triton_grpc, triton_metrics, objects })
    }
}

impl World {
    /// Starts everything and waits for it.
    pub(crate) async fn start(programs: Programs, contents: Contents) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("tritondeploy-bench-").tempdir().doing("making a folder")?;
        let ports = Ports::free()?;
        let (repository, images) = (folder.path().join("models"), folder.path().join("objects").join(BUCKET).join("images"));
        models::write(&repository)?;
        fs::create_dir_all(&images).doing("making a folder")?;
        let photos = payload::photos(contents.photos, payload::PHOTO)?;
        for (number, photo) in photos.iter().enumerate() {
            fs::write(images.join(format!("{number}.jpg")), photo).doing("writing a photograph")?;
        }
        let small = if contents.small == 0 { Vec::new() } else { payload::photos(payload::COUNT, payload::SMALL_PHOTO)? };
        for number in 0..contents.small {
            let place = folder.path().join("objects").join(BUCKET).join(small_key(number));
            fs::write(place, &small[number % small.len()]).doing("writing a photograph")?;
        }
        for (name, object) in contents.more {
            fs::write(images.join(name), object).doing("writing an object")?;
        }
        let leftovers = Leftovers::default();
        let triton = start_triton(&programs.triton, &repository, ports, folder.path(), &leftovers)?;
        let this = std::env::current_exe().doing("finding this program")?;
        let arguments = ["objects".to_owned(), ports.objects.to_string(), folder.path().join("objects").display().to_string()];
        let objects = Process::start(&this, &arguments, &[], &folder.path().join("objects.log"))?;
        let mut world = Self { gateway: None, triton, leftovers, objects, programs, ports, photos, small, folder };
        let start = Instant::now();
        while !answers(ports.triton_http, "/v2/health/ready") || !answers(ports.objects, &format!("/{BUCKET}/{}", key(0))) {
            world.triton.lives().map_err(|e| Failure(format!("Triton: {e}")))?;
            world.objects.lives().map_err(|e| Failure(format!("the server of objects: {e}")))?;
            patient(start, "Triton, or the server of objects,")?;
            sleep(Duration::from_millis(100)).await;
        }
        Ok(world)
    }

    /// The gateway, started afresh with lines added to its configuration.
    pub(crate) async fn gateway(&mut self, more: &str) -> Result<(), Failure> {
        self.launch(more)?;
        let start = Instant::now();
        while !answers(self.ports.gateway, "/readyz") {
            self.watch_over()?;
            patient(start, "the gateway")?;
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The same, without waiting.
    pub(crate) fn launch(&mut self, more: &str) -> Result<(), Failure> {
        self.gateway = None;
        let Ports { gateway, admin, health, triton_grpc, objects, .. } = self.ports;
        let (config, repository) = (self.folder.path().join("gateway.toml"), self.folder.path().join("models"));
        let text = format!(
            "listen = \"127.0.0.1:{gateway}\"\nadmin = \"127.0.0.1:{admin}\"\nhealth = \"127.0.0.1:{health}\"\n\
             triton.grpc = \"http://127.0.0.1:{triton_grpc}\"\nstorage.bucket = {BUCKET:?}\n\
             repository.directory = {repository:?}\n{more}\n"
        );
        fs::write(&config, text).doing("writing the gateway's configuration")?;
        let arguments = ["serve".to_owned(), "--config".to_owned(), config.display().to_string()];
        let environment = [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{objects}")),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let log = self.folder.path().join("gateway.log");
        self.gateway = Some(Process::start(&self.programs.gateway, &arguments, &environment, &log)?);
        Ok(())
    }

    /// An error with its last words if the gateway or Triton has ended.
    pub(crate) fn watch_over(&mut self) -> Result<(), Failure> {
        self.triton.lives().map_err(|e| Failure(format!("Triton: {e}")))?;
        self.watch_over_gateway()
    }

    /// An error with its last words if the gateway has ended.
    pub(crate) fn watch_over_gateway(&mut self) -> Result<(), Failure> {
        match &mut self.gateway {
            Some(gateway) => gateway.lives().map_err(|e| Failure(format!("the gateway: {e}"))),
            None => Err(Failure("the gateway was not started".to_owned())),
        }
    }

    /// Starts Triton again if it has ended; says whether it had.
    pub(crate) fn revive_triton(&mut self) -> Result<bool, Failure> {
        if self.triton.lives().is_ok() {
            return Ok(false);
        }
        let repository = self.folder.path().join("models");
        self.leftovers.clear();
        self.triton = start_triton(&self.programs.triton, &repository, self.ports, self.folder.path(), &self.leftovers)?;
        Ok(true)
    }

    /// NVIDIA's load tool, where it is there.
    pub(crate) fn perf_analyzer(&self) -> Option<PerfAnalyzer> {
        self.programs.perf_analyzer.as_ref().map(|program| PerfAnalyzer::new(program, self.folder.path()))
    }

    /// Ends the gateway as a container's limit does: at once.
    pub(crate) fn kill_gateway(&self) {
        self.gateway.iter().for_each(Process::kill);
    }

    /// For the logs of other processes; it goes with this world.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The gateway's process id; 0 while there is none.
    pub(crate) fn gateway_pid(&self) -> u32 {
        self.gateway.as_ref().map_or(0, Process::pid)
    }

    /// Whose processor time is told apart.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let mut watched = vec![
            Watched { role: Role::Triton, pid: self.triton.pid() },
            Watched { role: Role::Objects, pid: self.objects.pid() },
            Watched { role: Role::Tool, pid: std::process::id() },
        ];
        watched.extend(self.gateway.as_ref().map(|gateway| Watched { role: Role::Gateway, pid: gateway.pid() }));
        watched
    }
}

fn start_triton(program: &Path, repository: &Path, ports: Ports, folder: &Path, left: &Leftovers) -> Result<Process, Failure> {
    let mut arguments = vec!["-r".to_owned(), repository.display().to_string()];
    for (option, port) in [("-p", ports.triton_http), ("-g", ports.triton_grpc), ("-m", ports.triton_metrics)] {
        arguments.extend([option.to_owned(), port.to_string()]);
    }
    arguments.extend(["-a".to_owned(), "--".to_owned()]);
    arguments.extend(left.arguments());
    Process::start(program, &arguments, &[], &folder.join("triton.log"))
}

fn answers(port: u16, path: &str) -> bool {
    http::status(port, path) == Ok(200)
}

fn patient(start: Instant, whom: &str) -> Result<(), Failure> {
    if start.elapsed() < PATIENCE {
        return Ok(());
    }
    Err(Failure(format!("{whom} is not ready after {} s", PATIENCE.as_secs())))
}
