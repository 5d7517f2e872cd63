//! Source translation: which port of a block a connection gets.
//!
//! A port need not be free altogether: what must be unique is the whole of (outside address and port, remote address
//! and port, protocol), and the flow index knows that. So there is no table of bindings. The search begins at a hash
//! of the guest's own end, which gives one end the same port towards every remote end as long as no two ends collide
//! (endpoint-independent mapping: RFC 4787, REQ-1; RFC 5382, REQ-1).

mod rest;

use rackweave_types::Instant;

use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::{CompiledFlow, FlowClass, FlowKey, FlowTable, Record};
use crate::hash::FlowHasher;
use crate::parse::protocol;
use crate::program::NatPool;
use crate::steer::ShardId;

pub(crate) use rest::Resting;

/// How many ports are tried: the search is of constant time.
const TRIES: u16 = 16;
/// How many ports that rest are passed over meanwhile.
const PASSES: u16 = 1_024;
/// Half-open connections are few where they hold no more than this part of the ports that were tried.
const FEW_PART: u16 = 4;

/// The SYN flag of TCP.
const SYN: u8 = 0x02;

/// The port that a connection gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The outside port, or ICMP identifier.
    pub(crate) port: u16,
    /// The connection that gives way for it.
    pub(crate) evict: Option<u32>,
}

/// What the choice of a port looks at.
pub(crate) struct Ports<'a> {
    pub(crate) table: &'a FlowTable,
    pub(crate) hasher: &'a FlowHasher,
    pub(crate) shard: ShardId,
    /// Ports that only those get who may have had them before.
    pub(crate) resting: Option<&'a Resting>,
}

impl Ports<'_> {
    /// The port for a connection: the one it has, where that is still of the pool, or else the first that is free
    /// for its remote end. Where none of those tried is, the least valuable connection among them gives way.
    pub(crate) fn bind(
        &self,
        pool: &NatPool,
        fields: &Fields,
        bound: Option<&CompiledFlow>,
        now: Instant,
    ) -> Result<Binding, DropReason> {
        let (first, count) = self
            .shard
            .share(pool)
            .ok_or(DropReason::NatPortsExhausted)?;
        let address = Addr::from(pool.address);
        if let Some(flow) = bound
            && flow.flags & CompiledFlow::FLAG_SOURCE_NAT != 0
            && flow.wire.local == address.octets()
            && flow.wire.local_port.wrapping_sub(first) < count
        {
            return Ok(Binding {
                port: flow.wire.local_port,
                evict: None,
            });
        }
        let [low, high, ..] = self
            .hasher
            .end(fields.src, fields.src_port, fields.protocol)
            .to_le_bytes();
        let start = u16::from_le_bytes([low, high]);
        // A segment in the middle of its connection: the port where the search begins was most likely its own.
        let adopted = fields.protocol == protocol::TCP && fields.tcp_flags & SYN == 0;
        let resting = self.resting.filter(|_| !adopted);
        let (mut tries, mut passes) = (0, 0);
        let mut holders = Holders::default();
        for step in 0..count {
            if tries == TRIES || passes == PASSES {
                break;
            }
            // `count` is a power of two.
            let port = first + (start.wrapping_add(step) & (count - 1));
            if resting.is_some_and(|resting| resting.rests(port, now)) {
                passes += 1;
                continue;
            }
            tries += 1;
            let key = FlowKey {
                direction: Direction::In,
                local: address,
                remote: fields.dst,
                local_port: port,
                remote_port: fields.dst_port,
                protocol: fields.protocol,
            };
            let Some(number) = self.table.lookup(&key, self.hasher.hash(&key)) else {
                return Ok(Binding { port, evict: None });
            };
            let binding = Binding {
                port,
                evict: Some(number),
            };
            let record = self.table.get(number);
            if self.table.is_expired(record, now) {
                return Ok(binding);
            }
            holders.add(record, binding);
        }
        let is_stale = |number| self.table.is_stale(self.table.get(number), now);
        holders
            .least(tries / FEW_PART, is_stale)
            .ok_or(if passes > 0 {
                DropReason::NatPortsResting
            } else {
                DropReason::NatPortsExhausted
            })
    }
}

/// The connections that hold the ports that were tried.
#[derive(Debug, Default)]
struct Holders {
    /// How many are half-open.
    opening: u16,
    /// The half-open one that is longest idle.
    oldest: Option<(u64, Binding)>,
    /// The least valuable of the others, but for established ones.
    other: Option<(FlowClass, u64, Binding)>,
}

impl Holders {
    fn add(&mut self, record: &Record, binding: Binding) {
        let (class, last_use) = (record.class(), record.last_use);
        match class {
            FlowClass::Opening => {
                self.opening += 1;
                if self.oldest.is_none_or(|(oldest, _)| last_use < oldest) {
                    self.oldest = Some((last_use, binding));
                }
            }
            FlowClass::Closing | FlowClass::Answered => {
                if self
                    .other
                    .is_none_or(|(least, oldest, _)| (class, last_use) < (least, oldest))
                {
                    self.other = Some((class, last_use, binding));
                }
            }
            FlowClass::Established => {}
        }
    }

    /// The port whose connection gives way. As in the table, half-open ones go first; but questions that wait for
    /// their answer shall not just drive out one another: while there are few of them, a connection goes that is
    /// through with its own, unless the half-open one has been idle for long.
    fn least(self, few: u16, is_stale: impl Fn(u32) -> bool) -> Option<Binding> {
        let other = self.other.map(|(.., binding)| binding);
        let Some((_, oldest)) = self.oldest else {
            return other;
        };
        match other {
            Some(other) if self.opening <= few && !oldest.evict.is_some_and(is_stale) => {
                Some(other)
            }
            _ => Some(oldest),
        }
    }
}
