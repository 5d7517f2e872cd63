//! One connection: from the first octet to the last (RFC 4271, section 8).
//!
//! A connection is there from the state `OpenSent` on; before that there is none, and the peer waits.

use std::net::IpAddr;
use std::time::Duration;

use rackweave_types::{Asn, Instant};

use super::Family;
use super::config::{PeerConfig, RemoteAs, RemoteKind};
use super::io::{ConnId, ROOM};
use super::message::{
    Broken, Capabilities, Message, Notification, Open, Restart, RestartFamily, Terms, code, frame,
    subcode,
};

/// "A `HoldTimer` value of 4 minutes is suggested": section 8.2.2, until both have said theirs.
const OPENING: Duration = Duration::from_mins(4);
/// "the larger of 8 minutes and 2 times" the hold time: RFC 9687, section 4.
const STUCK: Duration = Duration::from_mins(8);

/// What a connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    OpenSent,
    OpenConfirm,
    Established,
}

/// Who we are towards a peer.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) asn: Asn,
    pub(super) id: std::net::Ipv4Addr,
    /// How long others may wait for us, in seconds.
    pub(super) restart_s: u16,
    /// Whether we have just restarted, and forwarded all the while.
    pub(super) restarted: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: ConnId,
    /// Whether we opened it.
    pub(super) outgoing: bool,
    pub(super) local: IpAddr,
    pub(super) state: State,
    /// What the other side said of itself.
    pub(super) open: Option<Open>,
    pub(super) terms: Terms,
    /// How many octets can be sent.
    pub(super) room: usize,
    inbox: Vec<u8>,
    hold: Duration,
    heard_at: Instant,
    sent_at: Instant,
    stuck_since: Option<Instant>,
}

impl Conn {
    /// A connection over which our OPEN is sent now.
    pub(super) fn new(now: Instant, id: ConnId, outgoing: bool, local: IpAddr) -> Self {
        Self {
            id,
            outgoing,
            local,
            state: State::OpenSent,
            open: None,
            terms: Terms {
                external: true,
                four_octets: true,
                extended_next_hop: false,
                ipv4: false,
                ipv6: false,
            },
            room: ROOM,
            inbox: Vec::new(),
            hold: OPENING,
            heard_at: now,
            sent_at: now,
            stuck_since: None,
        }
    }

    /// What we say of ourselves.
    pub(super) fn own_open(&self, own: &Own, config: &PeerConfig) -> Open {
        let family = |family: &Family| RestartFamily {
            family: *family,
            preserved: own.restarted,
        };
        let restart = config.graceful_restart.then(|| Restart {
            restarted: own.restarted,
            notifications: true,
            seconds: own.restart_s.min(0x0fff),
            families: config.families.iter().map(family).collect(),
        });
        let has_four = config.families.contains(&Family::Ipv4);
        Open {
            asn: own.asn,
            hold: config.hold_s,
            id: own.id,
            capabilities: Capabilities {
                families: config.families.clone(),
                multiprotocol: true,
                route_refresh: true,
                extended_next_hop: has_four && self.local.is_ipv6(),
                four_octet_as: Some(own.asn),
                restart,
                others: Vec::new(),
            },
        }
    }

    /// Octets came.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// The next whole message, `at` which place of what came; the place moves on.
    pub(super) fn next(&mut self, at: &mut usize) -> Result<Option<Message>, Broken> {
        let rest = self.inbox.get(*at..).unwrap_or_default();
        let Some(frame) = frame(rest)? else {
            return Ok(None);
        };
        *at += frame.len();
        Message::parse(frame, &self.terms).map(Some)
    }

    /// What was read up to a place goes.
    pub(super) fn read_to(&mut self, at: usize) {
        self.inbox.drain(..at.min(self.inbox.len()));
    }

    /// A whole message came.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Octets are sent; whether there is room for more.
    pub(super) const fn sent(&mut self, now: Instant, octets: usize) {
        self.sent_at = now;
        self.room = self.room.saturating_sub(octets);
        if self.room == 0 && self.stuck_since.is_none() {
            self.stuck_since = Some(now);
        }
    }

    /// More can be sent.
    pub(super) const fn give(&mut self, octets: usize) {
        self.room = self.room.saturating_add(octets);
        self.stuck_since = None;
    }

    /// Takes the other side's OPEN, and agrees with it (section 6.2).
    pub(super) fn agree(
        &mut self,
        own: &Own,
        config: &PeerConfig,
        open: Open,
    ) -> Result<(), Broken> {
        let wrong = |what, subcode| Err(Broken::new(what, code::OPEN, subcode, &[]));
        let external = open.asn != own.asn;
        let fits = match config.remote_as {
            RemoteAs::Number(asn) => asn == open.asn,
            RemoteAs::Any(RemoteKind::External) => external,
            RemoteAs::Any(RemoteKind::Internal) => !external,
        };
        if !fits {
            return wrong("its system is not the configured one", subcode::PEER_AS);
        }
        if !external && open.id == own.id {
            return wrong("it has our identifier", subcode::IDENTIFIER);
        }
        let its = &open.capabilities;
        let both = |family| config.families.contains(&family) && its.has(family);
        let mine = self.own_open(own, config).capabilities;
        self.terms = Terms {
            external,
            four_octets: its.four_octet_as.is_some(),
            extended_next_hop: mine.extended_next_hop && its.extended_next_hop,
            ipv4: both(Family::Ipv4),
            ipv6: both(Family::Ipv6),
        };
        if !self.terms.ipv4 && !self.terms.ipv6 {
            return wrong("no family is exchanged by both", subcode::CAPABILITY);
        }
        self.hold = Duration::from_secs(open.hold.min(config.hold_s).into());
        self.open = Some(open);
        self.state = State::OpenConfirm;
        Ok(())
    }

    /// The families that are exchanged.
    pub(super) fn families(&self) -> impl Iterator<Item = Family> + use<> {
        let terms = self.terms.clone();
        Family::ALL
            .into_iter()
            .filter(move |family| terms.has(*family))
    }

    /// What both agreed on for a restart; nothing where one does not offer it.
    pub(super) fn restart(&self, config: &PeerConfig) -> Option<&Restart> {
        let restart = self.open.as_ref()?.capabilities.restart.as_ref();
        restart.filter(|_| config.graceful_restart)
    }

    /// The agreed hold time; zero is none.
    pub(super) const fn hold(&self) -> Duration {
        self.hold
    }

    fn hold_at(&self) -> Option<Instant> {
        (!self.hold.is_zero()).then(|| self.heard_at.after(self.hold))
    }

    fn keepalive_at(&self) -> Option<Instant> {
        let is_due = self.state > State::OpenSent && !self.hold.is_zero();
        is_due.then(|| self.sent_at.after(self.hold / 3))
    }

    fn stuck_at(&self) -> Option<Instant> {
        let since = self.stuck_since.filter(|_| !self.hold.is_zero())?;
        Some(since.after(STUCK.max(self.hold * 2)))
    }

    /// When it wants to be looked at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let all = [self.hold_at(), self.keepalive_at(), self.stuck_at()];
        all.into_iter().flatten().min()
    }

    /// Whether it is over by now, and why.
    pub(super) fn expired(&self, now: Instant) -> Option<Broken> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.hold_at()) {
            let notification = Notification::new(code::HOLD_TIMER, 0, &[]);
            let what = "nothing was heard for the hold time";
            return Some(Broken { what, notification });
        }
        if is_over(self.stuck_at()) {
            let notification = Notification::new(code::SEND_HOLD_TIMER, 0, &[]);
            let what = "it takes nothing any more";
            return Some(Broken { what, notification });
        }
        None
    }

    /// Whether a keepalive is due.
    pub(super) fn wants_keepalive(&self, now: Instant) -> bool {
        self.keepalive_at().is_some_and(|at| at <= now)
    }
}
