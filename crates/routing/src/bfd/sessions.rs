//! All sessions of a node: which one a message is for (RFC 5880, section 6.3; RFC 5881, section 3).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use rackweave_types::Instant;

use super::message::{Message, MessageError};
use super::{Change, Session, Settings};

/// Why a message is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unmatched {
    /// It is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It names a session that is not here.
    #[error("no bfd session has the discriminator {0}")]
    Discriminator(NonZeroU32),
    /// It names a session with somebody else, or on another link.
    #[error("the bfd session with the discriminator {0} is another neighbour's")]
    Elsewhere(NonZeroU32),
    /// It names none, and there is none with its sender.
    #[error("there is no bfd session with the sender")]
    Sender,
}

/// Sessions by neighbour: `K` is the link and the neighbour's address.
#[derive(Clone, Debug)]
pub struct Sessions<K> {
    by_key: BTreeMap<K, Session>,
    by_number: BTreeMap<NonZeroU32, K>,
}

impl<K: Copy + Ord> Default for Sessions<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_number: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord> Sessions<K> {
    /// Watches a neighbour, or gives its session other settings. `entropy` draws the session's number.
    pub fn watch(
        &mut self,
        now: Instant,
        key: K,
        settings: Settings,
        mut entropy: impl FnMut() -> u32,
    ) {
        if let Some(session) = self.by_key.get_mut(&key) {
            if !session.is_shut() {
                session.set(settings);
                return;
            }
            self.by_number.remove(&session.discriminator());
        }
        let mine = loop {
            let drawn = NonZeroU32::new(entropy());
            if let Some(mine) = drawn.filter(|mine| !self.by_number.contains_key(mine)) {
                break mine;
            }
        };
        self.by_number.insert(mine, key);
        self.by_key.insert(key, Session::new(now, mine, settings));
    }

    /// Takes a session down; once the neighbour was told, it goes.
    pub fn unwatch(&mut self, now: Instant, key: &K) -> Option<Change> {
        self.by_key.get_mut(key)?.shut(now)
    }

    /// A session that is not shut.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Session> {
        self.by_key.get(key).filter(|session| !session.is_shut())
    }

    /// All sessions that are not shut.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Session)> {
        self.by_key.iter().filter(|(_, session)| !session.is_shut())
    }

    /// Whose session is here, also those that were shut and are not over.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_key.keys()
    }

    /// Whether none is left, also of those that were shut.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Octets arrived `at` a time from a neighbour. How its session changed.
    ///
    /// # Errors
    /// Where they are no message of that neighbour's session.
    pub fn receive(
        &mut self,
        at: Instant,
        from: K,
        bytes: &[u8],
    ) -> Result<Option<Change>, Unmatched> {
        let message = Message::parse(bytes)?;
        if let Some(yours) = message.yours {
            let key = self.by_number.get(&yours);
            let key = key.ok_or(Unmatched::Discriminator(yours))?;
            if *key != from {
                return Err(Unmatched::Elsewhere(yours));
            }
        }
        let session = self.by_key.get_mut(&from).ok_or(Unmatched::Sender)?;
        Ok(session.handle_message(at, &message))
    }

    /// The time is `now`: who has been silent for too long. Read what waits in the sockets first.
    pub fn handle_timeout(&mut self, now: Instant, mut changed: impl FnMut(K, Change)) {
        for (key, session) in &mut self.by_key {
            if let Some(change) = session.handle_timeout(now) {
                changed(*key, change);
            }
        }
        let numbers = &mut self.by_number;
        self.by_key.retain(|_, session| {
            let over = session.over(now);
            if over {
                numbers.remove(&session.discriminator());
            }
            !over
        });
    }

    /// What is to be sent now, with chance for the jitter.
    pub fn transmit(&mut self, now: Instant, entropy: u32, mut send: impl FnMut(K, Message)) {
        for (key, session) in &mut self.by_key {
            if let Some(message) = session.poll_transmit(now, entropy) {
                send(*key, message);
            }
        }
    }

    /// When it wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.by_key.values().filter_map(Session::deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> Sessions<u8> {
        let mut sessions = Sessions::default();
        let mut draws = [0, 7, 7, 9].into_iter();
        for key in [1, 2] {
            let entropy = || draws.next().unwrap();
            sessions.watch(Instant::START, key, Settings::default(), entropy);
        }
        sessions
    }

    fn message(mine: u32, yours: u32) -> [u8; 24] {
        let mut neighbor = Session::new(
            Instant::START,
            NonZeroU32::new(mine).unwrap(),
            Settings::default(),
        );
        let mut message = neighbor.poll_transmit(Instant::START, 0).unwrap();
        message.yours = NonZeroU32::new(yours);
        message.emit()
    }

    #[test]
    fn a_message_finds_its_session_and_only_from_its_neighbour() {
        let mut sessions = bench();
        assert_eq!(sessions.get(&2).unwrap().discriminator().get(), 9);
        let now = Instant::START;
        let number = |number| NonZeroU32::new(number).unwrap();
        assert!(sessions.receive(now, 1, &message(5, 0)).unwrap().is_some());
        assert!(sessions.receive(now, 2, &message(5, 9)).unwrap().is_some());
        let stranger = sessions.receive(now, 3, &message(5, 0));
        assert_eq!(stranger, Err(Unmatched::Sender));
        let elsewhere = sessions.receive(now, 1, &message(5, 9));
        assert_eq!(elsewhere, Err(Unmatched::Elsewhere(number(9))));
        let unknown = sessions.receive(now, 1, &message(5, 8));
        assert_eq!(unknown, Err(Unmatched::Discriminator(number(8))));
        assert!(matches!(
            sessions.receive(now, 1, &[]),
            Err(Unmatched::Message(_))
        ));
    }

    #[test]
    fn who_is_not_watched_is_told_and_forgotten() {
        let mut sessions = bench();
        let mut said = Vec::new();
        sessions.transmit(Instant::START, 0, |key, _| said.push(key));
        assert_eq!(said, [1, 2]);
        sessions.unwatch(Instant::START, &1);
        assert!(sessions.get(&1).is_none());
        sessions.transmit(Instant::START, 0, |key, message| {
            assert_eq!(
                (key, message.state),
                (1, crate::bfd::message::State::AdminDown)
            );
        });
        let later = sessions.deadline().unwrap();
        assert!(later > Instant::START);
        sessions.handle_timeout(Instant::from_nanos(1_000_000_000), |_, _| {});
        assert_eq!(sessions.iter().count(), 1);
        let yours = sessions.receive(later, 1, &message(5, 7));
        assert_eq!(
            yours,
            Err(Unmatched::Discriminator(NonZeroU32::new(7).unwrap()))
        );
    }
}
