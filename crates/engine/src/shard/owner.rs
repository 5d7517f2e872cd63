//! Which shard a packet belongs to (design, contract "Workers").
//!
//! The port number of a reply through source translation names its shard. Everything else goes by a keyed hash of the
//! guest's 5-tuple that leaves the guest's own address out: 1:1 translation changes that address and nothing else, so
//! both directions of a connection meet without asking what the program translates.

use super::packet::Packet;
use super::{HandOver, Shard};
use crate::addr::Addr;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::FlowKey;
use crate::frame::Frame;

impl Shard {
    /// The shard that a frame is for, so that a worker can give it to the right one at once. Fragments are for the
    /// shard that remembers their datagram, which hands them over.
    ///
    /// # Errors
    /// The reason for which any shard would drop the frame.
    pub fn owner(&self, direction: Direction, frame: &Frame) -> Result<u16, DropReason> {
        let packet = Packet::of(direction, frame, self.program.underlay().guest_mtu)?;
        Ok(if packet.parsed.fragment.is_some() {
            self.fragment_home(&packet)
        } else {
            self.owner_of(&packet, frame)
        })
    }

    /// The shard of a packet whose ports are known.
    pub(super) fn owner_of(&self, packet: &Packet, frame: &Frame) -> u16 {
        if self.id.count() == 1 || !packet.parsed.is_ip() {
            return 0;
        }
        if packet.parsed.icmp_error {
            return packet.embedded(frame).map_or(0, |embedded| {
                self.owner_of_key(&embedded.key(packet.direction))
            });
        }
        self.owner_of_key(&packet.key())
    }

    /// The shard of a connection, by its key of either direction.
    pub(super) fn owner_of_key(&self, key: &FlowKey) -> u16 {
        if let Some(home) = self.strays.as_ref().and_then(|strays| strays.get(key)) {
            return *home;
        }
        if key.direction == Direction::In {
            let named = self.program.pools().iter().find_map(|pool| {
                let ours = Addr::from(pool.address) == key.local;
                if ours {
                    self.id.of_port(pool, key.local_port)
                } else {
                    None
                }
            });
            if let Some(shard) = named {
                return shard;
            }
        }
        let ports = key.remote_port.rotate_left(5) ^ key.local_port;
        self.id
            .of_hash(self.hasher.end(key.remote, ports, key.protocol))
    }

    /// The shard that remembers a datagram's ports for its later fragments.
    pub(super) fn fragment_home(&self, packet: &Packet) -> u16 {
        if self.id.count() == 1 {
            return 0;
        }
        self.datagram_home(packet.key().remote, packet.parsed.protocol)
    }

    /// The shard that remembers the ports of datagrams with this remote end.
    pub(super) fn datagram_home(&self, remote: Addr, protocol: u8) -> u16 {
        self.id.of_hash(self.hasher.end(remote, 0, protocol))
    }

    /// Where the packet belongs to another shard: the hand-over.
    pub(super) fn elsewhere(&self, packet: &Packet, frame: &Frame) -> Option<HandOver> {
        let owner = self.owner_of(packet, frame);
        let parsed = &packet.parsed;
        let fragment = parsed.fragment.map(|_| crate::fragment::Ports {
            src_port: parsed.src_port,
            dst_port: parsed.dst_port,
            icmp_type: parsed.icmp_type,
            icmp_code: parsed.icmp_code,
        });
        (owner != self.id.index()).then_some(HandOver {
            shard: owner,
            fragment,
        })
    }
}
