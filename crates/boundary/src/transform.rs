//! What becomes of a packet, octet by octet: the same as in `bpf/boundary.c`. Change the two together.

mod inbound;
mod outbound;
mod packet;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

use crate::event::Event;
use crate::settings::Settings;
use crate::table::{Key, Memory, Table, Value};

/// Octets of the headers of a tunnel, without options: IPv6, UDP, Geneve.
const OUTER: usize = 40 + 8 + 8;
/// Octets of an Ethernet header.
const ETHERNET: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Protocol type of an Ethernet frame (RFC 8926, section 3.4).
const BRIDGING: u16 = 0x6558;
/// The EXTERNAL option, whole.
const EXTERNAL: [u8; 4] = {
    let [high, low] = rackweave_types::reserved::GENEVE_OPTION_CLASS.to_be_bytes();
    [
        high,
        low,
        rackweave_types::reserved::GENEVE_OPTION_EXTERNAL,
        0,
    ]
};

/// Who finds what somebody holds.
pub trait Lookup {
    /// What a key has.
    fn find(&self, key: Key) -> Option<Value>;
}

impl<M: Memory> Lookup for Table<M> {
    fn find(&self, key: Key) -> Option<Value> {
        self.get(key)
    }
}

impl Lookup for std::collections::BTreeMap<Key, Value> {
    fn find(&self, key: Key) -> Option<Value> {
        self.get(&key).copied()
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is none of ours; the kernel has it, as it is. A reason where it is ours and the kernel shall answer it.
    Pass(Option<Event>),
    /// It goes on, transformed; with the octets of its IP packet.
    Forward(Event, u32),
    /// It is dropped.
    Drop(Event),
}

/// The transformation.
#[derive(Debug)]
pub struct Transform<'a, L> {
    /// What is fixed.
    pub settings: &'a Settings,
    /// The external addresses that are ours, held or not.
    pub pools: &'a [IpNet],
    /// Who holds what.
    pub held: &'a L,
}

impl<L: Lookup> Transform<'_, L> {
    /// Encapsulates a frame from the customer's network; `segment` is the segment size where it is a large one, or 0.
    pub fn inbound(&self, frame: &mut Vec<u8>, segment: u16) -> Verdict {
        inbound::inbound(self, frame, segment).unwrap_or_else(|verdict| verdict)
    }

    /// Decapsulates a frame from the fabric.
    pub fn outbound(&self, frame: &mut Vec<u8>, segment: u16) -> Verdict {
        outbound::outbound(self, frame, segment).unwrap_or_else(|verdict| verdict)
    }
}

/// Two octets as a number; none where there are not so many.
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}
