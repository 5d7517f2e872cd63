//! Messages that came.

use std::sync::Arc;

use rackweave_types::{Asn, Instant};

use super::super::io::{ConnId, Happening, Output};
use super::super::message::{
    Consequence, Message, Notification, Open, Reach, Refresh, Update, code, subcode,
};
use super::super::session::{Conn, State};
use super::super::table::{Path, PeerId, Source};
use super::connect::{Ending, send};
use super::select::Importer;
use super::walk::Walk;
use super::{BOTH, Family, Speaker, tell};

/// How long routes of the session before are kept beside those of a new one.
const STALE: std::time::Duration = std::time::Duration::from_mins(5);

impl Speaker {
    /// Octets came: every whole message in them is taken in.
    pub(super) fn received(
        &mut self,
        now: Instant,
        id: ConnId,
        bytes: &[u8],
        out: &mut Vec<Output>,
    ) {
        let Some(peer) = self.conns.get(&id).copied() else {
            return;
        };
        if let Some(conn) = self.conn(peer, id) {
            conn.feed(bytes);
        }
        let mut at = 0;
        // What ends the connection takes it away.
        while let Some(conn) = self.conn(peer, id) {
            match conn.next(&mut at) {
                Ok(Some(message)) => {
                    conn.heard(now);
                    self.message(now, peer, id, message, out);
                }
                Ok(None) => return conn.read_to(at),
                Err(broken) => {
                    let why = format!("it sent what cannot be read: {}", broken.what);
                    self.end(now, peer, id, &Ending::Told(broken.notification), &why, out);
                }
            }
        }
    }

    fn conn(&mut self, peer: PeerId, conn: ConnId) -> Option<&mut Conn> {
        self.peers.get_mut(&peer)?.conn_mut(conn)
    }

    fn message(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: ConnId,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        let Some(state) = self.conn(peer, id).map(|conn| conn.state) else {
            return;
        };
        match (state, message) {
            (_, Message::Notification(notification)) => {
                let why = format!("it ended the session: {notification}");
                self.end(now, peer, id, &Ending::Heard(notification), &why, out);
            }
            (State::OpenSent, Message::Open(open)) => self.opened(now, peer, id, open, out),
            (State::OpenConfirm, Message::Keepalive) => self.established(now, peer, id, out),
            (State::Established, Message::Keepalive) => {}
            (State::Established, Message::Update(update)) => self.update(now, peer, update, out),
            (State::Established, Message::Refresh(refresh)) => self.refresh(peer, refresh),
            (state, _) => {
                // RFC 6608, section 3.
                let subcode = match state {
                    State::OpenSent => 1,
                    State::OpenConfirm => 2,
                    State::Established => 3,
                };
                let notification = Notification::new(code::STATE_MACHINE, subcode, &[]);
                let why = "it sent a message that does not belong there";
                self.end(now, peer, id, &Ending::Told(notification), why, out);
            }
        }
    }

    fn opened(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: ConnId,
        open: Open,
        out: &mut Vec<Output>,
    ) {
        let own = self.own();
        let Some(its) = self.peers.get_mut(&peer) else {
            return;
        };
        let config = its.config.clone();
        let Some(conn) = its.conn_mut(id) else {
            return;
        };
        let said = format!("as {}, identifier {}", open.asn, open.id);
        if let Err(broken) = conn.agree(&own, &config, open) {
            let why = format!("its open is refused ({said}): {}", broken.what);
            return self.end(now, peer, id, &Ending::Told(broken.notification), &why, out);
        }
        if self.collide(now, peer, id, out) {
            return;
        }
        if let Some(conn) = self.conn(peer, id) {
            send(now, conn, Message::keepalive(), out);
        }
    }

    fn established(&mut self, now: Instant, id: PeerId, conn: ConnId, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(own) = peer.conn_mut(conn) else {
            return;
        };
        own.state = State::Established;
        let Some(open) = own.open.clone() else {
            return;
        };
        let families: Vec<Family> = own.families().collect();
        let external = own.terms.external;
        peer.epoch += 1;
        peer.remote_id = open.id;
        peer.external = external;
        peer.since = now;
        peer.last_error = None;
        peer.counters.established += 1;
        peer.told_all = super::super::peer::PerFamily::all(false);
        let was_away = peer.away_until.take().is_some();
        let restart = open
            .capabilities
            .restart
            .filter(|_| peer.config.graceful_restart);
        let mut gone = Vec::new();
        for family in BOTH {
            let is_in = families.contains(&family);
            peer.end_due.set(family, is_in);
            // "if the Forwarding State bit … is not set …, then … MUST … remove all the stale routes".
            let kept = restart
                .as_ref()
                .is_some_and(|restart| restart.preserved(family));
            if was_away && peer.stale.get(family) && !(is_in && kept) {
                gone.push(family);
            }
        }
        peer.stale_until = was_away.then(|| now.after(STALE));
        let names: Vec<String> = families.iter().map(ToString::to_string).collect();
        let what = format!(
            "as {}, identifier {}: {}",
            open.asn,
            open.id,
            names.join(" and ")
        );
        tell(now, peer, Happening::Up, what, out);
        if self.deferring.is_none() {
            peer.walking = true;
            self.walks.push_back(Walk::export(id, peer.epoch));
        }
        let epoch = peer.epoch;
        let others: Vec<ConnId> = peer
            .conns
            .iter()
            .map(|it| it.id)
            .filter(|it| *it != conn)
            .collect();
        for family in gone {
            self.sweep_stale(id, family);
        }
        for other in others {
            let ending = Ending::Told(Notification::cease(subcode::COLLISION));
            self.end(
                now,
                id,
                other,
                &ending,
                "another connection with it is kept",
                out,
            );
        }
        debug_assert!(epoch > 0, "the first session is number one");
    }

    fn refresh(&mut self, id: PeerId, refresh: Refresh) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        // Other subtypes mark an answer's begin and end, which nobody gives who did not offer it.
        if refresh.subtype != 0 || refresh.family.is_none() || self.deferring.is_some() {
            return;
        }
        peer.sent.clear();
        peer.walking = true;
        self.walks.push_back(Walk::export(id, peer.epoch));
    }

    fn update(&mut self, now: Instant, id: PeerId, update: Update, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.counters.updates_received += 1;
        if let Some(flaw) = update.flaws.first() {
            let is_first = peer.counters.flawed == 0;
            peer.counters.flawed += 1;
            let costs = update
                .flaws
                .iter()
                .any(|flaw| flaw.consequence == Consequence::Withdraw);
            if is_first || costs {
                let what = if costs {
                    "its prefixes count as withdrawn"
                } else {
                    "the attribute counts as not said"
                };
                let what = format!("attribute {}: {}: {what}", flaw.attribute, flaw.what);
                tell(now, peer, Happening::Refused, what, out);
            }
        }
        for prefixes in &update.withdrawn {
            for prefix in prefixes.iter() {
                self.forget(id, prefix, u32::MAX, out);
            }
        }
        for reach in update.reach {
            self.reach(now, id, reach, out);
        }
        if let Some(family) = update.end_of_rib {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.told_all.set(family, true);
            }
            self.sweep_stale(id, family);
        }
    }

    fn reach(&mut self, now: Instant, id: PeerId, reach: Reach, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let session = peer.session();
        let its: Option<Asn> = session
            .and_then(|conn| conn.open.as_ref())
            .map(|open| open.asn);
        if peer.external && reach.attributes.as_path.neighbor() != its {
            // "the local system MAY check whether the leftmost … AS in the AS_PATH … is equal to the … peer": section 6.3.
            peer.counters.flawed += 1;
            let what =
                "the as path does not begin with its system: its prefixes count as withdrawn";
            tell(now, peer, Happening::Refused, what.to_owned(), out);
            for prefix in reach.prefixes.iter() {
                self.forget(id, prefix, u32::MAX, out);
            }
            return;
        }
        let family = reach.prefixes.family();
        let epoch = peer.epoch;
        let said = self.attributes.get(reach.attributes);
        let mut new = 0;
        let mut importer = Importer::new(&self.config, peer, Arc::clone(&said));
        for prefix in reach.prefixes.iter() {
            let path = Path {
                source: Source::Peer(id),
                epoch,
                said: Arc::clone(&said),
                used: importer.import(prefix, &mut self.attributes),
            };
            if self
                .table
                .entry(prefix)
                .or_default()
                .paths
                .put(path)
                .is_none()
            {
                new += 1;
            }
        }
        let held = peer.held_prefixes.get(family) + new;
        peer.held_prefixes.set(family, held);
        for prefix in reach.prefixes.iter() {
            self.select(prefix, out);
        }
        self.count(now, id, out);
    }

    /// Ends the session of a peer that announces more than it may.
    pub(super) fn count(&mut self, now: Instant, id: PeerId, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let held: usize = BOTH
            .into_iter()
            .map(|family| peer.held_prefixes.get(family))
            .sum();
        let Some(most) = peer.config.max_prefixes.filter(|most| held > *most) else {
            return;
        };
        let why = format!(
            "it announces more than {most} prefixes: raise max_prefixes, or reset it when it announces fewer"
        );
        peer.held = Some(why.clone());
        let notification = Notification::cease(subcode::MAX_PREFIXES);
        self.end_all(now, id, &notification, &why, out);
    }
}
