//! A packet that waits for more of its sequence, as far as it has come.

use rackweave_types::Vni;
use rackweave_wire::checksum::{self, combine};

use super::{ACK, CARRIER_LEN, DATAGRAM_MAX, PSH};
use super::{get16, get32, len16, pseudo_header, put16};
use crate::addr::Addr;
use crate::frame::{Checksum, Frame, Segment, SegmentKind};
use crate::parse::outer::OUTER_LEN;
use crate::parse::{Outer, Parsed, protocol};

/// A datagram with what a socket took off it.
#[derive(Clone, Copy)]
pub(super) struct Datagram<'b> {
    /// Ethernet, IPv6 and UDP.
    pub(super) carrier: &'b [u8; CARRIER_LEN],
    /// Geneve and the inner frame.
    pub(super) bytes: &'b [u8],
}

impl Datagram<'_> {
    /// What the headers around the inner frame say; `None` where the engine drops it for them.
    pub(super) fn outer(&self) -> Option<Outer> {
        let (geneve, options) = self.bytes.split_at_checked(OUTER_LEN - CARRIER_LEN)?;
        let mut head = [0; OUTER_LEN];
        head[..CARRIER_LEN].copy_from_slice(self.carrier);
        head[CARRIER_LEN..].copy_from_slice(geneve);
        let mut outer = Outer::NOTHING;
        outer.read_split(&head, options).ok()?;
        Some(outer)
    }
}

/// The connection that a segment belongs to: its network, addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    vni: Vni,
    ports: u32,
    src: Addr,
    dst: Addr,
}

/// What has been joined so far; the octets stand in a frame that goes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) key: Key,
    /// Places in the datagram: network header, TCP header, payload, end.
    l3: usize,
    l4: usize,
    payload: usize,
    end: usize,
    v4: bool,
    /// Octets of payload of the first segment.
    size: u16,
    count: u16,
    next_sequence: u32,
    /// IPv4: the last identification, and by how much it grows; unknown before the second segment.
    id: u16,
    id_step: Option<u16>,
    /// The sum of the pseudo header without the length.
    pseudo: u16,
}

/// What has become of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It does not go on where the packet ends.
    No,
    /// It is part of the packet now.
    Yes,
    /// It is, and nothing can follow.
    Last,
}

impl Held {
    /// Begins a packet with a TCP segment whose inner frame begins at `inner`; `None` where nothing may be joined to
    /// it: flags beyond ACK and PSH, no payload, IP options, a wrong checksum.
    pub(super) fn begin(
        frame: &mut Frame,
        datagram: Datagram<'_>,
        inner: usize,
        parsed: &Parsed,
        key: Key,
    ) -> Option<Self> {
        let Datagram { carrier, bytes } = datagram;
        let (l3, l4) = (
            inner + usize::from(parsed.l3),
            inner + usize::from(parsed.l4),
        );
        let ip_len = if parsed.is_v4() { 20 } else { 40 };
        let payload = l4 + usize::from(bytes.get(l4 + 12)? >> 4) * 4;
        let size = u16::try_from(bytes.len().checked_sub(payload)?).ok()?;
        let whole = inner + usize::try_from(parsed.end).ok()? == bytes.len();
        if parsed.tagged || l4 - l3 != ip_len || size == 0 || !whole || bytes.len() > DATAGRAM_MAX {
            return None;
        }
        if parsed.tcp_flags & !PSH != ACK {
            return None;
        }
        let held = Self {
            key,
            l3,
            l4,
            payload,
            end: bytes.len(),
            v4: parsed.is_v4(),
            size,
            count: 1,
            next_sequence: get32(bytes, l4 + 4).wrapping_add(u32::from(size)),
            id: get16(bytes, l3 + 4),
            id_step: None,
            pseudo: pseudo_header(parsed),
        };
        if !held.is_valid(bytes) {
            return None;
        }
        let room = frame.resize_for_overwrite(CARRIER_LEN + DATAGRAM_MAX);
        let (front, back) = room.split_at_mut_checked(CARRIER_LEN)?;
        front.copy_from_slice(carrier);
        back.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(held)
    }

    /// Whether nothing can follow the first segment: its sender wants it delivered.
    pub(super) const fn is_pushed(parsed: &Parsed) -> bool {
        parsed.tcp_flags & PSH != 0
    }

    /// Whether the checksums of a segment with these headers are right.
    fn is_valid(&self, bytes: &[u8]) -> bool {
        let upper = bytes.get(self.l4..).unwrap_or_default();
        let header = bytes.get(self.l3..self.l4).unwrap_or_default();
        let sum = combine(
            combine(self.pseudo, len16(upper.len())),
            checksum::sum(upper),
        );
        sum == 0xffff && (!self.v4 || checksum::sum(header) == 0xffff)
    }

    /// Adds a segment that goes on where the packet ends; one that does not leaves the packet as it is.
    #[inline]
    pub(super) fn join(&mut self, frame: &mut Frame, datagram: Datagram<'_>) -> Joined {
        let bytes = datagram.bytes;
        let Some(len) = bytes.len().checked_sub(self.payload) else {
            return Joined::No;
        };
        let end = self.end + len;
        let id = get16(bytes, self.l3 + 4);
        let fits = len > 0 && len <= usize::from(self.size) && end <= DATAGRAM_MAX;
        let follows = get32(bytes, self.l4 + 4) == self.next_sequence;
        if !fits || !follows || !self.is_alike(frame.bytes(), datagram) {
            return Joined::No;
        }
        let Some(step) = self.step(id, bytes) else {
            return Joined::No;
        };
        if !self.is_valid(bytes) {
            return Joined::No;
        }
        let room = frame
            .bytes_mut()
            .get_mut(CARRIER_LEN + self.end..CARRIER_LEN + end);
        let (Some(room), Some(payload)) = (room, bytes.get(self.payload..)) else {
            return Joined::No;
        };
        room.copy_from_slice(payload);
        let len = len16(len);
        self.end = end;
        self.count += 1;
        self.next_sequence = self.next_sequence.wrapping_add(u32::from(len));
        (self.id, self.id_step) = (id, Some(step));
        let pushed = bytes.get(self.l4 + 13).copied().unwrap_or(0) & PSH;
        if let Some(flags) = frame.bytes_mut().get_mut(CARRIER_LEN + self.l4 + 13) {
            *flags |= pushed;
        }
        if pushed != 0 || len < self.size || end == DATAGRAM_MAX {
            Joined::Last
        } else {
            Joined::Yes
        }
    }

    /// By how much the IPv4 identification grows, where this one goes on: by one each, or not at all, which only a
    /// packet that is never fragmented may do (RFC 6864, section 4.1).
    fn step(&self, id: u16, bytes: &[u8]) -> Option<u16> {
        if !self.v4 {
            return Some(0);
        }
        let step = id.wrapping_sub(self.id);
        let atomic = bytes
            .get(self.l3 + 6)
            .is_some_and(|octet| octet & 0x40 != 0);
        let known = self.id_step.is_none_or(|before| before == step);
        (known && (step == 1 || (step == 0 && atomic))).then_some(step)
    }

    /// Whether a segment's headers are those of the packet but for what differs from segment to segment: lengths,
    /// identification, sequence number, PSH, checksums. The lengths are those of the segment then.
    fn is_alike(&self, frame: &[u8], datagram: Datagram<'_>) -> bool {
        let Datagram { carrier, bytes } = datagram;
        let Some((there_carrier, there)) = frame.split_first_chunk::<CARRIER_LEN>() else {
            return false;
        };
        if !same_carrier(there_carrier, carrier) {
            return false;
        }
        let (l3, l4, payload) = (self.l3, self.l4, self.payload);
        let (Some(there), Some(here)) = (there.get(..payload), bytes.get(..payload)) else {
            return false;
        };
        let ip_len = len16(bytes.len() - l3);
        let network = if self.v4 {
            let (Some(there), Some(here)) = (chunk::<20>(there, l3), chunk::<20>(here, l3)) else {
                return false;
            };
            get16(here, 2) == ip_len
                && there[..2] == here[..2]
                && there[6..10] == here[6..10]
                && there[12..] == here[12..]
        } else {
            let (Some(there), Some(here)) = (chunk::<40>(there, l3), chunk::<40>(here, l3)) else {
                return false;
            };
            get16(here, 4).checked_add(40) == Some(ip_len)
                && there[..4] == here[..4]
                && there[6..] == here[6..]
        };
        let (Some(there_tcp), Some(here_tcp)) = (chunk::<20>(there, l4), chunk::<20>(here, l4))
        else {
            return false;
        };
        network
            && there_tcp[..4] == here_tcp[..4]
            && there_tcp[8..13] == here_tcp[8..13]
            && there_tcp[13] | PSH == here_tcp[13] | PSH
            && there_tcp[14..16] == here_tcp[14..16]
            && there_tcp[18..] == here_tcp[18..]
            && there.get(l4 + 20..) == here.get(l4 + 20..)
            && there.get(..l3) == here.get(..l3)
    }

    /// Makes the frame complete: one packet as it came, or a large one that is still to be cut and summed.
    pub(super) fn finish(&self, frame: &mut Frame) {
        let upper_len = len16(self.end - self.l4);
        let checksum_at = CARRIER_LEN + self.l4 + 16;
        frame.truncate(CARRIER_LEN + self.end);
        let bytes = frame.bytes_mut();
        set_carrier_len(bytes, self.end);
        if self.count == 1 {
            frame.offload.checksum = Checksum::Verified;
            return;
        }
        let l3 = CARRIER_LEN + self.l3;
        if self.v4 {
            put16(bytes, l3 + 2, len16(self.end - self.l3));
            put16(bytes, l3 + 10, 0);
            let header = bytes.get(l3..l3 + 20).unwrap_or_default();
            let check = checksum::finish(checksum::sum(header));
            put16(bytes, l3 + 10, check);
        } else {
            put16(bytes, l3 + 4, len16(self.end - self.l3 - 40));
        }
        put16(bytes, checksum_at, combine(self.pseudo, upper_len));
        frame.offload.checksum = Checksum::Partial {
            start: len16(CARRIER_LEN + self.l4),
            offset: 16,
        };
        frame.offload.segment = Some(Segment {
            kind: SegmentKind::Tcp,
            size: self.size,
        });
    }
}

impl Key {
    /// The connection of a TCP segment.
    pub(super) fn of(vni: Vni, parsed: &Parsed) -> Option<Self> {
        (parsed.is_ip() && parsed.protocol == protocol::TCP).then_some(Self {
            vni,
            ports: u32::from(parsed.src_port) << 16 | u32::from(parsed.dst_port),
            src: parsed.src,
            dst: parsed.dst,
        })
    }
}

/// Octets at an offset as an array, which is compared without a loop.
#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// Whether two packets came the same way: all of Ethernet, IPv6 and UDP but lengths and checksum.
#[inline(always)]
fn same_carrier(there: &[u8; CARRIER_LEN], here: &[u8; CARRIER_LEN]) -> bool {
    there[..18] == here[..18] && there[20..58] == here[20..58]
}

/// Writes the lengths of IPv6 and UDP for a datagram of so many octets, and leaves its checksum out (RFC 6935).
pub(super) fn set_carrier_len(bytes: &mut [u8], datagram: usize) {
    let len = len16(datagram + 8);
    put16(bytes, 18, len);
    put16(bytes, 58, len);
    put16(bytes, 60, 0);
}
