//! What a compiled flow says of itself.

use rackweave_types::{MacAddr, Vni};
use zerocopy::FromZeros;

use super::record::{CompiledFlow, Record, Side};
use super::tcp::TcpState;
use crate::addr::Addr;
use crate::direction::Direction;
use crate::fields::Fields;
use crate::parse::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol};
use crate::program::TagSet;

impl CompiledFlow {
    /// No template, no peer: the half that would use it is not compiled.
    pub const NONE: u32 = u32::MAX;

    /// A flow of which nothing is known.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            template: Self::NONE,
            peer: Self::NONE,
            ..Self::new_zeroed()
        }
    }

    /// The direction of the packet with which the connection began.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        if self.flags & Self::FLAG_BEGAN_OUT != 0 {
            Direction::Out
        } else {
            Direction::In
        }
    }

    /// Whether packets of this direction go the way of the first one.
    #[must_use]
    pub fn began(&self, direction: Direction) -> bool {
        self.direction() == direction
    }

    /// Sets or clears a flag.
    pub(crate) const fn set_flag(&mut self, flag: u8, on: bool) {
        self.flags = if on {
            self.flags | flag
        } else {
            self.flags & !flag
        };
    }

    /// Sets or clears a bit of [`hop`](Self::hop).
    pub(crate) const fn set_hop(&mut self, bit: u8, on: bool) {
        self.hop = if on { self.hop | bit } else { self.hop & !bit };
    }

    /// The VNI that inbound packets carry.
    #[must_use]
    pub fn vni(&self) -> Option<Vni> {
        let [a, b, c] = self.vni;
        Vni::new(u32::from_be_bytes([0, a, b, c])).ok()
    }

    /// The fields of the connection's first packet, as far as they are kept.
    pub(crate) fn fields(&self) -> Fields {
        let direction = self.direction();
        let v4 = self.flags & Self::FLAG_V4 != 0;
        let (side, vni): (&Side, _) = match direction {
            Direction::Out => (&self.guest, None),
            Direction::In => (&self.wire, self.vni()),
        };
        let local = (
            Addr::from_octets(side.local),
            side.local_port,
            MacAddr::new(side.local_mac),
        );
        let remote = (
            Addr::from_octets(side.remote),
            side.remote_port,
            MacAddr::new(side.remote_mac),
        );
        let (src, dst) = match direction {
            Direction::Out => (local, remote),
            Direction::In => (remote, local),
        };
        let icmp_type = match self.protocol {
            protocol::ICMP => 8,
            protocol::ICMPV6 => 128,
            _ => 0,
        };
        Fields {
            direction,
            src_mac: src.2,
            dst_mac: dst.2,
            ether_type: if v4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 },
            tagged: false,
            src: src.0,
            dst: dst.0,
            protocol: self.protocol,
            src_port: src.1,
            dst_port: dst.1,
            icmp_type,
            icmp_code: 0,
            tcp_flags: 0,
            ttl: u8::MAX,
            ip_len: 0,
            segment_len: 0,
            link_layer: None,
            nd_target: Addr::NONE,
            vni,
            outer_src: Addr::NONE,
            external: self.flags & Self::FLAG_EXTERNAL != 0,
            tags: TagSet::EMPTY,
            next_hop: Addr::NONE,
        }
    }
}

impl Record {
    /// How far the connection is, where it is TCP.
    #[inline]
    #[must_use]
    pub fn tcp_state(&self) -> TcpState {
        TcpState::from_number(self.tcp)
    }
}
