//! Source translation: which port of a block a connection gets.
//!
//! A port need not be free altogether: what must be unique is the whole of (outside address and port, remote address
//! and port, protocol), and the flow index knows that. So there is no table of bindings. The search begins at a hash
//! of the guest's own end, which gives one end the same port towards every remote end as long as no two ends collide
//! (endpoint-independent mapping: RFC 4787, REQ-1; RFC 5382, REQ-1).

use rackweave_types::Instant;

use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::{CompiledFlow, FlowClass, FlowKey, FlowTable};
use crate::hash::FlowHasher;
use crate::program::NatPool;
use crate::steer::ShardId;

/// How many ports are tried: the search is of constant time.
const TRIES: u16 = 16;

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
        let (first, count) = self.shard.share(pool).ok_or(DropReason::NatPortsExhausted)?;
        let address = Addr::from(pool.address);
        if let Some(flow) = bound
            && flow.flags & CompiledFlow::FLAG_SOURCE_NAT != 0
            && flow.wire.local == address.octets()
            && flow.wire.local_port.wrapping_sub(first) < count
        {
            return Ok(Binding { port: flow.wire.local_port, evict: None });
        }
        let [low, high, ..] = self.hasher.end(fields.src, fields.src_port, fields.protocol).to_le_bytes();
        let start = u16::from_le_bytes([low, high]);
        let mut least: Option<(FlowClass, u64, Binding)> = None;
        for step in 0..TRIES.min(count) {
            // `count` is a power of two.
            let port = first + (start.wrapping_add(step) & (count - 1));
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
            let binding = Binding { port, evict: Some(number) };
            let record = self.table.get(number);
            if self.table.is_expired(record, now) {
                return Ok(binding);
            }
            let worth = (record.class(), record.last_use);
            if least.is_none_or(|(class, last_use, _)| worth < (class, last_use)) {
                least = Some((worth.0, worth.1, binding));
            }
        }
        match least {
            Some((class, _, binding)) if class < FlowClass::Established => Ok(binding),
            _ => Err(DropReason::NatPortsExhausted),
        }
    }
}
