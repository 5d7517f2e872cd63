//! Who would send a packet to a port: the tunnel headers that it would come with.

use std::net::{IpAddr, Ipv6Addr};

use rackweave_api::local::{ApiError, Code};
use rackweave_types::state::{HostState, MappingEntry, PortConfig};
use rackweave_types::{MacAddr, Vni, reserved};

/// Ethernet, IPv6 and UDP in front of Geneve.
const OUTER_LEN: usize = 14 + 40 + 8;
/// The Geneve header without options.
const GENEVE_LEN: usize = 8;
/// A source port of the range of ephemeral ones; no layer looks at it.
const SRC_PORT: u16 = 49_152;

/// Who sends a packet, as far as the host state knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The tunnel end point.
    pub(crate) outer: Ipv6Addr,
    /// The network identifier.
    pub(crate) vni: Vni,
    /// The inner Ethernet source.
    pub(crate) mac: MacAddr,
    /// Whether it comes from outside the AZ.
    pub(crate) external: bool,
    /// How that is known, for people.
    pub(crate) why: String,
}

/// Who would send a packet from one address to another of a port: the holder of the source in the port's VPC or a
/// peer; for an external address of the port, the holder of the source or boundary services.
pub(crate) fn sender(state: &HostState, port: &PortConfig, from: IpAddr, to: IpAddr) -> Sender {
    let own = state.underlay.sled.tunnel_endpoint();
    let boundary = state.boundary.vni;
    let is_external = port.external.iter().any(|external| external.outside == to)
        || port.nat.iter().any(|block| block.address == to);
    if is_external {
        return match holder(state, boundary, from) {
            Some(entry) => held(entry, boundary),
            None => outside(state, boundary, to, own),
        };
    }
    let vpc = state.vpcs.iter().find(|vpc| vpc.vni == port.vni);
    let peers = vpc
        .into_iter()
        .flat_map(|vpc| &vpc.peers)
        .map(|peer| peer.vni);
    let networks = [port.vni].into_iter().chain(peers);
    let mut holders = networks.filter_map(|vni| Some(held(holder(state, vni, from)?, vni)));
    holders.next().unwrap_or_else(|| Sender {
        outer: own,
        vni: port.vni,
        mac: port.mac,
        external: false,
        why: format!(
            "nobody is known to hold {from}, neither in VPC {} nor in a peer: it is taken to come from this sled",
            port.vni
        ),
    })
}

fn held(entry: &MappingEntry, vni: Vni) -> Sender {
    Sender {
        outer: entry.sled.tunnel_endpoint(),
        vni,
        mac: entry.mac,
        external: false,
        why: format!(
            "sled {} holds {} of network {vni}",
            entry.sled, entry.prefix
        ),
    }
}

/// Boundary services, as a sender of packets to an external address.
fn outside(state: &HostState, vni: Vni, to: IpAddr, own: Ipv6Addr) -> Sender {
    let serves =
        |pools: &[ipnet::IpNet]| pools.is_empty() || pools.iter().any(|pool| pool.contains(&to));
    let mut groups = state.boundary.groups.iter();
    match groups.find(|group| serves(&group.pools)) {
        Some(group) => Sender {
            outer: group.address,
            vni,
            mac: group.mac,
            external: true,
            why: format!("boundary services at {} serve {to}", group.address),
        },
        None => Sender {
            outer: own,
            vni,
            mac: reserved::GATEWAY_MAC,
            external: true,
            why: format!("no boundary services serve {to}: it is taken to come from this sled"),
        },
    }
}

/// Who holds an address of a network: the longest prefix.
fn holder(state: &HostState, vni: Vni, address: IpAddr) -> Option<&MappingEntry> {
    let tables = state.mappings.iter().filter(|table| table.vni == vni);
    let entries = tables.flat_map(|table| &table.entries);
    entries
        .filter(|entry| entry.prefix.contains(&address))
        .max_by_key(|entry| entry.prefix.prefix_len())
}

/// The inner frame in the tunnel in which this sender would send it.
pub(crate) fn wrap(state: &HostState, sender: &Sender, inner: &[u8]) -> Result<Vec<u8>, ApiError> {
    let underlay = &state.underlay;
    let option = [
        &reserved::GENEVE_OPTION_CLASS.to_be_bytes()[..],
        &[reserved::GENEVE_OPTION_EXTERNAL, 0],
    ]
    .concat();
    let options: &[u8] = if sender.external { &option } else { &[] };
    let udp_len = 8 + GENEVE_LEN + options.len() + inner.len();
    let udp_len = u16::try_from(udp_len).map_err(|_| {
        ApiError::new(Code::BadRequest, "the packet does not fit into the tunnel")
            .next("give less payload")
    })?;
    let [len_high, len_low] = udp_len.to_be_bytes();
    let mut frame = Vec::with_capacity(OUTER_LEN + GENEVE_LEN + options.len() + inner.len());
    frame.extend(underlay.src_mac.octets());
    frame.extend(underlay.dst_mac.octets());
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, len_high, len_low, 17, 64]);
    frame.extend(sender.outer.octets());
    frame.extend(underlay.sled.tunnel_endpoint().octets());
    frame.extend(SRC_PORT.to_be_bytes());
    frame.extend(reserved::GENEVE_PORT.to_be_bytes());
    frame.extend([len_high, len_low, 0, 0]);
    let words = u8::from(sender.external);
    // RFC 8926, section 3.4: words of options, the C bit where one is critical, transparent Ethernet, VNI.
    frame.extend([words, words << 6, 0x65, 0x58]);
    let [_, high, middle, low] = sender.vni.get().to_be_bytes();
    frame.extend([high, middle, low, 0]);
    frame.extend_from_slice(options);
    frame.extend_from_slice(inner);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use rackweave_engine::parse::parse_outer;

    use super::*;
    use crate::control::testing::state;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn guests_are_reached_from_their_holders_and_from_outside_by_the_boundary() {
        let state = state();
        let web = &state.ports[1];
        let inside = sender(&state, web, ip("10.0.1.5"), ip("10.0.1.6"));
        assert_eq!(inside.vni, web.vni);
        assert_eq!(inside.mac, state.ports[0].mac);
        let outside = sender(&state, web, ip("192.0.2.7"), ip("203.0.113.10"));
        assert_eq!(outside.outer, state.boundary.groups[0].address);
        assert!(outside.external);
        let unknown = sender(&state, web, ip("10.9.9.9"), ip("10.0.1.6"));
        assert!(unknown.why.contains("nobody"), "{}", unknown.why);
    }

    #[test]
    fn the_engine_reads_the_tunnel_as_it_is_meant() {
        let state = state();
        for to in ["203.0.113.10", "10.0.1.6"] {
            let from = sender(&state, &state.ports[1], ip("192.0.2.7"), ip(to));
            let frame = wrap(&state, &from, &[0xaa; 60]).unwrap();
            let outer = parse_outer(&frame).unwrap();
            assert_eq!(IpAddr::from(outer.src), IpAddr::V6(from.outer));
            assert_eq!((outer.vni, outer.external), (from.vni, from.external));
            assert_eq!(frame[usize::from(outer.len)..], [0xaa; 60]);
        }
        assert!(
            wrap(
                &state,
                &sender(&state, &state.ports[1], ip("::1"), ip("::1")),
                &vec![0; 65_535]
            )
            .is_err()
        );
    }
}
