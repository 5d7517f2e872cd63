//! Fragments: the ports of a datagram, remembered from its first fragment for the others. Bounded.

use alloc::collections::VecDeque;
use core::time::Duration;

use hashbrown::HashMap;
use rackweave_types::Instant;

use crate::addr::Addr;
use crate::direction::Direction;
use crate::hash::FlowHasher;
use crate::parse::Parsed;

/// What names a datagram (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Datagram {
    pub(crate) direction: Direction,
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: u8,
    pub(crate) id: u32,
}

/// What its first fragment said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) icmp_type: u8,
    pub(crate) icmp_code: u8,
}

/// The datagrams whose later fragments are awaited, at most as many as the port's limit says; the oldest makes room.
#[derive(Debug)]
pub(crate) struct Fragments {
    ports: HashMap<Datagram, (Ports, Instant), FlowHasher>,
    order: VecDeque<(Datagram, Instant)>,
    limit: usize,
}

impl Fragments {
    pub(crate) fn new(limit: usize, hasher: FlowHasher) -> Self {
        Self {
            ports: HashMap::with_capacity_and_hasher(limit, hasher),
            order: VecDeque::with_capacity(limit),
            limit,
        }
    }

    /// Remembers the first fragment of a datagram until `timeout` from now.
    pub(crate) fn remember(
        &mut self,
        direction: Direction,
        parsed: &Parsed,
        now: Instant,
        timeout: Duration,
    ) {
        let Some(datagram) = Datagram::of(direction, parsed) else {
            return;
        };
        let ports = Ports {
            src_port: parsed.src_port,
            dst_port: parsed.dst_port,
            icmp_type: parsed.icmp_type,
            icmp_code: parsed.icmp_code,
        };
        self.put(datagram, ports, now.after(timeout));
    }

    /// Remembers what the first fragment of a datagram said until then; the oldest makes room.
    pub(crate) fn put(&mut self, datagram: Datagram, ports: Ports, until: Instant) {
        while self.order.len() >= self.limit {
            let Some((oldest, since)) = self.order.pop_front() else {
                return;
            };
            if self
                .ports
                .get(&oldest)
                .is_some_and(|(_, until)| *until == since)
            {
                self.ports.remove(&oldest);
            }
        }
        self.ports.insert(datagram, (ports, until));
        self.order.push_back((datagram, until));
    }

    /// What is remembered and until when, the oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Datagram, Ports, Instant)> {
        self.order.iter().filter_map(|(datagram, since)| {
            let (ports, until) = self.ports.get(datagram)?;
            (until == since).then_some((*datagram, *ports, *until))
        })
    }

    /// What the first fragment of this one's datagram said.
    pub(crate) fn recall(
        &self,
        direction: Direction,
        parsed: &Parsed,
        now: Instant,
    ) -> Option<Ports> {
        let (ports, until) = self.ports.get(&Datagram::of(direction, parsed)?)?;
        (now < *until).then_some(*ports)
    }
}

impl Datagram {
    fn of(direction: Direction, parsed: &Parsed) -> Option<Self> {
        let id = parsed.fragment?.id;
        Some(Self {
            direction,
            src: parsed.src,
            dst: parsed.dst,
            protocol: parsed.protocol,
            id,
        })
    }
}
