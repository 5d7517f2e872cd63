//! Where objects stand in the API.

use rackweave_api::control::BASE;
use rackweave_api::http::segment;
use rackweave_control::Kind;

/// The kinds from the outermost parent of a kind to itself.
pub(crate) fn chain(kind: Kind) -> Vec<Kind> {
    let mut chain: Vec<_> = std::iter::successors(Some(kind), |kind| kind.parent()).collect();
    chain.reverse();
    chain
}

/// The path of an object of these names, the outermost first.
pub(crate) fn path_of<'n>(kind: Kind, names: impl IntoIterator<Item = &'n str>) -> String {
    let mut path = BASE.to_owned();
    for (kind, name) in chain(kind).into_iter().zip(names) {
        for part in [plural(kind), &segment(name)] {
            path.push('/');
            path.push_str(part);
        }
    }
    path
}

/// What many of a kind are called.
pub(crate) const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Az => "azs",
        Kind::Rack => "racks",
        Kind::Sled => "sleds",
        Kind::Switch => "switches",
        Kind::Uplink => "uplinks",
        Kind::BgpPeer => "bgp-peers",
        Kind::StaticRoute => "static-routes",
        Kind::IpPool => "ip-pools",
        Kind::Project => "projects",
        Kind::PoolLink => "pool-links",
        Kind::Vpc => "vpcs",
        Kind::Subnet => "subnets",
        Kind::Router => "routers",
        Kind::Route => "routes",
        Kind::FirewallRule => "firewall-rules",
        Kind::InternetGateway => "internet-gateways",
        Kind::Peering => "peerings",
        Kind::DnsRecord => "dns-records",
        Kind::Instance => "instances",
        Kind::Nic => "nics",
        Kind::FloatingIp => "floating-ips",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_of_kinds_and_names() {
        let path = path_of(Kind::Route, ["shop", "prod", "own", "up"]);
        assert_eq!(path, "/v1/projects/shop/vpcs/prod/routers/own/routes/up");
        assert_eq!(path_of(Kind::Sled, ["s1"]), "/v1/sleds/s1");
    }
}
