//! What smoltcp reads in our messages.

use alloc::format;

use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Duration;
use smoltcp::wire::{
    EthernetAddress, Icmpv6Packet, Icmpv6Repr as OracleRepr, NdiscNeighborFlags,
    NdiscPrefixInfoFlags, NdiscRepr, NdiscRouterFlags,
};

use super::*;
use crate::icmpv6::fill_checksum;

fn secs(lifetime: Lifetime) -> Duration {
    Duration::from_secs(lifetime.as_secs().into())
}

proptest! {
    #[test]
    fn oracle_reads_the_same(owned in owned(), target in unicast(), src: Ipv6Addr, dst: Ipv6Addr) {
        let prefix = owned.prefix();
        let [source, target_mac, information, _, mtu, route, dns, search, _] = owned.options();
        let list = [source, target_mac, information, mtu, route, dns, search];
        let options = Options::new(&list).unwrap();
        let checksums = ChecksumCapabilities::default();
        for repr in messages(target, owned.flags, options) {
            let mut bytes = emitted(repr.buffer_len(), |buffer| repr.emit(buffer));
            fill_checksum(&mut bytes, src, dst).unwrap();
            prop_assert!(NdpView::parse(&bytes).unwrap().icmp().checksum_ok(src, dst));
            let packet = Icmpv6Packet::new_checked(&bytes[..]).unwrap();
            let oracle = OracleRepr::parse(&src, &dst, &packet, &checksums).unwrap();
            let OracleRepr::Ndisc(oracle) = oracle else {
                return Err(TestCaseError::fail("not neighbour discovery"));
            };
            let mac = Some(EthernetAddress(owned.mac.octets()).into());
            match (oracle, repr) {
                (NdiscRepr::RouterSolicit { lladdr }, NdpRepr::RouterSolicitation { .. }) => {
                    prop_assert_eq!(lladdr, mac);
                }
                (
                    NdiscRepr::RouterAdvert {
                        hop_limit, flags, router_lifetime, reachable_time, retrans_time, lladdr,
                        mtu, prefix_info,
                    },
                    NdpRepr::RouterAdvertisement { router, .. },
                ) => {
                    prop_assert_eq!(hop_limit, router.hop_limit);
                    prop_assert_eq!(flags.contains(NdiscRouterFlags::MANAGED), router.managed);
                    prop_assert_eq!(flags.contains(NdiscRouterFlags::OTHER), router.other);
                    prop_assert_eq!(router_lifetime, Duration::from_secs(1800));
                    prop_assert_eq!(reachable_time, Duration::from_millis(30_000));
                    prop_assert_eq!(retrans_time, Duration::from_millis(1_000));
                    prop_assert_eq!(lladdr, mac);
                    prop_assert_eq!(mtu, Some(owned.seconds.1));
                    let seen = prefix_info.unwrap();
                    prop_assert_eq!(seen.prefix, prefix.prefix.network());
                    prop_assert_eq!(seen.prefix_len, prefix.prefix.prefix_len());
                    prop_assert_eq!(seen.valid_lifetime, secs(prefix.valid));
                    prop_assert_eq!(seen.preferred_lifetime, secs(prefix.preferred));
                    let on_link = NdiscPrefixInfoFlags::ON_LINK;
                    prop_assert_eq!(seen.flags.contains(on_link), prefix.on_link);
                    let autonomous = NdiscPrefixInfoFlags::ADDRCONF;
                    prop_assert_eq!(seen.flags.contains(autonomous), prefix.autonomous);
                }
                (
                    NdiscRepr::NeighborSolicit { target_addr, lladdr },
                    NdpRepr::NeighborSolicitation { target, .. },
                ) => {
                    prop_assert_eq!(target_addr, target);
                    prop_assert_eq!(lladdr, mac);
                }
                (
                    NdiscRepr::NeighborAdvert { flags, target_addr, lladdr },
                    NdpRepr::NeighborAdvertisement {
                        target, is_router, solicited, overrides, ..
                    },
                ) => {
                    prop_assert_eq!(target_addr, target);
                    prop_assert_eq!(lladdr, mac);
                    prop_assert_eq!(flags.contains(NdiscNeighborFlags::ROUTER), is_router);
                    prop_assert_eq!(flags.contains(NdiscNeighborFlags::SOLICITED), solicited);
                    prop_assert_eq!(flags.contains(NdiscNeighborFlags::OVERRIDE), overrides);
                }
                (
                    NdiscRepr::Redirect { target_addr, dest_addr, lladdr, .. },
                    NdpRepr::Redirect { target, destination, .. },
                ) => {
                    prop_assert_eq!((target_addr, dest_addr), (target, destination));
                    prop_assert_eq!(lladdr, mac);
                }
                (oracle, repr) => {
                    return Err(TestCaseError::fail(format!("{oracle:?} for {repr:?}")));
                }
            }
        }
    }
}
