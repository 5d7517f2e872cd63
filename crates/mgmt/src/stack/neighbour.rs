//! Who asks says where it is.
//!
//! A datagram comes in a frame from its sender's address, so an answer needs no neighbour solicitation: the stack is
//! told as if the sender had advertised itself (RFC 4861, 7.2.6). Otherwise anybody who asks in the name of somebody who
//! is not there would hold up the answers to others, and a lost solicitation would cost a second.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use rackweave_types::MacAddr;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet, Icmpv6Repr,
    IpProtocol, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
};

/// Octets of an Ethernet header, and of IPv6's.
const ETHERNET: usize = 14;
const IPV6: usize = 40;
/// The protocol number of UDP.
const UDP: u8 = 17;

/// Somebody on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) address: Ipv6Addr,
    pub(super) mac: MacAddr,
}

impl Neighbour {
    /// Who sent this frame without a tag, if it is a datagram from a link-local address.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let packet = frame.get(ETHERNET..)?;
        let is_udp = frame.get(12..14)? == [0x86, 0xdd] && *packet.get(6)? == UDP;
        let address: [u8; 16] = *packet.get(8..)?.first_chunk()?;
        let neighbour = Self {
            address: address.into(),
            mac: MacAddr::new(*frame.get(6..)?.first_chunk()?),
        };
        let one = neighbour.address.is_unicast_link_local() && !neighbour.mac.is_multicast();
        (is_udp && one).then_some(neighbour)
    }

    /// The frame by which it advertises itself to somebody.
    pub(super) fn advertisement(self, to: Self) -> Vec<u8> {
        let mac = EthernetAddress(self.mac.octets());
        let icmp = Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
            flags: NdiscNeighborFlags::OVERRIDE,
            target_addr: self.address,
            lladdr: Some(mac.into()),
        });
        let ip = Ipv6Repr {
            src_addr: self.address,
            dst_addr: to.address,
            next_header: IpProtocol::Icmpv6,
            payload_len: icmp.buffer_len(),
            hop_limit: 255,
        };
        let ethernet = EthernetRepr {
            src_addr: mac,
            dst_addr: EthernetAddress(to.mac.octets()),
            ethertype: EthernetProtocol::Ipv6,
        };
        let mut frame = vec![0; ETHERNET + IPV6 + ip.payload_len];
        ethernet.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
        ip.emit(&mut Ipv6Packet::new_unchecked(&mut frame[ETHERNET..]));
        let mut body = Icmpv6Packet::new_unchecked(&mut frame[ETHERNET + IPV6..]);
        let checksums = ChecksumCapabilities::default();
        icmp.emit(&self.address, &to.address, &mut body, &checksums);
        frame
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_frame_panics(frame in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _neighbour = Neighbour::of(&frame);
        }
    }
}
