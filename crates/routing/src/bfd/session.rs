//! The machine of one session (RFC 5880, section 6.8).

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use rackweave_types::Instant;

use super::message::{Diagnostic, Message, Micros, State};

/// "When bfd.SessionState is not Up, the system MUST set bfd.DesiredMinTxInterval to a value of not less than one
/// second": section 6.8.3.
const SLOW: Micros = Micros(1_000_000);
/// How long a session that was shut still says so.
const LINGER: Duration = Duration::from_secs(1);

/// How often a session sends, and when it holds the neighbour dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The least time between our messages.
    pub desired_min_tx: Micros,
    /// The least time between the neighbour's messages.
    pub required_min_rx: Micros,
    /// Intervals without a message of ours after which the neighbour holds us dead; at least one.
    pub multiplier: u8,
}

impl Default for Settings {
    /// 10 ms, three times.
    fn default() -> Self {
        Self {
            desired_min_tx: Micros(10_000),
            required_min_rx: Micros(10_000),
            multiplier: 3,
        }
    }
}

/// Why a session changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The neighbour is heard, or hears us.
    Heard,
    /// Nothing came for the detection time.
    Silent(Duration),
    /// The neighbour says that it is down, and why.
    NeighborDown(Diagnostic),
    /// The neighbour's session was taken down on purpose.
    NeighborAdminDown,
    /// Our session was.
    AdminDown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard => f.write_str("the neighbour is heard"),
            Self::Silent(time) => {
                write!(f, "nothing was heard for {} ms", time.as_millis())
            }
            Self::NeighborDown(Diagnostic::TIME_EXPIRED) => {
                f.write_str("the neighbour does not hear us")
            }
            Self::NeighborDown(Diagnostic(number)) => {
                write!(f, "the neighbour is down (its diagnostic is {number})")
            }
            Self::NeighborAdminDown => f.write_str("the neighbour took its session down"),
            Self::AdminDown => f.write_str("the session was taken down here"),
        }
    }
}

/// A session has another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// One session in asynchronous mode, and both sides active.
///
/// Call order: [`handle_message`](Self::handle_message) for what came; then, whenever [`deadline`](Self::deadline) is
/// reached, [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit). Read what waits in
/// the socket before the time is told: a program that was held up must not take its own sleep for the neighbour's.
#[derive(Clone, Debug)]
pub struct Session {
    settings: Settings,
    /// What still counts beside new settings until the neighbour has confirmed those.
    previous: Option<Settings>,
    mine: NonZeroU32,
    state: State,
    diagnostic: Diagnostic,
    /// Whether changed intervals want to be confirmed.
    polling: bool,
    /// Whether the neighbour wants a confirmation.
    final_due: bool,
    /// Whether what is to be said differs from what was.
    news: bool,
    sent_at: Option<Instant>,
    /// What of the interval is left out, in 1,024ths.
    jitter: u32,
    heard_at: Instant,
    shut_at: Option<Instant>,
    remote: Remote,
}

/// What the neighbour said last.
#[derive(Clone, Copy, Debug)]
struct Remote {
    discriminator: Option<NonZeroU32>,
    state: State,
    demand: bool,
    independent: bool,
    multiplier: u8,
    desired_min_tx: Micros,
    required_min_rx: Micros,
}

impl Remote {
    /// Section 6.8.1.
    const UNKNOWN: Self = Self {
        discriminator: None,
        state: State::Down,
        demand: false,
        independent: false,
        multiplier: 0,
        desired_min_tx: Micros(0),
        required_min_rx: Micros(1),
    };
}

impl Session {
    /// A session that is down and says so at once. `mine` is no other session's number.
    #[must_use]
    pub const fn new(now: Instant, mine: NonZeroU32, settings: Settings) -> Self {
        Self {
            settings,
            previous: None,
            mine,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            polling: false,
            final_due: false,
            news: true,
            sent_at: None,
            jitter: 0,
            heard_at: now,
            shut_at: None,
            remote: Remote::UNKNOWN,
        }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Our number of it.
    #[must_use]
    pub const fn discriminator(&self) -> NonZeroU32 {
        self.mine
    }

    /// Whether the neighbour said that its liveness does not share fate with its control plane.
    #[must_use]
    pub const fn remote_independent(&self) -> bool {
        self.remote.independent
    }

    /// After what silence the neighbour is held dead, once it was heard (section 6.8.4).
    #[must_use]
    pub fn detection_time(&self) -> Option<Duration> {
        self.remote.discriminator?;
        let ours = self.settings.required_min_rx;
        let before = self
            .previous
            .map_or(ours, |previous| previous.required_min_rx);
        let interval = ours.max(before).max(self.remote.desired_min_tx);
        Some(interval.duration() * u32::from(self.remote.multiplier))
    }

    /// How long it is between two of our messages, without jitter (section 6.8.7); none where the neighbour wants none.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        let remote = self.remote;
        let both_up = self.state == State::Up && remote.state == State::Up;
        if remote.required_min_rx.0 == 0 || remote.demand && both_up && !self.polling {
            return None;
        }
        let before = self.previous.map(|previous| previous.desired_min_tx);
        let ours = self.desired_min_tx();
        Some(
            before
                .map_or(ours, |before| before.min(ours))
                .max(remote.required_min_rx)
                .duration(),
        )
    }

    /// Other settings; they count once the neighbour has confirmed them.
    pub fn set(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        if self.state == State::Up {
            self.previous = Some(self.previous.unwrap_or(self.settings));
            self.polling = true;
        }
        self.settings = settings;
        self.news = true;
    }

    /// Takes the session down on purpose; the neighbour is told.
    pub fn shut(&mut self, now: Instant) -> Option<Change> {
        self.shut_at.get_or_insert(now);
        self.go(State::AdminDown, Diagnostic::ADMIN_DOWN, Cause::AdminDown)
    }

    /// Whether the session was taken down on purpose.
    #[must_use]
    pub const fn is_shut(&self) -> bool {
        self.shut_at.is_some()
    }

    /// Whether a session that was shut has nothing left to do.
    #[must_use]
    pub fn over(&self, now: Instant) -> bool {
        self.shut_at.is_some_and(|at| now.since(at) >= LINGER)
    }

    /// A message for this session arrived, `at` a time that may be a little before now (section 6.8.6, from "Set
    /// bfd.RemoteDiscr" on).
    pub fn handle_message(&mut self, at: Instant, message: &Message) -> Option<Change> {
        self.remote = Remote {
            discriminator: Some(message.mine),
            state: message.state,
            demand: message.demand,
            independent: message.independent,
            multiplier: message.multiplier,
            desired_min_tx: message.desired_min_tx,
            required_min_rx: message.required_min_rx,
        };
        if message.is_final && self.polling {
            (self.polling, self.previous) = (false, None);
        }
        if self.state == State::AdminDown {
            return None;
        }
        self.heard_at = self.heard_at.max(at);
        self.final_due |= message.poll;
        let neighbor_down = Cause::NeighborDown(message.diagnostic);
        match (self.state, message.state) {
            (State::Down, State::AdminDown) => None,
            (_, State::AdminDown) => self.go(
                State::Down,
                Diagnostic::NEIGHBOR_DOWN,
                Cause::NeighborAdminDown,
            ),
            (State::Down, State::Down) => self.go(State::Init, self.diagnostic, Cause::Heard),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.go(State::Up, Diagnostic::NONE, Cause::Heard)
            }
            (State::Up, State::Down) => {
                self.go(State::Down, Diagnostic::NEIGHBOR_DOWN, neighbor_down)
            }
            _ => None,
        }
    }

    /// The time is `now`. The neighbour may have been silent for too long (section 6.8.4).
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Change> {
        let silent = self.detection_time()?;
        if now < self.heard_at.after(silent) {
            return None;
        }
        // "If a period of a Detection Time passes without the receipt of a valid … packet from the remote system, this
        // variable MUST be set to zero": section 6.8.1, bfd.RemoteDiscr.
        self.remote = Remote::UNKNOWN;
        match self.state {
            State::Init | State::Up => {
                self.go(State::Down, Diagnostic::TIME_EXPIRED, Cause::Silent(silent))
            }
            State::AdminDown | State::Down => None,
        }
    }

    /// When it wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let silence = self
            .detection_time()
            .map(|silent| self.heard_at.after(silent));
        let over = self.shut_at.map(|at| at.after(LINGER));
        let due = self.due(self.jitter);
        [silence, over, due].into_iter().flatten().min()
    }

    /// The message that is to be sent now, if any. It may be a periodic one that is not yet due but may be sent already
    /// (section 6.8.7 has each interval shortened by up to a quarter), so that one wake serves many sessions.
    ///
    /// `entropy` is chance, for the jitter of the next interval; sessions that are served together may have the same.
    pub fn poll_transmit(&mut self, now: Instant, entropy: u32) -> Option<Message> {
        if self.due(256)? > now {
            return None;
        }
        let is_final = std::mem::take(&mut self.final_due);
        // "If bfd.DetectMult is equal to 1, the jitter MUST be between 10 and 25 percent": section 6.8.7; here, in
        // 1,024ths, 103 to 256.
        let least = if self.settings.multiplier == 1 {
            103
        } else {
            0
        };
        self.jitter = least + entropy % (257 - least);
        self.sent_at = Some(now);
        self.news = false;
        Some(Message {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polling && !is_final,
            is_final,
            independent: true,
            demand: false,
            multiplier: self.settings.multiplier,
            mine: self.mine,
            yours: self.remote.discriminator,
            desired_min_tx: self.desired_min_tx(),
            required_min_rx: self.settings.required_min_rx,
            required_min_echo_rx: Micros(0),
        })
    }

    /// When the next message is due, so many 1,024ths of the interval before its end.
    fn due(&self, jitter: u32) -> Option<Instant> {
        if self.final_due {
            return Some(Instant::START);
        }
        let interval = self.interval()?;
        let Some(sent_at) = self.sent_at.filter(|_| !self.news) else {
            return Some(Instant::START);
        };
        Some(sent_at.after(interval.saturating_sub(interval * jitter / 1024)))
    }

    fn desired_min_tx(&self) -> Micros {
        match self.state {
            State::Up => self.settings.desired_min_tx,
            State::AdminDown | State::Down | State::Init => self.settings.desired_min_tx.max(SLOW),
        }
    }

    fn go(&mut self, to: State, diagnostic: Diagnostic, cause: Cause) -> Option<Change> {
        let from = std::mem::replace(&mut self.state, to);
        if from == to {
            return None;
        }
        (self.diagnostic, self.news, self.previous) = (diagnostic, true, None);
        // Up is faster than what was said before, and that is to be confirmed (section 6.8.3).
        self.polling = to == State::Up && self.settings.desired_min_tx < SLOW;
        Some(Change { from, to, cause })
    }
}

#[cfg(test)]
mod tests;
