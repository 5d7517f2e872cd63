//! A controller as it runs, and hosts that follow it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rackweave_api::control::{NodeStatus, REVISION, RevisionStatus};
use rackweave_api::http::{Client, Endpoint};
use rackweave_daemon::follow::{Follow, Settings};
use rackweave_linux::random;
use rackweave_rig::{Controller, Etcd, wait_until};
use rackweave_types::{Generation, NodePrefix};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::fleet::{self, AZ};
use super::host::{Heard, Host};
use super::keys::Tree;
use crate::clock::Moment;

/// How long a change may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long all hosts may take to find a controller.
const JOIN: Duration = Duration::from_mins(2);
/// The prefix of the node that the controller runs on.
const CONTROLLER: &str = "fd00:1122:3344:fd01::/64";

/// What a controller keeps its intent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A file of its own, by redb.
    Redb,
    /// Three members of etcd, which write to disk as they do in earnest.
    Etcd,
}

/// How many hosts a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One.
    One,
    /// Ten, or all where there are fewer.
    Ten,
    /// All.
    All,
}

impl Spread {
    const ALL: [Self; 3] = [Self::One, Self::Ten, Self::All];

    /// The VPC whose ports stand on so many hosts, one on each.
    const fn vpc(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Ten => "ten",
            Self::All => "all",
        }
    }

    fn hosts(self, all: usize) -> usize {
        match self {
            Self::One => 1,
            Self::Ten => all.min(10),
            Self::All => all,
        }
    }
}

/// The program that is measured, and where its parts stand.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `rackweave`, built for release.
    pub program: &'a Path,
    /// How many hosts there are.
    pub hosts: usize,
    /// What the controller keeps its intent in.
    pub store: StoreKind,
}

/// A controller, and hosts that follow it.
#[derive(Debug)]
pub struct Live {
    hosts: usize,
    controller: Controller,
    _etcd: Option<Etcd>,
    _keys: TempDir,
    client: Client,
    followers: Vec<JoinHandle<()>>,
    heard: UnboundedReceiver<Heard>,
    changes: u32,
    runtime: Runtime,
}

/// How a change came to the hosts.
#[derive(Clone, Copy, Debug)]
pub struct Propagated {
    /// From the request to its answer: it is stored.
    pub answered: Duration,
    /// From the request until the last host has it in force.
    pub enforced: Duration,
}

/// How the hosts found a controller that was killed and started again.
#[derive(Clone, Copy, Debug)]
pub struct CaughtUp {
    /// From the kill until the new one served.
    pub served: Duration,
    /// From the kill until the last host had said that it has the newest state.
    pub all: Duration,
    /// Hosts that were told all of their state, instead of nothing or what they missed.
    pub whole: usize,
}

impl Live {
    /// Starts a controller, describes an AZ to it, and lets the hosts join.
    ///
    /// # Errors
    /// Where anything of it does not begin.
    pub fn start(place: Place<'_>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let etcd = match place.store {
            StoreKind::Redb => None,
            StoreKind::Etcd => Some(Etcd::start(3, true)?),
        };
        let endpoints = etcd.as_ref().map(Etcd::endpoints).unwrap_or_default();
        let keys = tempfile::tempdir()?;
        let tree = Tree::default();
        tree.write(CONTROLLER.parse()?, keys.path())?;
        let address = free_address()?;
        let more = format!(
            "etcd = {endpoints:?}\nconnections = 8192\n[nodes]\nlisten = [\"{address}\"]\nkeys = \"{}\"\n",
            keys.path().display()
        );
        let mut controller = Controller::new(place.program, &more)?;
        controller.start(None)?;
        let client = Client::new(Endpoint::Unix(controller.socket()));
        let (tell, heard) = unbounded_channel();
        let mut live = Self {
            hosts: place.hosts,
            controller,
            _etcd: etcd,
            _keys: keys,
            client,
            followers: Vec::new(),
            heard,
            changes: 0,
            runtime,
        };
        live.describe()?;
        for number in 0..place.hosts {
            let node = prefix(number)?;
            let settings = Settings {
                node,
                controllers: vec![Client::new(Endpoint::Tls {
                    address: address.to_string(),
                    name: ServerName::try_from("controller")?,
                    config: tree.client(node)?,
                })],
            };
            let follow = Follow::new(settings, None, draw);
            let host = Host::new(number, tell.clone());
            live.followers.push(
                live.runtime
                    .spawn(async { match follow.run(host).await {} }),
            );
        }
        live.wait_for_all()?;
        Ok(live)
    }

    /// What its programs said.
    #[must_use]
    pub fn log(&self) -> String {
        self.controller.log()
    }

    /// Makes a firewall rule that concerns so many hosts, and waits until they have it in force.
    ///
    /// # Errors
    /// Where it is refused, or does not come to all of them.
    pub fn propagate(&mut self, spread: Spread) -> Result<Propagated> {
        self.changes += 1;
        let path = format!("/v1/projects/p/vpcs/{}/firewall-rules", spread.vpc());
        let name = format!("rule{}", self.changes);
        let body = json!({"name": name, "spec": rule(self.changes)});
        let begun = Moment::now();
        let client = &self.client;
        let made = self.runtime.block_on(async {
            let made = client.post(&path).json(&body);
            made.answer::<Value>().await
        })?;
        let answered = begun.elapsed();
        let revision: u64 = made.header(REVISION).context("no revision")?.parse()?;
        let concerned = spread.hosts(self.hosts);
        let last = self.in_force(Generation::new(revision), concerned)?;
        self.concerned(revision, concerned)?;
        // The next change finds as many rules as this one.
        let client = &self.client;
        let path = format!("{path}/{name}");
        let removed = self.runtime.block_on(async {
            let removed = client.delete(&path);
            removed.bytes().await
        })?;
        let revision: u64 = removed.header(REVISION).context("no revision")?.parse()?;
        self.in_force(Generation::new(revision), concerned)?;
        self.concerned(revision, concerned)?;
        Ok(Propagated {
            answered,
            enforced: last.since(begun),
        })
    }

    /// The same for all hosts, until the controller knows that the last one has it in force.
    ///
    /// # Errors
    /// Where it is refused, or does not come to all of them.
    pub fn acknowledge(&mut self) -> Result<Duration> {
        self.changes += 1;
        let path = "/v1/projects/p/vpcs/all/firewall-rules";
        let name = format!("rule{}", self.changes);
        let body = json!({"name": name, "spec": rule(self.changes)});
        let client = &self.client;
        let (took, status) = self.runtime.block_on(async {
            let begun = Moment::now();
            let made = client.post(path).json(&body).answer::<Value>().await?;
            let revision = made.header(REVISION).context("no revision")?.to_owned();
            let call = client.get(&format!("/v1/revisions/{revision}"));
            let call = call
                .query("wait_s", PATIENCE.as_secs())
                .patience(2 * PATIENCE);
            let status = call.answer::<RevisionStatus>().await?.body;
            let took = begun.elapsed();
            client.delete(&format!("{path}/{name}")).done().await?;
            anyhow::Ok((took, status))
        })?;
        ensure!(
            status.is_done() && status.concerned == self.hosts,
            "not in force everywhere: {status:?}"
        );
        self.settle()?;
        Ok(took)
    }

    /// Kills the controller right after it answered a change that concerns all hosts, and starts it again.
    ///
    /// # Errors
    /// Where it does not begin, or hosts do not find it.
    pub fn restart(&mut self) -> Result<CaughtUp> {
        self.changes += 1;
        let path = "/v1/projects/p/vpcs/all/firewall-rules";
        let body = json!({"name": format!("rule{}", self.changes), "spec": rule(self.changes)});
        let client = &self.client;
        self.runtime
            .block_on(async { client.post(path).json(&body).done().await })?;
        self.drain();
        let killed = Moment::now();
        self.controller.kill()?;
        self.controller.start(None)?;
        let served = killed.elapsed();
        self.wait_for_all()?;
        let all = killed.elapsed();
        let mut whole = BTreeSet::new();
        while let Ok(heard) = self.heard.try_recv() {
            if heard.whole {
                whole.insert(heard.host);
            }
        }
        Ok(CaughtUp {
            served,
            all,
            whole: whole.len(),
        })
    }

    /// Waits until that many hosts have a state in force; tells since when the last one does.
    fn in_force(&mut self, generation: Generation, hosts: usize) -> Result<Moment> {
        let mut have = BTreeSet::new();
        let mut last = Moment::now();
        let heard = &mut self.heard;
        self.runtime.block_on(async {
            while have.len() < hosts {
                let next = timeout(PATIENCE, heard.recv()).await;
                let next = next.with_context(|| {
                    format!(
                        "{} of {hosts} hosts have generation {generation}",
                        have.len()
                    )
                })?;
                let next = next.context("no host is left")?;
                if next.generation >= generation && have.insert(next.host) {
                    ensure!(next.compiled > 0, "host {} has no port", next.host);
                    last = next.at;
                }
            }
            Ok(last)
        })
    }

    /// Makes sure that a change concerned as many hosts as were waited for.
    fn concerned(&self, revision: u64, hosts: usize) -> Result<()> {
        let client = &self.client;
        let path = format!("/v1/revisions/{revision}");
        let status = self.runtime.block_on(async {
            let call = client.get(&path).query("wait_s", PATIENCE.as_secs());
            call.patience(2 * PATIENCE).answer::<RevisionStatus>().await
        })?;
        let status = status.body;
        ensure!(
            status.concerned == hosts && status.is_done(),
            "{hosts} hosts were to be concerned: {status:?}"
        );
        Ok(())
    }

    /// Waits until all hosts have said that they have the newest state.
    fn wait_for_all(&mut self) -> Result<()> {
        wait_until(JOIN, "all hosts have the newest state", || {
            let client = &self.client;
            let nodes = self.runtime.block_on(async {
                let listed = client.get("/v1/nodes");
                listed.answer::<Vec<NodeStatus>>().await
            })?;
            let nodes = nodes.body;
            let newest = nodes.iter().filter_map(generation).max();
            let have = nodes
                .iter()
                .filter(|node| node.connected && generation(node) == newest && newest.is_some());
            let have = have.count();
            ensure!(have == self.hosts, "{have} of {} have it", self.hosts);
            Ok(true)
        })
    }

    /// Waits until nothing is under way any more.
    fn settle(&mut self) -> Result<()> {
        self.wait_for_all()?;
        self.drain();
        Ok(())
    }

    fn drain(&mut self) {
        while self.heard.try_recv().is_ok() {}
    }

    /// Describes the AZ: sleds, and a project with three VPCs, whose ports stand on one, ten and all of them.
    fn describe(&self) -> Result<()> {
        let post = |path: String, name: String, spec: Value| {
            let client = &self.client;
            self.runtime.block_on(async {
                let body = json!({"name": name, "spec": spec});
                let made = client.post(&path).json(&body).done().await;
                made.with_context(|| format!("{path}/{name}"))
            })
        };
        let az = json!({"prefix": AZ, "groups": [{"index": 0}]});
        post("/v1/azs".into(), "az".into(), az)?;
        let pool = json!({"blocks": ["198.51.0.0/16"], "nat": ["198.51.0.0/16"], "system": true});
        post("/v1/ip-pools".into(), "system".into(), pool)?;
        for number in 0..self.hosts {
            let spec = fleet::sled(u32::try_from(number)?);
            post("/v1/sleds".into(), format!("s{number}"), spec)?;
        }
        post("/v1/projects".into(), "p".into(), json!({}))?;
        for spread in Spread::ALL {
            let vpc = spread.vpc();
            let blocks = json!({"ipv4": ["10.0.0.0/16"]});
            post("/v1/projects/p/vpcs".into(), vpc.into(), blocks)?;
            let subnets = format!("/v1/projects/p/vpcs/{vpc}/subnets");
            post(subnets, "main".into(), json!({"ipv4": "10.0.0.0/20"}))?;
            for number in 0..spread.hosts(self.hosts) {
                let instance = format!("{vpc}-{number}");
                let spec = json!({"sled": format!("s{number}")});
                post("/v1/projects/p/instances".into(), instance.clone(), spec)?;
                let nics = format!("/v1/projects/p/instances/{instance}/nics");
                let nic = json!({"vpc": vpc, "subnet": "main"});
                post(nics, "eth0".into(), nic)?;
            }
        }
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for follower in &self.followers {
            follower.abort();
        }
    }
}

fn generation(node: &NodeStatus) -> Option<Generation> {
    node.report.as_ref().map(|report| report.generation)
}

/// A rule for all ports of a VPC.
fn rule(number: u32) -> Value {
    json!({
        "priority": 100, "direction": "in", "action": "allow",
        "filters": {"protocols": ["tcp"], "ports": [[1 + number % 60_000, 1 + number % 60_000]]},
    })
}

fn prefix(number: usize) -> Result<NodePrefix> {
    let text = fleet::prefix(u32::try_from(number)?);
    Ok(text.parse()?)
}

/// An address that nobody listens at. The program finds it free unless somebody is faster.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

fn draw() -> u32 {
    random::bytes().map_or(u32::MAX, u32::from_be_bytes)
}
