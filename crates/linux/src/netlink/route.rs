//! Routes.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteNextHop, RouteProtocol, RouteScope, RouteType,
    RouteVia,
};

use super::{Netlink, NetlinkError, unless};

/// The table that the kernel asks unless a rule says otherwise.
pub const MAIN_TABLE: u32 = 254;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub destination: IpNet,
    /// The table that it is in.
    pub table: u32,
    /// Lower is preferred; 0 leaves it to the kernel, which for IPv6 makes it 1024.
    pub metric: u32,
    /// The source address of what the host itself sends this way.
    pub source: Option<IpAddr>,
    /// What becomes of packets.
    pub kind: RouteKind,
    /// Who made it (`/etc/iproute2/rt_protos`): 3 at boot, 4 by an administrator.
    pub protocol: u8,
    /// The ways there are, for [`RouteKind::Unicast`]; flows are spread over several by their weight.
    pub paths: Vec<Path>,
}

/// What becomes of packets that match a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteKind {
    /// They go on one of the paths.
    Unicast,
    /// They are dropped in silence.
    Blackhole,
    /// They are dropped, and the sender is told.
    Unreachable,
    /// They are for this host.
    Local,
    /// Something that is only read here.
    Other,
}

/// One way of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The link's number.
    pub link: u32,
    /// The next hop; `None` where the destination is on the link. IPv6 next hops serve IPv4 routes too.
    pub via: Option<IpAddr>,
    /// Its share against the other paths, at least 1.
    pub weight: u8,
}

impl Route {
    /// A route of the main table with one path, made by an administrator.
    #[must_use]
    pub fn new(destination: IpNet, path: Path) -> Self {
        Self {
            destination,
            table: MAIN_TABLE,
            metric: 0,
            source: None,
            kind: RouteKind::Unicast,
            protocol: 4,
            paths: vec![path],
        }
    }
}

impl Path {
    /// The destination is on this link.
    #[must_use]
    pub const fn on_link(link: u32) -> Self {
        Self {
            link,
            via: None,
            weight: 1,
        }
    }

    /// Through this next hop on this link.
    #[must_use]
    pub const fn via(link: u32, next_hop: IpAddr) -> Self {
        Self {
            link,
            via: Some(next_hop),
            weight: 1,
        }
    }
}

impl Netlink {
    /// The routes of a table, IPv4 and IPv6.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn routes(&self, table: u32) -> Result<Vec<Route>, NetlinkError> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut filter = RouteMessage::default();
            filter.header.address_family = family;
            let list = self
                .handle
                .route()
                .get(filter)
                .execute()
                .try_collect::<Vec<_>>();
            let messages = self.wait(|| format!("list routes of table {table}"), list)?;
            routes.extend(messages.iter().filter_map(Route::of));
        }
        routes.retain(|route| route.table == table);
        Ok(routes)
    }

    /// Makes this be the route of its destination, table and metric, whatever it was.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn ensure_route(&self, route: &Route) -> Result<(), NetlinkError> {
        let add = self.handle.route().add(route.message()).replace();
        self.wait(|| format!("set {}", route.name()), add.execute())
    }

    /// Takes away the route of this destination, table and metric with all its paths.
    ///
    /// # Errors
    /// [`NetlinkError`]; that there is none is none.
    pub fn remove_route(&self, route: &Route) -> Result<(), NetlinkError> {
        let message = route.removal();
        let remove = self.handle.route().del(message).execute();
        let removed = self.wait(|| format!("remove {}", route.name()), remove);
        unless(removed, &[libc::ESRCH])
    }
}

impl Route {
    pub(super) fn name(&self) -> String {
        format!("route {} of table {}", self.destination, self.table)
    }

    /// The request to take it away, whatever it is and whoever made it.
    pub(super) fn removal(&self) -> RouteMessage {
        let mut message = Self {
            paths: Vec::new(),
            source: None,
            ..self.clone()
        }
        .message();
        message.header.kind = RouteType::Unspec;
        message.header.protocol = RouteProtocol::Unspec;
        message.header.scope = RouteScope::NoWhere;
        message
    }

    pub(super) fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = family(self.destination.addr());
        header.destination_prefix_length = self.destination.prefix_len();
        header.protocol = self.protocol.into();
        header.kind = self.kind.code();
        header.scope = if self.kind == RouteKind::Local {
            RouteScope::Host
        } else if self.destination.addr().is_ipv4() && self.paths.iter().all(|p| p.via.is_none()) {
            RouteScope::Link
        } else {
            RouteScope::Universe
        };
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Destination(
            self.destination.network().into(),
        ));
        attributes.push(RouteAttribute::Table(self.table));
        if self.metric != 0 {
            attributes.push(RouteAttribute::Priority(self.metric));
        }
        attributes.extend(self.source.map(|it| RouteAttribute::PrefSource(it.into())));
        match &self.paths[..] {
            [] => {}
            [path] => {
                attributes.push(RouteAttribute::Oif(path.link));
                attributes.extend(path.gateway(self.destination));
            }
            paths => {
                let hops = paths.iter().map(|path| path.next_hop(self.destination));
                attributes.push(RouteAttribute::MultiPath(hops.collect()));
            }
        }
        message
    }

    pub(super) fn of(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        let unspecified = match header.address_family {
            AddressFamily::Inet => IpAddr::from([0; 4]),
            AddressFamily::Inet6 => IpAddr::from([0; 16]),
            _ => return None,
        };
        let mut destination = unspecified;
        let mut route = Self {
            destination: IpNet::new(unspecified, 0).ok()?,
            table: header.table.into(),
            metric: 0,
            source: None,
            kind: RouteKind::of(header.kind),
            protocol: header.protocol.into(),
            paths: Vec::new(),
        };
        let mut only = None::<Path>;
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => destination = ip(address)?,
                RouteAttribute::Table(table) => route.table = *table,
                RouteAttribute::Priority(metric) => route.metric = *metric,
                RouteAttribute::PrefSource(address) => route.source = ip(address),
                RouteAttribute::Oif(link) => only = Some(Path::on_link(*link)),
                RouteAttribute::MultiPath(hops) => {
                    route.paths = hops.iter().map(Path::of).collect();
                }
                _ => {}
            }
        }
        if let Some(mut path) = only {
            path.via = message.attributes.iter().find_map(gateway);
            route.paths = vec![path];
        }
        route.destination = IpNet::new(destination, header.destination_prefix_length).ok()?;
        Some(route)
    }
}

impl Path {
    fn next_hop(&self, destination: IpNet) -> RouteNextHop {
        let mut hop = RouteNextHop::default();
        hop.interface_index = self.link;
        // The kernel counts from zero.
        hop.hops = self.weight.max(1) - 1;
        hop.attributes.extend(self.gateway(destination));
        hop
    }

    fn gateway(&self, destination: IpNet) -> Option<RouteAttribute> {
        Some(match (destination, self.via?) {
            (IpNet::V4(_), IpAddr::V6(next_hop)) => RouteAttribute::Via(RouteVia::Inet6(next_hop)),
            (_, next_hop) => RouteAttribute::Gateway(next_hop.into()),
        })
    }

    fn of(hop: &RouteNextHop) -> Self {
        Self {
            link: hop.interface_index,
            via: hop.attributes.iter().find_map(gateway),
            weight: hop.hops.saturating_add(1),
        }
    }
}

impl RouteKind {
    const fn code(self) -> RouteType {
        match self {
            Self::Unicast => RouteType::Unicast,
            Self::Blackhole => RouteType::BlackHole,
            Self::Unreachable => RouteType::Unreachable,
            Self::Local => RouteType::Local,
            Self::Other => RouteType::Unspec,
        }
    }

    const fn of(code: RouteType) -> Self {
        match code {
            RouteType::Unicast => Self::Unicast,
            RouteType::BlackHole => Self::Blackhole,
            RouteType::Unreachable => Self::Unreachable,
            RouteType::Local => Self::Local,
            _ => Self::Other,
        }
    }
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// The address family of an address.
pub(super) const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
