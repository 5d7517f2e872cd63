//! What people and the node change: configuration, links, liveness.

use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv6Addr};

use rackweave_types::Instant;

use super::super::config::{Config, PeerConfig};
use super::super::io::{Happening, Output};
use super::super::message::{Notification, Refresh, subcode};
use super::super::peer::Peer;
use super::super::table::PeerId;
use super::connect::send;
use super::walk::Walk;
use super::{Speaker, Watched, tell};
use crate::fabric::LinkId;

impl Speaker {
    /// Goes over to another configuration: only sessions that it concerns end.
    pub(super) fn configure(&mut self, now: Instant, config: Config, out: &mut Vec<Output>) {
        let before = std::mem::replace(&mut self.config, config);
        let is_other = (before.asn, before.router_id) != (self.config.asn, self.config.router_id);
        let gone: Vec<PeerId> = self
            .peers
            .values()
            .filter(|peer| !self.config.peers.contains_key(&*peer.name))
            .map(|peer| peer.id)
            .collect();
        for id in gone {
            let notification = Notification::cease(subcode::DECONFIGURED);
            self.end_all(now, id, &notification, "it is no longer configured", out);
            self.sweep_all(id);
            self.peers.remove(&id);
        }
        let wanted = self.config.peers.clone();
        for (name, config) in wanted {
            let known = self
                .peers
                .values()
                .find(|peer| *peer.name == *name)
                .map(|peer| peer.id);
            match known {
                Some(id) => self.change(now, id, config, is_other, out),
                None => self.add(now, &name, config),
            }
        }
        self.place(out);
        // After a restart everything is chosen anyway, once peers have told all.
        if before.multipath != self.config.multipath && self.deferring.is_none() {
            self.add_walk(Walk::select_all());
        }
        self.set_statics(out);
    }

    fn add(&mut self, now: Instant, name: &str, config: PeerConfig) {
        self.last_peer += 1;
        let id = PeerId(self.last_peer);
        self.peers.insert(id, Peer::new(now, id, name, config));
    }

    fn change(
        &mut self,
        now: Instant,
        id: PeerId,
        config: PeerConfig,
        is_other: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut peer.config, config);
        if before == peer.config && !is_other {
            return;
        }
        let config = peer.config.clone();
        if config.max_prefixes != before.max_prefixes && peer.held.take().is_some() {
            self.again(now, id);
        }
        if let Some(why) = config
            .shutdown
            .clone()
            .filter(|_| before.shutdown.is_none())
        {
            let notification = Notification::shutdown(subcode::SHUTDOWN, &why);
            self.end_all(
                now,
                id,
                &notification,
                "it is shut down by the configuration",
                out,
            );
        } else if is_other || !config.same_session(&before) {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.held = None;
                peer.address = config.address;
            }
            let notification = Notification::cease(subcode::CONFIGURATION);
            self.end_all(now, id, &notification, "its configuration changed", out);
            self.again(now, id);
        } else if before.shutdown.is_some() && config.shutdown.is_none() {
            self.again(now, id);
        }
        if config.import != before.import {
            self.add_walk(Walk::import(id));
        }
        let hops = |it: &PeerConfig| (it.next_hop_ipv4, it.next_hop_ipv6);
        if config.export != before.export || hops(&config) != hops(&before) {
            self.tell_all(id);
        }
        self.count(now, id, out);
    }

    /// Has a peer called without delay.
    fn again(&mut self, now: Instant, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.failures = 0;
            peer.retry_at = Some(now);
        }
    }

    /// Has all looked at that a peer is told.
    fn tell_all(&mut self, id: PeerId) {
        if self.deferring.is_some() {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&id)
            && peer.session().is_some()
        {
            peer.walking = true;
            let walk = Walk::export(id, peer.epoch);
            self.add_walk(walk);
        }
    }

    /// A session begins anew, or routes are exchanged anew.
    pub(super) fn reset(&mut self, now: Instant, name: &str, soft: bool, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.values_mut().find(|peer| *peer.name == *name) else {
            return;
        };
        let id = peer.id;
        peer.held = None;
        if !soft {
            let notification = Notification::shutdown(subcode::RESET, "");
            self.end_all(now, id, &notification, "it was reset", out);
            return self.again(now, id);
        }
        peer.sent.clear();
        let families: Vec<_> = peer
            .session()
            .into_iter()
            .flat_map(super::super::session::Conn::families)
            .collect();
        if let Some(conn) = peer.session_mut()
            && conn
                .open
                .as_ref()
                .is_some_and(|open| open.capabilities.route_refresh)
        {
            for family in families {
                send(now, conn, Refresh::emit(family), out);
            }
        }
        self.tell_all(id);
    }

    /// A link came, changed or went.
    pub(super) fn link(
        &mut self,
        now: Instant,
        link: LinkId,
        state: Option<(String, bool)>,
        out: &mut Vec<Output>,
    ) {
        if state.as_ref().is_none_or(|(_, up)| !up) {
            self.routers.remove(&link);
        }
        if let Some(state) = state {
            self.links.insert(link, state);
        } else {
            self.links.remove(&link);
        }
        let dead = self.place(out);
        for id in dead {
            let notification = Notification::cease(subcode::UNSPECIFIC);
            self.end_all(now, id, &notification, "its interface went down", out);
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.failures = 0;
                if peer.config.address.is_none() {
                    peer.address = None;
                }
            }
            self.again(now, id);
        }
        self.watch(out);
        self.set_statics(out);
    }

    /// Finds the links and addresses of peers; who lost its link is given.
    fn place(&mut self, out: &mut Vec<Output>) -> Vec<PeerId> {
        let mut dead = Vec::new();
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            let name = self
                .peers
                .get(&id)
                .and_then(|peer| peer.config.interface.clone());
            let Some(name) = name else {
                if let Some(peer) = self.peers.get_mut(&id) {
                    (peer.link, peer.link_up) = (None, true);
                }
                continue;
            };
            let found = self.link_named(&name);
            let router = found.and_then(|(link, _)| self.routers.get(&link).copied());
            let Some(peer) = self.peers.get_mut(&id) else {
                continue;
            };
            let (was, before) = (peer.link_up, peer.link);
            peer.link = found.map(|(link, _)| link);
            peer.link_up = found.is_some_and(|(_, up)| up);
            if was && !peer.link_up || before.is_some() && peer.link != before {
                dead.push(id);
            }
            if peer.config.address.is_none() && peer.address.is_none() {
                peer.address = router.map(IpAddr::V6);
            }
        }
        self.watch(out);
        dead
    }

    /// A router advertises itself.
    pub(super) fn router(
        &mut self,
        now: Instant,
        link: LinkId,
        address: Ipv6Addr,
        out: &mut Vec<Output>,
    ) {
        if self.routers.insert(link, address) == Some(address) {
            return;
        }
        let unnumbered =
            |peer: &&mut Peer| peer.link == Some(link) && peer.config.address.is_none();
        let mut changed = Vec::new();
        for peer in self.peers.values_mut().filter(unnumbered) {
            // A second router on the link does not take the place of one that is spoken with.
            if peer.conns.is_empty() && !peer.opening {
                peer.address = Some(address.into());
                changed.push(peer.id);
            }
        }
        for id in changed {
            self.again(now, id);
        }
        self.watch(out);
    }

    /// What BFD says.
    pub(super) fn liveness(
        &mut self,
        now: Instant,
        target: (IpAddr, Option<LinkId>),
        up: bool,
        why: &str,
        out: &mut Vec<Output>,
    ) {
        let Some(live) = self.watched.get_mut(&target) else {
            return;
        };
        let was_up = live.replace(up) == Some(true);
        let is_it = |peer: &&Peer| {
            peer.config.bfd && peer.address == Some(target.0) && peer.link == target.1
        };
        let all: Vec<PeerId> = self
            .peers
            .values()
            .filter(is_it)
            .map(|peer| peer.id)
            .collect();
        for id in all {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.live = Some(up);
                if peer.session().is_some() && up && !was_up {
                    tell(now, peer, Happening::Up, "bfd: it lives".to_owned(), out);
                }
            }
            if was_up && !up {
                // It is called again after the usual pause, or as soon as it lives.
                let notification = Notification::cease(subcode::BFD_DOWN);
                self.end_all(now, id, &notification, &format!("bfd: {why}"), out);
            } else if up && !was_up {
                self.again(now, id);
            }
        }
        self.set_statics(out);
    }

    /// Has watched what is to be watched.
    fn watch(&mut self, out: &mut Vec<Output>) {
        let mut wanted = Watched::new();
        for peer in self
            .peers
            .values()
            .filter(|peer| peer.config.bfd && peer.link_up)
        {
            wanted.extend(peer.address.map(|address| (address, peer.link)));
        }
        for way in self
            .config
            .statics
            .iter()
            .flat_map(|route| &route.via)
            .filter(|way| way.bfd)
        {
            match &way.interface {
                Some(name) => {
                    wanted.extend(
                        self.link_named(name)
                            .map(|(link, _)| (way.address, Some(link))),
                    );
                }
                None => {
                    wanted.insert((way.address, None));
                }
            }
        }
        let over: Vec<_> = self
            .watched
            .keys()
            .filter(|target| !wanted.contains(target))
            .copied()
            .collect();
        for (address, link) in over {
            self.watched.remove(&(address, link));
            out.push(Output::Unwatch { address, link });
        }
        for (address, link) in wanted {
            if let Entry::Vacant(new) = self.watched.entry((address, link)) {
                new.insert(None);
                out.push(Output::Watch { address, link });
            }
        }
    }
}
