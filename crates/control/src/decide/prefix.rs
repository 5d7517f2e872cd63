//! Checks of prefixes and addresses, as strict as those that sleds make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rackweave_types::reserved;

use super::Checked;
use super::case::ensure;
use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::Object;
use crate::refusal::{Problem, Refusal};

/// What no host has: martians, link-local and multicast (RFC 1122, section 3.2.1.3; RFC 3927; RFC 5771;
/// RFC 4291, section 2).
const SPECIAL: [IpNet; 9] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0),
        10,
    )),
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0),
        8,
    )),
];

/// Whether two prefixes have an address in common.
pub(crate) fn meet(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// A prefix without bits behind its length, and no IPv4 in the clothes of IPv6.
pub(super) fn written(net: IpNet, field: &str) -> Checked {
    ensure(net == net.trunc(), field, Problem::HostBits(net.trunc()))?;
    let mapped = matches!(net, IpNet::V6(net)
        if net.prefix_len() >= 96 && net.addr().to_ipv4_mapped().is_some());
    ensure(!mapped, field, Problem::NotUnicast)
}

/// A prefix in which hosts can have their addresses.
pub(super) fn of_hosts(net: IpNet, field: &str) -> Checked {
    written(net, field)?;
    let special = SPECIAL.into_iter().any(|special| meet(special, net));
    ensure(!special, field, Problem::NotUnicast)
}

/// A prefix that is not of the underlay.
pub(super) fn not_underlay(intent: &Intent, net: IpNet, field: &str) -> Checked {
    let Some(az) = intent.az() else { return Ok(()) };
    let with = IpNet::V6(az.spec.prefix.net());
    let of = "the underlay".to_owned();
    ensure(!meet(with, net), field, Problem::Overlap { with, of })
}

/// The same of a destination, which may be everything.
pub(super) fn not_underlay_unless_default(intent: &Intent, net: IpNet, field: &str) -> Checked {
    if net.prefix_len() == 0 {
        Ok(())
    } else {
        not_underlay(intent, net, field)
    }
}

/// Prefixes of a list: each right, no two of them meeting.
pub(super) fn list(nets: &[IpNet], field: &str) -> Checked {
    for (at, net) in nets.iter().enumerate() {
        let field = format!("{field}[{at}]");
        of_hosts(*net, &field)?;
        if let Some(with) = nets[..at].iter().find(|other| meet(**other, *net)) {
            let (with, of) = (*with, "the same list".to_owned());
            return Err(Refusal::of(field, Problem::Overlap { with, of }));
        }
    }
    Ok(())
}

/// The blocks of a VPC, of both families.
pub(crate) fn blocks_of(intent: &Intent, vpc: Id) -> Vec<IpNet> {
    let Some(vpc) = intent.vpc(vpc) else {
        return Vec::new();
    };
    let ipv4 = vpc.spec.ipv4.iter().copied().map(IpNet::V4);
    ipv4.chain(vpc.given.ipv6.map(IpNet::V6)).collect()
}

/// External addresses that a project may use must not be inside one of its VPCs: a guest there
/// could not tell them apart.
pub(super) fn apart_from_pools(intent: &Intent, project: Id, net: IpNet, field: &str) -> Checked {
    for link in intent.children(Kind::PoolLink, Some(project), None) {
        let Object::PoolLink(link) = link else {
            continue;
        };
        let pool = link.given.pool.and_then(|pool| intent.ip_pool(pool));
        let Some(pool) = pool else { continue };
        if let Some(with) = pool.spec.blocks.iter().find(|block| meet(**block, net)) {
            let (with, of) = (*with, format!("ip pool {}", pool.meta.name));
            return Err(Refusal::of(field, Problem::Overlap { with, of }));
        }
    }
    Ok(())
}

/// An address of a subnet that a guest may have.
pub(super) fn guest_address(
    ipv4: Option<Ipv4Net>,
    ipv6: Option<Ipv6Net>,
    address: IpAddr,
    field: &str,
) -> Checked {
    let (within, reserved) = match address {
        IpAddr::V4(address) => (
            ipv4.is_some_and(|net| net.contains(&address)),
            ipv4.is_some_and(|net| reserved::ipv4_in_subnet(net, address).is_some()),
        ),
        IpAddr::V6(address) => (
            ipv6.is_some_and(|net| net.contains(&address)),
            ipv6.is_some_and(|net| reserved::ipv6_in_subnet(net, address).is_some()),
        ),
    };
    ensure(within, field, Problem::Outside("the subnet".to_owned()))?;
    ensure(!reserved, field, Problem::Reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_host_has_is_refused() {
        for text in [
            "127.0.0.0/8",
            "169.254.1.0/24",
            "224.0.0.0/4",
            "fe80::/64",
            "0.0.0.0/0",
        ] {
            let problem = of_hosts(text.parse().unwrap(), "x").unwrap_err().problem;
            assert_eq!(problem, Problem::NotUnicast, "{text}");
        }
        let problem = of_hosts("10.0.0.1/24".parse().unwrap(), "x")
            .unwrap_err()
            .problem;
        assert_eq!(problem, Problem::HostBits("10.0.0.0/24".parse().unwrap()));
        assert_eq!(of_hosts("10.0.0.0/24".parse().unwrap(), "x"), Ok(()));
    }
}
