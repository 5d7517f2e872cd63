//! A session with one neighbour: who it is, and items both ways, each once and in order.
//!
//! One for each link and neighbour's address. The caller hands in what came ([`Session::receive`]), pushes what the
//! neighbour is to know ([`Session::push`]), and after each of these and when [`Session::deadline`] has come calls
//! [`Session::transmit`] and sends the datagrams.
//!
//! **Handshake.** Both sides do the same. Each holds an offer: a nonce, and in signed mode a key to agree by, used for
//! one handshake only. Who wants a session says hello without echo, again and again. A hello without echo is answered by
//! one that echoes its nonce. A hello that echoes the nonce of one's own offer is proof that its sender is there now:
//! the session stands, named by the hash of what both drew and are, and the echo is returned until the neighbour says
//! something in the session. Nothing else changes a session, so whoever replays hellos gets an answer at most.
//!
//! **Restarts and new keys.** A session that stands goes on while the next handshake is made, by whichever side. Both
//! hellos name the stream of items that their senders would go on with; where they name the same, items go on where
//! they were ([`SessionEvent::Rekeyed`]), else all begins anew ([`SessionEvent::Established`]). No clock and no stored
//! state is needed: a neighbour that restarted knows no stream, and is accepted with its first echo.
//!
//! **Messages of a session** carry its name and a number that is never used twice, so that none is taken twice, and in
//! signed mode are signed by the key that the handshake showed.

mod auth;
mod chance;
mod current;
mod handshake;
mod own;
mod refused;
mod replay;
mod stream;

use core::time::Duration;
use std::collections::VecDeque;

use rackweave_types::Instant;

use crate::ddm::item::Item;
use crate::ddm::message::{Frame, FrameError, Hello, Kind};
use crate::fabric::Now;

use auth::Known;
use chance::Chance;
use current::{Current, Received};
use handshake::Offer;
use replay::Seen;
use stream::{Incoming, Outgoing};

pub use own::{Own, Peer, Security};
pub use refused::{Refusals, Refused, RefusedKind};

/// How long the first hello waits for its answer; each one after it twice as long as that before.
const FIRST_HELLO: Duration = Duration::from_millis(20);
/// How long a hello waits for its answer at most.
const LAST_HELLO: Duration = Duration::from_secs(1);
/// For how long a neighbour that spoke nonsense under its own name is not spoken to.
const SHUNNED: Duration = Duration::from_secs(5);
/// How long the neighbour has to follow up a hello that was answered.
const FOLLOW_UP: Duration = Duration::from_secs(3);
/// Hellos are answered at most so often: a flood of them costs one signature each time.
const ANSWERS: Duration = Duration::from_millis(20);
/// How many nonces of the neighbour are remembered after their session, to tell replays.
const REMEMBERED: usize = 16;

/// What happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A session began from nothing, also where one stood before: all items are to be pushed, and what the neighbour said
    /// before holds until [`Item::EndOfRib`] at most.
    Established {
        /// Who it is with.
        peer: Peer,
        /// Whether the neighbour's process is another one than in the session before.
        restarted: bool,
        /// What only the two know, for beacons (unsigned: what whoever listens knows, too).
        key: [u8; 32],
    },
    /// The session goes on, items and all, under new keys or with news of the neighbour.
    Rekeyed {
        /// Who it is with.
        peer: Peer,
        /// What only the two know, for beacons.
        key: [u8; 32],
    },
    /// The neighbour said something.
    Item(Item),
    /// The neighbour said that it is about to be started anew.
    Restarting,
    /// The session is over: the neighbour's control is dead, whether it forwards or not.
    ControlDead {
        /// Why, for people.
        reason: String,
    },
}

/// A session with one neighbour.
#[derive(Debug)]
pub struct Session {
    chance: Chance,
    /// For the next handshake.
    offer: Offer,
    /// The next hello that nobody asked for.
    greeting: Option<Greeting>,
    /// The neighbour's nonce to answer, and when.
    answer: Option<([u8; 16], Instant)>,
    /// When a hello was answered last.
    answered_at: Option<Instant>,
    /// The last hello that proved who sent it: repeated, it costs nothing.
    known: Known,
    /// The neighbour's nonce that the offer answered last, and when it ought to have come of it what comes of a hello that
    /// was not replayed.
    answered: Option<([u8; 16], Instant)>,
    current: Option<Current>,
    /// Of the session that stood last.
    instance: Option<u64>,
    /// Nonces of the neighbour in sessions that are over.
    over: VecDeque<[u8; 16]>,
    shunned_until: Option<Instant>,
    restarting: bool,
    refusals: Refusals,
    /// The last refusal since something was accepted.
    refused: Option<String>,
}

/// A hello that nobody asked for: to begin with, to begin anew, or until the neighbour has the session too.
#[derive(Clone, Copy, Debug)]
struct Greeting {
    at: Instant,
    wait: Duration,
}

impl Greeting {
    const fn at(at: Instant) -> Self {
        Self {
            at,
            wait: FIRST_HELLO,
        }
    }
}

impl Session {
    /// A session that says hello at once; `seed` is 32 octets of chance, never used twice.
    #[must_use]
    pub fn new(own: &Own, seed: [u8; 32], now: Now) -> Self {
        let mut chance = Chance::new(seed);
        let offer = Offer::draw(&mut chance, own, None);
        Self {
            chance,
            offer,
            greeting: Some(Greeting::at(now.at)),
            answer: None,
            answered_at: None,
            known: Known::default(),
            answered: None,
            current: None,
            instance: None,
            over: VecDeque::new(),
            shunned_until: None,
            restarting: false,
            refusals: Refusals::default(),
            refused: None,
        }
    }

    /// Takes in a message.
    ///
    /// # Errors
    ///
    /// [`Refused`] where it is none that this session accepts: it is counted, and changed nothing, but for nonsense under
    /// the neighbour's own name, which ends the session ([`SessionEvent::ControlDead`]).
    pub fn receive(
        &mut self,
        now: Now,
        bytes: &[u8],
        own: &Own,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        let result = self.take(now, bytes, own, events);
        match &result {
            Ok(()) => self.refused = None,
            Err(refused) => {
                self.refusals.count(refused.kind);
                self.refused = Some(refused.reason.clone());
            }
        }
        result
    }

    fn take(
        &mut self,
        now: Now,
        bytes: &[u8],
        own: &Own,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        let frame = Frame::parse(bytes).map_err(|error| {
            let kind = match error {
                FrameError::Version(_) => RefusedKind::Version,
                _ => RefusedKind::Malformed,
            };
            Refused::new(kind, error.to_string())
        })?;
        auth::mode(&frame, own)?;
        if frame.kind == Kind::Hello {
            return self.take_hello(now, &frame, own, events);
        }
        let Some(current) = &mut self.current else {
            return Err(replayed(
                "it is of a session that is over, or has not begun",
            ));
        };
        let unconfirmed = !current.confirmed;
        match current.receive(now, &frame, events)? {
            Received::Taken => {
                if unconfirmed {
                    self.greeting = None;
                }
                Ok(())
            }
            Received::Nonsense(what) => {
                let until = now.at.after(SHUNNED);
                self.end(own, Greeting::at(until), &what, events);
                self.shunned_until = Some(until);
                Err(Refused::new(RefusedKind::Malformed, what))
            }
        }
    }

    fn take_hello(
        &mut self,
        now: Now,
        frame: &Frame<'_>,
        own: &Own,
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        let hello = Hello::parse(frame.body)
            .map_err(|error| Refused::new(RefusedKind::Malformed, error.to_string()))?;
        self.refuse_old(&hello)?;
        let (peer, proof) = self.known.identify(frame, &hello, own, now)?;
        if self.shunned_until.is_some_and(|until| now.at < until) {
            let reason = format!(
                "{} spoke nonsense, and is not spoken to for a while",
                peer.name
            );
            return Err(Refused::new(RefusedKind::Malformed, reason));
        }
        match (hello.echo, self.current_of(&hello)) {
            (None, Some(_)) => {
                self.greeting = Some(Greeting::at(now.at));
                Ok(())
            }
            (Some(echo), Some(current)) if echo == current.mine.nonce => {
                if let Some(current) = &mut self.current {
                    current.incoming.acknowledge_at(now.at);
                }
                Ok(())
            }
            (None, None) => {
                self.asked(now.at, hello.nonce, own);
                Ok(())
            }
            (Some(echo), None) if echo == self.offer.nonce => {
                self.establish(now, &hello, own, (peer, proof), events)
            }
            (Some(_), _) => Err(replayed("it answers a hello that is over")),
        }
    }

    /// The session that stands, where the hello is of its handshake.
    fn current_of(&self, hello: &Hello<'_>) -> Option<&Current> {
        let current = self.current.as_ref();
        current.filter(|current| current.theirs == hello.nonce)
    }

    /// Refuses what leads to nothing whoever signed it: signatures are dear, and a neighbour that is behind sends the
    /// same hello again and again.
    fn refuse_old(&self, hello: &Hello<'_>) -> Result<(), Refused> {
        if self.over.contains(&hello.nonce) {
            return Err(replayed("it is a hello of a session that is over"));
        }
        let current = self.current_of(hello);
        // Who says something in the session has it, and has no need of a hello of it.
        if current.is_some_and(|current| current.confirmed) {
            return Err(replayed("it is a hello of this session's own handshake"));
        }
        let awaited =
            |echo| echo == self.offer.nonce || current.is_some_and(|it| echo == it.mine.nonce);
        if hello.echo.is_some_and(|echo| !awaited(echo)) {
            return Err(replayed("it answers a hello that is over"));
        }
        Ok(())
    }

    /// The neighbour wants a session.
    fn asked(&mut self, now: Instant, nonce: [u8; 16], own: &Own) {
        if self.offer.revision != own.revision {
            self.draw(own);
        }
        let free = self.answered_at.map_or(now, |at| at.after(ANSWERS));
        self.answer = Some((nonce, now.max(free)));
        if self.answered.is_none_or(|(before, _)| before != nonce) {
            self.not_followed_up();
            self.answered = Some((nonce, now.after(FOLLOW_UP)));
        }
        // The answer is a hello; no need of another one at once.
        if let Some(greeting) = &mut self.greeting {
            greeting.at = greeting.at.max(now.after(greeting.wait));
        }
    }

    /// A hello that was answered, and that its sender never came back to, was replayed; or the sender went away.
    fn not_followed_up(&mut self) {
        if self.answered.take().is_some() {
            self.refusals.count(RefusedKind::Replayed);
        }
    }

    fn draw(&mut self, own: &Own) {
        let stream = self.current.as_ref().map(|current| current.stream);
        self.offer = Offer::draw(&mut self.chance, own, stream);
        self.answer = None;
        self.answered = None;
    }

    fn establish(
        &mut self,
        now: Now,
        hello: &Hello<'_>,
        own: &Own,
        (peer, proof): (Peer, Option<rackweave_trust::Verified>),
        events: &mut Vec<SessionEvent>,
    ) -> Result<(), Refused> {
        let (id, key) = self.offer.agree(own.id, hello, proof.as_ref())?;
        let before = self.current.take();
        if let Some(before) = &before {
            self.remember(before.theirs);
        }
        let goes_on = before.filter(|before| {
            let streams = [self.offer.stream, hello.stream];
            streams.iter().all(|stream| *stream == Some(before.stream))
                && before.peer.instance == peer.instance
                && before.peer.id == peer.id
        });
        let (stream, mut outgoing, mut incoming) = if let Some(before) = goes_on {
            events.push(SessionEvent::Rekeyed {
                peer: peer.clone(),
                key,
            });
            (before.stream, before.outgoing, before.incoming)
        } else {
            let restarted = self.instance.is_some_and(|before| before != peer.instance);
            events.push(SessionEvent::Established {
                peer: peer.clone(),
                restarted,
                key,
            });
            (id, Outgoing::new(), Incoming::default())
        };
        outgoing.rewind();
        incoming.acknowledge_at(now.at);
        self.instance = Some(peer.instance);
        // Where the answer was sent already, the neighbour most likely has the session too.
        let echoed =
            self.answered.is_some_and(|(nonce, _)| nonce == hello.nonce) && self.answer.is_none();
        let first = if echoed { FIRST_HELLO } else { Duration::ZERO };
        self.greeting = Some(Greeting::at(now.at.after(first)));
        let next = Offer::draw(&mut self.chance, own, Some(stream));
        self.current = Some(Current {
            id,
            stream,
            mine: core::mem::replace(&mut self.offer, next),
            theirs: hello.nonce,
            peer,
            proof,
            confirmed: false,
            number: 0,
            seen: Seen::default(),
            heard: now.at,
            spoke: now.at,
            outgoing,
            incoming,
        });
        self.answer = None;
        self.answered = None;
        self.answered_at = None;
        Ok(())
    }

    fn remember(&mut self, nonce: [u8; 16]) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(nonce);
    }

    fn end(&mut self, own: &Own, greeting: Greeting, why: &str, events: &mut Vec<SessionEvent>) {
        if let Some(current) = self.current.take() {
            self.remember(current.theirs);
        }
        let reason = match &self.refused {
            Some(refused) => format!("{why}; the last message was refused: {refused}"),
            None => why.to_owned(),
        };
        events.push(SessionEvent::ControlDead { reason });
        self.greeting = Some(greeting);
        self.draw(own);
    }

    /// Queues an item: it reaches the neighbour once and in order, or the session ends. Without a session it is dropped.
    pub fn push(&mut self, item: &Item) {
        if let Some(current) = &mut self.current {
            current.outgoing.push(item);
        }
    }

    /// How many more items are worth pushing now: what is pushed cannot be taken back, so better push what is true later.
    #[must_use]
    pub fn window(&self) -> usize {
        self.current
            .as_ref()
            .map_or(0, |current| current.outgoing.window())
    }

    /// Has [`Session::transmit`] say once that this process is about to be started anew.
    pub fn restarting(&mut self) {
        self.restarting = true;
    }

    /// Does what is due at this time, and puts the datagrams to send into `out`.
    pub fn transmit(
        &mut self,
        now: Now,
        own: &Own,
        events: &mut Vec<SessionEvent>,
        out: &mut Vec<Vec<u8>>,
    ) {
        if let Some(why) = self
            .current
            .as_ref()
            .and_then(|current| current.over(now.at))
        {
            self.end(own, Greeting::at(now.at), &why, events);
        }
        if self.answered.is_some_and(|(_, until)| until <= now.at) {
            self.not_followed_up();
        }
        self.renew(now.at, own);
        if let Some((echo, _)) = self.answer.take_if(|(_, at)| *at <= now.at) {
            out.push(self.offer.hello(own, Some(echo)));
            self.answered_at = Some(now.at);
        }
        self.greet(now.at, own, out);
        let restarting = core::mem::take(&mut self.restarting);
        if let Some(current) = &mut self.current {
            current.transmit(now.at, restarting, out);
        }
    }

    /// Makes a new offer where the node has something new to say of itself.
    fn renew(&mut self, now: Instant, own: &Own) {
        if let Some(current) = &self.current {
            // Until the neighbour has this session, the next one has to wait.
            if !current.confirmed {
                return;
            }
            if current.mine.revision != own.revision && self.greeting.is_none() {
                self.greeting = Some(Greeting::at(now));
            }
        }
        if self.offer.revision != own.revision {
            self.draw(own);
        }
    }

    fn greet(&mut self, now: Instant, own: &Own, out: &mut Vec<Vec<u8>>) {
        let Some(greeting) = &mut self.greeting else {
            return;
        };
        if now < greeting.at {
            return;
        }
        out.push(match &mut self.current {
            Some(current) if !current.confirmed => current.mine.hello(own, Some(current.theirs)),
            _ => self.offer.hello(own, None),
        });
        greeting.at = now.after(greeting.wait);
        greeting.wait = greeting.wait.saturating_mul(2).min(LAST_HELLO);
    }

    /// When [`Session::transmit`] is to be called though nothing happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let greeting = self.greeting.map(|greeting| greeting.at);
        let current = self.current.as_ref().map(Current::deadline);
        let answer = self.answer.map(|(_, at)| at);
        let answered = self.answered.map(|(_, until)| until);
        let all = greeting.into_iter().chain(answer).chain(answered);
        all.chain(current).min()
    }

    /// The neighbour, while a session stands.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.current.as_ref().map(|current| &current.peer)
    }

    /// How many messages were refused.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }
}

fn replayed(reason: &str) -> Refused {
    Refused::new(RefusedKind::Replayed, reason)
}
