//! What the node's machine shows, as the socket says it.

use ipnet::Ipv6Net;
use rackweave_api::router::{
    Explanation, Neighbor, Neighbors, Path, Paths, RefusedAnnouncement, RefusedMessages,
    RefusedPrefix, Route, Routes, Sled, Sleds, Way,
};
use rackweave_routing::fabric::Fabric;
use rackweave_routing::fabric::view::{
    ExplainView, HeldView, NeighborView, PathView, RouteView, SledView, WayView,
};
use rackweave_types::Instant;
use serde::Serialize;

/// The neighbours.
pub(crate) fn neighbors(fabric: &Fabric, now: Instant) -> Neighbors {
    let views = fabric.neighbors().into_iter();
    let mut neighbors: Vec<Neighbor> = views.map(|view| neighbor(view, now)).collect();
    neighbors.sort_by(|a, b| (&a.link, a.address).cmp(&(&b.link, b.address)));
    Neighbors { neighbors }
}

fn neighbor(view: NeighborView, now: Instant) -> Neighbor {
    let refused = view.refused.into_iter();
    let messages = view.refused_messages.into_iter();
    Neighbor {
        link: view.link_name,
        address: view.address,
        identity: view.name,
        hardware: view.id.map(|id| id.0),
        role: view.role,
        prefix: view.prefix,
        rack: view.rack,
        signed: view.is_proven,
        session: word(&view.control),
        session_ms: millis(now.since(view.since)),
        live: view.is_live,
        link_up: view.is_link_up,
        rtt_ns: view.measured.map(|measured| measured.rtt_ns),
        loss_ppm: view.measured.map(|measured| measured.loss_ppm),
        cost_ns: view.cost.0,
        announced: count(view.routes),
        stale: count(view.stale),
        complete: view.is_complete,
        refused: refused
            .map(|(prefix, why)| RefusedPrefix { prefix, why })
            .collect(),
        refused_messages: messages
            .map(|(kind, count)| RefusedMessages {
                kind: word(&kind),
                count,
            })
            .collect(),
        allowed: view.allowed,
    }
}

/// The routes.
pub(crate) fn routes(fabric: &Fabric) -> Routes {
    Routes {
        routes: fabric.routes().into_iter().map(route).collect(),
    }
}

fn route(view: RouteView) -> Route {
    let (kernel, problem) = match view.kernel {
        HeldView::Held => ("held", None),
        HeldView::Asked => ("asked", None),
        HeldView::Kept => ("kept", None),
        HeldView::Refused(why) => ("refused", Some(why)),
    };
    Route {
        prefix: view.prefix,
        scope: view.scope.map(|scope| word(&scope)),
        protocol: word(&view.protocol),
        ways: view.ways.into_iter().map(way).collect(),
        hops: count(view.hops),
        cost_ns: view.cost.0,
        kernel: kernel.to_owned(),
        problem,
    }
}

fn way(view: WayView) -> Way {
    Way {
        link: view.link_name,
        via: view.via,
        neighbor: view.name,
        weight: view.weight,
    }
}

/// What neighbours announce: of all prefixes, or of the longest one that holds `of`.
pub(crate) fn paths(fabric: &Fabric, of: Option<Ipv6Net>) -> Paths {
    let mut views = fabric.paths();
    if let Some(of) = of {
        let holding = views.iter().map(|view| view.prefix);
        let longest = holding
            .filter(|prefix| prefix.contains(&of))
            .max_by_key(Ipv6Net::prefix_len);
        views.retain(|view| Some(view.prefix) == longest || of.contains(&view.prefix));
    }
    Paths {
        paths: views.into_iter().map(path).collect(),
        verified: Vec::new(),
    }
}

fn path(view: PathView) -> Path {
    Path {
        prefix: view.prefix,
        origin: view.origin.0,
        link: view.link_name,
        via: view.via,
        neighbor: view.name,
        nodes: view.path.into_iter().map(|node| node.0).collect(),
        cost_ns: view.cost.0,
        weight: view.weight,
        stale: view.is_stale,
        why: view.why,
    }
}

/// Why packets go where they go.
pub(crate) fn explain(fabric: &Fabric, to: Ipv6Net) -> Explanation {
    let ExplainView {
        asked,
        route: served,
        is_local,
        summary,
        paths,
        refused,
        announced,
    } = fabric.explain(to);
    let refused = refused.into_iter();
    Explanation {
        to: asked,
        summary,
        local: is_local,
        route: served.map(route),
        paths: paths.into_iter().map(path).collect(),
        refused: refused
            .map(|(neighbor, why)| RefusedAnnouncement { neighbor, why })
            .collect(),
        announced,
    }
}

/// The sleds and switches of the rack.
pub(crate) fn sleds(fabric: &Fabric) -> Sleds {
    Sleds {
        sleds: fabric.sleds().into_iter().map(sled).collect(),
    }
}

fn sled(view: SledView) -> Sled {
    Sled {
        hardware: view.id.0,
        identity: view.name,
        role: view.role,
        bootstrap: view.bootstrap,
        reachable: view.is_reachable,
        prefix: view.prefix,
        own: view.is_self,
    }
}

/// The word that a value has on streams.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

pub(crate) fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
