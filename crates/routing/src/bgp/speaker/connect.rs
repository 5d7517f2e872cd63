//! Connections that come and go.

use std::net::IpAddr;

use rackweave_types::Instant;

use super::super::io::{ConnId, Happening, Output};
use super::super::message::{Message, Notification, subcode};
use super::super::peer::Peer;
use super::super::session::{Conn, State};
use super::super::table::PeerId;
use super::walk::Walk;
use super::{BOTH, Speaker, tell};
use crate::fabric::LinkId;

/// How long a session has to last to be held for a good one.
const GOOD: std::time::Duration = std::time::Duration::from_secs(30);

/// How a connection ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// It is closed already.
    Closed,
    /// We close it and say nothing.
    Silent,
    /// We say why.
    Told(Notification),
    /// The other side said why.
    Heard(Notification),
}

impl Speaker {
    /// What is due by now.
    pub(super) fn timers(&mut self, now: Instant, out: &mut Vec<Output>) {
        let due = |peer: &&Peer| peer.deadline().is_some_and(|at| at <= now);
        let all: Vec<PeerId> = self
            .peers
            .values()
            .filter(due)
            .map(|peer| peer.id)
            .collect();
        for id in all {
            self.conn_timers(now, id, out);
            let Some(peer) = self.peers.get_mut(&id) else {
                continue;
            };
            if peer.away_until.is_some_and(|at| at <= now) {
                peer.away_until = None;
                tell(
                    now,
                    peer,
                    Happening::Down,
                    "did not come back in its restart time".into(),
                    out,
                );
                self.sweep_all(id);
            } else if peer.stale_until.is_some_and(|at| at <= now) {
                peer.stale_until = None;
                for family in BOTH {
                    self.sweep_stale(id, family);
                }
            }
            self.call(now, id, out);
        }
    }

    fn conn_timers(&mut self, now: Instant, id: PeerId, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let mut over = Vec::new();
        for conn in &mut peer.conns {
            if let Some(broken) = conn.expired(now) {
                over.push((conn.id, broken));
            } else if conn.wants_keepalive(now) {
                send(now, conn, Message::keepalive(), out);
            }
        }
        for (conn, broken) in over {
            self.end(
                now,
                id,
                conn,
                &Ending::Told(broken.notification),
                broken.what,
                out,
            );
        }
    }

    /// Has a connection opened, where it is time.
    pub(super) fn call(&mut self, now: Instant, id: PeerId, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let is_time = peer.retry_at.is_none_or(|at| at <= now);
        if peer.opening || !peer.conns.is_empty() || peer.config.passive || !is_time {
            return;
        }
        if let Some(target) = peer.target() {
            peer.opening = true;
            peer.retry_at = None;
            out.push(Output::Connect { peer: id, target });
        }
    }

    pub(super) fn connected(
        &mut self,
        now: Instant,
        id: PeerId,
        conn: ConnId,
        local: IpAddr,
        out: &mut Vec<Output>,
    ) {
        let own = self.own();
        let wanted = |peer: &&mut Peer| peer.opening && peer.target().is_some();
        let Some(peer) = self.peers.get_mut(&id).filter(wanted) else {
            return out.push(Output::Close(conn));
        };
        peer.opening = false;
        if peer.session().is_some() || peer.conns.iter().any(|conn| conn.outgoing) {
            return out.push(Output::Close(conn));
        }
        self.conns.insert(conn, id);
        let mut conn = Conn::new(now, conn, true, local);
        let open = conn.own_open(&own, &peer.config).emit();
        send(now, &mut conn, open, out);
        peer.conns.push(conn);
    }

    pub(super) fn connect_failed(
        &mut self,
        now: Instant,
        id: PeerId,
        why: String,
        out: &mut Vec<Output>,
    ) {
        let chance = self.draw();
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.opening) else {
            return;
        };
        peer.opening = false;
        let before = peer.failures;
        // A peer that is not there is tried as often as is configured: only what it says makes us wait longer.
        peer.failures = 0;
        peer.retry_at = Some(now.after(peer.pause(chance)));
        peer.failures = before;
        let is_new = peer.last_error.as_ref() != Some(&why) && peer.conns.is_empty();
        if is_new {
            tell(now, peer, Happening::Unreachable, why.clone(), out);
            peer.last_error = Some(why);
        }
    }

    pub(super) fn accepted(
        &mut self,
        now: Instant,
        conn: ConnId,
        ends: (IpAddr, IpAddr),
        link: Option<LinkId>,
        out: &mut Vec<Output>,
    ) {
        let own = self.own();
        let Some(id) = self.who(ends.1, link) else {
            return out.push(Output::Close(conn));
        };
        if let IpAddr::V6(address) = ends.1
            && let Some(link) = link
            && self
                .peers
                .get(&id)
                .is_some_and(|peer| peer.address.is_none())
        {
            // It calls before it advertises itself.
            self.router(now, link, address, out);
        }
        let is_wanted = |peer: &&mut Peer| peer.target().is_some();
        let Some(peer) = self.peers.get_mut(&id).filter(is_wanted) else {
            return out.push(Output::Close(conn));
        };
        let is_old = |conn: &&Conn| !conn.outgoing && conn.state < State::Established;
        let old = peer.conns.iter().find(is_old).map(|conn| conn.id);
        self.conns.insert(conn, id);
        let mut conn = Conn::new(now, conn, false, ends.0);
        let open = conn.own_open(&own, &peer.config).emit();
        send(now, &mut conn, open, out);
        peer.conns.push(conn);
        if let Some(old) = old {
            self.end(
                now,
                id,
                old,
                &Ending::Silent,
                "the peer has connected anew",
                out,
            );
        }
    }

    /// Whose an address is.
    fn who(&self, address: IpAddr, link: Option<LinkId>) -> Option<PeerId> {
        let is_on_link = matches!(address, IpAddr::V6(it) if it.is_unicast_link_local());
        let mut all = self.peers.values();
        let found = all.find(|peer| match peer.config.address {
            Some(own) => own == address && (!is_on_link || peer.link == link),
            None => is_on_link && link.is_some() && peer.link == link,
        });
        found.map(|peer| peer.id)
    }

    pub(super) fn room(&mut self, conn: ConnId, octets: usize) {
        let peer = self.conns.get(&conn).and_then(|id| self.peers.get_mut(id));
        if let Some(conn) = peer.and_then(|peer| peer.conn_mut(conn)) {
            conn.give(octets);
        }
    }

    /// A notification that also ends what graceful restart keeps, where the peer understands that.
    pub(super) fn hard(&self, id: PeerId, notification: Notification) -> Notification {
        let peer = self.peers.get(&id);
        let both = peer.and_then(|peer| peer.session()?.restart(&peer.config));
        if both.is_some_and(|restart| restart.notifications) {
            notification.hard()
        } else {
            notification
        }
    }

    /// Ends all connections of a peer, for a reason of ours.
    pub(super) fn end_all(
        &mut self,
        now: Instant,
        id: PeerId,
        notification: &Notification,
        why: &str,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if std::mem::take(&mut peer.opening) {
            out.push(Output::Abandon(id));
        }
        let all: Vec<(ConnId, bool)> = peer
            .conns
            .iter()
            .map(|conn| (conn.id, conn.state == State::Established))
            .collect();
        for (conn, is_up) in all {
            let notification = if is_up {
                self.hard(id, notification.clone())
            } else {
                notification.clone()
            };
            self.end(now, id, conn, &Ending::Told(notification), why, out);
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.away_until.take().is_some() {
            self.sweep_all(id);
        }
    }

    /// Ends one connection.
    pub(super) fn end(
        &mut self,
        now: Instant,
        id: PeerId,
        conn: ConnId,
        ending: &Ending,
        why: &str,
        out: &mut Vec<Output>,
    ) {
        let chance = self.draw();
        self.conns.remove(&conn);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(at) = peer.conns.iter().position(|own| own.id == conn) else {
            return;
        };
        let mut conn = peer.conns.remove(at);
        match ending {
            Ending::Told(notification) => {
                peer.counters.notifications_sent += 1;
                send(now, &mut conn, notification.emit(), out);
            }
            Ending::Heard(_) => peer.counters.notifications_received += 1,
            Ending::Closed | Ending::Silent => {}
        }
        if !matches!(ending, Ending::Closed) {
            out.push(Output::Close(conn.id));
        }
        if conn.state == State::Established {
            self.down(now, id, &conn, ending, why, out);
        } else if peer.conns.is_empty() {
            if peer.last_error.as_deref() != Some(why) {
                tell(now, peer, Happening::Refused, why.to_owned(), out);
            }
            peer.last_error = Some(why.to_owned());
        }
        if let Some(peer) = self.peers.get_mut(&id)
            && peer.conns.is_empty()
        {
            let wait = peer.pause(chance);
            peer.retry_at = Some(now.after(wait));
        }
    }

    /// A session is over: its routes go, or are kept for a while (RFC 4724, section 4.2).
    fn down(
        &mut self,
        now: Instant,
        id: PeerId,
        conn: &Conn,
        ending: &Ending,
        why: &str,
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let restart = conn.restart(&peer.config).filter(|restart| match ending {
            Ending::Closed | Ending::Silent => !restart.families.is_empty(),
            Ending::Told(it) | Ending::Heard(it) => restart.notifications && !it.is_hard(),
        });
        let kept = restart.map(|restart| restart.time().max(std::time::Duration::from_secs(1)));
        peer.sent.clear();
        peer.dirty.clear();
        peer.walking = false;
        if now.since(peer.since) >= GOOD {
            peer.failures = 0;
        }
        peer.since = now;
        peer.stale_until = None;
        peer.away_until = kept.map(|time| now.after(time));
        peer.last_error = Some(why.to_owned());
        let keeps = kept.map_or(String::new(), |time| {
            format!("; its routes are kept for {} s", time.as_secs())
        });
        tell(now, peer, Happening::Down, format!("{why}{keeps}"), out);
        let stays = |family| restart.is_some_and(|restart| restart.has(family));
        let kept = BOTH.map(stays);
        if restart.is_none() {
            return self.sweep_all(id);
        }
        let epoch = peer.epoch;
        for (family, stays) in BOTH.into_iter().zip(kept) {
            peer.stale.set(family, stays);
            // "routes … marked as stale … from the previous restart MUST be deleted".
            let below = if stays { epoch } else { epoch + 1 };
            self.walks.push_back(Walk::sweep(id, family, below));
        }
    }

    /// All routes of a peer go.
    pub(super) fn sweep_all(&mut self, id: PeerId) {
        let below = self.peers.get(&id).map_or(u32::MAX, |peer| peer.epoch + 1);
        for family in BOTH {
            self.walks.push_back(Walk::sweep(id, family, below));
        }
    }

    /// What a peer did not tell again goes.
    pub(super) fn sweep_stale(&mut self, id: PeerId, family: super::Family) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.stale.get(family) {
            peer.stale.set(family, false);
            self.walks.push_back(Walk::sweep(id, family, peer.epoch));
        }
    }

    /// Of two connections with a peer one is kept (RFC 4271, section 6.8; RFC 6286, section 2.3). Whether this one, over
    /// which an OPEN has just come, goes.
    pub(super) fn collide(
        &mut self,
        now: Instant,
        id: PeerId,
        conn: ConnId,
        out: &mut Vec<Output>,
    ) -> bool {
        let own = self.own();
        let Some(peer) = self.peers.get(&id) else {
            return true;
        };
        let Some(this) = peer.conns.iter().find(|it| it.id == conn) else {
            return true;
        };
        let other = peer
            .conns
            .iter()
            .find(|it| it.id != conn && it.open.is_some());
        let (Some(other), Some(open)) = (other, &this.open) else {
            return false;
        };
        let (other_id, outgoing) = (other.id, this.outgoing);
        let why = "another connection with it is kept";
        if other.state == State::Established {
            // "If the Graceful Restart Capability … is received from the peer, then … the previous TCP session MUST be
            // closed, and the new one retained": RFC 4724, section 5.
            if other.restart(&peer.config).is_some() {
                self.end(
                    now,
                    id,
                    other_id,
                    &Ending::Silent,
                    "the peer has restarted",
                    out,
                );
                return false;
            }
            let ending = Ending::Told(Notification::cease(subcode::COLLISION));
            self.end(now, id, conn, &ending, why, out);
            return true;
        }
        let ours_wins = (u32::from(own.id), own.asn) > (u32::from(open.id), open.asn);
        let loser = if ours_wins == outgoing {
            other_id
        } else {
            conn
        };
        let ending = Ending::Told(Notification::cease(subcode::COLLISION));
        self.end(now, id, loser, &ending, why, out);
        loser == conn
    }
}

/// Sends octets.
pub(super) fn send(now: Instant, conn: &mut Conn, bytes: Vec<u8>, out: &mut Vec<Output>) {
    conn.sent(now, bytes.len());
    out.push(Output::Send {
        conn: conn.id,
        bytes,
    });
}
