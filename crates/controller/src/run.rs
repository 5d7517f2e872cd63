//! The life of a controller: the store opens, what was asked for is read, and the API is served until it is told to end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::http::{Limits, Listener, Server};
use rackweave_daemon::listen::{admit, listen};
use rackweave_daemon::lock::Lock;
use rackweave_daemon::node_tls::Keys;
use rackweave_daemon::{metrics, notify};
use rackweave_linux::{clock, random};
use rackweave_store::{EmbeddedOptions, EtcdOptions, Key, Store};
use rackweave_trust::Anchor;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::announce::Announcement;
use crate::app::App;
use crate::backup::UNFINISHED;
use crate::config::Config;
use crate::http::api;
use crate::peers::{Peers, leave};
use crate::tls::server_config;
use crate::world::{World, WorldHandle, forget};

/// How often old answers are looked for.
const SWEEP: Duration = Duration::from_mins(10);
/// For how long answers are kept for whoever repeats a request, in milliseconds: a day.
const ANSWERS_MS: u64 = 24 * 60 * 60 * 1000;

/// Runs a controller until it is told to end by SIGTERM or SIGINT.
///
/// # Errors
/// Why it cannot start. What goes wrong later is logged and told to those who ask.
pub fn run(config: &Config) -> anyhow::Result<()> {
    config.check()?;
    for dir in [&config.run_dir, &config.state_dir] {
        private_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let _lock = Lock::take(&config.run_dir, "controller")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(live(config))
}

async fn live(config: &Config) -> anyhow::Result<()> {
    let store = open(config).await?;
    let group = config.control.group.as_deref();
    if let Some(group) = group {
        admit(&config.run_dir, group)?;
    }
    let keys = config.nodes.keys.as_deref();
    let keys = keys.map(|dir| Keys::read(dir, None)).transpose()?;
    let mut listeners = Vec::new();
    for place in config.places() {
        let opened = place.open(group).await;
        listeners.push(opened.with_context(|| format!("listen: cannot serve the API on {place}"))?);
    }
    if let (Some(certificate), Some(key)) = (&config.api.certificate, &config.api.key) {
        let shown = server_config(certificate, key)?;
        for address in &config.api.listen {
            let listener = Listener::tls(*address, Arc::clone(&shown)).await;
            let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
            listeners.push(listener);
        }
    }
    if let Some(keys) = &keys {
        for address in &config.nodes.listen {
            let listener = Listener::tls(*address, keys.server_config()?).await;
            let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
            listeners.push(listener);
        }
    }
    let serving = Serving {
        store: store.clone(),
        anchor: keys.map(|keys| keys.anchor().clone()),
        listeners,
        limits: Limits {
            connections: config.connections,
            ..Limits::default()
        },
        metrics: metrics_listeners(config).await?,
        // Nobody else can open the file of an embedded store.
        alone: config.etcd.is_empty(),
    };
    let end = Arc::new(Notify::new());
    tokio::spawn(signalled(Arc::clone(&end)));
    let announcement = config.service().map(|prefix| Announcement {
        prefix,
        router: config.service.router.clone(),
    });
    let announcing = announcement
        .clone()
        .map(|announcement| tokio::spawn(announcement.run(store.clone())));
    tell_manager(notify::ready("serving"));
    let over = async {
        end.notified().await;
        tell_manager(notify::stopping("ends"));
        // Hosts go elsewhere before they are turned away here.
        if let Some((announcing, announcement)) = announcing.zip(announcement) {
            announcing.abort();
            announcement.end().await;
        }
    };
    serve(serving, over).await?;
    store.close().await;
    Ok(())
}

async fn metrics_listeners(config: &Config) -> anyhow::Result<Vec<metrics::Listener>> {
    let mut listeners = Vec::new();
    if let Some(address) = config.metrics.listen {
        let listener = metrics::Listener::tcp(address).await;
        listeners.push(listener.with_context(|| format!("cannot serve metrics on {address}"))?);
    }
    if let Some(path) = &config.metrics.unix {
        let listener = listen(path, config.control.group.as_deref())?;
        listeners.push(metrics::Listener::Unix(listener));
    }
    Ok(listeners)
}

/// What a controller is made of.
#[derive(Debug)]
pub struct Serving {
    /// What is stored.
    pub store: Store,
    /// Whose nodes are believed; none where no certificates are looked at.
    pub anchor: Option<Anchor>,
    /// Where the API is served.
    pub listeners: Vec<Listener>,
    /// How much is taken from clients.
    pub limits: Limits,
    /// Where counters are read.
    pub metrics: Vec<metrics::Listener>,
    /// Whether no other controller can have the store.
    pub alone: bool,
}

/// Serves the API over a store until `end`.
///
/// # Errors
/// Where what is stored cannot be read.
pub async fn serve(serving: Serving, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    let (store, name) = (serving.store, name()?);
    let unfinished = Key::new(UNFINISHED)?;
    if store.get(&unfinished, None).await?.is_some() {
        anyhow::bail!("a restore was broken off: `rackweave controller restore` it again");
    }
    let world = World::open(store.clone(), name.clone()).await;
    let world = world.context("cannot read what is stored")?;
    let app = App::new(store.clone(), WorldHandle::start(world), serving.anchor);
    let mut beside = JoinSet::new();
    let swept = store.clone();
    beside.spawn(async move { sweep(swept).await });
    for listener in serving.metrics {
        let app = app.clone();
        beside.spawn(async move { metrics::serve(listener, app).await });
    }
    if !serving.alone {
        let peers = Peers::new(store.clone(), app.world.clone(), name.clone());
        beside.spawn(peers.run());
    }
    let server = Server::new(api(app), serving.limits);
    server.serve(serving.listeners, end).await;
    beside.shutdown().await;
    if !serving.alone {
        leave(&store, &name).await;
    }
    Ok(())
}

/// The name of this run of the controller.
fn name() -> anyhow::Result<String> {
    let drawn = random::bytes().context("nothing can be drawn")?;
    Ok(format!("{:08x}", u32::from_be_bytes(drawn)))
}

/// Forgets, from time to time, the answers that nobody can want any more.
async fn sweep(store: Store) -> ! {
    let mut due = interval(SWEEP);
    loop {
        due.tick().await;
        let before = clock::unix_millis().saturating_sub(ANSWERS_MS);
        match forget(&store, before).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "old answers are forgotten"),
            Err(problem) => tracing::warn!(%problem, "old answers cannot be forgotten"),
        }
    }
}

/// Opens the store.
///
/// # Errors
/// Where it cannot be used, or does not answer.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Store> {
    if config.etcd.is_empty() {
        let file = config.store_file();
        let store = Store::embedded(&file, EmbeddedOptions::default());
        return store.with_context(|| format!("cannot open the store {}", file.display()));
    }
    let options = EtcdOptions::new(config.etcd.clone());
    Ok(Store::etcd(options).await?)
}

/// Tells when somebody wants the controller to end.
async fn signalled(end: Arc<Notify>) {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("cannot listen to signals: the controller must be killed");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    end.notify_one();
}

fn tell_manager(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
