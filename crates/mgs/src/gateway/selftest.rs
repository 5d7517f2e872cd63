//! Proof of isolation over real frames: service processors and the gateway send probes with missing, extra, wrong and
//! nested tags, to one, to many and to all; then everybody says what arrived, and only what should have may have.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rackweave_mgmt::port::{SpPort, SwitchPort};
use rackweave_mgmt::sp::message::{Request, Response};
use rackweave_mgmt::sp::probe::{self, PROBES_MAX, Probe, Seen};
use rackweave_types::{Instant, MacAddr};

/// How long probes may be on their way.
const SETTLE: Duration = Duration::from_millis(500);
/// How long everything may take; who has not answered then is named.
const PATIENCE: Duration = Duration::from_secs(15);
/// Service processors that are asked at once: where switches leak, each probe reaches everybody, and answers drown.
const AT_ONCE: usize = 6;
/// How often one that does not answer is asked.
const TRIES: u8 = 4;
/// Leaks that are told one by one.
const TOLD: usize = 256;
/// What stands in a marker for the gateway.
const GATEWAY: u8 = 0xff;

/// What came of a self-test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Which one it was.
    pub run: u32,
    /// Service processors that took part.
    pub took_part: u32,
    /// Ports whose service processor did not answer to the end.
    pub silent: Vec<SwitchPort>,
    /// Probes that were sent.
    pub sent: u32,
    /// Of those that must arrive, how many there were, and how many did.
    pub controls: u32,
    /// See `controls`.
    pub controls_arrived: u32,
    /// What arrived where it must not: the first of them.
    pub leaks: Vec<Leak>,
    /// How many there were.
    pub leaks_total: u64,
    /// How long it took.
    pub took: Duration,
}

/// A probe that arrived where it must not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Behind which port it was sent; the gateway's where there is none.
    pub from: Option<SwitchPort>,
    /// The tags that it was sent with.
    pub tags: Vec<u16>,
    /// For whom.
    pub destination: MacAddr,
    /// Behind which port it arrived; the gateway's where there is none.
    pub at: Option<SwitchPort>,
    /// The tags that it arrived with.
    pub arrived_with: Vec<u16>,
}

/// A probe that was sent.
#[derive(Clone, Debug)]
struct Sent {
    tags: Vec<u16>,
    destination: MacAddr,
}

/// One service processor's part.
#[derive(Debug)]
struct Part {
    /// What it is still to be asked to send.
    inject: VecDeque<Vec<Probe>>,
    /// What was seen is asked for from here on.
    from: u64,
    /// It has said all.
    done: bool,
    asked: bool,
    /// How often it did not answer.
    unanswered: u8,
    failed: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Selftest {
    run: u32,
    began: Instant,
    /// When everything was sent and has arrived, if it ever does.
    settled: Option<Instant>,
    parts: BTreeMap<SwitchPort, Part>,
    sent: BTreeMap<u64, Sent>,
    controls: BTreeMap<u64, bool>,
    leaks: Vec<Leak>,
    leaks_total: u64,
    frames: Vec<Vec<u8>>,
}

impl Selftest {
    /// A run with service processors behind these ports, each reached at one of its own.
    #[must_use]
    pub fn new(run: u32, mac: MacAddr, ports: &[(SwitchPort, SpPort)], now: Instant) -> Self {
        let mut selftest = Self {
            run,
            began: now,
            settled: None,
            parts: BTreeMap::new(),
            sent: BTreeMap::new(),
            controls: BTreeMap::new(),
            leaks: Vec::new(),
            leaks_total: 0,
            frames: Vec::new(),
        };
        for (port, reached) in ports {
            selftest.add(*port, *reached, ports, mac);
        }
        selftest.add_own(ports, mac);
        selftest
    }

    fn add(
        &mut self,
        port: SwitchPort,
        reached: SpPort,
        ports: &[(SwitchPort, SpPort)],
        mac: MacAddr,
    ) {
        let own = reached.vlan().get();
        // Another service processor's VLAN, as the switch knows it.
        let next = ports
            .iter()
            .map(|(port, _)| *port)
            .find(|other| *other > port);
        let next = next
            .or(ports.first().map(|(port, _)| *port))
            .unwrap_or(port);
        let wrong = next.vlan().get();
        let cases: [&[u16]; 10] = [
            &[own],
            &[],
            &[port.vlan().get()],
            &[wrong],
            &[1],
            &[0x3ff],
            &[own, own],
            &[own, wrong],
            &[own, reached.other().vlan().get()],
            &[wrong, own],
        ];
        let mut probes = Vec::new();
        for tags in cases {
            for destination in destinations(mac) {
                let marker = self.note(port.get(), tags, destination);
                if tags == [own] {
                    self.controls.insert(marker, false);
                }
                probes.push(Probe {
                    port: reached.into(),
                    tags: tags.to_vec(),
                    destination: destination.octets(),
                    marker,
                });
            }
        }
        let part = Part {
            inject: probes.chunks(PROBES_MAX).map(<[Probe]>::to_vec).collect(),
            from: 0,
            done: false,
            asked: false,
            unanswered: 0,
            failed: false,
        };
        self.parts.insert(port, part);
    }

    /// What the gateway itself sends: one tag reaches one service processor, everything else nobody.
    fn add_own(&mut self, ports: &[(SwitchPort, SpPort)], mac: MacAddr) {
        let vlan = |index: usize| ports.get(index).map_or(1, |(port, _)| port.vlan().get());
        let (one, two) = (vlan(0), vlan(1));
        let cases: [&[u16]; 8] = [
            &[],
            &[1],
            &[0x3ff],
            &[SpPort::One.vlan().get()],
            &[one, one],
            &[one, two],
            &[one, SpPort::One.vlan().get()],
            &[0xfff, one],
        ];
        let mut all: Vec<Vec<u16>> = cases.iter().map(|tags| tags.to_vec()).collect();
        all.extend(ports.iter().map(|(port, _)| vec![port.vlan().get()]));
        for (index, tags) in all.iter().enumerate() {
            for destination in &destinations(MacAddr::BROADCAST)[1..] {
                let marker = self.note(GATEWAY, tags, *destination);
                if index >= cases.len() {
                    self.controls.insert(marker, false);
                }
                self.frames
                    .push(probe::write(*destination, mac, tags, marker));
            }
        }
    }

    /// The marker of a probe.
    fn note(&mut self, origin: u8, tags: &[u16], destination: MacAddr) -> u64 {
        let [c, d] = u16::try_from(self.sent.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        let [r0, r1, r2, r3] = self.run.to_be_bytes();
        let marker = u64::from_be_bytes([r0, r1, r2, r3, 0, origin, c, d]);
        let sent = Sent {
            tags: tags.to_vec(),
            destination,
        };
        self.sent.insert(marker, sent);
        marker
    }

    /// Frames that the gateway itself sends.
    pub(super) fn take_frames(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.frames)
    }

    /// What to ask next, of whom.
    pub(super) fn next_order(&mut self, now: Instant) -> Option<(SwitchPort, Request)> {
        let all_sent = self
            .parts
            .values()
            .all(|part| part.inject.is_empty() && (part.done || !part.asked));
        if all_sent && self.settled.is_none() {
            self.settled = Some(now.after(SETTLE));
        }
        let settled = self.settled.is_some_and(|at| at <= now);
        if self.parts.values().filter(|part| part.asked).count() >= AT_ONCE {
            return None;
        }
        self.parts.iter_mut().find_map(|(port, part)| {
            if part.asked || part.done {
                return None;
            }
            let request = match part.inject.front() {
                Some(probes) => Request::Inject(probes.clone()),
                None if settled => Request::Witnessed(part.from),
                None => return None,
            };
            part.asked = true;
            Some((*port, request))
        })
    }

    /// Somebody answered, or did not.
    pub(super) fn answered(&mut self, port: SwitchPort, answer: Option<Response>) {
        let Some(part) = self.parts.get_mut(&port) else {
            return;
        };
        part.asked = false;
        match answer {
            Some(Response::Done) => {
                part.inject.pop_front();
            }
            Some(Response::Witnessed(rows, next)) => {
                part.done = rows.is_empty();
                part.from = next;
                for row in rows {
                    self.seen(row.marker, Some(port), row.tags);
                }
            }
            _ => {
                part.unanswered += 1;
                if part.unanswered >= TRIES {
                    part.inject.clear();
                    part.failed = true;
                    part.done = true;
                }
            }
        }
    }

    /// A probe arrived at the gateway.
    pub(super) fn arrived(&mut self, seen: Seen) {
        self.seen(seen.marker, None, seen.tags);
    }

    fn seen(&mut self, marker: u64, at: Option<SwitchPort>, tags: Vec<u16>) {
        let Some(sent) = self.sent.get(&marker) else {
            return;
        };
        let [.., origin, _, _] = marker.to_be_bytes();
        let from = SwitchPort::new(origin).ok();
        let control = self.controls.get_mut(&marker);
        let expected = match (from, at) {
            // From a service processor, with its own tag: to the gateway, with its port's.
            (Some(from), None) => control.is_some() && tags == [from.vlan().get()],
            // From the gateway, with one tag of a port: to who is behind it.
            (None, Some(at)) => control.is_some() && sent.tags == [at.vlan().get()],
            _ => false,
        };
        if let Some(arrived) = control.filter(|_| expected) {
            *arrived = true;
            return;
        }
        self.leaks_total += 1;
        if self.leaks.len() < TOLD {
            self.leaks.push(Leak {
                from,
                tags: sent.tags.clone(),
                destination: sent.destination,
                at,
                arrived_with: tags,
            });
        }
    }

    /// When there is something to do though nothing comes.
    pub(super) fn deadline(&self) -> Instant {
        let end = self.began.after(PATIENCE);
        let asked = self.parts.values().filter(|part| part.asked).count();
        let waits = self.parts.values().any(|part| !part.asked && !part.done);
        match self.settled {
            Some(at) if waits && asked < AT_ONCE => at.min(end),
            _ => end,
        }
    }

    /// What came of it, once it is over.
    pub(super) fn report(&self, now: Instant) -> Option<Report> {
        let done =
            self.settled.is_some_and(|at| at <= now) && self.parts.values().all(|part| part.done);
        if !done && now < self.began.after(PATIENCE) {
            return None;
        }
        let silent: Vec<SwitchPort> = self
            .parts
            .iter()
            .filter(|(_, part)| part.failed || !part.done)
            .map(|(port, _)| *port)
            .collect();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let mut leaks = self.leaks.clone();
        leaks.sort_unstable();
        Some(Report {
            run: self.run,
            took_part: count(self.parts.len() - silent.len()),
            silent,
            sent: count(self.sent.len()),
            controls: count(self.controls.len()),
            controls_arrived: count(self.controls.values().filter(|it| **it).count()),
            leaks,
            leaks_total: self.leaks_total,
            took: now.since(self.began),
        })
    }
}

/// One, many, all.
const fn destinations(one: MacAddr) -> [MacAddr; 3] {
    [
        one,
        MacAddr::new([0x33, 0x33, 0, 0, 0, 1]),
        MacAddr::BROADCAST,
    ]
}
