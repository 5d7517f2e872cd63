//! The gateway: what the network answers itself, what the agent serves, and what goes nowhere.
//!
//! No neighbour is on a guest's link, so ARP and neighbour discovery are answered for the gateway
//! alone. Queries to DNS and metadata are punts ([`punt`](crate::punt)). To the guest every packet
//! comes from the gateway.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_engine::program::{Action, Layer, Match, PortRange, RuleSet};
use rackweave_engine::respond::Responder;
use rackweave_types::reserved;

use super::layer;
use crate::network::{Network, allow, deny, to, to_host};
use crate::numbers::{
    ARP_REQUEST, DHCPV6_SERVERS, ETHERTYPE_ARP, ETHERTYPE_IPV6, ICMP_ECHO_REQUEST,
    ICMPV6_ECHO_REQUEST, LINK_LOCAL_V4, LINK_LOCAL_V6, MARTIAN, MULTICAST,
    ND_NEIGHBOR_ADVERTISEMENT, ND_NEIGHBOR_SOLICITATION, ND_ROUTER_SOLICITATION, PORT_DHCP_SERVER,
    PORT_DHCPV6_SERVER, PORT_DNS, PORT_HTTP, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP,
    PROTOCOL_UDP, host,
};
use crate::rule::{LayerName, RuleKind, Rules};
use crate::{punt, services};

/// The layer of a port.
pub(crate) fn gateway(network: Network<'_>) -> Layer {
    let mut out = Rules::default();
    neighbors(network, &mut out);
    dhcp(network, &mut out);
    echo(network, &mut out);
    punts(network, &mut out);
    reserved_addresses(network, &mut out);
    nowhere(network, &mut out);
    let inbound = vec![
        Action::SetSrcMac(reserved::GATEWAY_MAC),
        Action::SetDstMac(network.port.mac),
        Action::Allow,
    ];
    layer(
        LayerName::Gateway,
        out.or(allow()),
        RuleSet {
            rules: Vec::new(),
            default: inbound,
        },
    )
}

/// ARP, neighbour discovery and router discovery.
fn neighbors(network: Network<'_>, out: &mut Rules) {
    let mac = reserved::GATEWAY_MAC;
    let arp = Match {
        ether_type: Some(ETHERTYPE_ARP),
        ..Match::default()
    };
    for gateway in network.gateways_v4() {
        let request = Match {
            protocol: Some(ARP_REQUEST),
            dst: Some(host(gateway)),
            ..arp.clone()
        };
        out.add(
            RuleKind::GatewayArp,
            request,
            hairpin(Responder::Arp { mac }),
        );
    }
    out.add(RuleKind::OtherArp, arp, deny());
    if network.has_v6() {
        let target = Some(Ipv6Net::from(reserved::GATEWAY_V6));
        let solicitation = Match {
            nd_target: target,
            ..icmpv6(ND_NEIGHBOR_SOLICITATION)
        };
        let answer = hairpin(Responder::Neighbor { mac, router: true });
        out.add(RuleKind::GatewayNdp, solicitation, answer);
        let advert = hairpin(Responder::Router(services::router_advert(network)));
        out.add(
            RuleKind::RouterSolicitation,
            icmpv6(ND_ROUTER_SOLICITATION),
            advert,
        );
    }
    for kind in [
        ND_ROUTER_SOLICITATION,
        ND_NEIGHBOR_SOLICITATION,
        ND_NEIGHBOR_ADVERTISEMENT,
    ] {
        out.add(RuleKind::OtherNdp, icmpv6(kind), deny());
    }
}

/// DHCP, as clients send it: to everybody, or to the server they know.
fn dhcp(network: Network<'_>, out: &mut Rules) {
    if let Some(server) = services::dhcp4(network) {
        for dst in [Ipv4Addr::BROADCAST, server.server] {
            let answer = hairpin(Responder::Dhcp4(server.clone()));
            out.add(RuleKind::Dhcp4, udp(dst.into(), PORT_DHCP_SERVER), answer);
        }
    }
    if network.has_v6() {
        let answer = hairpin(Responder::Dhcp6(services::dhcp6(network)));
        out.add(
            RuleKind::Dhcp6,
            udp(DHCPV6_SERVERS.into(), PORT_DHCPV6_SERVER),
            answer,
        );
    }
}

fn echo(network: Network<'_>, out: &mut Rules) {
    let gateways = network.gateways_v4().map(IpAddr::V4);
    let v6 = network.has_v6().then_some(IpAddr::V6(reserved::GATEWAY_V6));
    for gateway in gateways.chain(v6) {
        let (protocol, icmp_type) = match gateway {
            IpAddr::V4(_) => (PROTOCOL_ICMP, ICMP_ECHO_REQUEST),
            IpAddr::V6(_) => (PROTOCOL_ICMPV6, ICMPV6_ECHO_REQUEST),
        };
        let request = Match {
            protocol: Some(protocol),
            icmp_type: Some(icmp_type),
            ..to_host(gateway)
        };
        out.add(RuleKind::GatewayEcho, request, hairpin(Responder::Echo));
    }
}

fn punts(network: Network<'_>, out: &mut Rules) {
    for server in network.subnet_dns() {
        for protocol in [PROTOCOL_UDP, PROTOCOL_TCP] {
            let query = with_port(server, protocol, PORT_DNS);
            out.add(
                RuleKind::Dns,
                query,
                vec![Action::Punt { queue: punt::DNS }],
            );
        }
    }
    let v6 = network
        .has_v6()
        .then_some(IpAddr::V6(reserved::METADATA_V6));
    for server in [IpAddr::V4(reserved::METADATA_V4)].into_iter().chain(v6) {
        let request = with_port(server, PROTOCOL_TCP, PORT_HTTP);
        out.add(
            RuleKind::Metadata,
            request,
            vec![Action::Punt {
                queue: punt::METADATA,
            }],
        );
    }
}

/// Everything else to an address that the network keeps for itself.
fn reserved_addresses(network: Network<'_>, out: &mut Rules) {
    let mut kept: Vec<IpNet> = Vec::new();
    for subnet in network.subnets() {
        if let Some(net) = subnet.ipv4 {
            // Offsets 0 to 3, and 4: network, gateway, DNS and what is kept.
            let last = u32::from(net.network()) + 4;
            kept.extend(Ipv4Net::new(net.network(), 30).map(IpNet::V4));
            kept.push(host(Ipv4Addr::from(last)));
        }
        if let Some(net) = subnet.ipv6 {
            kept.push(host(net.network()));
            kept.extend(reserved::ipv6_dns(net).map(host));
        }
    }
    let everywhere = [
        LINK_LOCAL_V4.into(),
        LINK_LOCAL_V6.into(),
        host(reserved::METADATA_V6),
    ];
    for net in kept.into_iter().chain(everywhere) {
        out.add(RuleKind::Reserved, to(net), deny());
    }
}

/// Destinations to which nothing is ever sent.
fn nowhere(network: Network<'_>, out: &mut Rules) {
    let broadcast = network
        .subnets()
        .filter_map(|subnet| Some(subnet.ipv4?.broadcast()));
    let broadcast = broadcast.chain([Ipv4Addr::BROADCAST]).map(host);
    for net in MULTICAST.into_iter().chain(broadcast) {
        out.add(RuleKind::Multicast, to(net), deny());
    }
    for net in MARTIAN {
        out.add(RuleKind::MartianDestination, to(net), deny());
    }
    let az = network.underlay.sled.az().net();
    out.add(RuleKind::UnderlayDestination, to(az), deny());
}

fn hairpin(responder: Responder) -> Vec<Action> {
    vec![Action::Hairpin(Box::new(responder))]
}

fn udp(dst: IpAddr, port: u16) -> Match {
    with_port(dst, PROTOCOL_UDP, port)
}

fn with_port(dst: IpAddr, protocol: u8, port: u16) -> Match {
    Match {
        protocol: Some(protocol),
        dst_port: Some(PortRange::single(port)),
        ..to_host(dst)
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
