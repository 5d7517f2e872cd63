//! Answers of ARP and neighbour discovery, and requests of DHCP clients.

use std::net::{Ipv4Addr, Ipv6Addr};

use rackweave_types::MacAddr;

use super::FrameBuilder;
use crate::number;

/// An ARP reply: `sender` is at `mac`, told to the target.
#[must_use]
pub fn arp_reply(mac: MacAddr, sender: Ipv4Addr, target_mac: MacAddr, target: Ipv4Addr) -> Vec<u8> {
    let ether_type = number::ETHERTYPE_ARP.to_be_bytes();
    let mut frame = [target_mac.octets(), mac.octets()].concat();
    frame.extend(ether_type);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(mac.octets());
    frame.extend(sender.octets());
    frame.extend(target_mac.octets());
    frame.extend(target.octets());
    frame
}

/// A neighbour advertisement: `target` is at `mac`; solicited, overriding (RFC 4861 section 4.4).
#[must_use]
pub fn neighbor_advertisement(
    mac: MacAddr,
    target: Ipv6Addr,
    dst_mac: MacAddr,
    dst: Ipv6Addr,
) -> Vec<u8> {
    let message = [
        &[0x60, 0, 0, 0][..],
        &target.octets(),
        &[2, 1],
        &mac.octets(),
    ]
    .concat();
    FrameBuilder::icmp(target.into(), dst.into(), 136, 0)
        .macs(mac, dst_mac)
        .ttl(255)
        .payload(&message)
        .build()
}

/// A client's DHCPv4 message to all servers, from 0.0.0.0 (RFC 2131 section 4.1).
#[must_use]
pub fn dhcpv4_request(mac: MacAddr, message: &[u8]) -> Vec<u8> {
    FrameBuilder::udp("0.0.0.0:68", "255.255.255.255:67")
        .macs(mac, MacAddr::BROADCAST)
        .payload(message)
        .build()
}

/// A client's DHCPv6 message to all servers, from its link-local address (RFC 8415 section 7).
#[must_use]
pub fn dhcpv6_request(mac: MacAddr, src: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    FrameBuilder::udp(&format!("[{src}]:546"), "[ff02::1:2]:547")
        .macs(mac, MacAddr::new([0x33, 0x33, 0, 1, 0, 2]))
        .ttl(1)
        .payload(message)
        .build()
}
