//! Routes of the machine as the kernel's, and back.

use std::net::IpAddr;

use ipnet::IpNet;
use rackweave_linux::netlink::{MAIN_TABLE, Path, Route, RouteKind};
use rackweave_routing::fabric::{Hop, Installed, KernelRoute, LinkId};

use super::{METRIC, PROTOCOL};

/// As the kernel has it.
pub(super) fn route(wanted: &Installed) -> Route {
    let kind = if wanted.hops.is_empty() {
        RouteKind::Unreachable
    } else {
        RouteKind::Unicast
    };
    let path = |hop: &Hop| Path {
        link: hop.link.0,
        via: Some(hop.via.into()),
        weight: hop.weight,
    };
    Route {
        destination: IpNet::V6(wanted.prefix.trunc()),
        table: MAIN_TABLE,
        metric: METRIC,
        // The kernel takes none with a route that leads nowhere.
        source: wanted
            .source
            .filter(|_| kind == RouteKind::Unicast)
            .map(IpAddr::V6),
        kind,
        protocol: PROTOCOL,
        paths: wanted.hops.iter().map(path).collect(),
    }
}

/// As the machine has it; `None` for a route that is not of ours.
pub(super) fn kernel_route(route: &Route) -> Option<KernelRoute> {
    let IpNet::V6(prefix) = route.destination else {
        return None;
    };
    if route.protocol != PROTOCOL || route.metric != METRIC || route.table != MAIN_TABLE {
        return None;
    }
    let hop = |path: &Path| {
        let Some(IpAddr::V6(via)) = path.via else {
            return None;
        };
        Some(Hop {
            link: LinkId(path.link),
            via,
            weight: path.weight,
        })
    };
    let hops = match route.kind {
        RouteKind::Unicast => route.paths.iter().filter_map(hop).collect(),
        // The kernel gives loopback as the way to nowhere.
        _ => Vec::new(),
    };
    let source = match route.source {
        Some(IpAddr::V6(source)) => Some(source),
        _ => None,
    };
    Some(KernelRoute {
        prefix,
        source,
        hops,
    })
}

/// What the kernel has, in the words in which it was asked for, where it is that: the kernel keeps no weight of a single
/// way, no source of a route that leads nowhere, and ways in its own order.
pub(super) fn in_our_words(kernel: KernelRoute, asked: Option<&Installed>) -> KernelRoute {
    match asked {
        Some(asked) if same(&kernel, asked) => KernelRoute {
            prefix: asked.prefix,
            source: asked.source,
            hops: asked.hops.clone(),
        },
        _ => kernel,
    }
}

fn same(kernel: &KernelRoute, asked: &Installed) -> bool {
    let sorted = |hops: &[Hop]| {
        let mut hops = hops.to_vec();
        hops.sort_unstable();
        if let [only] = &mut hops[..] {
            only.weight = 1;
        }
        hops
    };
    kernel.prefix == asked.prefix.trunc()
        && (asked.hops.is_empty() || kernel.source == asked.source)
        && sorted(&kernel.hops) == sorted(&asked.hops)
}
