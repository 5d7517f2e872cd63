//! Anti-spoofing: nothing leaves with another's addresses, nothing comes in for another.
//!
//! What a guest may send with is listed, everything else is forged: a rule of its own says which
//! claim was. Neighbour discovery from the guest must carry its link-layer address wherever it
//! speaks for one of its addresses; only the probes of a guest without address (duplicate address
//! detection, RFC 4862, section 5.4.2) carry none.

use alloc::collections::BTreeSet;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use rackweave_engine::program::{Layer, Match, PortRange};
use rackweave_types::reserved;

use super::layer;
use crate::network::{Network, allow, deny, to, to_host};
use crate::numbers::{
    ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ICMPV6_MLD2_REPORT, LINK_LOCAL_V6,
    ND_NEIGHBOR_ADVERTISEMENT, ND_NEIGHBOR_SOLICITATION, ND_REDIRECT, ND_ROUTER_ADVERTISEMENT,
    ND_ROUTER_SOLICITATION, PORT_DHCP_CLIENT, PORT_DHCP_SERVER, PORT_DHCPV6_CLIENT,
    PORT_DHCPV6_SERVER, PROTOCOL_ICMPV6, PROTOCOL_UDP, ether_type, host,
};
use crate::rule::{LayerName, RuleKind, Rules};

/// The layer of a port.
pub(crate) fn guard(network: Network<'_>) -> Layer {
    let mut out = Rules::default();
    never(&mut out);
    bootstrap(network, &mut out);
    arp(network, &mut out);
    if network.has_v6() {
        neighbor_discovery(network, &mut out);
    }
    for kind in [
        ND_ROUTER_SOLICITATION,
        ND_NEIGHBOR_SOLICITATION,
        ND_NEIGHBOR_ADVERTISEMENT,
    ] {
        out.add(RuleKind::ForgedNdp, icmpv6(kind), deny());
    }
    sources(network, &mut out);
    layer(
        LayerName::Guard,
        out.or(deny()),
        inbound(network).or(deny()),
    )
}

/// What no guest may send, whoever it claims to be.
fn never(out: &mut Rules) {
    out.add(
        RuleKind::VlanTag,
        Match {
            tagged: Some(true),
            ..Match::default()
        },
        deny(),
    );
    let gateway = Match {
        src: Some(host(reserved::GATEWAY_V6)),
        ..Match::default()
    };
    out.add(RuleKind::ForgedGateway, gateway, deny());
    let server = udp(ETHERTYPE_IPV4, PORT_DHCP_SERVER, PORT_DHCP_CLIENT);
    out.add(RuleKind::GuestDhcpServer, server, deny());
    let server = udp(ETHERTYPE_IPV6, PORT_DHCPV6_SERVER, PORT_DHCPV6_CLIENT);
    out.add(RuleKind::GuestDhcpServer, server, deny());
    for kind in [ND_ROUTER_ADVERTISEMENT, ND_REDIRECT] {
        out.add(RuleKind::GuestRouter, icmpv6(kind), deny());
    }
}

/// What a guest sends that has no address yet.
fn bootstrap(network: Network<'_>, out: &mut Rules) {
    let unspecified = |matches: Match, addr: IpAddr| Match {
        src_mac: Some(network.port.mac),
        src: Some(host(addr)),
        ..matches
    };
    let dhcp = udp(ETHERTYPE_IPV4, PORT_DHCP_CLIENT, PORT_DHCP_SERVER);
    out.add(
        RuleKind::Bootstrap,
        unspecified(dhcp, Ipv4Addr::UNSPECIFIED.into()),
        allow(),
    );
    for kind in [
        ND_NEIGHBOR_SOLICITATION,
        ND_ROUTER_SOLICITATION,
        ICMPV6_MLD2_REPORT,
    ] {
        let matches = unspecified(icmpv6(kind), Ipv6Addr::UNSPECIFIED.into());
        out.add(RuleKind::Bootstrap, matches, allow());
    }
}

/// ARP: the sender's addresses must be the guest's; a probe has no address (RFC 5227).
fn arp(network: Network<'_>, out: &mut Rules) {
    let own = network.addresses().filter(IpAddr::is_ipv4);
    for sender in own.chain([Ipv4Addr::UNSPECIFIED.into()]) {
        let matches = Match {
            ether_type: Some(ETHERTYPE_ARP),
            src_mac: Some(network.port.mac),
            link_layer: Some(network.port.mac),
            src: Some(host(sender)),
            ..Match::default()
        };
        out.add(RuleKind::OwnArp, matches, allow());
    }
    let any = Match {
        ether_type: Some(ETHERTYPE_ARP),
        ..Match::default()
    };
    out.add(RuleKind::ForgedArp, any, deny());
}

/// Neighbour discovery: source, target and link-layer address must be the guest's.
fn neighbor_discovery(network: Network<'_>, out: &mut Rules) {
    let own = |kind, src: Ipv6Net| Match {
        src_mac: Some(network.port.mac),
        link_layer: Some(network.port.mac),
        src: Some(IpNet::V6(src)),
        ..icmpv6(kind)
    };
    for own_net in own_v6(network) {
        for kind in [ND_ROUTER_SOLICITATION, ND_NEIGHBOR_SOLICITATION] {
            out.add(RuleKind::OwnNdp, own(kind, own_net), allow());
        }
        // A host advertises an address from this very one, or from its link-local one.
        for src in BTreeSet::from([own_net, LINK_LOCAL_V6]) {
            let advertised = Match {
                nd_target: Some(own_net),
                ..own(ND_NEIGHBOR_ADVERTISEMENT, src)
            };
            out.add(RuleKind::OwnNdp, advertised, allow());
        }
    }
}

/// IPv6 addresses that a guest may speak for: its own, and link-local ones of its choice, since
/// these do not leave the link and no other guest is on it.
fn own_v6(network: Network<'_>) -> impl Iterator<Item = Ipv6Net> {
    network
        .addresses_v6()
        .map(Ipv6Net::from)
        .chain([LINK_LOCAL_V6])
}

/// IP sources, and what else stands in the way of a frame.
fn sources(network: Network<'_>, out: &mut Rules) {
    let from = |src: IpNet| Match {
        ether_type: Some(ether_type(src.addr())),
        src_mac: Some(network.port.mac),
        src: Some(src),
        ..Match::default()
    };
    for addr in network.addresses() {
        out.add(RuleKind::OwnAddress, from(host(addr)), allow());
    }
    if network.has_v6() {
        out.add(RuleKind::OwnAddress, from(LINK_LOCAL_V6.into()), allow());
    }
    for prefix in &network.port.transit {
        out.add(RuleKind::TransitAddress, from(*prefix), allow());
    }
    let own_mac = Match {
        src_mac: Some(network.port.mac),
        ..Match::default()
    };
    for ether_type in [ETHERTYPE_IPV4, ETHERTYPE_IPV6] {
        let matches = Match {
            ether_type: Some(ether_type),
            ..own_mac.clone()
        };
        out.add(RuleKind::ForgedAddress, matches, deny());
    }
    out.add(RuleKind::NotIp, own_mac, deny());
    out.add(RuleKind::ForgedMac, Match::default(), deny());
}

/// To the guest: only what is for one of its addresses or a transit prefix.
fn inbound(network: Network<'_>) -> Rules {
    let mut rules = Rules::default();
    // An ARP packet has addresses too.
    let arp = Match {
        ether_type: Some(ETHERTYPE_ARP),
        ..Match::default()
    };
    rules.add(RuleKind::NotIp, arp, deny());
    for addr in network.addresses() {
        rules.add(RuleKind::OwnAddress, to_host(addr), allow());
    }
    for prefix in &network.port.transit {
        rules.add(RuleKind::TransitAddress, to(*prefix), allow());
    }
    rules.add(RuleKind::NotOurs, Match::default(), deny());
    rules
}

fn udp(ether_type: u16, src_port: u16, dst_port: u16) -> Match {
    Match {
        ether_type: Some(ether_type),
        protocol: Some(PROTOCOL_UDP),
        src_port: Some(PortRange::single(src_port)),
        dst_port: Some(PortRange::single(dst_port)),
        ..Match::default()
    }
}

fn icmpv6(icmp_type: u8) -> Match {
    Match {
        ether_type: Some(ETHERTYPE_IPV6),
        protocol: Some(PROTOCOL_ICMPV6),
        icmp_type: Some(icmp_type),
        ..Match::default()
    }
}
