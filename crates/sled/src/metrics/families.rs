//! What is told to collectors.

use std::time::Duration;

use rackweave_daemon::follow::FollowStatus;
use rackweave_daemon::metrics::{Family, Kind, Labels, Value};
use rackweave_types::state::{HostState, PortConfig};
use rackweave_types::{Direction, Instant, PortId};

use crate::control::drops::losses;
use crate::control::gather::{Gathered, PortCount};
use crate::control::{AgentCount, Info, device_label, instance_label};
use crate::host::Snapshot;
use crate::worker::{Tally, WorkerStatus};

/// What every name begins with.
pub(super) const PREFIX: &str = "rackweave_sled";

/// What a scrape sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) info: &'a Info,
    pub(super) snapshot: &'a Snapshot,
    pub(super) gathered: &'a Gathered,
    pub(super) agent: &'a [AgentCount],
    pub(super) follows: Option<&'a FollowStatus>,
    pub(super) now: Instant,
}

/// All families.
pub(super) fn families(seen: Seen<'_>) -> Vec<Family> {
    let mut families = sled(seen);
    families.extend(seen.follows.map(controllers).into_iter().flatten());
    families.extend(ports(seen));
    families.extend(workers(seen.gathered));
    families.extend(seen.agent.iter().map(|(name, help, count)| {
        let samples = vec![(Labels::new(), Value::Count(*count))];
        Family::new(Kind::Counter, &format!("agent_{name}"), help, samples)
    }));
    families
}

fn seconds(duration: Duration) -> Value {
    Value::Seconds(duration.as_secs_f64())
}

fn count(count: usize) -> Value {
    Value::Count(u64::try_from(count).unwrap_or(u64::MAX))
}

/// How it follows its controllers.
fn controllers(follows: &FollowStatus) -> [Family; 5] {
    let one = |value| vec![(Labels::new(), Value::Count(value))];
    let counter = |name, help, value| Family::new(Kind::Counter, name, help, one(value));
    [
        Family::new(
            Kind::Gauge,
            "controller_connected",
            "1 while a controller is heard.",
            one(follows.controller.is_some().into()),
        ),
        counter("controller_deltas", "Changes heard.", follows.deltas),
        counter("controller_states", "Whole states heard.", follows.states),
        counter(
            "controller_misfits",
            "Updates that did not fit on the state: the whole was asked for.",
            follows.misfits,
        ),
        counter(
            "controller_lost",
            "Streams that ended, and controllers that did not answer.",
            follows.lost,
        ),
    ]
}

/// The sled as a whole.
fn sled(seen: Seen<'_>) -> Vec<Family> {
    let Seen { info, snapshot, .. } = seen;
    let state = snapshot.state.as_deref();
    let generation = state.map(|state| (Labels::new(), Value::Count(state.generation.get())));
    let refused = snapshot
        .refused
        .as_deref()
        .map_or(0, |refused| refused.errors.len());
    let one = |value| vec![(Labels::new(), value)];
    let build = vec![(vec![("program", info.program.clone())], Value::None)];
    let underlay = vec![(vec![("kind", info.underlay.kind.clone())], Value::None)];
    let uptime = one(seconds(seen.now.since(info.started)));
    vec![
        Family::new(Kind::Info, "build", "The release that runs.", build),
        Family::new(
            Kind::Info,
            "underlay",
            "How the sled reaches the underlay.",
            underlay,
        ),
        Family::in_seconds(Family::new(
            Kind::Gauge,
            "uptime",
            "Time since the sled started.",
            uptime,
        )),
        Family::new(
            Kind::Gauge,
            "state_generation",
            "Generation of the host state that is applied.",
            generation.into_iter().collect(),
        ),
        Family::new(
            Kind::Gauge,
            "state_errors",
            "Errors in the host state that was handed over last; it is not applied where there is one.",
            one(count(refused)),
        ),
    ]
}

/// What ports count, one sample for each port and direction.
fn ports(seen: Seen<'_>) -> Vec<Family> {
    let ports = &seen.gathered.ports;
    let each = |value: fn(&PortCount) -> u64| {
        let sample = |(id, count): (&PortId, &PortCount)| {
            (vec![port_label(*id)], Value::Count(value(count)))
        };
        ports.iter().map(sample).collect::<Vec<_>>()
    };
    let both = |value: fn(&PortCount) -> [u64; 2]| {
        let samples = ports.iter().flat_map(|(id, count)| {
            let sides = [Direction::Out, Direction::In]
                .into_iter()
                .zip(value(count));
            sides.map(|(direction, value)| {
                (vec![port_label(*id), way(direction)], Value::Count(value))
            })
        });
        samples.collect::<Vec<_>>()
    };
    let drops = ports.iter().flat_map(|(id, count)| {
        count.each_drop().map(|(direction, reason, count)| {
            let labels = vec![
                port_label(*id),
                way(direction),
                ("reason", reason.name().to_owned()),
            ];
            (labels, Value::Count(count))
        })
    });
    let counter = |name, help, samples| Family::new(Kind::Counter, name, help, samples);
    let gauge = |name, help, samples| Family::new(Kind::Gauge, name, help, samples);
    let mut families = described(seen);
    families.extend([
        counter(
            "port_packets",
            "Frames handed to the engine.",
            both(|port| port.received),
        ),
        counter(
            "port_bytes",
            "Octets of the well-formed frames handed to the engine, without tunnel headers.",
            both(|port| port.bytes),
        ),
        counter(
            "port_forwarded_packets",
            "Packets that left for the wire (out) or the guest (in).",
            both(|port| port.forwarded),
        ),
        counter(
            "port_answered_packets",
            "Requests answered by the engine.",
            both(|port| port.answered),
        ),
        counter(
            "port_punted_packets",
            "Requests queued for the agent.",
            both(|port| port.punted),
        ),
        counter(
            "port_dropped_packets",
            "Packets dropped by the engine, by reason.",
            drops.collect(),
        ),
        counter(
            "port_refusals",
            "Resets and ICMP errors sent for dropped packets.",
            each(|port| port.refusals),
        ),
        gauge("port_flows", "Connections.", each(|port| port.flows)),
        counter(
            "port_flows_created",
            "Connections that began.",
            each(|port| port.flows_created),
        ),
        counter(
            "port_flows_expired",
            "Connections whose time ran out.",
            each(|port| port.flows_expired),
        ),
        counter(
            "port_flows_evicted",
            "Connections that made room for others in a full table.",
            each(|port| port.flows_evicted),
        ),
        counter(
            "port_flows_cut",
            "Connections cut by a change of rules.",
            each(|port| port.flows_cut),
        ),
    ]);
    families
}

/// What the host state says of ports.
fn described(seen: Seen<'_>) -> Vec<Family> {
    let Some(state) = seen.snapshot.state.as_deref() else {
        return Vec::new();
    };
    let info = |port: &PortConfig| (port_info(state, port), Value::None);
    let limit = |port: &PortConfig| {
        let default = rackweave_engine::program::Limits::default().flows;
        let limit = port.limits.flows.unwrap_or(default);
        (vec![port_label(port.id)], Value::Count(limit.into()))
    };
    let nat = |port: &PortConfig| {
        let ports = port
            .nat
            .iter()
            .map(|block| u64::from(block.ports.count()))
            .sum();
        (vec![port_label(port.id)], Value::Count(ports))
    };
    let attached = seen.snapshot.ports.iter().filter_map(|(id, port)| {
        Some((
            vec![port_label(*id)],
            Value::Count(u64::from(port.attached?)),
        ))
    });
    vec![
        Family::new(
            Kind::Info,
            "port",
            "A port: join by its label `port`.",
            state.ports.iter().map(info).collect(),
        ),
        Family::new(
            Kind::Gauge,
            "port_attached",
            "Whether the guest's device is joined to the port.",
            attached.collect(),
        ),
        Family::new(
            Kind::Gauge,
            "port_flow_limit",
            "Connections that the port may have.",
            state.ports.iter().map(limit).collect(),
        ),
        Family::new(
            Kind::Gauge,
            "port_nat_ports",
            "Ports of shared external addresses that the port has, each usable once towards each remote end.",
            state.ports.iter().map(nat).collect(),
        ),
    ]
}

fn port_info(state: &HostState, port: &PortConfig) -> Labels {
    vec![
        port_label(port.id),
        ("mac", port.mac.to_string()),
        ("vni", port.vni.to_string()),
        ("instance", instance_label(state, port.id)),
        ("device", device_label(state, port.id)),
    ]
}

fn port_label(id: PortId) -> (&'static str, String) {
    ("port", id.to_string())
}

fn way(direction: Direction) -> (&'static str, String) {
    let name = match direction {
        Direction::Out => "out",
        Direction::In => "in",
    };
    ("direction", name.to_owned())
}

/// What workers count.
fn workers(gathered: &Gathered) -> Vec<Family> {
    let each = |samples: fn(&WorkerStatus) -> Vec<(Labels, Value)>| -> Vec<(Labels, Value)> {
        let all = gathered.workers.iter().flat_map(|worker| {
            samples(worker).into_iter().map(|(labels, value)| {
                let labels = [("worker", worker.index.to_string())]
                    .into_iter()
                    .chain(labels);
                (labels.collect::<Labels>(), value)
            })
        });
        all.collect()
    };
    let counter = |name, help, samples| Family::new(Kind::Counter, name, help, samples);
    vec![
        Family::in_seconds(counter(
            "worker",
            "Time of a worker by what it did: busy with frames, spinning (looking for frames in vain), asleep.",
            each(|worker| {
                let shares = worker.shares;
                let state = |name: &str, time| (vec![("state", name.to_owned())], seconds(time));
                vec![
                    state("busy", shares.working),
                    state("spinning", shares.spinning),
                    state("asleep", shares.sleeping),
                ]
            }),
        )),
        counter(
            "worker_sleeps",
            "How often a worker went to sleep.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.sleeps))]),
        ),
        counter(
            "worker_frames",
            "Frames by the way they took.",
            each(|worker| ways(worker, |tally| tally.frames)),
        ),
        counter(
            "worker_bytes",
            "Octets of frames by the way they took.",
            each(|worker| ways(worker, |tally| tally.bytes)),
        ),
        counter(
            "worker_handed_over_frames",
            "Frames given to another worker.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.totals.handed_out))]),
        ),
        counter(
            "worker_punted_frames",
            "Frames given to the agent.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.totals.punted))]),
        ),
        counter(
            "worker_engine_dropped_frames",
            "Frames that the engine dropped; `port_dropped_packets` says why.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.totals.engine_drops))]),
        ),
        counter(
            "worker_refused_frames",
            "Resets and ICMP errors sent in the place of dropped frames.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.totals.refusals))]),
        ),
        counter(
            "worker_thawed_frames",
            "Frames for the agent that came with a port's kept state.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.totals.thawed))]),
        ),
        counter(
            "worker_dropped_frames",
            "Frames that a worker lost itself, by reason.",
            each(|worker| {
                let drops = worker.totals.drops.each().into_iter();
                drops
                    .map(|(reason, count)| {
                        (vec![("reason", reason.to_owned())], Value::Count(count))
                    })
                    .collect()
            }),
        ),
        counter(
            "queue_lost_frames",
            "Frames that queues to guests and to the wire lost, by reason.",
            each(|worker| {
                let queues = [("guest", worker.guest_losses), ("wire", worker.wire_losses)];
                let lost = queues.iter().flat_map(|(queue, lost)| {
                    losses(lost).map(|(reason, count)| {
                        let labels = vec![
                            ("queue", (*queue).to_owned()),
                            ("reason", reason.to_owned()),
                        ];
                        (labels, Value::Count(count))
                    })
                });
                lost.collect()
            }),
        ),
        counter(
            "capture_lost_frames",
            "Copies for captures that found no room; no packet is lost with them.",
            each(|worker| vec![(Labels::new(), Value::Count(worker.totals.capture_lost))]),
        ),
    ]
}

fn ways(worker: &WorkerStatus, of: fn(&Tally) -> u64) -> Vec<(Labels, Value)> {
    let totals = &worker.totals;
    let ways = [
        ("guest_in", &totals.guest_in),
        ("guest_out", &totals.guest_out),
        ("wire_in", &totals.wire_in),
        ("wire_out", &totals.wire_out),
        ("local", &totals.local),
        ("injected", &totals.injected),
    ];
    let sample =
        |(name, tally): (&str, &Tally)| (vec![("way", name.to_owned())], Value::Count(of(tally)));
    ways.into_iter().map(sample).collect()
}
