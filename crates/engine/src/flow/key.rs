//! Keys: what of a packet names its connection, and how a record is compared with it.

use super::record::{CompiledFlow, FlowKey, Side};
use crate::addr::Addr;
use crate::direction::Direction;

impl FlowKey {
    /// The key that packets of this direction of the connection carry.
    #[inline]
    #[must_use]
    pub fn of(flow: &CompiledFlow, direction: Direction) -> Self {
        let (side, vni) = match direction {
            Direction::Out => (&flow.guest, 0),
            Direction::In => (&flow.wire, flow.vni_number()),
        };
        Self {
            direction,
            local: Addr::from_octets(side.local),
            remote: Addr::from_octets(side.remote),
            local_port: side.local_port,
            remote_port: side.remote_port,
            protocol: flow.protocol,
            vni,
        }
    }
}

impl CompiledFlow {
    /// Whether packets with this key belong to the connection.
    #[inline]
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        let (side, vni) = match key.direction {
            Direction::Out => (&self.guest, 0),
            Direction::In => (&self.wire, self.vni_number()),
        };
        side.matches(key) & (self.protocol == key.protocol) & (vni == key.vni)
    }

    /// The VNI that inbound packets must carry, as a number.
    #[inline]
    fn vni_number(&self) -> u32 {
        let [a, b, c] = self.vni;
        u32::from_be_bytes([0, a, b, c])
    }
}

impl Side {
    /// Whether addresses and ports are those of the key. Without branches: nearly every comparison succeeds.
    #[inline]
    fn matches(&self, key: &FlowKey) -> bool {
        (Addr::from_octets(self.local) == key.local)
            & (Addr::from_octets(self.remote) == key.remote)
            & (self.local_port == key.local_port)
            & (self.remote_port == key.remote_port)
    }
}
