//! What a shard takes care of for a while after its port was recovered: there may be connections it does not know.

use alloc::boxed::Box;

use rackweave_types::Instant;

use super::Shard;
use super::packet::Packet;
use crate::flow::{CompiledFlow, TcpState};
use crate::nat::Resting;
use crate::parse::protocol;
use crate::walk::Refusal;

/// Lets shards take care until a time, of these ports if any.
pub(crate) fn take_care(shards: &mut [Shard], until: Instant, resting: Option<&Resting>) {
    for shard in shards {
        shard.careful_until = until;
        shard.resting = resting.cloned().map(Box::new);
    }
}

impl Shard {
    /// Until when outside ports of unknown owners are not given to new connections; `None` where none rests.
    #[must_use]
    pub fn ports_rest_until(&self) -> Option<Instant> {
        self.resting.as_deref().map(Resting::until)
    }

    /// What the sender of a packet that is dropped is told. A TCP segment may belong to a connection that this shard
    /// has lost: a reset would end it, silence lets it be adopted with the next segment that the rules allow. A
    /// segment that opens a connection belongs to none.
    pub(super) fn told(
        &self,
        refusal: Option<Refusal>,
        existing: Option<u32>,
        packet: &Packet,
        now: Instant,
    ) -> Option<Refusal> {
        let may_be_lost = existing.is_none()
            && now < self.careful_until
            && packet.parsed.protocol == protocol::TCP
            && !TcpState::is_opened_by(packet.parsed.tcp_flags);
        refusal.filter(|refusal| !(may_be_lost && matches!(refusal, Refusal::Reject(_))))
    }

    /// The owner of the connection's outside port is known.
    pub(super) fn port_is_known(&mut self, flow: &CompiledFlow) {
        if flow.flags & CompiledFlow::FLAG_SOURCE_NAT != 0
            && let Some(resting) = &mut self.resting
        {
            resting.remove(flow.wire.local_port);
        }
    }

    /// Forgets which ports rested when their time is over.
    pub(super) fn end_rest(&mut self, now: Instant) {
        if self
            .resting
            .as_deref()
            .is_some_and(|resting| resting.until() <= now)
        {
            self.resting = None;
        }
    }
}
