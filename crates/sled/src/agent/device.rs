//! The link of a TCP stack of the agent's: IP packets in memory. Ethernet is put on and taken off outside, for there is
//! nobody to look for on the link: every frame is from and to the gateway.

use std::collections::VecDeque;
use std::time::Duration;

use rackweave_types::{Instant, reserved};
use smoltcp::iface::Interface;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time;

/// Packets that may wait in each direction: what a stack says at once to a full window is less.
const MAX_WAITING: usize = 256;

/// A link.
#[derive(Debug)]
pub(super) struct IpLink {
    mtu: u16,
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl IpLink {
    /// A link that carries packets of so many octets.
    pub(super) fn new(mtu: u16) -> Self {
        Self {
            mtu,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }

    /// Gives the stack a packet.
    pub(super) fn push(&mut self, packet: &[u8]) {
        if self.incoming.len() < MAX_WAITING {
            self.incoming.push_back(packet.to_vec());
        }
    }

    /// Takes a packet of the stack's.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }
}

impl phy::Device for IpLink {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: time::Instant) -> Option<(Received, Sender<'_>)> {
        if self.outgoing.len() >= MAX_WAITING {
            return None;
        }
        let packet = self.incoming.pop_front()?;
        Some((Received(packet), Sender(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: time::Instant) -> Option<Sender<'_>> {
        (self.outgoing.len() < MAX_WAITING).then_some(Sender(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu.into();
        capabilities
    }
}

/// A packet on its way into the stack.
#[derive(Debug)]
pub(super) struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

/// Room for a packet out of the stack.
#[derive(Debug)]
pub(super) struct Sender<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push_back(packet);
        result
    }
}

/// Our time as the stack's.
pub(super) fn stack_time(now: Instant) -> time::Instant {
    time::Instant::from_micros(i64::try_from(now.nanos() / 1000).unwrap_or(i64::MAX))
}

/// The stack's time as ours, at the end of its microsecond.
pub(super) fn our_time(at: time::Instant) -> Instant {
    let micros = u64::try_from(at.total_micros()).unwrap_or(0);
    Instant::START.after(Duration::from_micros(micros.saturating_add(1)))
}

/// Lets an interface send to everybody; where to is of no meaning on the link.
pub(super) fn open_routes(interface: &mut Interface) {
    let routes = interface.routes_mut();
    // The table has room for one route of each family.
    let _full = routes.add_default_ipv4_route(reserved::METADATA_V4);
    let _full = routes.add_default_ipv6_route(reserved::GATEWAY_V6);
}
