//! The engine once more, slow and plain: what it shares with the engine are data types, the TCP states and the hash
//! that outer source ports come from.
//!
//! It looks at every rule of every layer for every packet, keeps connections in a list, writes headers from scratch
//! and computes every checksum anew. Nothing is compiled, nothing is established. What the engine may choose (the port
//! of a source translation, one target of a group) it takes from the engine's [`Choice`], if that was one to choose.
//!
//! It models no limit: not of tables, not of meters, not of time but that a long wait ends all.

mod action;
mod header;
mod quote;
mod rule;
mod write;

use std::net::Ipv6Addr;
use std::time::Duration;

use rackweave_engine::addr::Addr;
use rackweave_engine::fields::Fields;
use rackweave_engine::flow::{FlowClass, TcpState};
use rackweave_engine::{Direction, DropReason, Existing, Frame};
use rackweave_types::Instant;

use crate::number::TCP;
use crate::program::Plan;
use header::{Header, Tunnel};

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It leaves as this frame.
    Leaves(Frame),
    /// The engine is to answer.
    Answered,
    /// The agent is to answer.
    Punted,
    /// It is dropped, whoever is told.
    Dropped(DropReason),
    /// It cannot be read.
    Malformed,
}

/// What the engine chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The source port, or identifier, of the packet that left, where it tells.
    pub port: Option<u16>,
    /// Where it went.
    pub underlay: Option<Ipv6Addr>,
    /// Whether a connection was cut.
    pub cut: bool,
}

/// All state of one port.
#[derive(Clone, Debug)]
pub struct Reference {
    plan: Plan,
    flows: Vec<Flow>,
    datagrams: Vec<Datagram>,
    /// Counts programs.
    epoch: u64,
    /// The last program that was to cut.
    cut: u64,
}

/// One end of a connection as one side sees it: address and port.
type End = (Addr, u16);

/// Both ends as one side sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    local: End,
    remote: End,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
struct Flow {
    protocol: u8,
    began: Direction,
    guest: Side,
    wire: Side,
    /// Layers that were passed statefully, a bit each.
    stateful: u16,
    /// Whether its source port was chosen.
    chosen: bool,
    /// The program that admitted it.
    admitted: u64,
    tcp: TcpState,
}

/// A fragmented datagram whose first fragment came.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    direction: Direction,
    ends: (Addr, Addr),
    protocol: u8,
    identification: u32,
    ports: (u16, u16),
    icmp: (u8, u8),
}

/// A connection that a packet is of.
#[derive(Clone, Copy, Debug)]
struct Known {
    flow: Flow,
    /// Whether the packet goes the way of the connection's first.
    forth: bool,
    /// Whether it is an ICMP error about the connection.
    related: bool,
    /// Whether the connection was admitted before the rules that cut.
    old: bool,
}

/// Waits from this on end all connections.
const LONG: Duration = Duration::from_hours(3);

impl Side {
    const fn of(fields: &Fields) -> Self {
        let (src, dst) = ((fields.src, fields.src_port), (fields.dst, fields.dst_port));
        match fields.direction {
            Direction::Out => Self {
                local: src,
                remote: dst,
            },
            Direction::In => Self {
                local: dst,
                remote: src,
            },
        }
    }
}

impl Flow {
    /// What packets of this direction carry.
    const fn near(&self, direction: Direction) -> Side {
        match direction {
            Direction::Out => self.guest,
            Direction::In => self.wire,
        }
    }

    /// What they leave with.
    const fn far(&self, direction: Direction) -> Side {
        match direction {
            Direction::Out => self.wire,
            Direction::In => self.guest,
        }
    }

    /// Whether a segment with these flags opens a new connection in its place.
    fn gives_way(&self, flags: u8) -> bool {
        let ended = self.tcp.class() == FlowClass::Closing;
        self.protocol == TCP && ended && self.tcp.reopened_by(flags)
    }
}

impl Reference {
    /// A port without a connection.
    #[must_use]
    pub const fn new(plan: Plan) -> Self {
        Self {
            plan,
            flows: Vec::new(),
            datagrams: Vec::new(),
            epoch: 1,
            cut: 0,
        }
    }

    /// Lets time pass: so little that nothing ends, or so much that everything does.
    pub fn wait(&mut self, duration: Duration) {
        if duration >= LONG {
            self.flows.clear();
            self.datagrams.clear();
        }
    }

    /// Changes the program.
    pub fn install(&mut self, plan: Plan, existing: Existing) {
        self.plan = plan;
        self.epoch += 1;
        if existing == Existing::Cut {
            self.cut = self.epoch;
        }
    }

    /// What becomes of a packet.
    pub fn process(
        &mut self,
        direction: Direction,
        frame: &Frame,
        now: Instant,
        choice: Choice,
    ) -> Outcome {
        let tunnel = match direction {
            Direction::Out => None,
            Direction::In => match Tunnel::read(frame.bytes()) {
                None => return Outcome::Malformed,
                Some(tunnel) if tunnel.critical => {
                    return Outcome::Dropped(DropReason::UnknownCriticalOption);
                }
                tunnel => tunnel,
            },
        };
        let at = tunnel.as_ref().map_or(0, |tunnel| tunnel.len);
        let inner = &frame.bytes()[at..];
        let Some(mut header) = Header::read(direction, inner, tunnel.as_ref(), frame.offload)
        else {
            return Outcome::Malformed;
        };
        if let Err(reason) = self.reassemble(&mut header) {
            return Outcome::Dropped(reason);
        }
        let packet = write::Packet {
            frame,
            header: &header,
            tunnel: tunnel.as_ref(),
            underlay: self.plan.spec.underlay,
        };
        let result = if header.is_error {
            self.error(&packet, now, choice)
        } else {
            self.packet(&packet, now, choice)
        };
        result.unwrap_or_else(|outcome| outcome)
    }

    /// Learns the ports of a datagram, or finds them.
    fn reassemble(&mut self, header: &mut Header) -> Result<(), DropReason> {
        let Some(fragment) = header.fragment else {
            return Ok(());
        };
        let fields = &mut header.fields;
        let datagram = Datagram {
            direction: fields.direction,
            ends: (fields.src, fields.dst),
            protocol: fields.protocol,
            identification: fragment.identification,
            ports: (fields.src_port, fields.dst_port),
            icmp: (fields.icmp_type, fields.icmp_code),
        };
        let name = |datagram: &Datagram| {
            let Datagram {
                direction,
                ends,
                protocol,
                identification,
                ..
            } = *datagram;
            (direction, ends, protocol, identification)
        };
        let known = self
            .datagrams
            .iter()
            .find(|other| name(other) == name(&datagram))
            .copied();
        if fragment.offset == 0 {
            self.datagrams
                .retain(|other| name(other) != name(&datagram));
            self.datagrams.push(datagram);
            return Ok(());
        }
        let known = known.ok_or(DropReason::FragmentUnknown)?;
        (fields.src_port, fields.dst_port) = known.ports;
        (fields.icmp_type, fields.icmp_code) = known.icmp;
        Ok(())
    }

    fn find(&self, direction: Direction, protocol: u8, side: Side) -> Option<usize> {
        let is = |flow: &Flow| flow.protocol == protocol && flow.near(direction) == side;
        self.flows.iter().position(is)
    }

    /// An ICMP error: it is about a connection, or goes nowhere.
    fn error(
        &self,
        packet: &write::Packet<'_>,
        now: Instant,
        choice: Choice,
    ) -> Result<Outcome, Outcome> {
        let fields = packet.header.fields;
        let quote = packet
            .quote()
            .ok_or(Outcome::Dropped(DropReason::IcmpHeader))?;
        let place = self.find(
            fields.direction,
            quote.protocol,
            quote.side(fields.direction),
        );
        let place = place.ok_or(Outcome::Dropped(DropReason::IcmpErrorUnrelated))?;
        let flow = self.flows[place];
        let known = Known {
            flow,
            forth: flow.began == fields.direction,
            related: true,
            old: false,
        };
        let way = action::walk(&self.plan, Some(known), fields, now, choice);
        match way.end {
            Outcome::Leaves(_) => packet.relay(&way, &quote, &flow),
            Outcome::Answered | Outcome::Punted => Err(Outcome::Dropped(DropReason::Undecided)),
            other => Err(other),
        }
    }

    fn packet(
        &mut self,
        packet: &write::Packet<'_>,
        now: Instant,
        choice: Choice,
    ) -> Result<Outcome, Outcome> {
        let fields = packet.header.fields;
        let direction = fields.direction;
        let mut place = None;
        if packet.header.is_ip() && !fields.tagged {
            place = self.find(direction, fields.protocol, Side::of(&fields));
        }
        if let Some(at) = place {
            let flow = self.flows[at];
            let old = flow.admitted < self.cut;
            if flow.gives_way(fields.tcp_flags) || (old && flow.began != direction && choice.cut) {
                self.flows.remove(at);
                place = None;
            }
        }
        let known = place.map(|at| {
            let flow = self.flows[at];
            Known {
                flow,
                forth: flow.began == direction,
                related: false,
                old: flow.admitted < self.cut,
            }
        });
        let way = action::walk(&self.plan, known, fields, now, choice);
        match &way.end {
            Outcome::Leaves(_) => {}
            Outcome::Dropped(DropReason::RuleDenied) if known.is_some_and(|known| known.forth) => {
                if let Some(at) = place {
                    self.flows.remove(at);
                }
                return Err(way.end);
            }
            _ => return Err(way.end),
        }
        // A port that is free towards one end need not be free towards another, which a later rule puts in its place.
        let diverted = way
            .chosen_for
            .is_some_and(|side| side != Side::of(&way.last));
        if diverted && choice.underlay.is_none() {
            return Err(Outcome::Dropped(DropReason::FlowConflict));
        }
        let flow = self.next(&way, known);
        let trackable = packet.header.is_trackable();
        let taken = |(at, other): (usize, &Flow)| {
            let same = other.guest == flow.guest || other.wire == flow.wire;
            Some(at) != place && other.protocol == flow.protocol && same
        };
        if trackable && self.flows.iter().enumerate().any(taken) {
            return Err(Outcome::Dropped(DropReason::FlowConflict));
        }
        let left = packet.forward(&way)?;
        if trackable {
            let at = place.unwrap_or(self.flows.len());
            if place.is_none() {
                self.flows.push(flow);
            }
            self.flows[at] = Flow {
                tcp: match flow.protocol {
                    TCP => flow.tcp.next(direction, fields.tcp_flags),
                    _ => TcpState::None,
                },
                ..flow
            };
        }
        Ok(left)
    }

    /// The connection after a packet that went this way.
    fn next(&self, way: &action::Way, known: Option<Known>) -> Flow {
        let direction = way.first.direction;
        let (near, far) = (Side::of(&way.first), Side::of(&way.last));
        let (guest, wire) = match direction {
            Direction::Out => (near, far),
            Direction::In => (far, near),
        };
        let before = known.map_or(
            Flow {
                protocol: way.first.protocol,
                began: direction,
                guest,
                wire,
                stateful: 0,
                chosen: false,
                admitted: 0,
                tcp: TcpState::None,
            },
            |known| known.flow,
        );
        let mut flow = Flow {
            guest,
            wire,
            ..before
        };
        if flow.began == direction {
            flow.stateful = way.stateful;
            flow.chosen = way.chosen;
            flow.admitted = self.epoch;
        }
        flow
    }
}
