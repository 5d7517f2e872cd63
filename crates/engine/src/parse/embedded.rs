//! The packet inside an ICMP error (RFC 792; RFC 4443, section 3): as much of it as names its connection.

use super::inner::{addr6, be16};
use super::{Parsed, protocol};
use crate::addr::Addr;
use crate::direction::Direction;
use crate::flow::FlowKey;

/// The packet that an ICMP error is about; offsets count from the start of the frame that carries the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Embedded {
    pub(crate) v4: bool,
    pub(crate) l3: usize,
    pub(crate) l4: usize,
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: u8,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
}

impl Embedded {
    /// Reads the packet embedded in an ICMP error; `None` where too little of it is there to tell its connection.
    pub(crate) fn read(bytes: &[u8], parsed: &Parsed) -> Option<Self> {
        let l3 = usize::from(parsed.l4) + 8;
        let end = usize::try_from(parsed.end).ok()?;
        let bytes = bytes.get(..end)?;
        let mut embedded = if parsed.is_v4() {
            ipv4(bytes, l3)?
        } else {
            ipv6(bytes, l3)?
        };
        let l4 = embedded.l4;
        match embedded.protocol {
            protocol::TCP | protocol::UDP => {
                embedded.src_port = be16(bytes, l4)?;
                embedded.dst_port = be16(bytes, l4 + 2)?;
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let id = be16(bytes, l4 + 4)?;
                match (embedded.protocol, *bytes.get(l4)?) {
                    (protocol::ICMP, 8 | 13 | 15 | 17) | (protocol::ICMPV6, 128) => {
                        embedded.src_port = id;
                    }
                    (protocol::ICMP, 0 | 14 | 16 | 18) | (protocol::ICMPV6, 129) => {
                        embedded.dst_port = id;
                    }
                    _ => return None,
                }
            }
            _ => {}
        }
        Some(embedded)
    }

    /// The key of the connection that the embedded packet belongs to, on the side that an error of this direction
    /// comes from: the error's receiver is the embedded packet's sender.
    pub(crate) const fn key(&self, direction: Direction) -> FlowKey {
        let (local, remote, local_port, remote_port) = match direction {
            Direction::In => (self.src, self.dst, self.src_port, self.dst_port),
            Direction::Out => (self.dst, self.src, self.dst_port, self.src_port),
        };
        FlowKey {
            direction,
            local,
            remote,
            local_port,
            remote_port,
            protocol: self.protocol,
        }
    }
}

fn ipv4(bytes: &[u8], l3: usize) -> Option<Embedded> {
    let header: &[u8; 20] = bytes.get(l3..)?.first_chunk()?;
    let header_len = usize::from(header[0] & 0xf) * 4;
    let later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    if header[0] >> 4 != 4 || header_len < 20 || later_fragment {
        return None;
    }
    Some(Embedded {
        v4: true,
        l3,
        l4: l3 + header_len,
        src: Addr::v4(u32::from_be_bytes([
            header[12], header[13], header[14], header[15],
        ])),
        dst: Addr::v4(u32::from_be_bytes([
            header[16], header[17], header[18], header[19],
        ])),
        protocol: header[9],
        src_port: 0,
        dst_port: 0,
    })
}

fn ipv6(bytes: &[u8], l3: usize) -> Option<Embedded> {
    let header: &[u8; 40] = bytes.get(l3..)?.first_chunk()?;
    let (mut next, mut l4) = (header[6], l3 + 40);
    if next == protocol::FRAGMENT {
        // Only the first fragment tells the ports.
        let first = be16(bytes, l4 + 2)? & 0xfff8 == 0;
        (next, l4) = if first {
            (*bytes.get(l4)?, l4 + 8)
        } else {
            return None;
        };
    }
    let (src, dst) = (addr6(header, 8)?, addr6(header, 24)?);
    if header[0] >> 4 != 6 || src.is_v4() || dst.is_v4() {
        return None;
    }
    Some(Embedded {
        v4: false,
        l3,
        l4,
        src,
        dst,
        protocol: next,
        src_port: 0,
        dst_port: 0,
    })
}
