//! The figures: what there is to know of each, and how it is measured.

mod attack;
mod measure;
mod row;

use rackweave_bench::established::How;
use rackweave_bench::instructions::Workload;
use rackweave_bench::lookup::Set;
use rackweave_bench::segments::Work;
use rackweave_bench::traffic::{Family, Kind, Transport};
use rackweave_engine::Direction;

pub(crate) use measure::Measurer;
use row::{Known, Peer};

/// Sizes of flow tables.
const TABLES: [u32; 4] = [16, 65_536, 524_288, 4_194_304];
/// Sizes of rule sets and routing tables.
const SETS: [u32; 4] = [10, 1_000, 10_000, 100_000];

/// Something that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) about: String,
    unit: &'static str,
    what: What,
    peer: Option<f64>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Hit {
        kind: Kind,
        direction: Direction,
        flows: u32,
        how: How,
    },
    New {
        kind: Kind,
        direction: Direction,
    },
    NewFull {
        kind: Kind,
    },
    Lookup {
        set: Set,
        size: u32,
    },
    RulesRatio,
    Segments(Work),
    FlowBytes,
    SharedBytes,
    Shards,
    Attack(attack::Told),
    Instructions(Workload),
}

impl Figure {
    fn new(
        name: impl Into<String>,
        unit: &'static str,
        what: What,
        about: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            unit,
            what,
            peer: None,
        }
    }

    fn with_peer(self, value: f64) -> Self {
        Self {
            peer: Some(value),
            ..self
        }
    }

    /// What `--list` says of it.
    pub(crate) fn known(&self) -> Known<'_> {
        Known {
            figure: &self.name,
            unit: self.unit,
            about: &self.about,
        }
    }

    fn peer(&self) -> Option<Peer> {
        self.peer.map(Peer::quoted)
    }
}

/// Every figure, those first that others would be compared by; what takes longest comes last.
pub(crate) fn all() -> Vec<Figure> {
    let (first, others) = Kind::ALL.split_at(1);
    let (small, large) = TABLES.split_at(TABLES.len() - 1);
    let mut figures = sizes();
    figures.extend(hits(small, first));
    figures.extend(news(first));
    figures.extend(lookups());
    figures.extend(segments());
    figures.push(Figure::new(
        "shards_2_over_1",
        "ratio",
        What::Shards,
        "packets a second of two shards on two threads, over those of one; in batches",
    ));
    figures.extend(attack::figures());
    figures.extend(instructions());
    figures.extend(news(others));
    figures.extend(hits(small, others));
    figures.extend(hits(large, &Kind::ALL));
    figures
}

fn sizes() -> Vec<Figure> {
    vec![
        Figure::new(
            "flow_bytes",
            "bytes",
            What::FlowBytes,
            "memory of a connection: both directions, its share of the index included",
        ),
        Figure::new(
            "flow_shared_bytes",
            "bytes",
            What::SharedBytes,
            "memory of an outer header and tunnel end point, which all connections to one host share",
        ),
    ]
}

/// What the issue of the engine quotes of the best public implementation for a packet of an
/// established flow, in nanoseconds: the lower end where it is a range.
const fn quoted_hit(flows: u32) -> Option<f64> {
    match flows {
        16 => Some(250.0),
        65_536 => Some(1_070.0),
        524_288 => Some(1_610.0),
        _ => None,
    }
}

fn hits(tables: &[u32], kinds: &[Kind]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for &flows in tables {
        for (&kind, direction) in kinds.iter().flat_map(both_ways) {
            for (how, batch, told) in [
                (How::Single, "", "one by one"),
                (How::Batch, "_batch", "in batches of 32"),
            ] {
                let figure = Figure::new(
                    format!("flow_hit_{flows}{}{batch}_ns", suffix(kind, direction)),
                    "ns",
                    What::Hit {
                        kind,
                        direction,
                        flows,
                        how,
                    },
                    format!(
                        "packet of one of {flows} established flows, random order, {told}; {}",
                        told_of(kind, direction)
                    ),
                );
                let compared = quoted_hit(flows).filter(|_| suffix(kind, direction).is_empty());
                figures.push(match compared {
                    Some(peer) => figure.with_peer(peer),
                    None => figure,
                });
            }
        }
    }
    figures
}

fn news(kinds: &[Kind]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for &kind in kinds {
        let default = kind == Kind::ALL[0];
        for direction in [Direction::Out, Direction::In] {
            let figure = Figure::new(
                format!("flow_new{}_ns", suffix(kind, direction)),
                "ns",
                What::New { kind, direction },
                format!("first packet of a flow; {}", told_of(kind, direction)),
            );
            let compared = default && direction == Direction::Out;
            figures.push(if compared {
                figure.with_peer(5_200.0)
            } else {
                figure
            });
        }
        let suffix = suffix(kind, Direction::Out);
        let full = Figure::new(
            format!("flow_new{suffix}_full_ns"),
            "ns",
            What::NewFull { kind },
            format!(
                "first packet of a flow on a full table of 524,288; {}",
                told_of(kind, Direction::Out)
            ),
        );
        figures.push(if default { full.with_peer(80e6) } else { full });
    }
    figures
}

fn lookups() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (set, name) in [(Set::Rules, "rules"), (Set::Routes, "routes")] {
        for size in SETS {
            figures.push(Figure::new(
                format!("lookup_{name}_{size}_ns"),
                "ns",
                What::Lookup { set, size },
                format!("lookup in {size} {name}, all different, every one of them hit"),
            ));
        }
    }
    figures.push(Figure::new(
        "rules_10000_over_10",
        "ratio",
        What::RulesRatio,
        "lookup in 10,000 rules over lookup in 10",
    ));
    figures
}

fn segments() -> [Figure; 3] {
    let figure = |name, work, about| Figure::new(name, "ns", What::Segments(work), about);
    [
        figure(
            "segments_cut_64k_ns",
            Work::Cut,
            "64,000 octets of TCP in Geneve cut into segments of 1,448",
        ),
        figure(
            "segments_join_64k_ns",
            Work::Join,
            "64,000 octets of TCP in Geneve joined from segments of 1,448",
        ),
        figure(
            "segments_copy_64k_ns",
            Work::Copy,
            "64,000 octets copied and summed, 1,448 at a time: the least that both can cost",
        ),
    ]
}

fn instructions() -> Vec<Figure> {
    let figure = |workload| {
        let (name, about) = match workload {
            Workload::Hit(kind, direction, how) => {
                let suffix = suffix(kind, direction);
                let (batch, told) = told_how(how);
                let about = format!(
                    "packet of one of 16 established flows, {told}; {}",
                    told_of(kind, direction)
                );
                (format!("flow_hit_16{suffix}{batch}_instructions"), about)
            }
            Workload::New(kind, direction) => {
                let about = format!("first packet of a flow; {}", told_of(kind, direction));
                (
                    format!("flow_new{}_instructions", suffix(kind, direction)),
                    about,
                )
            }
            Workload::Rules => (
                "lookup_rules_10000_instructions".to_owned(),
                "lookup in 10,000 rules".to_owned(),
            ),
        };
        Figure::new(name, "instructions", What::Instructions(workload), about)
    };
    Workload::all().map(figure).collect()
}

fn both_ways(kind: &Kind) -> [(&Kind, Direction); 2] {
    [(kind, Direction::Out), (kind, Direction::In)]
}

/// How a name tells that it is not about IPv4, TCP and packets of the guest.
fn suffix(kind: Kind, direction: Direction) -> String {
    let family = if kind.family == Family::V6 { "_v6" } else { "" };
    let transport = if kind.transport == Transport::Udp {
        "_udp"
    } else {
        ""
    };
    let direction = if direction == Direction::In {
        "_in"
    } else {
        ""
    };
    [family, transport, direction].concat()
}

/// How a name tells that packets go through the engine in batches, and how a person is told.
const fn told_how(how: How) -> (&'static str, &'static str) {
    match how {
        How::Batch => ("_batch", "in batches of 32"),
        How::Single => ("", "one by one"),
        How::Copied => ("_copied", "copied into frames only"),
    }
}

fn told_of(kind: Kind, direction: Direction) -> String {
    let family = if kind.family == Family::V6 {
        "IPv6"
    } else {
        "IPv4"
    };
    let transport = if kind.transport == Transport::Udp {
        "UDP"
    } else {
        "TCP"
    };
    let direction = if direction == Direction::In {
        "in"
    } else {
        "out"
    };
    format!("{family} {transport} {direction}, stateful firewall + routing + 1:1 NAT + Geneve")
}
