//! Keys: what of a packet names its connection, and how a record is compared with it.

use super::record::{CompiledFlow, FlowKey, Side};
use crate::addr::Addr;
use crate::direction::Direction;

impl FlowKey {
    /// The keys of both directions: out, in.
    #[inline]
    #[must_use]
    pub fn all(flow: &CompiledFlow) -> [Self; 2] {
        [
            Self::of(flow, Direction::Out),
            Self::of(flow, Direction::In),
        ]
    }

    /// The key that packets of this direction of the connection carry.
    #[inline]
    #[must_use]
    pub fn of(flow: &CompiledFlow, direction: Direction) -> Self {
        let side = flow.side(direction);
        Self {
            direction,
            local: Addr::from_octets(side.local),
            remote: Addr::from_octets(side.remote),
            local_port: side.local_port,
            remote_port: side.remote_port,
            protocol: flow.protocol,
        }
    }
}

impl CompiledFlow {
    /// Whether packets with this key belong to the connection.
    #[inline]
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        let differences = self.side(key.direction).differences(key);
        differences | u128::from(self.protocol ^ key.protocol) == 0
    }

    /// The side whose fields packets of this direction carry.
    #[inline]
    const fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Out => &self.guest,
            Direction::In => &self.wire,
        }
    }
}

impl Side {
    /// The bits in which addresses and ports differ from the key's, laid over one another. Without branches: nearly
    /// every comparison succeeds.
    #[inline]
    fn differences(&self, key: &FlowKey) -> u128 {
        let local = Addr::from_octets(self.local).bits() ^ key.local.bits();
        let remote = Addr::from_octets(self.remote).bits() ^ key.remote.bits();
        let ports = (self.local_port ^ key.local_port) | (self.remote_port ^ key.remote_port);
        local | remote | u128::from(ports)
    }
}
