//! A sled whose router lies: what it announces of others is refused and named, and nobody's traffic moves.
//!
//! The sled has true keys, and its liveness goes on; its router is killed, and a program that speaks the interior protocol
//! takes its place.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use ipnet::Ipv6Net;
use rackweave_linux::clock;
use rackweave_linux::link_local::LinkLocalUdp;
use rackweave_rig::{Fabric, Node, Probe, may_run, wait_until};
use rackweave_router::keys::NodeKeys;
use rackweave_routing::ddm::item::{Announcement, Cost, Item, Members, NodeId, RouteKey, Scope};
use rackweave_routing::ddm::session::{Own, Security, Session, SessionEvent};
use rackweave_routing::fabric::Now;
use rackweave_trust::Assignment;
use rackweave_types::{BootstrapPrefix, Role};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
/// Liveness at a pace at which a machine that is busy with other tests takes nobody for dead: what is lost here is lost
/// for another cause.
const CALM: [&str; 2] = ["--liveness-ms", "100"];
/// How long a thing may take that takes a second on a machine with nothing else to do.
const LONG: Duration = Duration::from_mins(1);
/// The port of the interior protocol.
const PORT: u16 = 6090;
/// Octets of the longest message.
const MESSAGE: usize = 1232;
/// The sled that lies, and the one whose prefix it wants.
const LIAR: &str = "r1s1";
const VICTIM: &str = "r1s2";

/// What the liar says.
type Lies = Vec<(Ipv6Net, Scope)>;

/// A program in the place of a sled's router.
struct Liar {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<usize>>,
}

impl Liar {
    /// Kills the sled's router, and says these things to its neighbours in its place.
    fn start(fabric: &Fabric, own: Own, lies: Lies) -> Result<Self> {
        let node = fabric.node(LIAR)?;
        let mut neighbors = Vec::new();
        for neighbor in list(&fabric.ask(LIAR, &["neighbors"])?["neighbors"])? {
            let link = neighbor["link"].as_str().context("a link")?;
            let address = neighbor["address"].as_str().context("an address")?;
            let index = node.must(&["cat", &format!("/sys/class/net/{link}/ifindex")])?;
            neighbors.push((index.trim().parse()?, address.parse()?));
        }
        ensure!(neighbors.len() == 2, "{neighbors:?}");
        fabric.lab(&["kill", LIAR])?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || node.enter(|| lie(&own, &neighbors, &lies, &told))?);
        Ok(Self { stop, thread })
    }

    /// Fails where it has ended by itself.
    fn lives(&self) -> Result<()> {
        ensure!(!self.thread.is_finished(), "the liar has ended");
        Ok(())
    }

    /// Ends it, and gives with how many neighbours it spoke.
    fn finish(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let spoke = self.thread.join();
        spoke.map_err(|_| anyhow!("the liar panicked"))?
    }
}

/// Speaks with the neighbours until it is told to end.
fn lie(own: &Own, neighbors: &[(u32, Ipv6Addr)], lies: &Lies, stop: &AtomicBool) -> Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut socket = None;
        // The last thread of a killed program lets go of its port a moment later.
        wait_until(LONG, "the port of the router is free", || {
            socket = Some(LinkLocalUdp::open(PORT)?);
            Ok(true)
        })?;
        let socket = socket.context("a socket")?;
        let mut sessions = BTreeMap::new();
        for (number, to) in (1..).zip(neighbors) {
            sessions.insert(*to, Session::new(own, [number; 32], now()));
        }
        let mut spoke = 0;
        let mut buffer = [0; MESSAGE];
        while !stop.load(Ordering::Relaxed) {
            let mut events = Vec::new();
            for ((link, address), session) in &mut sessions {
                let mut out = Vec::new();
                session.transmit(now(), own, &mut events, &mut out);
                for bytes in out {
                    // A datagram that is lost is sent again.
                    let _lost = socket.send(*link, *address, &bytes);
                }
            }
            let heard = socket.receive(&mut buffer);
            let heard = tokio::time::timeout(Duration::from_millis(5), heard).await;
            let Ok(heard) = heard else {
                continue;
            };
            let heard = heard?;
            let Some(session) = sessions.get_mut(&(heard.link, heard.from)) else {
                continue;
            };
            // What is refused was said to the router before.
            let _refused = session.receive(now(), &buffer[..heard.len], own, &mut events);
            if events
                .iter()
                .any(|event| matches!(event, SessionEvent::Established { .. }))
            {
                spoke += 1;
                for item in items(own, lies) {
                    session.push(&item);
                }
            }
        }
        Ok(spoke)
    })
}

fn now() -> Now {
    Now {
        at: clock::now(),
        unix: clock::unix_seconds(),
    }
}

/// What is true of the sled, and what is not.
fn items(own: &Own, lies: &Lies) -> Vec<Item> {
    let bootstrap = (BootstrapPrefix::new(own.id.0).net(), Scope::Bootstrap);
    let assigned = own.assignment.as_ref();
    let assigned = assigned.map(|given| (given.prefix.net(), Scope::Rack));
    let all = [bootstrap].into_iter().chain(assigned);
    let all = all.chain(lies.iter().copied());
    let announce = |(prefix, scope)| {
        Item::Announce(Announcement {
            key: RouteKey {
                prefix,
                origin: own.id,
            },
            scope,
            path: vec![own.id],
            cost: Cost(0),
            members: (scope == Scope::Summary).then_some(Members([u64::MAX; 4])),
        })
    };
    all.map(announce).chain([Item::EndOfRib]).collect()
}

/// The sled as its router was: its keys, and its assignment.
fn own(fabric: &Fabric, signed: bool) -> Result<Own> {
    let root = Path::new("/run/rackweave/lab").join(fabric.name());
    let assignment = root.join("nodes").join(LIAR).join("state/assignment.json");
    let assignment: Assignment = serde_json::from_slice(&std::fs::read(assignment)?)?;
    let security = if signed {
        let keys = NodeKeys::read(&root.join("keys/racks/01/nodes").join(LIAR))?;
        Security::Signed {
            credentials: Arc::new(keys.credentials),
            anchor: Arc::new(keys.anchor),
        }
    } else {
        Security::Unsigned
    };
    Ok(Own {
        revision: 0,
        instance: 7,
        id: NodeId(assignment.hardware),
        name: LIAR.to_owned(),
        role: Role::Sled,
        rack: Some(assignment.prefix.rack()),
        az: Some(assignment.prefix.az()),
        // Unsigned, who shows no assignment may have any prefix that is free.
        assignment: signed.then_some(assignment),
        hold: Duration::from_secs(3),
        security,
    })
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value
        .as_array()
        .with_context(|| format!("{value} is no list"))
}

/// The /64 of an address.
fn net(address: Ipv6Addr, length: u8) -> Result<Ipv6Net> {
    Ok(Ipv6Net::new(address, length)?.trunc())
}

/// What a switch says of the sled that lies.
fn seen(fabric: &Fabric, switch: &str) -> Result<Value> {
    let neighbors = fabric.ask(switch, &["neighbors"])?;
    let mut all = list(&neighbors["neighbors"])?.iter();
    let seen = all.find(|neighbor| neighbor["identity"] == LIAR);
    seen.cloned().context("the sled is a neighbour")
}

/// Fails where anything but these leads to the liar, on any node, or where there is a default route.
fn nothing_leads_to_the_liar_but(fabric: &Fabric, own: &[Ipv6Net]) -> Result<()> {
    let link = format!("to-{LIAR}");
    for node in fabric.nodes()? {
        for route in node.routes()? {
            let to = route["dst"].as_str().unwrap_or_default();
            ensure!(to != "default", "{} has {route}", node.name);
            let hops = route["nexthops"].as_array().cloned().unwrap_or_default();
            let mut ways = hops.iter().chain([&route]);
            // Of every link there is a route to its own link-local network.
            let is_own = to.starts_with("fe80:") || own.iter().any(|net| net.to_string() == to);
            ensure!(
                is_own || ways.all(|way| way["dev"] != link.as_str()),
                "{} has {route}",
                node.name
            );
        }
    }
    Ok(())
}

/// Traffic to and from the victim while something happens, by every switch: nothing is lost.
fn unharmed(fabric: &Fabric, event: impl FnOnce() -> Result<()>) -> Result<()> {
    let (far, victim) = (fabric.node("r2s1")?, fabric.node(VICTIM)?);
    let mut probes = Vec::new();
    for port in 20_000..20_004 {
        probes.push(Probe::start(&far, &victim, (port, port))?);
        probes.push(Probe::start(&victim, &far, (port + 200, port + 100))?);
    }
    for probe in &probes {
        probe.wait_for(50, LONG)?;
    }
    event()?;
    for probe in &probes {
        probe.wait_for(200, LONG)?;
    }
    for probe in probes {
        let losses = probe.finish()?;
        ensure!(losses.lost == 0, "traffic of {VICTIM} was lost: {losses:?}");
    }
    Ok(())
}

/// The prefixes of the sled that lies: bootstrap, and its own.
fn true_ones(liar: &Node) -> Result<[Ipv6Net; 2]> {
    Ok([net(liar.bootstrap, 64)?, net(liar.own()?, 64)?])
}

#[test]
fn a_sled_that_lies_is_refused_and_named_and_no_traffic_moves() -> Result<()> {
    if !may_run("a_sled_that_lies_is_refused_and_named_and_no_traffic_moves") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 2, 2, &CALM)?;
    fabric.with_logs((|| {
        let (victim, far) = (fabric.node(VICTIM)?, fabric.node("r2s1")?);
        let true_ones = true_ones(&fabric.node(LIAR)?)?;
        let lies = vec![
            (net(victim.own()?, 64)?, Scope::Rack),
            (net(Ipv6Addr::UNSPECIFIED, 0)?, Scope::Site),
            (net(far.own()?, 56)?, Scope::Summary),
            (net(victim.own()?, 56)?, Scope::Summary),
            (net(fabric.node("r1a")?.own()?, 64)?, Scope::Rack),
            (net(victim.bootstrap, 64)?, Scope::Bootstrap),
            (net(far.own()?, 48)?, Scope::Site),
        ];
        let own = own(&fabric, true)?;
        unharmed(&fabric, || {
            let liar = Liar::start(&fabric, own, lies.clone())?;
            for switch in ["r1a", "r1b"] {
                let what = format!("{switch} has refused all lies");
                wait_until(LONG, &what, || {
                    liar.lives()?;
                    Ok(list(&seen(&fabric, switch)?["refused"])?.len() == lies.len())
                })?;
                let events = fabric.exec(switch, &["router", "events"])?;
                for (prefix, _) in &lies {
                    let named = format!("refused {prefix} from sled {LIAR} (");
                    ensure!(
                        events.contains(&named),
                        "{switch}: nothing of {prefix}: {events}"
                    );
                }
                let people = fabric.exec(switch, &["router", "neighbors"])?;
                ensure!(people.contains(LIAR), "{people}");
                // What is true of it holds.
                let seen = seen(&fabric, switch)?;
                ensure!(seen["announced"] == 2 && seen["session"] == "up", "{seen}");
            }
            nothing_leads_to_the_liar_but(&fabric, &true_ones)?;
            let spoke = liar.finish()?;
            ensure!(spoke == 2, "it spoke with {spoke} switches");
            Ok(())
        })?;
        nothing_leads_to_the_liar_but(&fabric, &true_ones)
    })())
}

#[test]
fn unsigned_the_second_claimant_of_a_prefix_gets_nothing() -> Result<()> {
    if !may_run("unsigned_the_second_claimant_of_a_prefix_gets_nothing") {
        return Ok(());
    }
    let fabric = Fabric::start(PROGRAM, 2, 2, &["--unsigned", CALM[0], CALM[1]])?;
    fabric.with_logs((|| {
        let victim = fabric.node(VICTIM)?;
        let claimed = net(victim.own()?, 64)?;
        let true_ones = true_ones(&fabric.node(LIAR)?)?;
        let own = own(&fabric, false)?;
        unharmed(&fabric, || {
            let liar = Liar::start(&fabric, own, vec![(claimed, Scope::Rack)])?;
            for switch in ["r1a", "r1b"] {
                wait_until(LONG, &format!("{switch} names both"), || {
                    liar.lives()?;
                    let events = fabric.exec(switch, &["router", "events"])?;
                    let conflict = format!("{claimed} is claimed by sled {VICTIM} (");
                    let mut lines = events.lines();
                    Ok(lines.any(|line| line.contains(&conflict) && line.contains(LIAR)))
                })?;
                let allowed = seen(&fabric, switch)?["allowed"].clone();
                let lets_in = list(&allowed)?.contains(&Value::String(claimed.to_string()));
                ensure!(!lets_in, "{switch} lets it send from there: {allowed}");
            }
            nothing_leads_to_the_liar_but(&fabric, &true_ones)?;
            liar.finish()?;
            Ok(())
        })
    })())
}
