//! A frame as the shard reads it: headers, offloads, and the key of its connection. Reading changes nothing.

use rackweave_types::Vni;

use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::fields::Fields;
use crate::flow::FlowKey;
use crate::fragment::Ports;
use crate::frame::{Frame, Offload};
use crate::parse::{Embedded, Outer, Parsed, check_offload};
use crate::program::TagSet;
use crate::transform;

/// What a frame says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) direction: Direction,
    /// The inner frame; offsets count from its start.
    pub(crate) parsed: Parsed,
    /// The tunnel headers of a frame from the wire.
    pub(crate) outer: Option<Outer>,
    /// Length of the inner frame in octets.
    pub(crate) frame_len: u32,
    /// Into how many packets the frame will be cut.
    pub(crate) segments: u64,
    /// Length of the longest of them (IP, octets).
    pub(crate) segment_len: u32,
}

impl Packet {
    /// What is known of a frame before it was read.
    pub(crate) const NOTHING: Self = Self {
        direction: Direction::Out,
        parsed: Parsed::NOTHING,
        outer: None,
        frame_len: 0,
        segments: 0,
        segment_len: 0,
    };

    /// Reads a frame: of the guest from its Ethernet header, of the wire from the outer one.
    pub(crate) fn of(
        direction: Direction,
        frame: &Frame,
        guest_mtu: u16,
    ) -> Result<Self, DropReason> {
        let mut packet = Self::NOTHING;
        packet.read(direction, frame, guest_mtu)?;
        Ok(packet)
    }

    /// As [`of`](Self::of), in place: the packet path moves no headers about.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        direction: Direction,
        frame: &Frame,
        guest_mtu: u16,
    ) -> Result<(), DropReason> {
        self.direction = direction;
        let mut offload = frame.offload;
        let inner = match direction {
            Direction::Out => {
                self.outer = None;
                let inner = frame.bytes();
                self.parsed.read(inner)?;
                inner
            }
            Direction::In => {
                let outer = self.outer.insert(Outer::NOTHING);
                outer.read(frame.bytes())?;
                let inner = frame
                    .bytes()
                    .get(usize::from(outer.len)..)
                    .ok_or(DropReason::Truncated)?;
                self.parsed.read(inner)?;
                transform::inner_offload(&mut offload, outer, &self.parsed, guest_mtu);
                inner
            }
        };
        check_offload(&self.parsed, offload)?;
        (self.segments, self.segment_len) = self.parsed.segments(inner, offload.segment);
        self.frame_len = u32::try_from(inner.len()).map_err(|_| DropReason::Truncated)?;
        Ok(())
    }

    /// Whether the packet's connection can be looked up right away.
    #[inline(always)]
    pub(crate) const fn is_plain(&self) -> bool {
        self.parsed.is_ip()
            && !self.parsed.tagged
            && self.parsed.fragment.is_none()
            && !self.parsed.icmp_error
    }

    /// Whether the packet belongs to something like a connection that is worth a record: unicast IP, and neither
    /// neighbour discovery nor an ICMP error.
    pub(crate) fn is_trackable(&self) -> bool {
        let discovery = self.parsed.protocol == 58 && (133..=137).contains(&self.parsed.icmp_type);
        self.parsed.is_ip()
            && !self.parsed.tagged
            && !self.parsed.icmp_error
            && !self.parsed.dst_mac.is_multicast()
            && !discovery
    }

    /// The key of the packet's connection on its side.
    #[inline(always)]
    pub(crate) const fn key(&self) -> FlowKey {
        let parsed = &self.parsed;
        let (local, remote, local_port, remote_port) = match self.direction {
            Direction::Out => (parsed.src, parsed.dst, parsed.src_port, parsed.dst_port),
            Direction::In => (parsed.dst, parsed.src, parsed.dst_port, parsed.src_port),
        };
        FlowKey {
            direction: self.direction,
            local,
            remote,
            local_port,
            remote_port,
            protocol: parsed.protocol,
        }
    }

    /// The inner frame's octets.
    pub(crate) fn inner<'f>(&self, frame: &'f Frame) -> &'f [u8] {
        let at = self.outer.map_or(0, |outer| usize::from(outer.len));
        frame.bytes().get(at..).unwrap_or_default()
    }

    /// What is still to be done to the inner frame.
    pub(crate) fn offload(&self, frame: &Frame, guest_mtu: u16) -> Offload {
        let mut offload = frame.offload;
        if let Some(outer) = &self.outer {
            transform::inner_offload(&mut offload, outer, &self.parsed, guest_mtu);
        }
        offload
    }

    /// The packet that an ICMP error is about.
    pub(crate) fn embedded(&self, frame: &Frame) -> Option<Embedded> {
        Embedded::read(self.inner(frame), &self.parsed)
    }

    /// Fills in what only the first fragment of a datagram says.
    pub(crate) const fn set_ports(&mut self, ports: Ports) {
        self.parsed.src_port = ports.src_port;
        self.parsed.dst_port = ports.dst_port;
        self.parsed.icmp_type = ports.icmp_type;
        self.parsed.icmp_code = ports.icmp_code;
    }

    /// What the layers see.
    pub(crate) fn fields(&self) -> Fields {
        let parsed = &self.parsed;
        Fields {
            direction: self.direction,
            src_mac: parsed.src_mac,
            dst_mac: parsed.dst_mac,
            ether_type: parsed.ether_type,
            tagged: parsed.tagged,
            src: parsed.src,
            dst: parsed.dst,
            protocol: parsed.protocol,
            src_port: parsed.src_port,
            dst_port: parsed.dst_port,
            icmp_type: parsed.icmp_type,
            icmp_code: parsed.icmp_code,
            tcp_flags: parsed.tcp_flags,
            ttl: parsed.ttl,
            ip_len: parsed.ip_len(),
            segment_len: self.segment_len,
            link_layer: parsed.link_layer,
            nd_target: parsed.nd_target,
            vni: self.outer.map(|outer| outer.vni),
            outer_src: self.outer.map_or(Addr::NONE, |outer| outer.src),
            external: self.outer.is_some_and(|outer| outer.external),
            tags: TagSet::EMPTY,
            next_hop: Addr::NONE,
        }
    }

    /// The network identifier of the tunnel.
    #[inline(always)]
    pub(crate) const fn vni(&self) -> Option<Vni> {
        match self.outer {
            Some(outer) => Some(outer.vni),
            None => None,
        }
    }
}
