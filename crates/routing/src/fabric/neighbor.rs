//! Neighbours, and whether what they say counts.
//!
//! Death of forwarding (link or liveness down) makes a neighbour useless at once, and its session stays. Death of control
//! (silence for the hold time, or another process of it) leaves what it said in use, stale, for as long as it forwards:
//! until its next session has said all, but no longer than [`STALE`]. Where both die, nothing is kept: a node that was
//! without power comes back with an empty table.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_types::Instant;

use super::{LinkId, Measured};
use crate::ddm::admit::Refusal;
use crate::ddm::exchange::Cursor;
use crate::ddm::item::{Announcement, Cost, NodeId, RouteKey};
use crate::ddm::learned::NeighborIndex;
use crate::ddm::policy::Class;
use crate::ddm::session::{Peer, Session};
use crate::ddm::weigh::link_cost;

/// How long what a neighbour said holds while its control is dead.
pub(super) const STALE: Duration = Duration::from_secs(30);

/// Refused announcements that are kept, for people and to be looked at again when the neighbour has an assignment.
const REFUSED_MAX: usize = 64;

/// A neighbour: one address on one link.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of different sources, each of which comes and goes by itself"
)]
#[derive(Debug)]
pub(super) struct Neighbor {
    pub(super) link: LinkId,
    pub(super) address: Ipv6Addr,
    pub(super) session: Session,
    pub(super) control: Control,
    /// Who it is, once it said so.
    pub(super) peer: Option<Peer>,
    /// Whether frames pass, by liveness.
    pub(super) live: bool,
    /// Whether its link is up.
    pub(super) link_up: bool,
    /// Whether forwarding died since the session began.
    pub(super) has_broken: bool,
    /// Until when what is stale of it holds.
    pub(super) stale_until: Option<Instant>,
    /// Whether it has said all that it knew when its session began.
    pub(super) is_complete: bool,
    pub(super) measured: Option<Measured>,
    pub(super) class: Option<Class>,
    pub(super) cursor: Cursor,
    /// On a switch: the /64s of this sled that it was told are let in. On a sled: what this switch said of that.
    pub(super) let_in: BTreeSet<Ipv6Net>,
    pub(super) refused: BTreeMap<RouteKey, (Announcement, Refusal)>,
    /// When an ill message was last told of: once in a while is enough.
    pub(super) complained: Option<Instant>,
}

/// The state of the control of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// No session ever stood.
    New { since: Instant },
    /// A session stands.
    Up { since: Instant },
    /// The session is over.
    Lost { since: Instant },
}

impl Control {
    pub(super) const fn since(self) -> Instant {
        match self {
            Self::New { since } | Self::Up { since } | Self::Lost { since } => since,
        }
    }
}

impl Neighbor {
    pub(super) fn new(link: LinkId, address: Ipv6Addr, session: Session, now: Instant) -> Self {
        Self {
            link,
            address,
            session,
            control: Control::New { since: now },
            peer: None,
            live: false,
            link_up: true,
            has_broken: false,
            stale_until: None,
            is_complete: false,
            measured: None,
            class: None,
            cursor: Cursor::default(),
            let_in: BTreeSet::new(),
            refused: BTreeMap::new(),
            complained: None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.control, Control::Up { .. })
    }

    /// Whether what it announced is used.
    pub(super) fn is_usable(&self) -> bool {
        self.peer.is_some() && self.link_up && self.live
    }

    pub(super) fn id(&self) -> Option<NodeId> {
        self.peer.as_ref().map(|peer| peer.id)
    }

    pub(super) fn cost(&self) -> Cost {
        self.measured
            .map_or(Cost(0), |m| link_cost(m.rtt_ns, m.loss_ppm))
    }

    pub(super) fn refuse(&mut self, said: Announcement, why: Refusal) {
        if self.refused.len() < REFUSED_MAX || self.refused.contains_key(&said.key) {
            self.refused.insert(said.key, (said, why));
        }
    }
}

/// All neighbours, by their place.
#[derive(Debug, Default)]
pub(super) struct Neighbors {
    places: Vec<Option<Neighbor>>,
    by_address: BTreeMap<(LinkId, Ipv6Addr), NeighborIndex>,
}

impl Neighbors {
    pub(super) fn find(&self, link: LinkId, address: Ipv6Addr) -> Option<NeighborIndex> {
        self.by_address.get(&(link, address)).copied()
    }

    pub(super) fn get(&self, index: NeighborIndex) -> Option<&Neighbor> {
        self.places.get(usize::from(index.0))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: NeighborIndex) -> Option<&mut Neighbor> {
        self.places.get_mut(usize::from(index.0))?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NeighborIndex, &Neighbor)> {
        let places = (0..).map(NeighborIndex).zip(&self.places);
        places.filter_map(|(index, place)| Some((index, place.as_ref()?)))
    }

    pub(super) fn on(&self, link: LinkId) -> impl Iterator<Item = (NeighborIndex, &Neighbor)> {
        self.iter().filter(move |(_, n)| n.link == link)
    }

    /// The places that are due or wanted by `wanted`.
    pub(super) fn indices(&self, wanted: impl Fn(&Neighbor) -> bool) -> Vec<NeighborIndex> {
        let wanted = self.iter().filter(|(_, n)| wanted(n));
        wanted.map(|(index, _)| index).collect()
    }

    /// Adds a neighbour; `None` where all places are taken.
    pub(super) fn add(&mut self, neighbor: Neighbor) -> Option<NeighborIndex> {
        let free = self.places.iter().position(Option::is_none);
        let at = free.unwrap_or(self.places.len());
        let index = NeighborIndex(u16::try_from(at).ok()?);
        self.by_address
            .insert((neighbor.link, neighbor.address), index);
        if free.is_some() {
            self.places[at] = Some(neighbor);
        } else {
            self.places.push(Some(neighbor));
        }
        Some(index)
    }

    pub(super) fn remove(&mut self, index: NeighborIndex) -> Option<Neighbor> {
        let neighbor = self.places.get_mut(usize::from(index.0))?.take()?;
        self.by_address.remove(&(neighbor.link, neighbor.address));
        Some(neighbor)
    }
}
