//! UDP over link-local IPv6 on one VLAN: tagged frames below, datagrams above.
//!
//! The network stack knows no 802.1Q, so each VLAN has an instance of its own, and tags are put on and taken off below
//! it (seed "KSZ8463 Configuration"). Gateway and service processor use it alike. It owns no clock and no socket:
//! [`Stack::receive`] takes frames, [`Stack::poll`] gives those to send, [`Stack::next_datagram`] what came.

mod device;
mod neighbour;

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;
use core::time::Duration;

use rackweave_types::{Instant, MacAddr, Vlan};
use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet,
};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, IpEndpoint};

use crate::address::link_local;
use crate::frame::Parsed;
use crate::sp::DATAGRAM_MAX;

use device::Device;
use neighbour::Neighbour;

/// All nodes of a link: where discovery goes (RFC 4291, 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Datagrams that wait to be taken at most; further ones are lost, as the network may lose them.
const RECEIVED_MAX: usize = 256;
/// Datagrams that wait to be sent at most.
const SEND_MAX: usize = 64;
/// Datagrams that the stack hands over at once.
const RECEIVE_AT_ONCE: usize = 2;
/// How long datagrams wait for a neighbour that does not say its address.
const PATIENCE: Duration = Duration::from_secs(3);

/// Neighbours that the stack was told of and need not be told of again, and for how long: its own memory is of eight,
/// for a minute.
const TOLD: usize = 4;
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// What a stack is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackConfig {
    /// Its address; the IPv6 address follows from it.
    pub mac: MacAddr,
    /// The VLAN of its frames.
    pub vlan: Vlan,
    /// The UDP port that it listens on and sends from.
    pub port: u16,
    /// Drawn for this start.
    pub seed: u64,
}

/// A datagram that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it: a link-local address.
    pub from: Ipv6Addr,
    /// From which port.
    pub from_port: u16,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Why a datagram was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSent {
    /// Too many wait already, such as for a neighbour's address.
    Full,
    /// It is longer than any, or its destination is none.
    Unsendable,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too many datagrams wait to be sent",
            Self::Unsendable => "the datagram is too long, or its destination is no address",
        })
    }
}

impl core::error::Error for NotSent {}

/// An end of one VLAN.
pub struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    device: Device,
    config: StackConfig,
    received: VecDeque<Datagram>,
    /// Neighbours that the stack knows, the latest last, until all are told again.
    told: VecDeque<Neighbour>,
    tell_again: Instant,
    /// Since when the datagram that is next waits for its neighbour.
    blocked: Option<Instant>,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Stack {
    /// An end on which nothing was said.
    #[must_use]
    pub fn new(config: StackConfig, now: Instant) -> Self {
        let mac = EthernetAddress(config.mac.octets());
        let mut settings = Config::new(HardwareAddress::Ethernet(mac));
        settings.random_seed = config.seed;
        let mut device = Device::new(config.vlan);
        let mut interface = Interface::new(settings, &mut device, stack_time(now));
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::new(IpAddress::Ipv6(link_local(config.mac)), 64);
            // A new interface has room for more than one.
            let _room = addresses.push(own);
        });
        let mut sockets = SocketSet::new(Vec::new());
        let socket = sockets.add(Socket::new(buffer(RECEIVE_AT_ONCE), buffer(SEND_MAX)));
        let mut stack = Self {
            interface,
            sockets,
            socket,
            device,
            config,
            received: VecDeque::new(),
            told: VecDeque::new(),
            tell_again: now.after(TELL_AGAIN),
            blocked: None,
        };
        stack.bind();
        stack
    }

    /// What it is for.
    #[must_use]
    pub const fn config(&self) -> &StackConfig {
        &self.config
    }

    /// Its link-local address.
    #[must_use]
    pub fn address(&self) -> Ipv6Addr {
        link_local(self.config.mac)
    }

    /// A frame as it lay on the wire. Whether it is of this VLAN: has its tag, and no other.
    pub fn receive(&mut self, frame: &[u8]) -> bool {
        let Ok(parsed) = Parsed::of(frame) else {
            return false;
        };
        let ours = parsed
            .tag
            .is_some_and(|tag| tag.vid == self.config.vlan.get());
        if !ours || parsed.is_nested() {
            return false;
        }
        let frame = parsed.without_tag();
        if let Some(neighbour) = Neighbour::of(&frame) {
            self.tell(neighbour);
        }
        self.device.push(frame);
        true
    }

    /// Tells the stack where a neighbour is.
    fn tell(&mut self, neighbour: Neighbour) {
        if self.told.contains(&neighbour) {
            return;
        }
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back(neighbour);
        let own = Neighbour {
            address: self.address(),
            mac: self.config.mac,
        };
        self.device.push(neighbour.advertisement(own));
    }

    /// Sends a datagram, as soon as the neighbour's address is known.
    ///
    /// # Errors
    /// [`NotSent`].
    pub fn send(&mut self, to: Ipv6Addr, port: u16, payload: &[u8]) -> Result<(), NotSent> {
        let to = IpEndpoint::new(IpAddress::Ipv6(to), port);
        let socket = self.sockets.get_mut::<Socket<'_>>(self.socket);
        if payload.len() > DATAGRAM_MAX {
            return Err(NotSent::Unsendable);
        }
        socket.send_slice(payload, to).map_err(|error| match error {
            smoltcp::socket::udp::SendError::BufferFull => NotSent::Full,
            smoltcp::socket::udp::SendError::Unaddressable => NotSent::Unsendable,
        })
    }

    /// Takes in what was received and gives, with their tags, the frames that are to be sent now.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let at = stack_time(now);
        self.interface.poll_maintenance(at);
        if now >= self.tell_again {
            self.tell_again = now.after(TELL_AGAIN);
            self.told.clear();
        }
        loop {
            let taken = self
                .interface
                .poll_ingress_single(at, &mut self.device, &mut self.sockets);
            if matches!(taken, PollIngressSingleResult::None) {
                break;
            }
            self.take();
        }
        while self
            .interface
            .poll_egress(at, &mut self.device, &mut self.sockets)
            != PollResult::None
        {}
        self.give_up_on_the_silent(now);
        out.append(&mut self.device.outgoing);
    }

    /// The next datagram that came.
    pub fn next_datagram(&mut self) -> Option<Datagram> {
        self.received.pop_front()
    }

    /// When to call [`Stack::poll`] next, if nothing comes before.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let at = self.interface.poll_at(stack_time(now), &self.sockets)?;
        Some(our_time(at).max(now))
    }

    fn take(&mut self) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.socket);
        while let Ok((payload, from)) = socket.recv() {
            let IpAddress::Ipv6(address) = from.endpoint.addr else {
                continue;
            };
            if address.is_unicast_link_local() && self.received.len() < RECEIVED_MAX {
                self.received.push_back(Datagram {
                    from: address,
                    from_port: from.endpoint.port,
                    payload: payload.to_vec(),
                });
            }
        }
    }

    /// One who never says its address must not hold up the others for ever.
    fn give_up_on_the_silent(&mut self, now: Instant) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.socket);
        if socket.send_queue() == 0 {
            self.blocked = None;
            return;
        }
        let since = *self.blocked.get_or_insert(now);
        if now.since(since) >= PATIENCE {
            self.blocked = None;
            socket.close();
            self.bind();
        }
    }

    fn bind(&mut self) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.socket);
        // Refused are port 0 and sockets that are bound: nobody asks for the one, and this is not the other.
        let _bound = socket.bind(self.config.port);
    }
}

fn buffer(datagrams: usize) -> PacketBuffer<'static> {
    PacketBuffer::new(
        vec![PacketMetadata::EMPTY; datagrams],
        vec![0; datagrams * DATAGRAM_MAX],
    )
}

fn stack_time(now: Instant) -> time::Instant {
    time::Instant::from_micros(i64::try_from(now.nanos() / 1000).unwrap_or(i64::MAX))
}

/// The stack's time as ours, at the end of its microsecond.
fn our_time(at: time::Instant) -> Instant {
    let micros = u64::try_from(at.total_micros()).unwrap_or_default();
    Instant::START.after(Duration::from_micros(micros.saturating_add(1)))
}

#[cfg(test)]
mod tests;
