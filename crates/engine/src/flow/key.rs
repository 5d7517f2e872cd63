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
        self.side(key.direction).matches(key) & (self.protocol == key.protocol)
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
    /// Whether addresses and ports are those of the key. Without branches: nearly every comparison succeeds.
    #[inline]
    fn matches(&self, key: &FlowKey) -> bool {
        (Addr::from_octets(self.local) == key.local)
            & (Addr::from_octets(self.remote) == key.remote)
            & (self.local_port == key.local_port)
            & (self.remote_port == key.remote_port)
    }
}
