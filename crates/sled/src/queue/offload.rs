//! The engine's words for work that travels with a frame, and those of the virtio-net header.

use std::num::NonZeroU16;

use rackweave_engine::frame::{Checksum, Frame, Offload, Segment, SegmentKind};
use rackweave_engine::parse::{Parsed, parse_outer};
use rackweave_wire::virtio_net::{self, Gso, GsoKind, GsoTunnel, NetHeader};

/// Where the UDP header of a tunnel is, in octets from the start of the frame: behind Ethernet and IPv6.
const OUTER_TRANSPORT: u16 = 14 + 40;
/// TCP: the congestion window was reduced (RFC 3168).
const CWR: u8 = 0x80;

/// A frame from the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// One packet, or one large one in its tunnel.
    Frame(Offload),
    /// Datagrams of so many octets of payload, one after the other behind the headers of the first: cut by a sender
    /// with `UDP_SEGMENT`, or joined by the kernel.
    Train(NonZeroU16),
    /// A large frame that is in no tunnel: not for us.
    Foreign,
}

/// What is to be done to a guest's frame.
pub(crate) fn of_guest(header: &NetHeader) -> Offload {
    Offload {
        checksum: match header.checksum {
            virtio_net::Checksum::None => Checksum::Complete,
            virtio_net::Checksum::Valid => Checksum::Verified,
            virtio_net::Checksum::Needed { start, offset } => Checksum::Partial { start, offset },
        },
        segment: header.gso.map(segment),
    }
}

/// What a frame from the underlay is.
pub(crate) fn of_wire(header: &NetHeader) -> Arrived {
    let checksum = match header.checksum {
        // Of the tunnel's own checksum, which nobody looks at.
        virtio_net::Checksum::Needed { start, .. } if start == OUTER_TRANSPORT => {
            Checksum::Complete
        }
        virtio_net::Checksum::Needed { start, offset } => Checksum::Partial { start, offset },
        // What is said to be right is the tunnel's own checksum.
        virtio_net::Checksum::None | virtio_net::Checksum::Valid => Checksum::Complete,
    };
    match header.gso {
        None => Arrived::Frame(Offload {
            checksum,
            segment: None,
        }),
        Some(gso) if gso.tunnel.is_some() => Arrived::Frame(Offload {
            checksum,
            segment: Some(segment(gso)),
        }),
        Some(gso) if gso.kind == GsoKind::UdpL4 => Arrived::Train(gso.size),
        Some(_) => Arrived::Foreign,
    }
}

/// What a guest is told of a frame for it.
pub(crate) fn for_guest(frame: &Frame) -> NetHeader {
    let bytes = frame.bytes();
    let cut = |segment| {
        let parsed = Parsed::parse(bytes).ok()?;
        gso(segment, &parsed, bytes, 0)
    };
    NetHeader {
        checksum: checksum(frame.offload.checksum),
        gso: frame.offload.segment.and_then(cut),
        num_buffers: 1,
    }
}

/// What the underlay is told of a frame in its tunnel.
pub(crate) fn for_wire(frame: &Frame) -> NetHeader {
    let bytes = frame.bytes();
    let cut = |segment| {
        let inner_at = parse_outer(bytes).ok()?.len;
        let inner = bytes.get(usize::from(inner_at)..)?;
        let parsed = Parsed::parse(inner).ok()?;
        let tunnel = GsoTunnel {
            outer_ipv6: true,
            // The tunnel's checksum is zero (RFC 6935).
            checksum: false,
            outer_transport: OUTER_TRANSPORT,
            inner_network: inner_at.checked_add(parsed.l3)?,
        };
        Some(Gso {
            tunnel: Some(tunnel),
            ..gso(segment, &parsed, inner, inner_at)?
        })
    };
    NetHeader {
        checksum: match frame.offload.checksum {
            // It is the inner one, and would be taken for the tunnel's.
            Checksum::Verified => virtio_net::Checksum::None,
            other => checksum(other),
        },
        gso: frame.offload.segment.and_then(cut),
        num_buffers: 0,
    }
}

const fn checksum(checksum: Checksum) -> virtio_net::Checksum {
    match checksum {
        Checksum::Complete => virtio_net::Checksum::None,
        Checksum::Verified => virtio_net::Checksum::Valid,
        Checksum::Partial { start, offset } => virtio_net::Checksum::Needed { start, offset },
    }
}

const fn segment(gso: Gso) -> Segment {
    Segment {
        kind: match gso.kind {
            GsoKind::TcpV4 | GsoKind::TcpV6 => SegmentKind::Tcp,
            GsoKind::UdpL4 => SegmentKind::Udp,
        },
        size: gso.size.get(),
    }
}

/// How a frame is cut whose guest's Ethernet header is `at` octets in; `bytes` begin there, and were parsed.
fn gso(segment: Segment, parsed: &Parsed, bytes: &[u8], at: u16) -> Option<Gso> {
    let size = NonZeroU16::new(segment.size)?;
    let (kind, upper) = match segment.kind {
        SegmentKind::Udp => (GsoKind::UdpL4, 8),
        SegmentKind::Tcp => {
            let words = bytes.get(usize::from(parsed.l4) + 12)? >> 4;
            let kind = if parsed.is_v4() {
                GsoKind::TcpV4
            } else {
                GsoKind::TcpV6
            };
            (kind, u16::from(words) * 4)
        }
    };
    Some(Gso {
        kind,
        hdr_len: at.checked_add(parsed.l4)?.checked_add(upper)?,
        size,
        ecn: segment.kind == SegmentKind::Tcp && parsed.tcp_flags & CWR != 0,
        tunnel: None,
    })
}

#[cfg(test)]
mod tests;
