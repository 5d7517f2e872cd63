//! Two ends of a session of the interior protocol and what is between them, in virtual time.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_routing::ddm::item::{Announcement, Cost, Item, NodeId, RouteKey, Scope};
use rackweave_routing::ddm::session::{Own, Refused, Security, Session, SessionEvent};
use rackweave_routing::fabric::Now;
use rackweave_types::{Instant, MacAddr, Role};

/// The date when a test begins.
pub const UNIX: u64 = 1_800_000_000;

/// One end: what it is, its session, and what happened in it.
#[derive(Debug)]
pub struct End {
    /// What it says of itself.
    pub own: Own,
    /// Its session.
    pub session: Session,
    /// What happened, the last last.
    pub events: Vec<SessionEvent>,
    /// What was refused, the last last.
    pub refused: Vec<Refused>,
}

/// What goes wrong on the way.
pub trait Wire {
    /// When a datagram of so many octets that is sent now arrives: never, once, or more often.
    fn arrivals(&mut self, now: Instant, octets: usize) -> Vec<Instant>;
}

/// Nothing goes wrong, and the way takes no time worth counting.
#[derive(Debug)]
pub struct Perfect;

impl Wire for Perfect {
    fn arrivals(&mut self, now: Instant, _: usize) -> Vec<Instant> {
        vec![now.after(Duration::from_micros(10))]
    }
}

/// Nothing gets through.
#[derive(Debug)]
pub struct Cut;

impl Wire for Cut {
    fn arrivals(&mut self, _: Instant, _: usize) -> Vec<Instant> {
        Vec::new()
    }
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub struct Flying {
    /// When it arrives.
    pub at: Instant,
    /// Of two that arrive at once, which was sent first.
    pub order: u64,
    /// At which end it arrives.
    pub to: usize,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// Two ends and what is between them.
#[derive(Debug)]
pub struct Ends {
    /// The time.
    pub now: Now,
    /// The ends.
    pub ends: [End; 2],
    /// What is under way.
    pub flying: Vec<Flying>,
    /// All that was ever sent, with the end that it was sent to.
    pub captured: Vec<(usize, Vec<u8>)>,
    sent: u64,
    seeds: u8,
}

/// Node 1 is a sled, all others are switches.
#[must_use]
pub fn own(number: u8, security: Security) -> Own {
    let role = if number == 1 {
        Role::Sled
    } else {
        Role::Switch
    };
    Own {
        revision: 0,
        instance: u64::from(number),
        id: node(number),
        name: format!("node-{number}"),
        role,
        rack: None,
        az: None,
        assignment: None,
        hold: Duration::from_secs(3),
        security,
    }
}

/// The node of this number.
#[must_use]
pub const fn node(number: u8) -> NodeId {
    NodeId(MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, number]))
}

/// An announcement that is told from all others.
#[must_use]
pub fn item(number: u16) -> Item {
    let address = Ipv6Addr::new(0xfd00, 1, 2, number, 0, 0, 0, 0);
    Item::Announce(Announcement {
        key: RouteKey {
            prefix: Ipv6Net::new_assert(address, 64),
            origin: node(9),
        },
        scope: Scope::Service,
        path: vec![node(9), node(1)],
        cost: Cost(u32::from(number)),
        members: None,
    })
}

impl Ends {
    /// Both begin at once.
    #[must_use]
    pub fn new(owns: [Own; 2]) -> Self {
        let now = Now {
            at: Instant::from_nanos(1_000_000_000),
            unix: UNIX,
        };
        let mut seeds = 0;
        let ends = owns.map(|own| {
            seeds += 1;
            End {
                session: Session::new(&own, [seeds; 32], now),
                own,
                events: Vec::new(),
                refused: Vec::new(),
            }
        });
        Self {
            now,
            ends,
            flying: Vec::new(),
            captured: Vec::new(),
            sent: 0,
            seeds,
        }
    }

    /// Nodes 1 and 2, that believe each other.
    #[must_use]
    pub fn unsigned() -> Self {
        Self::new([1, 2].map(|number| own(number, Security::Unsigned)))
    }

    /// The process of an end starts anew: nothing is left of what it knew.
    pub fn restart(&mut self, at: usize) {
        self.seeds = self.seeds.wrapping_add(1);
        let end = &mut self.ends[at];
        end.own.instance += 100;
        end.session = Session::new(&end.own, [self.seeds; 32], self.now);
        end.events.clear();
    }

    /// What end `at` has to send goes on its way.
    pub fn transmit(&mut self, at: usize, wire: &mut dyn Wire) {
        let end = &mut self.ends[at];
        let mut out = Vec::new();
        end.session
            .transmit(self.now, &end.own, &mut end.events, &mut out);
        for bytes in out {
            for arrival in wire.arrivals(self.now.at, bytes.len()) {
                self.sent += 1;
                self.flying.push(Flying {
                    at: arrival,
                    order: self.sent,
                    to: 1 - at,
                    bytes: bytes.clone(),
                });
            }
            self.captured.push((1 - at, bytes));
        }
    }

    /// A datagram reaches end `to`.
    ///
    /// # Errors
    /// Where it is refused.
    pub fn deliver(&mut self, to: usize, bytes: &[u8]) -> Result<(), Refused> {
        let end = &mut self.ends[to];
        let result = end
            .session
            .receive(self.now, bytes, &end.own, &mut end.events);
        if let Err(refused) = &result {
            end.refused.push(refused.clone());
        }
        result
    }

    /// Time passes, and all that is due happens.
    pub fn run(&mut self, span: Duration, wire: &mut dyn Wire) {
        let end = self.now.at.after(span);
        loop {
            self.transmit(0, wire);
            self.transmit(1, wire);
            let arrival = self.flying.iter().map(|flying| flying.at).min();
            let deadlines = self.ends.iter().filter_map(|end| end.session.deadline());
            let Some(next) = deadlines.chain(arrival).min().filter(|next| *next <= end) else {
                break;
            };
            self.now.at = self.now.at.max(next);
            self.flying.sort_by_key(|flying| (flying.at, flying.order));
            let now = self.now.at;
            let due = self.flying.partition_point(|flying| flying.at <= now);
            for flying in self.flying.drain(..due).collect::<Vec<_>>() {
                // What is refused is noted: the caller looks at it.
                let _ = self.deliver(flying.to, &flying.bytes);
            }
        }
        self.now.at = end;
    }

    /// Whether both ends have a session.
    #[must_use]
    pub fn established(&self) -> bool {
        self.ends.iter().all(|end| end.session.peer().is_some())
    }

    /// The items that came to an end.
    #[must_use]
    pub fn items(&self, at: usize) -> Vec<Item> {
        let events = self.ends[at].events.iter();
        events
            .filter_map(|event| match event {
                SessionEvent::Item(item) => Some(item.clone()),
                _ => None,
            })
            .collect()
    }

    /// The beacons' key that an end knows last.
    #[must_use]
    pub fn key(&self, at: usize) -> Option<[u8; 32]> {
        let mut events = self.ends[at].events.iter().rev();
        events.find_map(|event| match event {
            SessionEvent::Established { key, .. } | SessionEvent::Rekeyed { key, .. } => Some(*key),
            _ => None,
        })
    }
}
