//! A port with all that its program is made from, checked.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rackweave_engine::program::{Action, Match, Reject, Tag, TagSet};
use rackweave_types::reserved;
use rackweave_types::state::{
    BoundaryState, ExternalKind, PortConfig, Router, RuleSet, SledUnderlay, Subnet, VpcState,
};

use crate::numbers::host;

/// Set by the router: to a guest of the VPC.
pub(crate) const TO_VPC: Tag = Tag::fixed::<0>();
/// Set by the router: to a guest of a peer.
pub(crate) const TO_PEER: Tag = Tag::fixed::<1>();
/// Set by the router: to the world outside.
pub(crate) const TO_INTERNET: Tag = Tag::fixed::<2>();

/// The index of the VPC's own mapping table; those of its peers follow in their order, and that of
/// external addresses is the last.
pub(crate) const OWN_TABLE: u16 = 0;

/// What the layers of a port are made from. The fields have passed [`check`](crate::check).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network<'a> {
    pub(crate) port: &'a PortConfig,
    pub(crate) vpc: &'a VpcState,
    pub(crate) boundary: &'a BoundaryState,
    pub(crate) underlay: &'a SledUnderlay,
}

impl<'a> Network<'a> {
    /// The port's addresses.
    pub(crate) fn addresses(self) -> impl Iterator<Item = IpAddr> + 'a {
        self.port.addresses.iter().map(|own| own.address)
    }

    /// The port's IPv6 addresses.
    pub(crate) fn addresses_v6(self) -> impl Iterator<Item = Ipv6Addr> + 'a {
        self.addresses().filter_map(|addr| match addr {
            IpAddr::V4(_) => None,
            IpAddr::V6(addr) => Some(addr),
        })
    }

    /// The port's primary IPv4 address.
    pub(crate) fn primary_v4(self) -> Option<Ipv4Addr> {
        self.addresses().find_map(|addr| match addr {
            IpAddr::V4(addr) => Some(addr),
            IpAddr::V6(_) => None,
        })
    }

    /// The subnets that the port has addresses of, in the order of the addresses.
    pub(crate) fn subnets(self) -> impl Iterator<Item = &'a Subnet> {
        let own = &self.port.addresses;
        let first = |at: usize| {
            own[..at]
                .iter()
                .all(|before| before.subnet != own[at].subnet)
        };
        let subnets = &self.vpc.subnets;
        (0..own.len())
            .filter(move |at| first(*at))
            .filter_map(move |at| subnets.iter().find(|subnet| subnet.id == own[at].subnet))
    }

    /// The gateways of the port's IPv4 subnets, the primary address's first.
    pub(crate) fn gateways_v4(self) -> impl Iterator<Item = Ipv4Addr> + 'a {
        self.subnets()
            .filter_map(|subnet| reserved::ipv4_gateway(subnet.ipv4?))
    }

    /// The gateway of the primary IPv4 address; unspecified where there is none, and then no
    /// packet of the port is IPv4.
    pub(crate) fn gateway_v4(self) -> Ipv4Addr {
        self.gateways_v4().next().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// Whether the port has IPv6.
    pub(crate) fn has_v6(self) -> bool {
        self.addresses_v6().next().is_some()
    }

    /// The DNS servers of the port's subnets.
    pub(crate) fn subnet_dns(self) -> impl Iterator<Item = IpAddr> + 'a {
        self.subnets().flat_map(|subnet| {
            let v4 = subnet.ipv4.and_then(reserved::ipv4_dns).map(IpAddr::V4);
            let v6 = subnet.ipv6.and_then(reserved::ipv6_dns).map(IpAddr::V6);
            [v4, v6].into_iter().flatten()
        })
    }

    /// The port's router.
    pub(crate) fn router(self) -> Option<&'a Router> {
        self.vpc
            .routers
            .iter()
            .find(|router| router.id == self.port.router)
    }

    /// The rule sets in force for the port.
    pub(crate) fn rule_sets(self) -> impl Iterator<Item = (usize, &'a RuleSet)> {
        let names = &self.port.rule_sets;
        self.vpc
            .rule_sets
            .iter()
            .enumerate()
            .filter(|(_, set)| names.contains(&set.id))
    }

    /// The blocks of the VPC.
    pub(crate) fn blocks(self) -> impl Iterator<Item = IpNet> + 'a {
        nets(&self.vpc.ipv4, self.vpc.ipv6.as_ref())
    }

    /// The blocks of all peers.
    pub(crate) fn peer_blocks(self) -> impl Iterator<Item = IpNet> + 'a {
        self.vpc
            .peers
            .iter()
            .flat_map(|peer| nets(&peer.ipv4, peer.ipv6.as_ref()))
    }

    /// The external address with which an inside one appears, floating before ephemeral.
    pub(crate) fn outside_of(self, inside: IpAddr) -> Option<IpAddr> {
        let of = |kind| {
            let mut all = self.port.external.iter();
            all.find(|external| external.kind == kind && external.inside == inside)
        };
        let found = of(ExternalKind::Floating).or_else(|| of(ExternalKind::Ephemeral));
        found.map(|external| external.outside)
    }

    /// Every external address that the port holds, alone or with others.
    pub(crate) fn held(self) -> impl Iterator<Item = IpAddr> + 'a {
        let alone = self.port.external.iter().map(|external| external.outside);
        alone.chain(self.port.nat.iter().map(|block| block.address))
    }

    /// The index of the mapping table of external addresses.
    pub(crate) fn external_table(self) -> u16 {
        peer_table(self.vpc.peers.len())
    }

    /// Refuses what the guest sends: the router speaks.
    pub(crate) fn reject_out(self) -> Vec<Action> {
        let reply = Reject {
            router_v4: self.gateway_v4(),
            router_v6: reserved::GATEWAY_V6,
        };
        vec![Action::Deny { reply: Some(reply) }]
    }

    /// Refuses what is sent to the guest: the guest's own address speaks, for the sender's host
    /// takes packets only from who holds their source.
    pub(crate) fn reject_in(self) -> Vec<Action> {
        let reply = Reject {
            router_v4: self.primary_v4().unwrap_or(Ipv4Addr::UNSPECIFIED),
            router_v6: self.addresses_v6().next().unwrap_or(Ipv6Addr::UNSPECIFIED),
        };
        vec![Action::Deny { reply: Some(reply) }]
    }
}

/// The index of a peer's mapping table.
pub(crate) fn peer_table(peer: usize) -> u16 {
    u16::try_from(peer + 1).unwrap_or(u16::MAX)
}

/// The blocks of one VPC.
pub(crate) fn nets<'a>(
    ipv4: &'a [ipnet::Ipv4Net],
    ipv6: Option<&'a ipnet::Ipv6Net>,
) -> impl Iterator<Item = IpNet> + 'a {
    let ipv4 = ipv4.iter().copied().map(IpNet::V4);
    ipv4.chain(ipv6.into_iter().copied().map(IpNet::V6))
}

/// Drops in silence.
pub(crate) fn deny() -> Vec<Action> {
    vec![Action::Deny { reply: None }]
}

/// Goes on with the next layer.
pub(crate) fn allow() -> Vec<Action> {
    vec![Action::Allow]
}

/// Packets to this destination.
pub(crate) fn to(net: impl Into<IpNet>) -> Match {
    Match {
        dst: Some(net.into()),
        ..Match::default()
    }
}

/// Packets to this address.
pub(crate) fn to_host(addr: impl Into<IpAddr>) -> Match {
    to(host(addr))
}

/// Packets that the router marked so.
pub(crate) fn tagged(tag: Tag) -> Match {
    Match {
        tags: TagSet::EMPTY.with(tag),
        ..Match::default()
    }
}
