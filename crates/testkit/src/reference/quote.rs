//! The packet that an ICMP error quotes.

use rackweave_engine::Direction;
use rackweave_engine::addr::Addr;

use super::header::word;
use super::{End, Side};
use crate::number::{FRAGMENT, ICMP, ICMPV6, TCP, UDP};

/// As much of it as tells its connection; places count from its own start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quote {
    pub(super) v4: bool,
    pub(super) l4: usize,
    pub(super) protocol: u8,
    pub(super) src: End,
    pub(super) dst: End,
}

impl Quote {
    /// Reads a quoted packet.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let v4 = bytes.first()? >> 4 == 4;
        let (l4, protocol, src, dst) = if v4 {
            let header: &[u8; 20] = bytes.first_chunk()?;
            let src: [u8; 4] = *header[12..].first_chunk()?;
            let dst: [u8; 4] = *header[16..].first_chunk()?;
            if word(bytes, 6)? & 0x1fff != 0 {
                return None;
            }
            let l4 = 4 * usize::from(header[0] & 0xf);
            let [src, dst] = [src, dst].map(|octets| Addr::from(std::net::Ipv4Addr::from(octets)));
            (l4, header[9], src, dst)
        } else {
            let header: &[u8; 40] = bytes.first_chunk()?;
            let src = Addr::from_octets(*header[8..].first_chunk()?);
            let dst = Addr::from_octets(*header[24..].first_chunk()?);
            match header[6] {
                FRAGMENT if word(bytes, 42)? & 0xfff8 != 0 => return None,
                FRAGMENT => (48, *bytes.get(40)?, src, dst),
                protocol => (40, protocol, src, dst),
            }
        };
        let (src_port, dst_port) = match protocol {
            TCP | UDP => (word(bytes, l4)?, word(bytes, l4 + 2)?),
            ICMP | ICMPV6 => match bytes.get(l4)? {
                8 | 13 | 128 => (word(bytes, l4 + 4)?, 0),
                0 | 14 | 129 => (0, word(bytes, l4 + 4)?),
                _ => return None,
            },
            _ => (0, 0),
        };
        Some(Self {
            v4,
            l4,
            protocol,
            src: (src, src_port),
            dst: (dst, dst_port),
        })
    }

    /// The connection's ends on the side that an error of this direction comes from: who hears of the error sent the
    /// packet.
    pub(super) const fn side(&self, direction: Direction) -> Side {
        match direction {
            Direction::In => Side {
                local: self.src,
                remote: self.dst,
            },
            Direction::Out => Side {
                local: self.dst,
                remote: self.src,
            },
        }
    }
}
