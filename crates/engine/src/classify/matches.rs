//! What a rule's predicates mean: the one place that says whether a packet has what a rule asks for.

use ipnet::{IpNet, Ipv6Net};

use crate::addr::Addr;
use crate::fields::Fields;
use crate::parse::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol};
use crate::program::{Match, Rule};

/// Neighbour solicitation and advertisement (RFC 4861, sections 4.3 and 4.4).
pub(super) const NEIGHBOR_TYPES: (u8, u8) = (135, 136);

impl Match {
    /// Whether the packet has everything that is asked for.
    ///
    /// What a predicate implies, by the packet's Ethernet type:
    /// - An IPv4 prefix: IPv4 or ARP. An IPv6 prefix: IPv6.
    /// - A protocol: IP; of a rule for the Ethernet type of ARP it is the ARP operation.
    /// - A port range: TCP or UDP over IP.
    /// - An ICMP type or code: ICMP over IPv4 or ICMPv6 over IPv6.
    /// - A neighbour discovery target: a neighbour solicitation or advertisement.
    /// - A link-layer address, a VNI, an outer source: a packet that has one.
    #[must_use]
    pub fn matches(&self, fields: &Fields) -> bool {
        self.ether_type
            .is_none_or(|wanted| wanted == fields.ether_type)
            && self
                .src
                .is_none_or(|net| within(net, fields.src, fields.ether_type))
            && self
                .dst
                .is_none_or(|net| within(net, fields.dst, fields.ether_type))
            && self.matches_upper_layer(fields)
            && self.matches_rest(fields)
    }

    /// The part of [`Match::matches`] that is not about the five-tuple: Ethernet, neighbours, the tunnel, tags.
    pub(super) fn matches_rest(&self, fields: &Fields) -> bool {
        fields.tags.contains_all(self.tags)
            && (self.vni.is_none() || self.vni == fields.vni)
            && self.external.is_none_or(|wanted| wanted == fields.external)
            && self.tagged.is_none_or(|wanted| wanted == fields.tagged)
            && self.src_mac.is_none_or(|wanted| wanted == fields.src_mac)
            && self.dst_mac.is_none_or(|wanted| wanted == fields.dst_mac)
            && (self.link_layer.is_none() || self.link_layer == fields.link_layer)
            && self
                .nd_target
                .is_none_or(|net| is_neighbor(fields) && within6(net, fields.nd_target))
            && self
                .outer_src
                .is_none_or(|net| fields.outer_src != Addr::NONE && within6(net, fields.outer_src))
    }

    /// The part of [`Match::matches`] about protocol, ports and ICMP.
    fn matches_upper_layer(&self, fields: &Fields) -> bool {
        let ip = matches!(fields.ether_type, ETHERTYPE_IPV4 | ETHERTYPE_IPV6);
        let ports = ip && matches!(fields.protocol, protocol::TCP | protocol::UDP);
        let icmp = is_icmp(fields);
        let arp = self.ether_type == Some(ETHERTYPE_ARP);
        self.protocol
            .is_none_or(|wanted| (ip || arp) && wanted == fields.protocol)
            && self
                .src_port
                .is_none_or(|range| ports && range.contains(fields.src_port))
            && self
                .dst_port
                .is_none_or(|range| ports && range.contains(fields.dst_port))
            && self
                .icmp_type
                .is_none_or(|wanted| icmp && wanted == fields.icmp_type)
            && self
                .icmp_code
                .is_none_or(|wanted| icmp && wanted == fields.icmp_code)
    }
}

/// Whether the packet is ICMP over IPv4 or ICMPv6 over IPv6.
fn is_icmp(fields: &Fields) -> bool {
    matches!(
        (fields.ether_type, fields.protocol),
        (ETHERTYPE_IPV4, protocol::ICMP) | (ETHERTYPE_IPV6, protocol::ICMPV6)
    )
}

/// Whether the packet is a neighbour solicitation or advertisement.
fn is_neighbor(fields: &Fields) -> bool {
    let (solicitation, advertisement) = NEIGHBOR_TYPES;
    fields.ether_type == ETHERTYPE_IPV6
        && fields.protocol == protocol::ICMPV6
        && (fields.icmp_type == solicitation || fields.icmp_type == advertisement)
}

/// Whether an address of a packet with this Ethernet type is within the prefix.
///
/// The Ethernet type alone tells the family; of an IPv4 packet's address only the last 32 bits count.
fn within(net: IpNet, addr: Addr, ether_type: u16) -> bool {
    match net {
        IpNet::V4(net) => {
            let differs = Addr::from(net.addr()).bits() ^ addr.bits();
            matches!(ether_type, ETHERTYPE_IPV4 | ETHERTYPE_ARP)
                && differs & u128::from(net.netmask().to_bits()) == 0
        }
        IpNet::V6(net) => ether_type == ETHERTYPE_IPV6 && within6(net, addr),
    }
}

fn within6(net: Ipv6Net, addr: Addr) -> bool {
    (net.addr().to_bits() ^ addr.bits()) & net.netmask().to_bits() == 0
}

/// Which rule counts for the packet, by looking at every one: its place in `rules`.
///
/// The definition that [`Classifier`](super::Classifier) is measured against: the lowest priority number, and of
/// several the first in place.
#[must_use]
pub fn linear(rules: &[Rule], fields: &Fields) -> Option<u32> {
    let hits = rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.matches.matches(fields));
    let (place, _) = hits.min_by_key(|(place, rule)| (rule.priority, *place))?;
    u32::try_from(place).ok()
}
