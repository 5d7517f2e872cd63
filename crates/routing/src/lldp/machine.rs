//! The machine: when to send on which link, and whom it hears of.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use rackweave_types::{Instant, MacAddr};

use super::capability::Capabilities;
use super::ethernet::MacPhy;
use super::identity::{ChassisId, PortId};
use super::management::ManagementAddress;
use super::message::{Message, ParseError};
use super::table::{Change, Counters, Limits, Neighbor, Table};
use super::text::Plain;
use crate::fabric::LinkId;

/// Between two frames when nothing happens (`msgTxInterval`, IEEE 802.1AB, 9.2.5.7).
const INTERVAL: Duration = Duration::from_secs(30);
/// Between two frames after something happened, and never less (`msgFastTx`, 9.2.5.5).
const FAST: Duration = Duration::from_secs(1);
/// Frames after a link or a neighbour came (`txFastInit`, 9.2.5.19).
const FAST_COUNT: u8 = 4;
/// How long neighbours are to believe us, in seconds: `msgTxHold` (four) intervals, and one second (9.2.5.22).
const TTL: u16 = 121;
/// How much happens on a link in a [`PERIOD`] that people are told of; the rest is only counted.
const TOLD: u8 = 16;
/// How long a neighbour can keep from being told what else happens on its link.
const PERIOD: Duration = Duration::from_mins(1);

/// What a node says of itself on every link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Its hardware address.
    pub chassis: MacAddr,
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// What it does.
    pub capabilities: Capabilities,
    /// Where it can be managed.
    pub management: Vec<Ipv6Addr>,
}

/// A link to send on and to hear from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The kernel's number.
    pub link: LinkId,
    /// The kernel's name: 1 to 255 octets.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Whether it is up and has carrier.
    pub up: bool,
    /// How it talks to its cable, where that is known.
    pub mac_phy: Option<MacPhy>,
    /// Octets of its longest frame, where that is known.
    pub max_frame: Option<NonZeroU16>,
}

/// What the machine is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// What the node says of itself changed.
    System(System),
    /// A link came or changed.
    Port(Port),
    /// A link is gone.
    PortGone(LinkId),
    /// A frame came to [`NEAREST_BRIDGE`](super::NEAREST_BRIDGE).
    Frame {
        /// On which link.
        link: LinkId,
        /// From which Ethernet address.
        from: MacAddr,
        /// What follows the Ethernet header.
        bytes: Vec<u8>,
    },
    /// The node goes away: neighbours need not wait for it to grow old.
    Stop,
    /// The time has come that the machine asked for.
    Tick,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a frame to [`NEAREST_BRIDGE`](super::NEAREST_BRIDGE).
    Send {
        /// On which link.
        link: LinkId,
        /// What follows the Ethernet header.
        bytes: Vec<u8>,
    },
    /// Something that people may want to know.
    Told {
        /// On which link.
        link: LinkId,
        /// What kind.
        happening: Happening,
        /// What, for people: names the neighbour, and the cause.
        what: String,
    },
}

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A neighbour was heard of for the first time.
    Appeared,
    /// A neighbour says something else than before.
    Altered,
    /// A neighbour left, or was not heard of any more.
    Gone,
    /// A frame of which nothing could be used.
    Refused,
}

/// Whom a node hears of, and when it speaks itself.
///
/// Give it [`handle`](Self::handle) whatever happens, and a [`Input::Tick`] at its [`deadline`](Self::deadline).
///
/// Departure from the standard: instead of a credit of five frames it leaves a second between any two of a link.
#[derive(Debug)]
pub struct Lldp {
    system: System,
    links: BTreeMap<LinkId, Link>,
    table: Table,
    stopped: bool,
}

#[derive(Debug)]
struct Link {
    port: Port,
    due: Option<Instant>,
    last: Option<Instant>,
    fast: u8,
    counters: Counters,
    error: Option<ParseError>,
    told: u8,
    told_since: Instant,
}

impl Lldp {
    /// A node without links.
    #[must_use]
    pub const fn new(system: System, limits: Limits) -> Self {
        Self {
            system,
            links: BTreeMap::new(),
            table: Table::new(limits),
            stopped: false,
        }
    }

    /// Takes one input in; what is to be done comes at the end of `out`.
    /// After [`Input::Stop`] it does nothing more.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        match input {
            Input::System(system) => {
                if self.system != system {
                    self.system = system;
                    for link in self.links.values_mut() {
                        link.hurry(now, 1);
                    }
                }
            }
            Input::Port(port) => self.port(now, port),
            Input::PortGone(link) => {
                self.links.remove(&link);
                self.table.forget(link);
            }
            Input::Frame { link, from, bytes } => self.frame(now, link, from, &bytes, out),
            Input::Stop => return self.stop(out),
            Input::Tick => {}
        }
        self.age(now, out);
        self.send(now, out);
    }

    /// When it wants a [`Input::Tick`].
    pub fn deadline(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        let due = self.links.values().filter_map(|link| link.due).min();
        [due, self.table.deadline()].into_iter().flatten().min()
    }

    /// All neighbours, by link.
    pub fn neighbors(&self) -> impl Iterator<Item = (&Port, &Neighbor)> {
        let all = self.table.iter();
        all.filter_map(|(link, neighbor)| Some((&self.links.get(&link)?.port, neighbor)))
    }

    /// All links, with what happened on them, and why the last frame was refused of which nothing could be used.
    pub fn ports(&self) -> impl Iterator<Item = (&Port, Counters, Option<ParseError>)> {
        let all = self.links.values();
        all.map(|link| (&link.port, link.counters, link.error))
    }

    fn port(&mut self, now: Instant, port: Port) {
        let link = self.links.entry(port.link).or_insert_with(|| Link {
            port: Port {
                up: false,
                ..port.clone()
            },
            due: None,
            last: None,
            fast: 0,
            counters: Counters::default(),
            error: None,
            told: 0,
            told_since: now,
        });
        let (came, changed) = (port.up && !link.port.up, port != link.port);
        link.port = port;
        if !link.port.up {
            link.due = None;
        } else if came {
            link.hurry(now, FAST_COUNT);
        } else if changed {
            link.hurry(now, 1);
        }
    }

    fn frame(
        &mut self,
        now: Instant,
        id: LinkId,
        from: MacAddr,
        bytes: &[u8],
        out: &mut Vec<Output>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.counters.received += 1;
        let parsed = match Message::parse(bytes) {
            Ok(parsed) => parsed,
            Err(error) => {
                link.counters.refused += 1;
                link.error = Some(error);
                let source = std::error::Error::source(&error);
                let cause = source.map_or(String::new(), |cause| format!(": {cause}"));
                let what = format!("lldp frame from {from} refused: {error}{cause}");
                return link.tell(now, Happening::Refused, &what, out);
            }
        };
        link.counters.flaws += count(parsed.flaws.len());
        link.counters.unknown += count(parsed.message.unknown.len());
        let (chassis, port) = (&parsed.message.chassis, &parsed.message.port);
        if own(&self.system, link).is_some_and(|(c, p)| c == *chassis && p == *port) {
            // Our own frame, sent back by a loop.
            return;
        }
        let who = who(&parsed.message);
        let (change, displaced) = self.table.hear(now, id, from, parsed.message);
        match change {
            Change::Appeared => {
                link.hurry(now, FAST_COUNT);
                link.tell(
                    now,
                    Happening::Appeared,
                    &format!("lldp neighbor {who}"),
                    out,
                );
            }
            Change::Altered => {
                let what = format!("lldp neighbor {who} describes itself anew");
                link.tell(now, Happening::Altered, &what, out);
            }
            Change::Left => {
                let what = format!("lldp neighbor {who} says that it leaves");
                link.tell(now, Happening::Gone, &what, out);
            }
            Change::Crowded => link.counters.crowded += 1,
            Change::Renewed | Change::Nothing => {}
        }
        for (of, _) in displaced {
            if let Some(link) = self.links.get_mut(&of) {
                link.counters.crowded += 1;
            }
        }
    }

    fn age(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some((id, neighbor)) = self.table.age(now) {
            if let Some(link) = self.links.get_mut(&id) {
                link.counters.aged += 1;
                let (who, ttl) = (who(&neighbor.message), neighbor.message.ttl);
                let what = format!("lldp neighbor {who} was not heard of for {ttl} s");
                link.tell(now, Happening::Gone, &what, out);
            }
        }
    }

    fn send(&mut self, now: Instant, out: &mut Vec<Output>) {
        for (id, link) in &mut self.links {
            if link.due.is_none_or(|due| due > now) {
                continue;
            }
            link.fast = link.fast.saturating_sub(1);
            link.last = Some(now);
            link.due = Some(now.after(if link.fast > 0 { FAST } else { INTERVAL }));
            if let Some(message) = message(&self.system, link, TTL) {
                link.counters.sent += 1;
                let bytes = message.emit();
                out.push(Output::Send { link: *id, bytes });
            }
        }
    }

    /// Takes back what was said on every link, and says no more.
    fn stop(&mut self, out: &mut Vec<Output>) {
        self.stopped = true;
        for (id, link) in &mut self.links {
            let Some((chassis, port)) = own(&self.system, link).filter(|_| link.port.up) else {
                continue;
            };
            // A shutdown has the first three elements and its end alone (IEEE 802.1AB, 9.2.3.1).
            let bytes = Message::new(chassis, port, 0).emit();
            link.counters.sent += 1;
            out.push(Output::Send { link: *id, bytes });
        }
    }
}

impl Link {
    /// Sends as soon as may be, and so often in quick succession.
    fn hurry(&mut self, now: Instant, frames: u8) {
        if !self.port.up {
            return;
        }
        self.fast = self.fast.max(frames);
        let soonest = self.last.map_or(now, |last| last.after(FAST).max(now));
        self.due = Some(self.due.map_or(soonest, |due| due.min(soonest)));
    }

    fn tell(&mut self, now: Instant, happening: Happening, what: &str, out: &mut Vec<Output>) {
        if now.since(self.told_since) >= PERIOD {
            self.told_since = now;
            self.told = 0;
        }
        if self.told < TOLD {
            self.told += 1;
            out.push(Output::Told {
                link: self.port.link,
                happening,
                what: format!("{}: {what}", self.port.name),
            });
        }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Who we are on a link; nothing where the link has no name.
fn own(system: &System, link: &Link) -> Option<(ChassisId, PortId)> {
    let port = PortId::interface(&link.port.name).ok()?;
    Some((ChassisId::mac(system.chassis), port))
}

fn message(system: &System, link: &Link, ttl: u16) -> Option<Message> {
    let (chassis, port) = own(system, link)?;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Some(Message {
        port_description: text(&link.port.description),
        system_name: text(&system.name),
        system_description: text(&system.description),
        capabilities: Some(system.capabilities),
        management: system
            .management
            .iter()
            .copied()
            .map(ManagementAddress::ipv6)
            .collect(),
        mac_phy: link.port.mac_phy,
        max_frame: link.port.max_frame,
        ..Message::new(chassis, port, ttl)
    })
}

/// A neighbour's name and port, for people.
fn who(message: &Message) -> String {
    let name = message.system_name.as_deref().unwrap_or_default();
    let (chassis, port) = (&message.chassis, &message.port);
    if name.is_empty() {
        format!("{chassis} port {port}")
    } else {
        format!("{} ({chassis}) port {port}", Plain(name))
    }
}
