//! The small world that random programs and random traffic share, so that they meet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rackweave_types::{MacAddr, Vni};

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(site: u16, subnet: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(site, subnet, 0, 0, 0, 0, 0, host))
}

/// The guest's addresses.
pub const LOCALS: [IpAddr; 4] = [
    v4(10, 0, 0, 5),
    v6(0xfd12, 0, 5),
    v4(10, 0, 0, 6),
    v6(0xfd12, 0, 6),
];
/// Those it talks to.
pub const REMOTES: [IpAddr; 6] = [
    v4(10, 0, 1, 7),
    v6(0xfd12, 1, 7),
    v4(10, 0, 1, 8),
    v6(0xfd12, 1, 8),
    v4(192, 0, 2, 9),
    v6(0x2001, 0xdb8, 9),
];
/// Addresses of NAT pools.
pub const POOLS: [IpAddr; 2] = [v4(203, 0, 113, 1), v6(0x2001, 0xdb9, 1)];
/// Addresses that stand for one of the guest's.
pub const OUTSIDES: [IpAddr; 2] = [v4(203, 0, 113, 2), v6(0x2001, 0xdb9, 2)];
/// The routers' addresses.
pub const ROUTER_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The routers' addresses.
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The guest's NIC.
pub const GUEST_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 1]);
/// The gateway: what the guest sends to, and what the frames of others come from.
pub const GATEWAY_MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0xff, 0xff, 0x01]);
/// Other NICs.
pub const MACS: [MacAddr; 4] = [
    GUEST_MAC,
    GATEWAY_MAC,
    MacAddr::new([0x02, 0x72, 0x77, 0, 0, 2]),
    MacAddr::new([0x02, 0x72, 0x77, 0, 0, 3]),
];
/// Hosts; the first is the guest's own.
pub const SLEDS: [Ipv6Addr; 4] = [sled(1), sled(2), sled(3), sled(4)];

const fn sled(node: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0x0100 | node, 0, 0, 0, 1)
}

/// The host of an address, as long as nobody moves.
#[must_use]
pub fn home(addr: IpAddr) -> Ipv6Addr {
    let last = match addr {
        IpAddr::V4(addr) => addr.octets()[3],
        IpAddr::V6(addr) => addr.octets()[15],
    };
    SLEDS[1 + usize::from(last % 3)]
}

/// Networks.
pub const VNIS: [u32; 3] = [4096, 99, 5000];
/// Ports; the last are the usual beginnings of the guest's connections.
pub const PORTS: [u16; 8] = [80, 22, 53, 443, 1024, 40_000, 40_001, 65_535];
/// Protocols without ports: GRE, ESP, SCTP.
pub const OTHER_PROTOCOLS: [u8; 3] = [47, 50, 132];
/// The first port of the pools, and how many each has.
pub const POOL_PORTS: (u16, u16) = (16_384, 1024);

/// The network with this number.
#[must_use]
pub fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap_or(Vni::BOUNDARY)
}

/// The other addresses of the same family in a list.
pub fn same_family(of: IpAddr, among: &[IpAddr]) -> Vec<IpAddr> {
    let alike = |addr: &&IpAddr| addr.is_ipv4() == of.is_ipv4();
    among.iter().filter(alike).copied().collect()
}
