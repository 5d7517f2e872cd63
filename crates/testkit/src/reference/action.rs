//! A packet's way through the layers.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_engine::addr::Addr;
use rackweave_engine::fields::Fields;
use rackweave_engine::mapping::Mapping;
use rackweave_engine::program::{Action, Encapsulate, Select, Target};
use rackweave_engine::{Direction, DropReason, Frame};
use rackweave_types::Instant;

use super::{Choice, End, Known, Outcome, Side, rule};
use crate::number::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ICMP, ICMPV6, TCP, UDP};
use crate::program::Plan;

/// Where a packet went, and what happened to it there.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// [`Outcome::Leaves`] without the frame, where it leaves.
    pub(super) end: Outcome,
    pub(super) first: Fields,
    pub(super) last: Fields,
    pub(super) stateful: u16,
    pub(super) routed: bool,
    pub(super) chosen: bool,
    /// The ends for which a port was chosen just now.
    pub(super) chosen_for: Option<Side>,
    pub(super) target: Option<Target>,
    pub(super) encapsulate: Option<Encapsulate>,
    pub(super) decapsulated: bool,
}

/// Why the way ends in the middle.
type Ended = Result<(), Outcome>;

fn dropped<T>(reason: DropReason) -> Result<T, Outcome> {
    Err(Outcome::Dropped(reason))
}

/// Sends a packet's fields through the layers.
pub(super) fn walk(
    plan: &Plan,
    known: Option<Known>,
    fields: Fields,
    now: Instant,
    choice: Choice,
) -> Way {
    let mut walker = Walker {
        plan,
        known,
        now,
        choice,
        way: Way {
            end: Outcome::Dropped(DropReason::Undecided),
            first: fields,
            last: fields,
            stateful: 0,
            routed: false,
            chosen: false,
            chosen_for: None,
            target: None,
            encapsulate: None,
            decapsulated: false,
        },
    };
    let result = walker.layers();
    let mut way = walker.way;
    let decided = match fields.direction {
        Direction::Out => way.encapsulate.is_some() && way.target.is_some(),
        Direction::In => way.decapsulated,
    };
    way.end = match result {
        Err(end) => end,
        Ok(()) if decided => Outcome::Leaves(Frame::new(&[])),
        Ok(()) => Outcome::Dropped(DropReason::Undecided),
    };
    way
}

struct Walker<'a> {
    plan: &'a Plan,
    known: Option<Known>,
    now: Instant,
    choice: Choice,
    way: Way,
}

impl Walker<'_> {
    fn layers(&mut self) -> Ended {
        let direction = self.way.first.direction;
        let count = self.plan.spec.layers.len();
        for step in 0..count {
            let at = match direction {
                Direction::Out => step,
                Direction::In => count - 1 - step,
            };
            let bit = 1_u16 << at;
            let passed = self
                .known
                .is_some_and(|known| known.flow.stateful & bit != 0);
            if passed
                && self
                    .known
                    .is_some_and(|known| !known.forth || known.related)
            {
                continue;
            }
            let layer = &self.plan.spec.layers[at];
            let set = match direction {
                Direction::Out => &layer.outbound,
                Direction::In => &layer.inbound,
            };
            for action in rule::actions(set, &self.way.last) {
                match action {
                    Action::Allow => break,
                    Action::AllowStateful => {
                        self.way.stateful |= bit;
                        break;
                    }
                    Action::Deny { .. } if passed && !self.known.is_some_and(|known| known.old) => {
                        self.way.stateful |= bit;
                        break;
                    }
                    action => self.act(action)?,
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Ended {
        match action {
            Action::Deny { .. } => return dropped(DropReason::RuleDenied),
            Action::Hairpin(_) => return Err(Outcome::Answered),
            Action::Punt { .. } => return Err(Outcome::Punted),
            Action::Tag(tag) => self.way.last.tags = self.way.last.tags.with(*tag),
            Action::SetSrcMac(mac) => self.way.last.src_mac = *mac,
            Action::SetDstMac(mac) => self.way.last.dst_mac = *mac,
            Action::Via(addr) => self.way.last.next_hop = Addr::from(*addr),
            Action::Route { .. } => return self.route(),
            Action::Mtu { mtu, .. } if self.way.last.segment_len > u32::from(*mtu) => {
                return dropped(DropReason::TooBig);
            }
            Action::Select(select) => return self.select(select),
            Action::Encapsulate(encapsulate) => {
                self.way.encapsulate = Some(encapsulate.clone());
            }
            Action::Decapsulate => self.way.decapsulated = true,
            Action::VerifySource { table } => return self.verify(*table),
            Action::SetSrc(_)
            | Action::SetDst(_)
            | Action::SetSrcPort(_)
            | Action::SetDstPort(_)
            | Action::OneToOne { .. }
            | Action::SourceNat { .. } => return self.translate(action),
            Action::Mtu { .. } | Action::Meter { .. } | Action::Allow | Action::AllowStateful => {}
        }
        Ok(())
    }

    fn route(&mut self) -> Ended {
        if !self.way.routed {
            if self.way.last.ttl < 2 {
                return dropped(DropReason::TtlExceeded);
            }
            self.way.last.ttl -= 1;
            self.way.routed = true;
        }
        Ok(())
    }

    /// The holder of an address: of the longest prefix around it, the entry that was written last.
    fn holder(&self, table: u16, addr: Addr) -> Option<Mapping> {
        let addr = IpAddr::from(addr);
        let mut best: Option<(IpNet, Mapping)> = None;
        for (net, mapping) in self.plan.tables.get(usize::from(table))? {
            let better = best.is_none_or(|(best, _)| net.prefix_len() >= best.prefix_len());
            if net.contains(&addr) && better {
                best = Some((*net, *mapping));
            }
        }
        best.map(|(_, mapping)| mapping)
    }

    fn select(&mut self, select: &Select) -> Ended {
        let fields = &self.way.last;
        let wanted = if fields.next_hop == Addr::NONE {
            fields.dst
        } else {
            fields.next_hop
        };
        let held = |table: u16| {
            self.holder(table, wanted).map(|mapping| Target {
                underlay: mapping.underlay,
                mac: mapping.mac,
            })
        };
        // One of a group is as good as another.
        let one_of = |group: &[Target]| {
            let chosen = |target: &&Target| Some(target.underlay) == self.choice.underlay;
            group.iter().find(chosen).or(group.first()).copied()
        };
        let target = match select {
            Select::Mapping { table } => held(*table),
            Select::Group(group) => one_of(group),
            Select::MappingOrGroup { table, group } => held(*table).or_else(|| one_of(group)),
        };
        match target {
            None => dropped(DropReason::NoMapping),
            Some(target) => {
                self.way.last.dst_mac = target.mac;
                self.way.target = Some(target);
                Ok(())
            }
        }
    }

    fn verify(&self, table: u16) -> Ended {
        let fields = &self.way.last;
        let Some(mapping) = self.holder(table, fields.src) else {
            return dropped(DropReason::SourceMismatch);
        };
        let from = |underlay: std::net::Ipv6Addr| Addr::from(underlay) == fields.outer_src;
        let moved = mapping
            .previous
            .is_some_and(|previous| from(previous.underlay) && self.now < previous.until);
        if from(mapping.underlay) || moved {
            Ok(())
        } else {
            dropped(DropReason::SourceMismatch)
        }
    }

    fn translate(&mut self, action: &Action) -> Ended {
        if let Some(known) = self.known
            && (!known.forth || known.related)
        {
            self.exchange(known);
            return Ok(());
        }
        let fields = &mut self.way.last;
        let ported = matches!(fields.protocol, TCP | UDP);
        let is_v4 = fields.ether_type == ETHERTYPE_IPV4;
        let is_ip = is_v4 || fields.ether_type == ETHERTYPE_IPV6;
        if !is_ip {
            return dropped(DropReason::NatMismatch);
        }
        let fits = |addr: &IpAddr| addr.is_ipv4() == is_v4;
        match action {
            Action::SetSrc(addr) if fits(addr) => fields.src = Addr::from(*addr),
            Action::SetDst(addr) if fits(addr) => fields.dst = Addr::from(*addr),
            Action::SetSrcPort(port) if ported => fields.src_port = *port,
            Action::SetDstPort(port) if ported => fields.dst_port = *port,
            Action::OneToOne { inside, outside } => {
                let (inside, outside) = (Addr::from(*inside), Addr::from(*outside));
                match fields.direction {
                    Direction::Out if fields.src == inside => fields.src = outside,
                    Direction::In if fields.dst == outside => fields.dst = inside,
                    _ => return dropped(DropReason::NatMismatch),
                }
            }
            Action::SourceNat { pool } => return self.source_nat(*pool),
            _ => return dropped(DropReason::NatMismatch),
        }
        Ok(())
    }

    /// Takes the ends from the connection's other side.
    fn exchange(&mut self, known: Known) {
        let fields = &mut self.way.last;
        let near = known.flow.near(fields.direction);
        let far = known.flow.far(fields.direction);
        for addr in [&mut fields.src, &mut fields.dst] {
            if *addr == near.local.0 {
                *addr = far.local.0;
            } else if *addr == near.remote.0 {
                *addr = far.remote.0;
            }
        }
        if !known.related {
            let Side { local, remote }: Side = far;
            let (src, dst): (End, End) = match fields.direction {
                Direction::Out => (local, remote),
                Direction::In => (remote, local),
            };
            (fields.src_port, fields.dst_port) = (src.1, dst.1);
        }
    }

    fn source_nat(&mut self, pool: u16) -> Ended {
        let fields = &mut self.way.last;
        if fields.direction == Direction::In {
            return dropped(DropReason::NatNoConnection);
        }
        let Some(pool) = self.plan.spec.pools.get(usize::from(pool)) else {
            return dropped(DropReason::NatMismatch);
        };
        let query = match fields.protocol {
            TCP | UDP => true,
            ICMP => matches!(fields.icmp_type, 8 | 13 | 15 | 17),
            ICMPV6 => fields.icmp_type == 128,
            _ => false,
        };
        let is_v4 = fields.ether_type == ETHERTYPE_IPV4;
        if !query || pool.address.is_ipv4() != is_v4 {
            return dropped(DropReason::NatMismatch);
        }
        let own = |port: u16| port >= pool.first_port && port - pool.first_port < pool.ports;
        let bound = self.known.map(|known| known.flow).filter(|flow| {
            flow.chosen && flow.wire.local.0 == Addr::from(pool.address) && own(flow.wire.local.1)
        });
        let before = self
            .known
            .map(|known| known.flow)
            .filter(|flow| flow.chosen);
        let port = match (bound, self.choice.port, before) {
            (Some(flow), ..) => flow.wire.local.1,
            (None, Some(port), _) if own(port) => port,
            // A fragment does not tell.
            (None, None, Some(flow)) => flow.wire.local.1,
            // Not one of the pool: the frame will be another.
            (None, ..) => pool.first_port,
        };
        fields.src = Addr::from(pool.address);
        fields.src_port = port;
        self.way.chosen_for = bound.is_none().then(|| Side::of(fields));
        self.way.chosen = true;
        Ok(())
    }
}
