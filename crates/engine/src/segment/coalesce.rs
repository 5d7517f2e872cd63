//! Segments into large frames again.

use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;

use rackweave_types::reserved;

use super::CARRIER_LEN;
use super::held::{Datagram, Held, Joined, Key, set_carrier_len};
use crate::frame::{Checksum, Frame};
use crate::parse::{ETHERTYPE_IPV6, Parsed, protocol};

/// What a socket says of the datagrams that it gives: the headers that the kernel took off them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelEnds {
    /// Who sent them.
    pub src: Ipv6Addr,
    /// The address here that they were sent to.
    pub dst: Ipv6Addr,
    /// The sender's UDP port.
    pub src_port: u16,
    /// DSCP and ECN: the IPv6 traffic class.
    pub tos: u8,
}

impl TunnelEnds {
    /// The headers as they were, as far as it matters: lengths are filled in per frame; Ethernet addresses, flow label
    /// and UDP checksum are zero, the hop limit is 64.
    fn carrier(&self) -> [u8; CARRIER_LEN] {
        let mut carrier = [0; CARRIER_LEN];
        carrier[12..14].copy_from_slice(&ETHERTYPE_IPV6.to_be_bytes());
        carrier[14] = 0x60 | self.tos >> 4;
        carrier[15] = self.tos << 4;
        carrier[20] = protocol::UDP;
        carrier[21] = 64;
        carrier[22..38].copy_from_slice(&self.src.octets());
        carrier[38..54].copy_from_slice(&self.dst.octets());
        carrier[54..56].copy_from_slice(&self.src_port.to_be_bytes());
        carrier[56..58].copy_from_slice(&reserved::GENEVE_PORT.to_be_bytes());
        carrier
    }
}

/// Joins TCP segments that arrive one after the other into large frames, as GRO does.
///
/// What is joined: segments of one connection that follow each other, came the same way (outer addresses, port,
/// traffic class; VNI and options) and have the same headers: TTL, ToS, DF, acknowledgement, window, TCP options; with
/// no flags but ACK and PSH, all of one size but the last, IPv4 identifications that count or, with DF, stand still,
/// and the right checksums. All else passes as it came. The order within a connection is kept.
///
/// Frames are given to a function as they become complete. It may swap what it is given for another frame, which is
/// used again; one that holds 64 KiB spares an allocation. [`flush`](Self::flush) ends a batch: nothing waits for
/// longer.
pub struct Coalescer {
    slots: Vec<Slot>,
    /// The slot of the segment before.
    last: usize,
    /// The slot that is emptied next where all are taken.
    victim: usize,
    /// A frame for what passes as it came.
    plain: Frame,
}

/// Room for one connection.
struct Slot {
    held: Option<Held>,
    frame: Frame,
}

/// Takes frames: see [`Coalescer`].
type Sink<'s> = &'s mut dyn FnMut(&mut Frame);

impl Default for Coalescer {
    fn default() -> Self {
        Self::new()
    }
}

impl Coalescer {
    /// Connections of which segments wait for more at once; where another comes, one of them waits no longer.
    pub const FLOWS: usize = 16;

    /// Nothing waits; buffers are made when they are first used.
    #[must_use]
    pub fn new() -> Self {
        let slot = || Slot {
            held: None,
            frame: Frame::with_capacity(0),
        };
        Self {
            slots: (0..Self::FLOWS).map(|_| slot()).collect(),
            last: 0,
            victim: 0,
            plain: Frame::with_capacity(0),
        }
    }

    /// Takes what one call received from a socket on the tunnel's port: datagrams of `size` octets one after the other
    /// (`UDP_GRO`), the last one may be shorter; `size` 0 is one datagram.
    pub fn receive(
        &mut self,
        ends: &TunnelEnds,
        datagrams: &[u8],
        size: usize,
        sink: &mut dyn FnMut(&mut Frame),
    ) {
        let carrier = ends.carrier();
        let size = if size == 0 { datagrams.len() } else { size };
        if datagrams.is_empty() {
            self.pass(&carrier, datagrams, sink);
            return;
        }
        for bytes in datagrams.chunks(size) {
            let datagram = Datagram {
                carrier: &carrier,
                bytes,
            };
            if !self.take(datagram, sink) {
                self.pass(&carrier, bytes, sink);
            }
        }
    }

    /// Takes a frame from the wire, from its outer Ethernet header on; one that is not joined is passed on uncopied.
    pub fn frame(&mut self, frame: &mut Frame, sink: &mut dyn FnMut(&mut Frame)) {
        let partial = matches!(frame.offload.checksum, Checksum::Partial { .. });
        if partial || frame.offload.segment.is_some() {
            self.flush(sink);
            sink(frame);
            return;
        }
        let taken = match frame.bytes().split_first_chunk() {
            Some((carrier, bytes)) => self.take(Datagram { carrier, bytes }, sink),
            None => false,
        };
        if !taken {
            sink(frame);
        }
    }

    /// Gives everything that waits.
    pub fn flush(&mut self, sink: &mut dyn FnMut(&mut Frame)) {
        for slot in &mut self.slots {
            slot.flush(sink);
        }
    }

    /// Joins or keeps a segment; `false` where it is to be passed on, after what of its connection came before.
    fn take(&mut self, datagram: Datagram<'_>, sink: Sink<'_>) -> bool {
        if let Some(slot) = self.slots.get_mut(self.last)
            && slot.join(datagram, sink)
        {
            return true;
        }
        self.take_other(datagram, sink)
    }

    /// As [`take`](Self::take), for one that does not go on where the one before ended.
    fn take_other(&mut self, datagram: Datagram<'_>, sink: Sink<'_>) -> bool {
        let Some(outer) = datagram.outer() else {
            return false;
        };
        let inner = usize::from(outer.len) - CARRIER_LEN;
        let Some(Ok(parsed)) = datagram.bytes.get(inner..).map(Parsed::parse) else {
            return false;
        };
        if parsed.fragment.is_some() {
            // Whatever connection it is part of.
            self.flush(sink);
            return false;
        }
        let Some(key) = Key::of(outer.vni, &parsed) else {
            return false;
        };
        let is_its = |slot: &Slot| slot.held.as_ref().is_some_and(|held| held.key == key);
        let found = self.slots.iter().position(is_its);
        if let Some(place) = found
            && let Some(slot) = self.slots.get_mut(place)
        {
            self.last = place;
            if slot.join(datagram, sink) {
                return true;
            }
            slot.flush(sink);
        }
        if outer.mss.is_some() {
            // The packet may never have been cut, and its checksum be unfinished.
            return false;
        }
        let place = found.unwrap_or_else(|| self.free_place());
        let Some(slot) = self.slots.get_mut(place) else {
            return false;
        };
        slot.flush(sink);
        slot.held = Held::begin(&mut slot.frame, datagram, inner, &parsed, key);
        self.last = place;
        let kept = slot.held.is_some();
        if kept && Held::is_pushed(&parsed) {
            slot.flush(sink);
        }
        kept
    }

    /// A slot that is free, or whose turn it is to be emptied.
    fn free_place(&mut self) -> usize {
        let free = self.slots.iter().position(|slot| slot.held.is_none());
        free.unwrap_or_else(|| {
            self.victim = (self.victim + 1) % Self::FLOWS;
            self.victim
        })
    }

    /// Passes on a datagram as it came.
    fn pass(&mut self, carrier: &[u8; CARRIER_LEN], bytes: &[u8], sink: Sink<'_>) {
        let room = self.plain.resize_for_overwrite(CARRIER_LEN + bytes.len());
        let (front, back) = room.split_at_mut(CARRIER_LEN);
        front.copy_from_slice(carrier);
        back.copy_from_slice(bytes);
        set_carrier_len(room, bytes.len());
        sink(&mut self.plain);
    }
}

impl Slot {
    /// Adds a segment to what waits here, where it goes on there.
    #[inline]
    fn join(&mut self, datagram: Datagram<'_>, sink: Sink<'_>) -> bool {
        let Some(held) = &mut self.held else {
            return false;
        };
        match held.join(&mut self.frame, datagram) {
            Joined::No => return false,
            Joined::Yes => {}
            Joined::Last => self.flush(sink),
        }
        true
    }

    fn flush(&mut self, sink: Sink<'_>) {
        if let Some(held) = self.held.take() {
            held.finish(&mut self.frame);
            sink(&mut self.frame);
        }
    }
}

impl fmt::Debug for Coalescer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.slots.iter().filter(|slot| slot.held.is_some()).count();
        f.debug_struct("Coalescer")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
