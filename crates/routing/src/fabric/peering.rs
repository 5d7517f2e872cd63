//! Neighbours: how they are met, how their sessions go, how they are lost.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::link::{Link, NEIGHBORS_MAX};
use super::neighbor::{Control, Neighbor, STALE};
use super::{EventKind, Fabric, LinkId, LinkState, Measured, Output};
use crate::ddm::exchange::Cursor;
use crate::ddm::item::Item;
use crate::ddm::learned::NeighborIndex;
use crate::ddm::session::{Peer, Session, SessionEvent};

/// A refused message of a neighbour is told of at most so often; all are counted.
const COMPLAIN: Duration = Duration::from_secs(10);
/// A neighbour with which no session came to stand gives way to another one after this.
const PATIENCE: Duration = Duration::from_secs(10);

impl Fabric {
    pub(super) fn on_link(&mut self, state: LinkState) {
        let (id, now) = (state.link, self.now.at);
        let (name, up) = (state.name.clone(), state.up);
        let before = self
            .links
            .get(&id)
            .map(|link| (link.is_ready(), link.state.up));
        match self.links.get_mut(&id) {
            Some(link) => link.state = state,
            None => {
                self.links.insert(id, Link::new(state, now));
            }
        }
        let is_ready = self.links.get(&id).is_some_and(Link::is_ready);
        let was_ready = before.is_some_and(|(ready, _)| ready);
        if before.map(|(_, up)| up) != Some(up) {
            let word = if up { "up" } else { "down" };
            self.event(EventKind::Link, format!("link {name} is {word}"));
            self.on_link_moved(id, up);
        }
        if is_ready
            && !was_ready
            && let Some(link) = self.links.get_mut(&id)
        {
            link.restart(now);
        }
        self.close_filter(id);
    }

    fn on_link_moved(&mut self, link: LinkId, up: bool) {
        let on_link: Vec<NeighborIndex> = self.neighbors.on(link).map(|(index, _)| index).collect();
        for index in on_link {
            if let Some(neighbor) = self.neighbors.get_mut(index) {
                neighbor.link_up = up;
                neighbor.has_broken |= !up;
                self.touch_all_of(index);
            }
        }
        if !up {
            self.forget_broken();
            self.link_died(link);
        }
    }

    pub(super) fn on_link_gone(&mut self, link: LinkId) {
        if self.links.contains_key(&link) {
            let name = self.link_name(link);
            self.event(EventKind::Link, format!("link {name} is gone"));
        }
        let on_link: Vec<NeighborIndex> = self.neighbors.on(link).map(|(index, _)| index).collect();
        for index in on_link {
            self.drop_neighbor(index);
        }
        self.link_died(link);
        self.links.remove(&link);
        self.filters.forget(link);
    }

    pub(super) fn on_solicited(&mut self, link: LinkId, from: Ipv6Addr) {
        if self.meet(link, from).is_some() {
            self.out.push(Output::Advertise { link, to: from });
        }
    }

    pub(super) fn on_advertised(&mut self, link: LinkId, from: Ipv6Addr) {
        self.meet(link, from);
    }

    pub(super) fn on_datagram(&mut self, link: LinkId, from: Ipv6Addr, bytes: &[u8]) {
        let Some(index) = self.meet(link, from) else {
            return;
        };
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        let mut events = Vec::new();
        let taken = neighbor
            .session
            .receive(self.now, bytes, &self.own, &mut events);
        if let Err(refused) = taken {
            let at = self.now.at;
            let is_time = |last| at.since(last) >= COMPLAIN;
            if neighbor.complained.is_none_or(is_time) {
                neighbor.complained = Some(at);
                let name = self.neighbor_name(index);
                let what = format!("refused a message of {name}: {refused}");
                self.event(EventKind::Refused, what);
            }
        }
        for event in events {
            self.on_session(index, event);
        }
        self.drive(index);
    }

    /// The neighbour of this address: a session is begun where there is none.
    fn meet(&mut self, link: LinkId, address: Ipv6Addr) -> Option<NeighborIndex> {
        if let Some(index) = self.neighbors.find(link, address) {
            return Some(index);
        }
        let is_own = |known: &Link| known.state.address == Some(address);
        let known = self.links.get(&link)?;
        if is_own(known) || !address.is_unicast_link_local() {
            return None;
        }
        if self.neighbors.on(link).count() >= NEIGHBORS_MAX {
            let least = self.neighbors.on(link).filter(|(_, n)| !n.is_up());
            let (index, neighbor) = least.min_by_key(|(_, n)| n.control.since())?;
            if self.now.at.since(neighbor.control.since()) < PATIENCE {
                return None;
            }
            self.drop_neighbor(index);
        }
        let link_up = self.links.get(&link).is_some_and(|link| link.state.up);
        let session = Session::new(&self.own, self.entropy.draw(), self.now);
        let mut neighbor = Neighbor::new(link, address, session, self.now.at);
        neighbor.link_up = link_up;
        let index = self.neighbors.add(neighbor)?;
        self.drive(index);
        Some(index)
    }

    /// Hands a session what is to be said as far as it takes it, and sends what it has to send.
    pub(super) fn drive(&mut self, index: NeighborIndex) {
        let is_holding = self.restart.is_holding() || self.holds_back(index);
        let gathering = self.tell_at.is_some();
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        if let (true, false, Some(class), Some(id)) =
            (neighbor.is_up(), is_holding, neighbor.class, neighbor.id())
            && let Some(outbox) = self.outboxes.get_mut(&class)
            && !(gathering && neighbor.cursor.synced)
        {
            while neighbor.session.window() > 0 {
                match outbox.next(&mut neighbor.cursor, (index, id)) {
                    Some(item) => neighbor.session.push(&item),
                    None => break,
                }
            }
        }
        let (mut events, mut datagrams) = (Vec::new(), Vec::new());
        neighbor
            .session
            .transmit(self.now, &self.own, &mut events, &mut datagrams);
        let (link, to) = (neighbor.link, neighbor.address);
        if neighbor.link_up {
            let sends = datagrams
                .into_iter()
                .map(|bytes| Output::Send { link, to, bytes });
            self.out.extend(sends);
        }
        for event in events {
            self.on_session(index, event);
        }
    }

    /// Tells all neighbours what is new.
    pub(super) fn tell_all(&mut self) {
        if self.restart.is_holding() {
            return;
        }
        let behind = |outboxes: &std::collections::BTreeMap<_, crate::ddm::exchange::Outbox>,
                      n: &Neighbor| {
            let outbox = n.class.and_then(|class| outboxes.get(&class));
            n.is_up() && outbox.is_some_and(|outbox| !outbox.is_done(&n.cursor))
        };
        for index in self.neighbors.indices(|n| behind(&self.outboxes, n)) {
            self.drive(index);
        }
        for (class, outbox) in &mut self.outboxes {
            let told = self
                .neighbors
                .iter()
                .filter(|(_, n)| n.is_up() && n.class == Some(*class));
            outbox.forget(told.map(|(_, n)| &n.cursor));
        }
    }

    fn on_session(&mut self, index: NeighborIndex, event: SessionEvent) {
        match event {
            SessionEvent::Established {
                peer,
                restarted,
                key,
            } => {
                self.on_established(index, peer, restarted, key);
            }
            SessionEvent::Rekeyed { peer, key } => self.on_rekeyed(index, peer, key),
            SessionEvent::Item(Item::Announce(said)) => self.on_announce(index, said),
            SessionEvent::Item(Item::Withdraw(key)) => self.on_withdrawn(index, key),
            SessionEvent::Item(Item::EndOfRib) => self.on_end_of_rib(index),
            SessionEvent::Item(Item::LetIn(prefix)) => self.on_let_in(index, prefix),
            SessionEvent::Restarting => {
                let name = self.neighbor_name(index);
                let what = format!("{name} is about to restart; its routes are kept");
                self.event(EventKind::Neighbor, what);
            }
            SessionEvent::ControlDead { reason } => self.on_control_dead(index, &reason),
        }
    }

    fn on_established(&mut self, index: NeighborIndex, peer: Peer, restarted: bool, key: [u8; 32]) {
        let now = self.now.at;
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        let is_other = neighbor.id().is_some_and(|id| id != peer.id);
        let has_broken = std::mem::take(&mut neighbor.has_broken);
        let is_new = neighbor.peer.is_none();
        neighbor.peer = Some(peer);
        neighbor.control = Control::Up { since: now };
        neighbor.cursor = Cursor::default();
        neighbor.is_complete = false;
        neighbor.refused.clear();
        neighbor.let_in.clear();
        neighbor.stale_until = Some(now.after(STALE)).filter(|_| !is_new);
        let (link, address) = (neighbor.link, neighbor.address);
        if is_other || has_broken {
            self.forget_all_of(index, true);
        } else if !is_new {
            self.learned.mark_stale(index);
        }
        if let Some(link) = self.links.get_mut(&link) {
            link.found();
        }
        let peer = address;
        self.out.push(Output::Watch { link, peer, key });
        self.tell_unassigned(index);
        let name = self.neighbor_name(index);
        let how = if restarted { " after its restart" } else { "" };
        self.event(
            EventKind::Neighbor,
            format!("session with {name} stands{how}"),
        );
        self.classify(index);
        self.touch_all_of(index);
        self.refresh_filter(link);
    }

    fn on_rekeyed(&mut self, index: NeighborIndex, peer: Peer, key: [u8; 32]) {
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        let is_same = neighbor.peer.as_ref() == Some(&peer);
        let shown = neighbor.peer.as_ref().and_then(|peer| peer.certificate);
        let renewed = peer.certificate.filter(|serial| shown != Some(*serial));
        neighbor.peer = Some(peer);
        let (link, peer) = (neighbor.link, neighbor.address);
        self.out.push(Output::Watch { link, peer, key });
        if let Some(serial) = renewed {
            let name = self.neighbor_name(index);
            let what =
                format!("{name} has another key, by certificate {serial}; its session goes on");
            self.event(EventKind::Neighbor, what);
        }
        if !is_same {
            self.tell_unassigned(index);
            self.classify(index);
            self.reconsider(index);
            self.refresh_filter(link);
        }
    }

    /// Tells of an assignment that a neighbour shows and that gives it nothing.
    fn tell_unassigned(&mut self, index: NeighborIndex) {
        let peer = self.neighbors.get(index).and_then(|n| n.peer.as_ref());
        if let Some(why) = peer.and_then(|peer| peer.unassigned.clone()) {
            let name = self.neighbor_name(index);
            let what = format!("refused the assignment that {name} shows: {why}");
            self.event(EventKind::Refused, what);
        }
    }

    /// Finds out what the neighbour is told from now on.
    pub(super) fn classify(&mut self, index: NeighborIndex) {
        let own = self.end();
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        let Some(peer) = &neighbor.peer else {
            return;
        };
        let theirs = crate::ddm::policy::End {
            role: peer.role,
            rack: peer.rack,
            az: peer.az,
        };
        let class = own.class(&theirs);
        let before = neighbor.class.replace(class);
        if before == Some(class) {
            return;
        }
        let is_known = self.outboxes.contains_key(&class);
        self.outboxes.entry(class).or_default();
        neighbor.cursor = Cursor::default();
        // What it was told as one of another class, and is not told any more.
        if let (Some(before), true) = (before, neighbor.is_up())
            && let (Some(before), Some(after)) =
                (self.outboxes.get(&before), self.outboxes.get(&class))
        {
            for key in before.keys().filter(|key| after.said(*key).is_none()) {
                neighbor.session.push(&Item::Withdraw(key));
            }
        }
        let used: Vec<_> = self.neighbors.iter().filter_map(|(_, n)| n.class).collect();
        self.outboxes.retain(|class, _| used.contains(class));
        if !is_known {
            self.retell_all();
        }
        self.tell_soon();
    }

    fn on_control_dead(&mut self, index: NeighborIndex, reason: &str) {
        let now = self.now.at;
        let Some(neighbor) = self.neighbors.get_mut(index) else {
            return;
        };
        neighbor.control = Control::Lost { since: now };
        neighbor.stale_until = Some(now.after(STALE));
        let (link, seconds) = (neighbor.link, STALE.as_secs());
        self.learned.mark_stale(index);
        self.forget_broken();
        let name = self.neighbor_name(index);
        let what = format!(
            "session with {name} is over: {reason}; its routes stay for {seconds} s while it forwards"
        );
        self.event(EventKind::Neighbor, what);
        let all_lost = self.neighbors.on(link).all(|(_, n)| !n.is_up());
        if let Some(link) = self.links.get_mut(&link).filter(|_| all_lost) {
            link.lost(now);
        }
    }

    pub(super) fn on_liveness(&mut self, link: LinkId, peer: Ipv6Addr, up: bool, reason: &str) {
        let Some(index) = self.neighbors.find(link, peer) else {
            return;
        };
        let Some(neighbor) = self.neighbors.get_mut(index).filter(|n| n.live != up) else {
            return;
        };
        neighbor.live = up;
        neighbor.has_broken |= !up;
        let name = self.neighbor_name(index);
        let what = if up {
            format!("{name} is alive")
        } else {
            format!("{name} is dead: {reason}")
        };
        self.event(EventKind::Liveness, what);
        self.touch_all_of(index);
        if up {
            self.neighbor_complete(link, peer);
        } else {
            self.forget_broken();
            self.forwarding_died(link, peer);
        }
    }

    pub(super) fn on_measured(&mut self, link: LinkId, peer: Ipv6Addr, measured: Measured) {
        let Some(index) = self.neighbors.find(link, peer) else {
            return;
        };
        if let Some(neighbor) = self.neighbors.get_mut(index) {
            neighbor.measured = Some(measured);
            self.touch_all_of(index);
        }
    }

    /// The program is about to be started anew.
    pub(super) fn on_restarting(&mut self) {
        for index in self.neighbors.indices(Neighbor::is_up) {
            if let Some(neighbor) = self.neighbors.get_mut(index) {
                neighbor.session.restarting();
            }
            self.drive(index);
        }
    }

    fn drop_neighbor(&mut self, index: NeighborIndex) {
        let name = self.neighbor_name(index);
        self.forget_all_of(index, true);
        if let Some(neighbor) = self.neighbors.remove(index)
            && neighbor.peer.is_some()
        {
            let (link, peer) = (neighbor.link, neighbor.address);
            self.forwarding_died(link, peer);
            self.out.push(Output::Unwatch { link, peer });
            self.event(EventKind::Neighbor, format!("{name} is gone"));
        }
    }

    /// Has neighbours told within the time that good news waits.
    pub(super) fn tell_soon(&mut self) {
        let soon = self.now.at.after(super::GATHER);
        self.tell_at = Some(self.tell_at.map_or(soon, |at| at.min(soon)));
    }
}
