//! A session that stands.

use core::time::Duration;

use rackweave_trust::Verified;
use rackweave_types::Instant;

use super::SessionEvent;
use super::auth::{check, seal};
use super::handshake::{Offer, SessionId};
use super::own::Peer;
use super::refused::{Refused, RefusedKind};
use super::replay::Seen;
use super::stream::{Incoming, Outgoing};
use crate::ddm::message::{BodyError, Envelope, Frame, Items, Keepalive, Kind, Update};
use crate::fabric::Now;

/// A neighbour that talks and acknowledges nothing for this many hold times is given up.
const PATIENCE: u32 = 5;

/// A session that stands.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) id: SessionId,
    /// The session in which the stream of items began.
    pub(super) stream: SessionId,
    pub(super) mine: Offer,
    /// The neighbour's nonce.
    pub(super) theirs: [u8; 16],
    pub(super) peer: Peer,
    pub(super) proof: Option<Verified>,
    /// Whether the neighbour is known to have the session too.
    pub(super) confirmed: bool,
    /// The number of the last message that was sent.
    pub(super) number: u64,
    pub(super) seen: Seen,
    /// When something of the neighbour was accepted last.
    pub(super) heard: Instant,
    /// When something of the session was sent last.
    pub(super) spoke: Instant,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
}

/// What became of a message of the session.
pub(super) enum Received {
    /// It was taken.
    Taken,
    /// The neighbour signed nonsense: the session cannot go on.
    Nonsense(String),
}

impl Current {
    /// Takes in an update or a keepalive.
    pub(super) fn receive(
        &mut self,
        now: Now,
        frame: &Frame<'_>,
        events: &mut Vec<SessionEvent>,
    ) -> Result<Received, Refused> {
        if frame.kind == Kind::Update {
            return self.receive_update(now, frame, events);
        }
        let keepalive = Keepalive::parse(frame.body).map_err(malformed)?;
        self.accept(now, frame, &keepalive.envelope)?;
        if keepalive.restarting {
            events.push(SessionEvent::Restarting);
        }
        let nonsense = self.acknowledged(now.at, keepalive.envelope.ack);
        Ok(nonsense.unwrap_or(Received::Taken))
    }

    fn receive_update(
        &mut self,
        now: Now,
        frame: &Frame<'_>,
        events: &mut Vec<SessionEvent>,
    ) -> Result<Received, Refused> {
        let update = Update::parse(frame.body).map_err(malformed)?;
        self.accept(now, frame, &update.envelope)?;
        if let Some(nonsense) = self.acknowledged(now.at, update.envelope.ack) {
            return Ok(nonsense);
        }
        let taken = self
            .incoming
            .receive(now.at, update.update, update.items, |items| {
                take(items, events)
            });
        Ok(taken.map_or_else(
            |error| Received::Nonsense(format!("an item cannot be read: {error}")),
            |()| Received::Taken,
        ))
    }

    /// Refuses what is not of this session, not new, or not the neighbour's own.
    fn accept(&mut self, now: Now, frame: &Frame<'_>, envelope: &Envelope) -> Result<(), Refused> {
        let replayed = |reason: &str| Err(Refused::new(RefusedKind::Replayed, reason));
        if envelope.session != self.id {
            return replayed("it is of a session that is over, or has not begun");
        }
        if !self.seen.is_new(envelope.number) {
            return replayed("it came before");
        }
        check(frame, &self.peer, self.proof.as_ref(), now)?;
        self.seen.insert(envelope.number);
        self.heard = now.at;
        self.confirmed = true;
        Ok(())
    }

    fn acknowledged(&mut self, now: Instant, ack: u64) -> Option<Received> {
        let sense = self.outgoing.acknowledged(now, ack);
        (!sense).then(|| Received::Nonsense("it acknowledges what was never sent".to_owned()))
    }

    /// Puts what is due into `out`: updates, and a keepalive where nothing else carries the acknowledgement.
    pub(super) fn transmit(&mut self, now: Instant, restarting: bool, out: &mut Vec<Vec<u8>>) {
        let signer = self.mine.signer.as_deref();
        while let Some(due) = self.outgoing.next(now) {
            self.number += 1;
            let message = Update {
                envelope: Envelope {
                    session: self.id,
                    number: self.number,
                    ack: self.incoming.ack(),
                },
                update: due.number,
                items: due.items,
            };
            out.push(seal(message.emit(signer.is_some()), signer));
            self.incoming.acknowledged();
            // Who gets no large datagrams through still is to be heard: it is told why the session ends.
            if !due.again {
                self.spoke = now;
            }
        }
        let due = self.keepalive_at() <= now
            || self.incoming.deadline().is_some_and(|at| at <= now)
            || restarting;
        if due {
            self.number += 1;
            let message = Keepalive {
                envelope: Envelope {
                    session: self.id,
                    number: self.number,
                    ack: self.incoming.ack(),
                },
                restarting,
            };
            out.push(seal(message.emit(signer.is_some()), signer));
            self.incoming.acknowledged();
            self.spoke = now;
        }
    }

    /// Why the session is over at this time, where it is.
    pub(super) fn over(&self, now: Instant) -> Option<String> {
        if self.dead_at() <= now {
            let hold = self.peer.hold.as_millis();
            return Some(format!(
                "nothing of {} for the hold time of {hold} ms",
                self.peer.name
            ));
        }
        self.given_up_at().filter(|at| *at <= now).map(|_| {
            format!(
                "{} talks and acknowledges nothing for {} ms; does the link carry packets of 1,280 octets?",
                self.peer.name,
                self.patience().as_millis()
            )
        })
    }

    pub(super) fn deadline(&self) -> Instant {
        let optional = [
            self.outgoing.deadline(),
            self.incoming.deadline(),
            self.given_up_at(),
        ];
        optional
            .into_iter()
            .flatten()
            .fold(self.dead_at().min(self.keepalive_at()), Instant::min)
    }

    fn dead_at(&self) -> Instant {
        self.heard.after(self.peer.hold)
    }

    fn keepalive_at(&self) -> Instant {
        self.spoke.after(self.peer.hold / 3)
    }

    fn patience(&self) -> Duration {
        self.peer.hold * PATIENCE
    }

    fn given_up_at(&self) -> Option<Instant> {
        Some(self.outgoing.stuck()?.after(self.patience()))
    }
}

fn take(items: &[u8], events: &mut Vec<SessionEvent>) -> Result<(), BodyError> {
    for item in Items::new(items) {
        events.push(SessionEvent::Item(item?));
    }
    Ok(())
}

fn malformed(error: BodyError) -> Refused {
    Refused::new(RefusedKind::Malformed, error.to_string())
}
