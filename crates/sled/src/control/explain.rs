//! What would become of a packet, told in words.

use std::net::IpAddr;

use rackweave_api::local::{ApiError, Code};
use rackweave_api::sled::{
    Description, ExplainRequest, Explanation, LayerStep, PacketSpec, Verdict,
};
use rackweave_engine::addr::Addr;
use rackweave_engine::parse::{Parsed, parse_outer};
use rackweave_engine::program::{Action, Select};
use rackweave_engine::{Explanation as Explained, Frame, LayerTrace, Verdict as Decided};
use rackweave_types::state::{HostState, PortConfig};
use rackweave_types::{Direction, Instant, MacAddr, reserved};
use rackweave_vpc::RuleName;

use super::flows::{Place, told};
use super::{describe, packet, reasons, rules, summary, tunnel};

/// A packet that is to be explained.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) frame: Frame,
    pub(crate) assumed: Vec<String>,
}

/// The frame that is asked about, with all that it needs to come to this port.
pub(crate) fn frame(
    state: &HostState,
    port: &PortConfig,
    request: &ExplainRequest,
) -> Result<Asked, ApiError> {
    let mut assumed = Vec::new();
    let inner = match &request.packet {
        PacketSpec::Hex(text) => packet::from_hex(text)?,
        PacketSpec::Described(description) => {
            inner(state, port, request.direction, description, &mut assumed)?
        }
    };
    let has_tunnel = parse_outer(&inner).is_ok();
    let bytes = if request.direction == Direction::Out || has_tunnel {
        inner
    } else {
        let parsed = Parsed::parse(&inner).map_err(|reason| {
            ApiError::new(
                Code::BadRequest,
                "the frame has no tunnel headers, and its sender cannot be told",
            )
            .cause(reasons::engine(reason).meaning)
            .next("give a well-formed frame, or one with its tunnel headers")
        })?;
        let mut sender = tunnel::sender(state, port, parsed.src.into(), parsed.dst.into());
        if let PacketSpec::Described(description) = &request.packet {
            sender.outer = description.outer_source.unwrap_or(sender.outer);
            sender.vni = description.vni.unwrap_or(sender.vni);
            if description.outer_source.is_none() && description.vni.is_none() {
                assumed.push(sender.why.clone());
            }
        } else {
            assumed.push(sender.why.clone());
        }
        tunnel::wrap(state, &sender, &inner)?
    };
    Ok(Asked {
        frame: Frame::new(&bytes),
        assumed,
    })
}

/// The frame of a description, as its sender makes it.
fn inner(
    state: &HostState,
    port: &PortConfig,
    direction: Direction,
    description: &Description,
    assumed: &mut Vec<String>,
) -> Result<Vec<u8>, ApiError> {
    let (src_mac, dst_mac) = match direction {
        Direction::Out => {
            assumed.push("the guest sends it to the gateway".to_owned());
            (port.mac, reserved::GATEWAY_MAC)
        }
        Direction::In => {
            let (from, to) = (description.from.address, description.to.address);
            (tunnel::sender(state, port, from, to).mac, port.mac)
        }
    };
    packet::build(description, description.src_mac.unwrap_or(src_mac), dst_mac)
}

/// What the engine said, in words.
pub(crate) fn explanation(
    state: &HostState,
    port: &PortConfig,
    direction: Direction,
    place: Place,
    asked: Asked,
    explained: &Explained,
    now: Instant,
) -> Explanation {
    let verdict = verdict(explained.verdict);
    let ended = !matches!(explained.verdict, Decided::Forward) && !explained.established;
    let count = explained.trace.layers.len();
    let mut before = explained.parsed.as_ref().map(View::parsed);
    let mut layers = Vec::new();
    for (at, layer) in explained.trace.layers.iter().enumerate() {
        let after = View::of(layer);
        let changes = before.map_or_else(Vec::new, |before| before.changes(&after));
        before = Some(after);
        let (rule, text) = named(state, port, direction, layer);
        layers.push(LayerStep {
            layer: layer.layer.clone(),
            rule,
            text,
            does: does(layer, &after),
            changes,
            ends: ended && at + 1 == count,
        });
    }
    let leaves = matches!(
        explained.verdict,
        Decided::Forward | Decided::Hairpin | Decided::Refuse(_)
    );
    Explanation {
        port: port.id,
        direction,
        worker: place.worker,
        packet: summary::summary(asked.frame.bytes()),
        assumed: asked.assumed,
        established: explained.established,
        flow: explained.flow.as_ref().map(|flow| told(place, flow, now)),
        layers,
        verdict,
        result: leaves.then(|| summary::summary(explained.frame.bytes())),
    }
}

/// A verdict in words.
fn verdict(verdict: Decided) -> Verdict {
    let (kind, reason, meaning) = match verdict {
        Decided::Forward => ("forward", None, "it goes on"),
        Decided::Hairpin => ("hairpin", None, "the network itself answers it"),
        Decided::Punt => ("punt", None, "the sled's agent answers it (DNS, metadata)"),
        Decided::Drop(reason) => ("drop", Some(reason), reasons::engine(reason).meaning),
        Decided::Refuse(reason) => ("refuse", Some(reason), reasons::engine(reason).meaning),
        Decided::HandOver(_) => ("hand_over", None, "another worker serves it"),
    };
    Verdict {
        kind: kind.to_owned(),
        reason: reason.map(|reason| reason.name().to_owned()),
        meaning: meaning.to_owned(),
        next: reason
            .map_or("", |reason| reasons::engine(reason).next)
            .to_owned(),
    }
}

/// A layer's rule: its name, and what it says where a user wrote it.
fn named(
    state: &HostState,
    port: &PortConfig,
    direction: Direction,
    layer: &LayerTrace,
) -> (String, String) {
    match layer.rule.and_then(RuleName::of) {
        Some(name) => (
            rules::short(name),
            describe::rule(state, port, direction, name),
        ),
        None if layer.stateful => ("(known connection)".to_owned(), String::new()),
        None => ("default".to_owned(), String::new()),
    }
}

/// What a layer's actions do, in words.
fn does(layer: &LayerTrace, after: &View) -> Vec<String> {
    if layer.stateful {
        return vec!["pass".to_owned()];
    }
    let words: Vec<String> = layer
        .actions
        .iter()
        .filter_map(|action| does_one(action, layer.actions.len(), after))
        .collect();
    if words.is_empty() {
        vec!["pass".to_owned()]
    } else {
        words
    }
}

fn does_one(action: &Action, of: usize, after: &View) -> Option<String> {
    Some(match action {
        Action::Allow if of == 1 => "pass".to_owned(),
        Action::Allow | Action::Tag(_) | Action::SetSrcMac(_) | Action::SetDstMac(_) => {
            return None;
        }
        Action::AllowStateful => "pass, and the answers too".to_owned(),
        Action::Deny { reply: None } => "deny".to_owned(),
        Action::Deny { reply: Some(_) } => "deny, and tell the sender".to_owned(),
        Action::Hairpin(_) => "answer".to_owned(),
        Action::Punt { queue } => format!("give it to the agent ({})", punt(*queue)),
        Action::SetSrc(address) => format!("change the source to {address}"),
        Action::SetDst(address) => format!("change the destination to {address}"),
        Action::SetSrcPort(port) => format!("change the source port to {port}"),
        Action::SetDstPort(port) => format!("change the destination port to {port}"),
        Action::Route { .. } => "one hop".to_owned(),
        Action::Via(address) => format!("go by way of {address}"),
        Action::Mtu { mtu, .. } => format!("at most {mtu} octets"),
        Action::OneToOne { inside, outside } => format!("translate between {inside} and {outside}"),
        Action::SourceNat { .. } => "translate with a port of its block".to_owned(),
        Action::Select(Select::Mapping { .. }) => format!("look up who holds {}", after.dst()),
        Action::Select(_) => format!("to who holds {}, else to boundary services", after.dst()),
        Action::Encapsulate(tunnel) => format!("wrap, network {}", tunnel.vni),
        Action::Decapsulate => "unwrap".to_owned(),
        Action::VerifySource { .. } => format!("check that the holder of {} sent it", after.src()),
        Action::Meter { .. } => "count against the cap".to_owned(),
    })
}

fn punt(queue: u8) -> String {
    match queue {
        rackweave_vpc::punt::DNS => "dns".to_owned(),
        rackweave_vpc::punt::METADATA => "metadata".to_owned(),
        other => format!("queue {other}"),
    }
}

/// What layers change of a packet.
#[derive(Clone, Copy, Debug)]
struct View {
    macs: [MacAddr; 2],
    ends: [(Addr, u16); 2],
    ttl: u8,
}

impl View {
    const fn parsed(parsed: &Parsed) -> Self {
        Self {
            macs: [parsed.src_mac, parsed.dst_mac],
            ends: [(parsed.src, parsed.src_port), (parsed.dst, parsed.dst_port)],
            ttl: parsed.ttl,
        }
    }

    const fn of(layer: &LayerTrace) -> Self {
        let fields = &layer.after;
        Self {
            macs: [fields.src_mac, fields.dst_mac],
            ends: [(fields.src, fields.src_port), (fields.dst, fields.dst_port)],
            ttl: fields.ttl,
        }
    }

    fn src(&self) -> IpAddr {
        self.ends[0].0.into()
    }

    fn dst(&self) -> IpAddr {
        self.ends[1].0.into()
    }

    fn changes(&self, after: &Self) -> Vec<String> {
        let mut words = Vec::new();
        for (side, name) in ["source", "destination"].into_iter().enumerate() {
            if self.ends[side] != after.ends[side] {
                let [before, now] = [self, after].map(|view| {
                    let (address, port) = view.ends[side];
                    summary::end(address.into(), port)
                });
                words.push(format!("{name} {before} -> {now}"));
            }
            if self.macs[side] != after.macs[side] {
                words.push(format!("{name} mac -> {}", after.macs[side]));
            }
        }
        if self.ttl != after.ttl {
            words.push(format!("ttl {} -> {}", self.ttl, after.ttl));
        }
        words
    }
}

#[cfg(test)]
mod tests;
