//! `tritondeploy-gateway serve|sync --config FILE`: the processes around the server and the model sync.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use tritondeploy_gateway::admin::Admin;
use tritondeploy_gateway::admin::loader::Loader;
use tritondeploy_gateway::allocator;
use tritondeploy_gateway::config::{self, Config};
use tritondeploy_gateway::inference::Engine;
use tritondeploy_gateway::log;
use tritondeploy_gateway::metrics;
use tritondeploy_gateway::protocol::v0::V0;
use tritondeploy_gateway::relay;
use tritondeploy_gateway::server::Server;
use tritondeploy_gateway::server::health::{self, Health};
use tritondeploy_gateway::server::open_files;
use tritondeploy_gateway::storage::Storage;
use tritondeploy_gateway::sync::Mirror;
use tritondeploy_gateway::triton::models::Models;
use tritondeploy_gateway::triton::{self, Triton};
use tritondeploy_gateway::websocket::Shutdown;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: tritondeploy-gateway serve --config FILE
       tritondeploy-gateway sync --config FILE
       tritondeploy-gateway --version";

/// Open files beside the connections of clients and those to S3: listeners, health probes, Triton, models on their way.
const OTHER_FILES: usize = 200;

enum Command {
    Serve(PathBuf),
    Sync(PathBuf),
    Version,
}

fn main() -> ExitCode {
    log::init();
    let code = match command(std::env::args_os().skip(1)) {
        Some(Command::Serve(path)) => with_config(&path, serve),
        Some(Command::Sync(path)) => with_config(&path, sync),
        Some(Command::Version) => {
            #[allow(clippy::print_stdout, reason = "what was asked for")]
            {
                println!("tritondeploy-gateway {}", env!("CARGO_PKG_VERSION"));
            }
            0
        }
        None => {
            #[allow(clippy::print_stderr, reason = "for whoever typed it")]
            {
                eprintln!("{USAGE}");
            }
            2
        }
    };
    log::finish();
    ExitCode::from(code)
}

fn command(mut args: impl Iterator<Item = OsString>) -> Option<Command> {
    let word = args.next()?;
    if word == "--version" {
        return Some(Command::Version);
    }
    let command = match word.to_str()? {
        "serve" => Command::Serve,
        "sync" => Command::Sync,
        _ => return None,
    };
    if args.next()? != "--config" {
        return None;
    }
    let path = args.next()?;
    args.next().is_none().then(|| command(path.into()))
}

fn with_config<F: Future<Output = Result<(), String>>>(path: &std::path::Path, run: impl FnOnce(Config) -> F) -> u8 {
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(e) => {
            tracing::error!("{e}");
            return 2;
        }
    };
    // Threads that share work wake each other for it, which costs more than most messages.
    let mut runtime = match config.threads {
        1 => {
            take_short_turns();
            tokio::runtime::Builder::new_current_thread()
        }
        threads => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(threads);
            runtime
        }
    };
    // Work for processors, as much at once as there are cores, and one for files and names. Without a bound there are more
    // threads, now and then one more, than ever work at once, and each keeps the buffers of a decoder.
    runtime.enable_all().max_blocking_threads(config::cores().max(2) + 1).on_thread_stop(allocator::give_back);
    let ran = match runtime.build() {
        Ok(runtime) => {
            let ran = runtime.block_on(run(config));
            // A decoder that has begun is not waited for: nobody is there for its picture any more.
            runtime.shutdown_background();
            ran
        }
        Err(e) => Err(format!("no runtime: {e}")),
    };
    match ran {
        Ok(()) => 0,
        Err(e) => {
            tracing::error!("{e}");
            1
        }
    }
}

/// Lets the thread that serves all sockets run as soon as something comes, for less at a time; its share of the processors
/// stays what it was. Else it waits behind the models of a busy Triton, and everybody who is connected waits with it. For
/// Linux from 6.12 on; before, nothing changes.
fn take_short_turns() {
    /// The shortest that there is.
    const TURN: Duration = Duration::from_micros(100);
    let size = size_of::<libc::sched_attr>() as libc::c_uint;
    #[allow(unsafe_code, reason = "libc has no function for these two calls")]
    // SAFETY: numbers only, for which zeros stand; the kernel writes at most `size` bytes of them, and keeps none.
    unsafe {
        let mut attributes: libc::sched_attr = std::mem::zeroed();
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) != 0 {
            return;
        }
        // Whoever chose another policy has reasons.
        if attributes.sched_policy != libc::SCHED_OTHER as u32 {
            return;
        }
        attributes.sched_runtime = TURN.as_nanos() as u64;
        // Threads that decode take turns as long as everybody's.
        attributes.sched_flags = libc::SCHED_FLAG_RESET_ON_FORK as u64;
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
    }
}

async fn serve(config: Config) -> Result<(), String> {
    match open_files::raise() {
        Ok(open_files) => {
            tracing::info!(open_files, "raised the limit of open files to the hard limit");
            let relays =
                [&config.metrics, &config.triton_http, &config.triton_metrics].into_iter().flatten().count() * relay::OPEN_FILES;
            let limits = &config.limits;
            let wanted = (limits.connections + limits.handshakes + limits.requests + relays + OTHER_FILES) as u64;
            if open_files < wanted {
                tracing::warn!(
                    open_files,
                    wanted,
                    "fewer files can be open than limits.connections and limits.handshakes want; \
                    without one, nobody can connect, health probes neither"
                );
            }
        }
        Err(e) => tracing::warn!("cannot raise the limit of open files: {e}; raise it where the gateway is started"),
    }
    let shutdown = Shutdown::default();
    // Health is answered first of all; everything else may take its time.
    let health = Health::start(&config.health, health::STALE, shutdown.drain.clone());
    let health = health.map_err(|e| format!("{} (key `health`) cannot be listened on: {e}", config.health))?;
    tracing::info!(health = %health.address(), "answering health");
    tokio::spawn(health.clone().beat());
    relay_triton(&config)?;
    let listener = TcpListener::bind(&config.listen).await;
    let listener = listener.map_err(|e| format!("{} cannot be listened on: {e}", config.listen))?;
    stop_on_signals(shutdown.clone()).map_err(|e| format!("no signals: {e}"))?;
    let storage = Storage::new(&config.storage).await.map_err(|e| e.to_string())?;
    let triton = Triton::connect(&config.triton).map_err(|e| e.to_string())?;
    if let Some(address) = &config.metrics {
        let own: relay::Measure = |triton| metrics::render(&triton.slots());
        relay(relay::Port::Scrape, address, &config.triton.metrics, Some((own, triton.clone())))?;
    }
    let needed = config.required().map(str::to_owned).collect();
    let models = Arc::new(Models::new(triton.clone(), needed, config.repository.directory.clone()));
    health.watch(models.subscribe());
    let watched = models.clone();
    tokio::spawn(async move { watched.watch().await });
    tokio::spawn(metrics::upkeep());
    release(&config, &storage, &triton, &shutdown).await?;
    let (limits, drain_for) = (config.limits.clone(), Duration::from_secs(config.drain_seconds));
    let engine = Arc::new(Engine::new(config, storage, triton, models.clone()));
    tokio::spawn(allocator::give_back_when_quiet(engine.clone()));
    let server = Server { protocol: Arc::new(V0::new(engine.clone())), engine: Some(engine), models, limits, drain_for };
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    server.run(listener, shutdown).await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens Triton's own ports, read-only, where the configuration wants them.
fn relay_triton(config: &Config) -> Result<(), String> {
    use relay::Port;
    let wanted =
        [(Port::Http, &config.triton_http, &config.triton.http), (Port::Metrics, &config.triton_metrics, &config.triton.metrics)];
    for (port, address, url) in wanted {
        if let Some(address) = address {
            relay(port, address, url, None)?;
        }
    }
    Ok(())
}

fn relay(port: relay::Port, address: &str, url: &str, own: Option<(relay::Measure, Triton)>) -> Result<(), String> {
    let key = port.key();
    // The configuration was checked: it is a URL.
    let Some(authority) = triton::authority(url) else { return Ok(()) };
    let listening = relay::start(port, address, authority, relay::PATIENCE, own);
    let listening = listening.map_err(|e| format!("{address} (key `{key}`) cannot be listened on: {e}"))?;
    tracing::info!(relay = %listening, key, "relaying to Triton, read-only");
    Ok(())
}

/// Keeps the models on disk loaded, and takes new ones on the admin port.
async fn release(config: &Config, storage: &Storage, triton: &Triton, shutdown: &Shutdown) -> Result<(), String> {
    let admin = TcpListener::bind(&config.admin).await;
    let admin = admin.map_err(|e| format!("{} (admin) cannot be listened on: {e}", config.admin))?;
    let address = admin.local_addr().map_err(|e| e.to_string())?;
    tracing::info!(admin = %address, "taking releases");
    let mirror = Mirror::open(storage.clone(), config.repository.clone()).map_err(|e| e.to_string())?;
    let (mirror, turn) = (Arc::new(mirror), Arc::new(Mutex::new(())));
    tokio::spawn(Loader::new(triton.clone(), mirror.clone(), turn.clone()).run());
    tokio::spawn(Admin::new(triton.clone(), mirror, turn).run(admin, shutdown.drain.clone()));
    Ok(())
}

/// Fills Triton's model repository before Triton starts.
async fn sync(config: Config) -> Result<(), String> {
    let storage = Storage::new(&config.storage).await.map_err(|e| e.to_string())?;
    let mirror = Mirror::open(storage, config.repository.clone()).map_err(|e| e.to_string())?;
    let (bucket, key) = (&config.storage.bucket, &config.repository.manifest);
    let plan = mirror.sync().await.map_err(|e| format!("the models of s3://{bucket}/{key} are not on disk: {e}"))?;
    let fetched = plan.changed.keys().cloned().collect::<Vec<_>>().join(" ");
    tracing::info!(fetched, unchanged = plan.unchanged.len(), removed = plan.removed.len(), "the models are on disk");
    Ok(())
}

/// The first signal drains, the second ends at once.
fn stop_on_signals(shutdown: Shutdown) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
            if shutdown.drain.is_cancelled() {
                tracing::warn!("stopping at once");
                log::finish();
                #[allow(clippy::exit, reason = "asked for twice")]
                std::process::exit(1);
            }
            tracing::info!("draining: no new connections; finishing what was received");
            shutdown.drain.cancel();
        }
    });
    Ok(())
}
