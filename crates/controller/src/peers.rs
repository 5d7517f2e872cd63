//! Several controllers on one store: each says that it lives, and what its hosts say.
//!
//! What is written here is news, no intent: it is told in the store because that is what all controllers see. As long as a
//! controller is alone it writes no more than that it lives.

use std::collections::BTreeMap;
use std::time::Duration;

use rackweave_api::http::Problem;
use rackweave_linux::clock;
use rackweave_store::{Commit, Entry, Event, Feed, FeedEvent, FeedOptions, Key, Store};
use rackweave_types::{Instant, NodePrefix};
use serde::{Deserialize, Serialize};
use tokio::time::{interval, sleep};

use crate::hub::Shared;
use crate::world::{World, WorldHandle};

/// What keys of it begin with.
const PREFIX: &str = "live/";
/// What keys of controllers begin with.
const CONTROLLERS: &str = "live/controller/";
/// What keys of hosts begin with.
const NODES: &str = "live/node/";
/// The version in which it is written.
const VERSION: u16 = 1;
/// How often a controller says that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// After how long a silent controller counts as gone.
const SILENT: Duration = Duration::from_secs(20);
/// After how long what it wrote is removed.
const FORGOTTEN: Duration = Duration::from_mins(2);
/// How long hosts are listened to before what they say is written, so that many are written at once.
const TOGETHER: Duration = Duration::from_millis(10);
/// How long to wait where the store does not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// Hosts of one commit.
const HOSTS: usize = 100;

/// That a controller lives.
#[derive(Debug, Serialize, Deserialize)]
struct Alive {
    version: u16,
    program: String,
    at_ms: u64,
}

/// The other controllers.
#[derive(Debug)]
pub(crate) struct Peers {
    store: Store,
    world: WorldHandle,
    name: String,
    feed: Feed,
    others: BTreeMap<String, Other>,
}

#[derive(Clone, Copy, Debug)]
struct Other {
    /// When it last said that it lives.
    seen: Instant,
    gone: bool,
}

impl Peers {
    /// Those of a controller of this name.
    pub(crate) fn new(store: Store, world: WorldHandle, name: String) -> Self {
        Self {
            feed: Feed::new(store.clone(), PREFIX, FeedOptions::default()),
            store,
            world,
            name,
            others: BTreeMap::new(),
        }
    }

    /// Goes on until it is dropped, or the controller ends.
    pub(crate) async fn run(mut self) {
        let Ok(unshared) = self.world.look(|world| world.unshared()).await else {
            return;
        };
        let mut beat = interval(BEAT);
        loop {
            let alone = self.others.values().all(|other| other.gone);
            let done = tokio::select! {
                _ = beat.tick() => self.beat().await,
                event = self.feed.next() => match event {
                    Ok(event) => self.hear(event).await,
                    Err(error) => Err(crate::problems::unreadable(&error)),
                },
                () = unshared.notified(), if !alone => self.share().await,
            };
            if let Err(problem) = done {
                tracing::debug!(%problem, "the other controllers are not heard");
                sleep(PAUSE).await;
            }
        }
    }

    /// Says that this controller lives, and looks who has not for long.
    async fn beat(&mut self) -> Result<(), Problem> {
        let alive = Alive {
            version: VERSION,
            program: rackweave_daemon::program(),
            at_ms: clock::unix_millis(),
        };
        let mut commit = Commit::new().put(controller_key(&self.name)?, json(&alive)?);
        let now = clock::now();
        for (name, other) in &mut self.others {
            let silent = now.since(other.seen);
            if silent > SILENT && !other.gone {
                tracing::warn!(controller = name, "another controller is silent");
                other.gone = true;
                let name = name.clone();
                self.world
                    .look(move |world| world.controller_gone(&name))
                    .await?;
            }
            if silent > FORGOTTEN && commit.writes() < HOSTS {
                commit = commit.delete(controller_key(name)?);
            }
        }
        self.others
            .retain(|_, other| now.since(other.seen) <= FORGOTTEN);
        self.store(commit).await
    }

    async fn hear(&mut self, event: FeedEvent) -> Result<(), Problem> {
        match event {
            FeedEvent::Listed { entries, .. } => {
                for entry in &entries {
                    self.heard(entry).await?;
                }
            }
            FeedEvent::Change(change) => {
                for event in &change.events {
                    match event {
                        Event::Put(entry) => self.heard(entry).await?,
                        Event::Delete(key) => self.ended(key).await?,
                    }
                }
            }
        }
        Ok(())
    }

    async fn heard(&mut self, entry: &Entry) -> Result<(), Problem> {
        let key = entry.key.as_str();
        if let Some(name) = key.strip_prefix(CONTROLLERS) {
            if name == self.name {
                return Ok(());
            }
            let other = Other {
                seen: clock::now(),
                gone: false,
            };
            let before = self.others.insert(name.to_owned(), other);
            if before.is_none_or(|before| before.gone) {
                self.world.look(World::unshare_all).await?;
            }
        } else if let Some(node) = key.strip_prefix(NODES) {
            let node: Result<NodePrefix, _> = node.parse();
            let shared: Result<Shared, _> = serde_json::from_slice(&entry.value);
            // What a newer release writes otherwise is not understood, and hosts say it again.
            if let (Ok(node), Ok(shared)) = (node, shared) {
                self.world
                    .look(move |world| world.hear_shared(node, shared))
                    .await?;
            }
        }
        Ok(())
    }

    /// A controller has ended.
    async fn ended(&mut self, key: &Key) -> Result<(), Problem> {
        let Some(name) = key.as_str().strip_prefix(CONTROLLERS) else {
            return Ok(());
        };
        if self.others.remove(name).is_none() {
            return Ok(());
        }
        let name = name.to_owned();
        self.world
            .look(move |world| world.controller_gone(&name))
            .await
    }

    /// Tells what hosts said.
    async fn share(&mut self) -> Result<(), Problem> {
        sleep(TOGETHER).await;
        loop {
            let some = self.world.look(|world| world.share(HOSTS)).await?;
            if some.is_empty() {
                return Ok(());
            }
            let mut commit = Commit::new();
            for (node, shared) in &some {
                commit = commit.put(key(&format!("{NODES}{node}"))?, json(shared)?);
            }
            if let Err(problem) = self.store(commit).await {
                let nodes: Vec<_> = some.into_iter().map(|(node, _)| node).collect();
                self.world.look(move |world| world.unshare(&nodes)).await?;
                return Err(problem);
            }
        }
    }

    async fn store(&self, commit: Commit) -> Result<(), Problem> {
        let stored = self.store.commit(commit).await;
        stored
            .map(drop)
            .map_err(|error| crate::problems::unwritten(&error))
    }
}

/// Says that a controller has ended.
pub(crate) async fn leave(store: &Store, name: &str) {
    let Ok(key) = controller_key(name) else {
        return;
    };
    if let Err(error) = store.commit(Commit::new().delete(key)).await {
        tracing::debug!(%error, "the other controllers are not told of the end");
    }
}

/// The controllers that have said lately that they live, as what is stored tells.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn living(store: &Store, now_ms: u64) -> Result<Vec<String>, Problem> {
    let listing = store.list(CONTROLLERS, None).await;
    let listing = listing.map_err(|error| crate::problems::unreadable(&error))?;
    let silent = u64::try_from(SILENT.as_millis()).unwrap_or(u64::MAX);
    let alive = listing.entries.iter().filter(|entry| {
        let alive = serde_json::from_slice::<Alive>(&entry.value);
        alive.is_ok_and(|alive| alive.at_ms.saturating_add(silent) > now_ms)
    });
    let names = alive.filter_map(|entry| entry.key.as_str().strip_prefix(CONTROLLERS));
    Ok(names.map(str::to_owned).collect())
}

fn controller_key(name: &str) -> Result<Key, Problem> {
    key(&format!("{CONTROLLERS}{name}"))
}

fn key(text: &str) -> Result<Key, Problem> {
    Key::new(text).map_err(|error| Problem::internal(error.to_string()))
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|_| Problem::internal("what is to be told is no JSON"))
}
