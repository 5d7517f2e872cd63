//! Packets: of the guest, and of the wire inside Geneve.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_engine::Direction;
pub use rackweave_testkit::rules::Family;
use rackweave_types::reserved::{
    BOUNDARY_VNI, GATEWAY_MAC, GENEVE_OPTION_CLASS, GENEVE_OPTION_EXTERNAL, GENEVE_PORT,
};
use rackweave_wire::checksum;

use crate::network::{BOUNDARY, BOUNDARY_MAC, GUEST_MAC, INSIDE, OUTSIDE, SLED};

/// The transport protocol of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What all flows of a measurement have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The address family of the inner packets.
    pub family: Family,
    /// Their transport.
    pub transport: Transport,
}

impl Kind {
    /// Every kind; the first is the one that figures are about where they name none.
    pub const ALL: [Self; 4] = [
        Self {
            family: Family::V4,
            transport: Transport::Tcp,
        },
        Self {
            family: Family::V4,
            transport: Transport::Udp,
        },
        Self {
            family: Family::V6,
            transport: Transport::Tcp,
        },
        Self {
            family: Family::V6,
            transport: Transport::Udp,
        },
    ];

    const fn protocol(self) -> u8 {
        match self.transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }
}

/// Family, transport and direction in one word: `v4_tcp_out`.
#[must_use]
pub fn name(kind: Kind, direction: Direction) -> String {
    let transport = match kind.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    format!("{}_{transport}_{direction}", kind.family.name())
}

/// What a packet is to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first one (TCP: SYN).
    First,
    /// The answer to the first one (TCP: SYN and ACK).
    Answer,
    /// Any later one (TCP: ACK).
    Data,
}

impl Part {
    const fn tcp_flags(self) -> u8 {
        match self {
            Self::First => 0x02,
            Self::Answer => 0x12,
            Self::Data => 0x10,
        }
    }
}

const FAR_PORT: u16 = 443;
/// Ports of the guest's end; the firewall lets connections to these in.
const NEAR_PORTS: (u16, u32) = (32_768, 1_024);

/// The frame of one packet of a flow: as the guest sends it, or as it comes from the wire.
#[must_use]
pub fn frame(kind: Kind, flow: u32, direction: Direction, part: Part) -> Vec<u8> {
    let near = NEAR_PORTS.0 + u16::try_from(flow % NEAR_PORTS.1).unwrap_or(0);
    let far = far_address(kind.family, flow / NEAR_PORTS.1);
    let place = usize::from(kind.family == Family::V6);
    match direction {
        Direction::Out => {
            let packet = ip(kind, (INSIDE[place], near), (far, FAR_PORT), part);
            ethernet(
                GATEWAY_MAC.octets(),
                GUEST_MAC.octets(),
                kind.family,
                &packet,
            )
        }
        Direction::In => {
            let packet = ip(kind, (far, FAR_PORT), (OUTSIDE[place], near), part);
            geneve(&ethernet(
                GUEST_MAC.octets(),
                BOUNDARY_MAC.octets(),
                kind.family,
                &packet,
            ))
        }
    }
}

fn far_address(family: Family, number: u32) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(0x0800_0000 + number).into(),
        Family::V6 => Ipv6Addr::from_bits(0x2001_4860 << 96 | u128::from(number)).into(),
    }
}

fn ethernet(dst: [u8; 6], src: [u8; 6], family: Family, packet: &[u8]) -> Vec<u8> {
    let ether_type: u16 = match family {
        Family::V4 => 0x0800,
        Family::V6 => 0x86dd,
    };
    [&dst[..], &src, &ether_type.to_be_bytes(), packet].concat()
}

/// An IP packet with an empty payload.
fn ip(kind: Kind, src: (IpAddr, u16), dst: (IpAddr, u16), part: Part) -> Vec<u8> {
    let (src_addr, dst_addr) = (octets(src.0), octets(dst.0));
    let upper = upper_layer(
        kind,
        src.1,
        dst.1,
        part,
        &[&src_addr[..], &dst_addr].concat(),
    );
    let len = u16::try_from(upper.len()).unwrap_or(0);
    match kind.family {
        Family::V4 => {
            let mut header = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, kind.protocol(), 0, 0];
            header[2..4].copy_from_slice(&(20 + len).to_be_bytes());
            header.extend([src_addr, dst_addr].concat());
            let sum = checksum::finish(checksum::sum(&header));
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            [header, upper].concat()
        }
        Family::V6 => {
            let [high, low] = len.to_be_bytes();
            let header = [0x60, 0, 0, 0, high, low, kind.protocol(), 64];
            [&header[..], &src_addr, &dst_addr, &upper].concat()
        }
    }
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

fn upper_layer(kind: Kind, src_port: u16, dst_port: u16, part: Part, addresses: &[u8]) -> Vec<u8> {
    let mut header = [src_port.to_be_bytes(), dst_port.to_be_bytes()].concat();
    let at = match kind.transport {
        Transport::Tcp => {
            header.extend([
                0,
                0,
                0,
                1,
                0,
                0,
                0,
                1,
                0x50,
                part.tcp_flags(),
                0xff,
                0xff,
                0,
                0,
                0,
                0,
            ]);
            16
        }
        Transport::Udp => {
            header.extend([0, 8, 0, 0]);
            6
        }
    };
    let len = u16::try_from(header.len()).unwrap_or(0);
    let pseudo = [addresses, &[0, kind.protocol()], &len.to_be_bytes()].concat();
    let sum = checksum::combine(checksum::sum(&pseudo), checksum::sum(&header));
    header[at..at + 2].copy_from_slice(&checksum::finish(sum).to_be_bytes());
    header
}

/// Wraps a frame as boundary services do.
fn geneve(inner: &[u8]) -> Vec<u8> {
    let [class_high, class_low] = GENEVE_OPTION_CLASS.to_be_bytes();
    let [_, vni @ ..] = BOUNDARY_VNI.get().to_be_bytes();
    let mut header = vec![1, 0x40, 0x65, 0x58];
    header.extend(vni);
    header.extend([0, class_high, class_low, GENEVE_OPTION_EXTERNAL, 0]);
    let len = u16::try_from(8 + header.len() + inner.len())
        .unwrap_or(0)
        .to_be_bytes();
    let mut frame = vec![
        0xa8, 0x40, 0x25, 0, 0, 1, 0xa8, 0x40, 0x25, 0, 0, 2, 0x86, 0xdd,
    ];
    frame.extend([0x60, 0, 0, 0, len[0], len[1], 17, 64]);
    frame.extend(BOUNDARY.octets());
    frame.extend(SLED.octets());
    frame.extend(0xc000_u16.to_be_bytes());
    frame.extend(GENEVE_PORT.to_be_bytes());
    frame.extend([len[0], len[1], 0, 0]);
    frame.extend(header);
    frame.extend(inner);
    frame
}
