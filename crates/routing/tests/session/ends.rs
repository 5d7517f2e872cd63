//! Two ends and what is between them, in virtual time.

use std::time::Duration;

use rackweave_routing::ddm::item::{Announcement, Cost, Item, NodeId, RouteKey, Scope};
use rackweave_routing::ddm::session::{Own, Refused, Security, Session, SessionEvent};
use rackweave_routing::fabric::Now;
use rackweave_types::{Instant, MacAddr, Role};

/// One end: what it is, its session, and what happened in it.
pub(crate) struct End {
    pub(crate) own: Own,
    pub(crate) session: Session,
    pub(crate) events: Vec<SessionEvent>,
    pub(crate) refused: Vec<Refused>,
}

/// What goes wrong on the way.
pub(crate) trait Wire {
    /// When a datagram of so many octets that is sent now arrives: never, once, or more often.
    fn arrivals(&mut self, now: Instant, octets: usize) -> Vec<Instant>;
}

/// Nothing goes wrong, and the way takes no time worth counting.
pub(crate) struct Perfect;

impl Wire for Perfect {
    fn arrivals(&mut self, now: Instant, _: usize) -> Vec<Instant> {
        vec![now.after(Duration::from_micros(10))]
    }
}

/// Nothing gets through.
pub(crate) struct Cut;

impl Wire for Cut {
    fn arrivals(&mut self, _: Instant, _: usize) -> Vec<Instant> {
        Vec::new()
    }
}

/// A datagram on its way.
#[derive(Clone)]
pub(crate) struct Flying {
    pub(crate) at: Instant,
    pub(crate) order: u64,
    pub(crate) to: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Two ends and what is between them.
pub(crate) struct Ends {
    pub(crate) now: Now,
    pub(crate) ends: [End; 2],
    pub(crate) flying: Vec<Flying>,
    /// All that was ever sent, with the end that it was sent to.
    pub(crate) captured: Vec<(usize, Vec<u8>)>,
    sent: u64,
    seeds: u8,
}

/// What the date is when a test begins.
pub(crate) const fn unix() -> u64 {
    1_800_000_000
}

pub(crate) fn own(number: u8, security: Security) -> Own {
    Own {
        revision: 0,
        instance: u64::from(number),
        id: node(number),
        name: format!("node-{number}"),
        role: if number == 1 {
            Role::Sled
        } else {
            Role::Switch
        },
        rack: None,
        az: None,
        assignment: None,
        hold: Duration::from_secs(3),
        security,
    }
}

pub(crate) fn node(number: u8) -> NodeId {
    NodeId(MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, number]))
}

/// An announcement that is told from all others.
pub(crate) fn item(number: u16) -> Item {
    let prefix = format!("fd00:1:2:{number:x}::/64").parse().unwrap();
    Item::Announce(Announcement {
        key: RouteKey {
            prefix,
            origin: node(9),
        },
        scope: Scope::Service,
        path: vec![node(9), node(1)],
        cost: Cost(u32::from(number)),
        members: None,
    })
}

impl Ends {
    pub(crate) fn new(owns: [Own; 2]) -> Self {
        let now = Now {
            at: Instant::from_nanos(1_000_000_000),
            unix: unix(),
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

    pub(crate) fn unsigned() -> Self {
        Self::new([1, 2].map(|number| own(number, Security::Unsigned)))
    }

    /// The process of an end starts anew: nothing is left of what it knew.
    pub(crate) fn restart(&mut self, at: usize) {
        self.seeds += 1;
        let end = &mut self.ends[at];
        end.own.instance += 100;
        end.session = Session::new(&end.own, [self.seeds; 32], self.now);
        end.events.clear();
    }

    /// What end `at` has to send goes on its way.
    pub(crate) fn transmit(&mut self, at: usize, wire: &mut dyn Wire) {
        let end = &mut self.ends[at];
        let mut out = Vec::new();
        end.session
            .transmit(self.now, &end.own, &mut end.events, &mut out);
        for bytes in out {
            assert!(bytes.len() <= 1232, "{} octets", bytes.len());
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
    pub(crate) fn deliver(&mut self, to: usize, bytes: &[u8]) -> Result<(), Refused> {
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
    pub(crate) fn run(&mut self, span: Duration, wire: &mut dyn Wire) {
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
            while self
                .flying
                .first()
                .is_some_and(|first| first.at <= self.now.at)
            {
                let flying = self.flying.remove(0);
                // What is refused is counted; the caller looks at the counters.
                let _ = self.deliver(flying.to, &flying.bytes);
            }
        }
        self.now.at = end;
    }

    /// Both ends have a session.
    pub(crate) fn established(&self) -> bool {
        self.ends.iter().all(|end| end.session.peer().is_some())
    }

    /// The items that came to an end since it was asked last.
    pub(crate) fn items(&mut self, at: usize) -> Vec<Item> {
        let events = self.ends[at].events.iter();
        events
            .filter_map(|event| match event {
                SessionEvent::Item(item) => Some(item.clone()),
                _ => None,
            })
            .collect()
    }

    /// The beacons' key that an end knows last.
    pub(crate) fn key(&self, at: usize) -> Option<[u8; 32]> {
        let events = self.ends[at].events.iter().rev();
        events.into_iter().find_map(|event| match event {
            SessionEvent::Established { key, .. } | SessionEvent::Rekeyed { key, .. } => Some(*key),
            _ => None,
        })
    }
}
