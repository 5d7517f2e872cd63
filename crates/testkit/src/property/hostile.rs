//! A switch among neighbours that say anything.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::Ipv6Net;

use rackweave_routing::ddm::item::{Announcement, Cost, Item, Members, NodeId, RouteKey, Scope};
use rackweave_routing::ddm::message::MAX_DATAGRAM;
use rackweave_routing::ddm::session::{Own, Security, Session, SessionEvent};
use rackweave_routing::fabric::{
    Asker, Fabric, FibAnswer, Input, KernelRoute, LinkId, LinkState, Measured, Now, Output,
    Settings,
};
use rackweave_trust::Assignment;
use rackweave_types::{
    BootstrapPrefix, Instant, MacAddr, NodeNumber, NodePrefix, RackNumber, RackPrefix, Role,
};

use super::{Fault, hold};
use crate::ends::{UNIX, own};
use crate::keys::rack_prefix;
use crate::source::Source;

/// A switch whose three neighbours (a sled of its rack, a switch of another one, a spine) say anything, in any order with
/// anything that a kernel does: it does not panic, and has the kernel route nothing that is not of the plan of addresses,
/// and nothing that is its own.
///
/// # Errors
/// What does not hold.
pub fn hostile(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let mut stage = Stage::new()?;
    for link in 1..=3 {
        stage.link(link, true)?;
    }
    for _ in 0..80 {
        stage.step(&mut source)?;
    }
    Ok(())
}

struct Neighbor {
    own: Own,
    session: Session,
    events: Vec<SessionEvent>,
}

struct Stage {
    now: Now,
    fabric: Fabric,
    rack: RackPrefix,
    own: NodePrefix,
    neighbors: [Neighbor; 3],
    asked: Vec<(Ipv6Net, bool)>,
    kernel: Vec<KernelRoute>,
}

fn number(number: u8) -> Result<NodeNumber, Fault> {
    NodeNumber::new(number).map_err(|error| error.to_string())
}

/// The link-local address of who is at the other end of a link.
fn address(link: u32) -> Ipv6Addr {
    let last = u16::try_from(link).unwrap_or(u16::MAX);
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, last)
}

impl Stage {
    fn new() -> Result<Self, Fault> {
        let now = Now {
            at: Instant::from_nanos(1_000_000_000),
            unix: UNIX,
        };
        let rack = rack_prefix()?;
        let prefix = NodePrefix::new(rack, number(0xfd)?);
        let hardware = MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, 0xfd]);
        let mut settings = Settings::new(hardware, Role::Switch);
        let identity = settings.identity.clone();
        let given = Assignment::unsigned(identity, hardware, Role::Switch, prefix);
        settings.assignment = Some(given);
        let other = RackNumber::new(2).map_err(|error| error.to_string())?;
        let other = RackPrefix::new(rack.az(), other);
        let neighbor = |at: u8, role: Role, rack: Option<RackPrefix>| {
            let mut own = own(at, Security::Unsigned);
            (own.role, own.rack) = (role, rack);
            own.az = Some(other.az());
            let session = Session::new(&own, [at; 32], now);
            let events = Vec::new();
            Neighbor {
                own,
                session,
                events,
            }
        };
        Ok(Self {
            now,
            fabric: Fabric::new(settings, now, [9; 32]),
            rack,
            own: prefix,
            neighbors: [
                neighbor(1, Role::Sled, Some(rack)),
                neighbor(2, Role::Switch, Some(other)),
                neighbor(3, Role::Spine, None),
            ],
            asked: Vec::new(),
            kernel: Vec::new(),
        })
    }

    fn link(&mut self, link: u32, up: bool) -> Result<(), Fault> {
        let [.., last] = link.to_be_bytes();
        self.tell(Input::Link(LinkState {
            link: LinkId(link),
            name: format!("link{link}"),
            mac: MacAddr::new([0xa8, 0x40, 0x25, 0x10, 1, last]),
            address: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 2, u16::from(last))),
            up,
            mtu: None,
        }))
    }

    /// An input, and what comes of it.
    fn tell(&mut self, input: Input) -> Result<(), Fault> {
        let mut out = Vec::new();
        self.fabric.handle(self.now, input, &mut out);
        for output in out {
            self.look(output)?;
        }
        Ok(())
    }

    fn look(&mut self, output: Output) -> Result<(), Fault> {
        match output {
            Output::Send { link, bytes, .. } => {
                let len = bytes.len();
                hold(len <= MAX_DATAGRAM, || format!("sent {len} octets"))?;
                let at = usize::try_from(link.0).unwrap_or_default();
                if let Some(neighbor) = at.checked_sub(1).and_then(|at| self.neighbors.get_mut(at))
                {
                    // What the fabric says may be of a session that is over; the neighbour's refusals are its own.
                    let events = &mut neighbor.events;
                    let session = &mut neighbor.session;
                    let _ = session.receive(self.now, &bytes, &neighbor.own, events);
                }
            }
            Output::Install(route) => {
                let prefix = route.prefix;
                let is_of_plan = matches!(prefix.prefix_len(), 48 | 56 | 64)
                    && (self.rack.az().net().contains(&prefix)
                        || BootstrapPrefix::of(prefix.addr()).is_ok()
                        || prefix.prefix_len() == 48);
                hold(is_of_plan, || format!("{prefix} is installed"))?;
                let is_own =
                    prefix == self.own.net() || prefix == self.rack.net() && !route.hops.is_empty();
                hold(!is_own, || format!("{prefix} is installed, and is its own"))?;
                let known = |link: LinkId| (1..=3).contains(&link.0);
                let leads = route
                    .hops
                    .iter()
                    .all(|hop| known(hop.link) && hop.weight > 0);
                hold(leads, || format!("{route:?} leads nowhere"))?;
                self.kernel.retain(|held| held.prefix != prefix);
                let (hops, source) = (route.hops, route.source);
                self.kernel.push(KernelRoute {
                    prefix,
                    hops,
                    source,
                });
                self.asked.push((prefix, true));
            }
            Output::Remove(prefix) => {
                self.kernel.retain(|held| held.prefix != prefix);
                self.asked.push((prefix, false));
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, source: &mut Source<'_>) -> Result<(), Fault> {
        let at = source.below(3);
        let link = u32::try_from(at + 1).unwrap_or(1);
        let from = address(link);
        match source.below(16) {
            0..=4 => self.exchange(source)?,
            5 | 6 => {
                for _ in 0..=source.below(12) {
                    let item = self.item(source, at)?;
                    self.neighbors[at].session.push(&item);
                }
            }
            7 => self.link(link, source.one_in(2))?,
            8 => self.tell(Input::Liveness {
                link: LinkId(link),
                peer: from,
                up: !source.one_in(3),
                reason: "drawn".to_owned(),
            })?,
            9 => self.tell(Input::Measured {
                link: LinkId(link),
                peer: from,
                measured: Measured {
                    rtt_ns: u32::from(source.word()) * 1000,
                    loss_ppm: u32::from(source.word()) * 16,
                },
            })?,
            10 | 11 => self.answer(source)?,
            12 => {
                let kernel = self.kernel.clone();
                let keep = source.below(kernel.len() + 1);
                self.tell(Input::Kernel(kernel.into_iter().take(keep).collect()))?;
            }
            13 => {
                let Item::Announce(said) = self.item(source, at)? else {
                    return Ok(());
                };
                self.tell(Input::Originate {
                    asker: Asker("drawn".to_owned()),
                    prefix: said.key.prefix,
                    scope: said.scope,
                    ready: source.one_in(2),
                })?;
            }
            14 => {
                let neighbor = &mut self.neighbors[at];
                neighbor.own.instance += 100;
                let seed = [source.octet(); 32];
                neighbor.session = Session::new(&neighbor.own, seed, self.now);
            }
            _ => {
                let len = source.below(100);
                let bytes = source.take(len).to_vec();
                let link = LinkId(link);
                self.tell(Input::Datagram { link, from, bytes })?;
            }
        }
        Ok(())
    }

    /// Time passes, and the neighbours say what they have to say.
    fn exchange(&mut self, source: &mut Source<'_>) -> Result<(), Fault> {
        for _ in 0..=source.below(4) {
            let span = Duration::from_micros(u64::from(source.word()) * 16);
            self.now.at = self.now.at.after(span);
            self.tell(Input::Tick)?;
            for (link, at) in (1..=3).zip(0..3) {
                let neighbor = &mut self.neighbors[at];
                let mut out = Vec::new();
                let events = &mut neighbor.events;
                neighbor
                    .session
                    .transmit(self.now, &neighbor.own, events, &mut out);
                for bytes in out {
                    let (link, from) = (LinkId(link), address(link));
                    self.tell(Input::Datagram { link, from, bytes })?;
                }
            }
        }
        Ok(())
    }

    /// The kernel answers what it was asked, or refuses.
    fn answer(&mut self, source: &mut Source<'_>) -> Result<(), Fault> {
        for (prefix, _) in std::mem::take(&mut self.asked) {
            let answer = if source.one_in(8) {
                FibAnswer::Refused(12, "no memory".to_owned())
            } else {
                FibAnswer::Done
            };
            self.tell(Input::Fib { prefix, answer })?;
        }
        Ok(())
    }

    /// What a neighbour says: of any prefix, from anybody, over any path.
    fn item(&self, source: &mut Source<'_>, at: usize) -> Result<Item, Fault> {
        let nodes =
            [1, 2, 3, 4, 0xfd].map(|last| NodeId(MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, last])));
        let me = self.neighbors[at].own.id;
        let prefix = prefix(source, self.rack)?;
        let mut path: Vec<NodeId> = Vec::new();
        for _ in 0..source.below(3) {
            path.push(source.pick(&nodes));
        }
        if !source.one_in(8) {
            path.push(me);
        }
        let origin = path.first().copied().unwrap_or(me);
        let origin = if source.one_in(8) {
            source.pick(&nodes)
        } else {
            origin
        };
        let key = RouteKey { prefix, origin };
        if source.one_in(5) {
            return Ok(Item::Withdraw(key));
        }
        if source.one_in(10) {
            return Ok(Item::EndOfRib);
        }
        let guess = match prefix.prefix_len() {
            48 => Scope::Site,
            56 => Scope::Summary,
            _ if BootstrapPrefix::of(prefix.addr()).is_ok() => Scope::Bootstrap,
            _ => source.pick(&[Scope::Rack, Scope::Service]),
        };
        let scope = if source.one_in(8) { Scope::Rack } else { guess };
        let has_members = (scope == Scope::Summary) != source.one_in(8);
        Ok(Item::Announce(Announcement {
            key,
            scope,
            path,
            cost: Cost(u32::from_be_bytes(source.octets())),
            members: has_members.then(|| Members([0; 4].map(|_: u64| u64::from(source.octet())))),
        }))
    }
}

fn prefix(source: &mut Source<'_>, rack: RackPrefix) -> Result<Ipv6Net, Fault> {
    let az = rack.az();
    let other = RackNumber::new(source.pick(&[2, 3])).map_err(|error| error.to_string())?;
    let other = RackPrefix::new(az, other);
    let sled = number(source.pick(&[1, 2, 3, 0xfd, 0xfe]))?;
    let last = source.pick(&[1, 2, 3, 0xfd]);
    let address = Ipv6Addr::from(source.octets::<16>());
    let [a, b, c, ..] = az.net().addr().segments();
    let service = Ipv6Addr::new(a, b, c, 0xff00 | u16::from(source.octet()), 0, 0, 0, 0);
    Ok(match source.below(9) {
        0 => Ipv6Net::default(),
        1 => NodePrefix::new(rack, sled).net(),
        2 => NodePrefix::new(other, sled).net(),
        3 => rack.net(),
        4 => other.net(),
        5 => az.net(),
        6 => BootstrapPrefix::new(MacAddr::new([0xa8, 0x40, 0x25, 0x10, 0, last])).net(),
        7 => Ipv6Net::new_assert(service, 64),
        _ => Ipv6Net::new_assert(address, source.octet() % 129).trunc(),
    })
}
