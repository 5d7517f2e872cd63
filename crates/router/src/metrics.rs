//! What the router counts, as collectors read it.
//!
//! What is counted and under which names is in `docs/metrics.md`.

use std::time::Duration;

use rackweave_api::router::Neighbor;
use rackweave_daemon::metrics::{Counted, Family, Kind, Labels, Value, text};
use rackweave_linux::clock;

use crate::control::Context;
use crate::filter::Drops;
use crate::verify;
use crate::view::{self, word};
use crate::world::World;

/// What every name begins with.
const PREFIX: &str = "rackweave_router";
const STOPPING: &str = "the router is stopping";

impl Counted for Context {
    async fn scrape(&self) -> Result<String, &'static str> {
        let asked = self.ask(|world| (families(world), world.doors.filter().clone()));
        let (mut families, filter) = asked.await.map_err(|_| STOPPING)?;
        match filter.drops().await {
            Ok(drops) => families.extend(dropped(&drops)),
            Err(error) => tracing::warn!(%error, "what the filter dropped is not counted now"),
        }
        text(PREFIX, families).map_err(|_| STOPPING)
    }

    async fn health(&self) -> Result<(), &'static str> {
        let asked = self.ask(|_| ());
        match tokio::time::timeout(Duration::from_secs(2), asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(STOPPING),
            Err(_) => Err("the run loop does not answer"),
        }
    }
}

/// All families.
pub(crate) fn families(world: &World) -> Vec<Family> {
    let mut families = node(world);
    families.extend(neighbors(
        &view::neighbors(&world.fabric, clock::now()).neighbors,
    ));
    families.extend(passed(world));
    families.extend(verify::families(&world.verifying.results()));
    families
}

fn one(value: Value) -> Vec<(Labels, Value)> {
    vec![(Labels::new(), value)]
}

fn count(value: usize) -> Vec<(Labels, Value)> {
    one(Value::Count(view::count(value)))
}

/// The node as a whole.
fn node(world: &World) -> Vec<Family> {
    let counts = world.fabric.counts();
    let gauge = |name, help, samples| Family::new(Kind::Gauge, name, help, samples);
    let uptime = clock::now().since(world.info.started);
    let node = world.fabric.node();
    let labels = vec![
        ("program", world.info.program.clone()),
        ("identity", node.name),
        ("role", node.role.to_string()),
        ("hardware", node.id.0.to_string()),
    ];
    let up = world.links.values().map(|link| {
        let labels = vec![("link", link.name.clone())];
        (labels, Value::Count(u64::from(link.up)))
    });
    vec![
        Family::new(
            Kind::Info,
            "node",
            "Who the node is.",
            vec![(labels, Value::None)],
        ),
        gauge(
            "uptime",
            "Time since the router started.",
            one(Value::Seconds(uptime.as_secs_f64())),
        )
        .in_seconds(),
        gauge(
            "link_up",
            "Whether a link is up and has carrier.",
            up.collect(),
        ),
        gauge(
            "neighbors",
            "Neighbours that are known.",
            count(counts.neighbors),
        ),
        gauge(
            "sessions",
            "Neighbours whose session stands.",
            count(counts.sessions),
        ),
        gauge("routes", "Prefixes with a route.", count(counts.routes)),
        gauge(
            "routes_held",
            "Routes that the kernel has as they should be.",
            count(counts.held),
        ),
        gauge(
            "paths",
            "Ways heard of, over all prefixes, origins and neighbours.",
            count(counts.candidates),
        ),
        gauge(
            "announcements",
            "Announcements that neighbours are told, by all classes of neighbours.",
            count(counts.announced),
        ),
    ]
}

/// One sample for each neighbour.
fn neighbors(all: &[Neighbor]) -> Vec<Family> {
    let labels = |one: &Neighbor| -> Labels {
        let name = one.identity.clone();
        vec![
            ("link", one.link.clone()),
            ("neighbor", name.unwrap_or_else(|| one.address.to_string())),
        ]
    };
    let each = |value: &dyn Fn(&Neighbor) -> Option<Value>| {
        let samples = all
            .iter()
            .filter_map(|one| Some((labels(one), value(one)?)));
        samples.collect::<Vec<_>>()
    };
    let gauge = |name, help, samples| Family::new(Kind::Gauge, name, help, samples);
    let seconds = |ns: u32| Value::Seconds(Duration::from_nanos(ns.into()).as_secs_f64());
    let refused = all.iter().flat_map(|one| {
        one.refused_messages.iter().map(|refused| {
            let mut labels = labels(one);
            labels.push(("kind", refused.kind.clone()));
            (labels, Value::Count(refused.count))
        })
    });
    vec![
        gauge(
            "neighbor_session",
            "Whether the session with a neighbour stands.",
            each(&|one| Some(Value::Count(u64::from(one.session == "up")))),
        ),
        gauge(
            "neighbor_live",
            "Whether frames pass between a neighbour and this node.",
            each(&|one| Some(Value::Count(u64::from(one.live)))),
        ),
        gauge(
            "neighbor_rtt",
            "Smoothed round trip to a neighbour.",
            each(&|one| one.rtt_ns.map(seconds)),
        )
        .in_seconds(),
        gauge(
            "neighbor_loss_ratio",
            "Part of the frames between a neighbour and this node that is lost, in the worse direction.",
            each(&|one| one.loss_ppm.map(|ppm| Value::Seconds(f64::from(ppm) / 1e6))),
        ),
        gauge(
            "neighbor_announcements",
            "Announcements of a neighbour that are held.",
            each(&|one| Some(Value::Count(one.announced))),
        ),
        gauge(
            "neighbor_refused_prefixes",
            "Announcements of a neighbour that are refused.",
            each(&|one| Some(Value::Count(view::count(one.refused.len())))),
        ),
        Family::new(
            Kind::Counter,
            "refused_messages",
            "Messages of a neighbour that were refused, by kind.",
            refused.collect(),
        ),
    ]
}

/// What was dropped of packets with sources that their sender may not have.
fn dropped(drops: &[Drops]) -> [Family; 2] {
    let by = |count: &dyn Fn(&Drops) -> u64| {
        let sample = |one: &Drops| {
            let labels = vec![("neighbor", one.owner.clone())];
            (labels, Value::Count(count(one)))
        };
        drops.iter().map(sample).collect()
    };
    [
        Family::new(
            Kind::Counter,
            "spoofed_packets",
            "Packets that were dropped because a neighbour may not send from their source.",
            by(&|one| one.packets),
        ),
        Family::new(
            Kind::Counter,
            "spoofed_bytes",
            "Octets of packets that were dropped because a neighbour may not send from their source.",
            by(&|one| one.bytes),
        ),
    ]
}

/// What passed between the machine and its doors.
fn passed(world: &World) -> Vec<Family> {
    let counter = |name, help, samples| Family::new(Kind::Counter, name, help, samples);
    let by = |label: &'static str, counts: Vec<(String, u64)>| {
        let samples = counts.into_iter();
        let samples = samples.map(|(name, count)| (vec![(label, name)], Value::Count(count)));
        samples.collect::<Vec<_>>()
    };
    let named = |counts: &std::collections::BTreeMap<&'static str, u64>| {
        let named = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        named.collect()
    };
    let counts = &world.counts;
    let events = counts.events.iter();
    let events = events.map(|(kind, count)| (word(kind), *count)).collect();
    let [received, sent] = counts.octets;
    let octets = [("received", received), ("sent", sent)];
    let octets = octets.map(|(way, count)| (way.to_owned(), count)).to_vec();
    vec![
        counter(
            "inputs",
            "What the node's machine was told, by kind.",
            by("kind", named(&counts.inputs)),
        ),
        counter(
            "outputs",
            "What the node's machine had done, by kind.",
            by("kind", named(&counts.outputs)),
        ),
        counter(
            "events",
            "What happened, by kind; `repair` counts what others did to the kernel's table.",
            by("kind", events),
        ),
        counter(
            "message_bytes",
            "Octets of the interior protocol's messages.",
            by("way", octets),
        ),
        counter(
            "foreign_messages",
            "Messages that were passed over: from afar, malformed, or too long.",
            one(Value::Count(world.doors.refused())),
        ),
    ]
}
