//! What hosts ask of their link and of its servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_engine::{Direction, Frame};

use super::Event;
use crate::packet::{
    self, Ends, arp_reply, arp_request, dhcpv4_request, dhcpv6_request, neighbor_advertisement,
    neighbor_solicitation, router_solicitation,
};
use crate::program::world::{
    GATEWAY_MAC, GUEST_MAC, LOCALS, ROUTER_V4, ROUTER_V6, SLEDS, VNIS, vni,
};
use crate::source::Source;

/// One such frame of the guest; now and then, one that comes out of a tunnel.
pub(super) fn draw(source: &mut Source<'_>) -> Event {
    let frame = request(source);
    if source.one_in(8) {
        let outer = packet::geneve(SLEDS[1], SLEDS[0], vni(VNIS[0]), &[], &frame);
        return Event::Packet(Direction::In, Frame::new(&outer));
    }
    Event::Packet(Direction::Out, Frame::new(&frame))
}

/// What a host asks.
pub(crate) fn request(source: &mut Source<'_>) -> Vec<u8> {
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x72, 0x77ff, 0xfe00, 1);
    let (v4, v6) = locals();
    match source.below(10) {
        0 => arp_request(GUEST_MAC, v4, ROUTER_V4),
        1 => arp_reply(GUEST_MAC, v4, GATEWAY_MAC, ROUTER_V4),
        2 => neighbor_solicitation(GUEST_MAC, link_local, ROUTER_V6),
        3 => neighbor_solicitation(GUEST_MAC, Ipv6Addr::UNSPECIFIED, v6),
        4 => neighbor_advertisement(GUEST_MAC, v6, GATEWAY_MAC, ROUTER_V6),
        5 => router_solicitation(GUEST_MAC, link_local),
        6 => dhcpv4_request(GUEST_MAC, &dhcpv4(source.pick(&[1, 3, 7, 8]))),
        7 => dhcpv6_request(GUEST_MAC, link_local, &dhcpv6(source.pick(&[1, 3, 4, 11]))),
        8 => echo(source),
        _ => odd_ethernet(source),
    }
}

fn locals() -> (Ipv4Addr, Ipv6Addr) {
    match (LOCALS[0], LOCALS[1]) {
        (IpAddr::V4(v4), IpAddr::V6(v6)) => (v4, v6),
        _ => (ROUTER_V4, ROUTER_V6),
    }
}

/// An echo request to the router.
fn echo(source: &mut Source<'_>) -> Vec<u8> {
    let four = source.one_in(2);
    let (src, dst) = if four {
        (LOCALS[0], ROUTER_V4.into())
    } else {
        (LOCALS[1], ROUTER_V6.into())
    };
    let ends = Ends {
        src_mac: GUEST_MAC,
        dst_mac: GATEWAY_MAC,
        src,
        dst,
    };
    packet::echo(&ends, true, 1, source.word(), b"hello")
}

/// A frame of another Ethernet type.
fn odd_ethernet(source: &mut Source<'_>) -> Vec<u8> {
    let mut frame = [GATEWAY_MAC.octets(), GUEST_MAC.octets()].concat();
    frame.extend(source.pick(&[[0x88, 0xcc], [0x88, 0x47]]));
    frame.extend(source.take(46));
    frame
}

/// A DHCPv4 message of this type (RFC 2131, section 2).
fn dhcpv4(kind: u8) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend(GUEST_MAC.octets());
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, kind]);
    if kind == 3 {
        message.extend([50, 4, 10, 0, 0, 5]);
    }
    message.extend([55, 4, 1, 3, 6, 121, 255]);
    message
}

/// A DHCPv6 message of this type (RFC 8415, section 8): a client's identifier and an association.
fn dhcpv6(kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 1, 2, 3, 0, 1, 0, 10, 0, 3, 0, 1];
    message.extend(GUEST_MAC.octets());
    message.extend([0, 3, 0, 12, 0, 0, 0, 1]);
    message.resize(message.len() + 8, 0);
    message
}
