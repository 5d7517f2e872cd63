//! One large frame into segments.

use core::fmt;

use rackweave_wire::checksum::{self, combine};

use super::head::{Head, Inner};
use super::{CARRIER_LEN, CWR, CutError, FIN, PSH};
use super::{get16, get32, len16, pseudo_header, put16, put32};
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::frame::{Frame, SegmentKind};
use crate::parse::Parsed;

/// A frame that is being cut: TCP segments of one sequence (TSO), or UDP datagrams (USO).
///
/// Headers are summed once, payloads once each, and nothing is allocated. Each segment is complete: lengths, sequence
/// numbers, IPv4 identifications (one more each), FIN and PSH on the last alone, CWR on the first alone (RFC 3168,
/// section 6.1.2), checksums.
pub struct Cut<'f> {
    /// Headers of each segment; lengths, numbers and checksums differ.
    head: Head,
    payload: &'f [u8],
    /// Octets of payload in each segment but the last.
    size: u16,
    count: u16,
    /// Segments written.
    next: u16,
    /// Where the network header begins.
    l3: usize,
    /// Where the upper-layer header begins.
    l4: usize,
    /// The IPv4 header's identification and its sum without what differs.
    ipv4: Option<(u16, u16)>,
    /// Sequence number and flags.
    tcp: Option<(u32, u8)>,
    /// The sum of pseudo header and upper-layer header without what differs.
    upper_sum: u16,
}

impl<'f> Cut<'f> {
    /// The most segments that a frame is cut into: more than 64 KiB of the smallest segments that Linux sends (48
    /// octets), and few enough that no guest makes a worker send for long.
    pub const MAX_SEGMENTS: usize = 2_048;

    /// Begins to cut a frame that the engine forwarded: out, into what datagrams carry (Geneve and the inner frame;
    /// Ethernet, IPv6 and UDP are the socket's); in, into whole frames for the guest.
    ///
    /// # Errors
    /// Where it is not to be cut or cannot be.
    pub fn new(direction: Direction, frame: &'f Frame) -> Result<Self, CutError> {
        let segment = frame.offload.segment.ok_or(CutError::Unsegmented)?;
        let Inner { at, parsed, .. } = Inner::read(direction, frame)?;
        let (outer, bytes) = frame.bytes().split_at_checked(at).unwrap_or_default();
        let (l3, l4) = (usize::from(parsed.l3), usize::from(parsed.l4));
        let upper_len = match segment.kind {
            SegmentKind::Tcp => usize::from(bytes.get(l4 + 12).copied().unwrap_or(0) >> 4) * 4,
            SegmentKind::Udp => 8,
        };
        let end = usize::try_from(parsed.end).unwrap_or(usize::MAX);
        let (headers, payload) = bytes
            .get(..end)
            .and_then(|packet| packet.split_at_checked(l4 + upper_len))
            .ok_or(DropReason::Truncated)?;
        let segments = payload.len().div_ceil(usize::from(segment.size)).max(1);
        let count = u16::try_from(segments)
            .ok()
            .filter(|_| segments <= Self::MAX_SEGMENTS)
            .ok_or(CutError::TooMany(segments))?;
        let mut head = Head::new();
        if let Some(geneve) = outer.get(CARRIER_LEN..) {
            head.push_geneve(geneve)?;
        }
        let inner_at = head.bytes().len();
        head.push(headers)?;
        let mut cut = Self {
            head,
            payload,
            size: segment.size,
            count,
            next: 0,
            l3: inner_at + l3,
            l4: inner_at + l4,
            ipv4: None,
            tcp: None,
            upper_sum: 0,
        };
        cut.sum_headers(&parsed, segment.kind);
        Ok(cut)
    }

    /// Takes what differs from segment to segment out of the headers, and sums the rest.
    fn sum_headers(&mut self, parsed: &Parsed, kind: SegmentKind) {
        let (l3, l4) = (self.l3, self.l4);
        let head = self.head.bytes_mut();
        put16(head, l3 + if parsed.is_v4() { 2 } else { 4 }, 0);
        if parsed.is_v4() {
            let id = get16(head, l3 + 4);
            put16(head, l3 + 4, 0);
            put16(head, l3 + 10, 0);
            let sum = checksum::sum(head.get(l3..l4).unwrap_or_default());
            self.ipv4 = Some((id, sum));
        }
        match kind {
            SegmentKind::Tcp => {
                let sequence = get32(head, l4 + 4);
                let flags = parsed.tcp_flags;
                put32(head, l4 + 4, 0);
                put16(head, l4 + 16, 0);
                if let Some(place) = head.get_mut(l4 + 13) {
                    *place = 0;
                }
                self.tcp = Some((sequence, flags));
            }
            SegmentKind::Udp => put32(head, l4 + 4, 0),
        }
        let upper = checksum::sum(head.get(l4..).unwrap_or_default());
        self.upper_sum = combine(pseudo_header(parsed), upper);
    }

    /// How many segments there are.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Octets of each segment as it is written; the last one may be shorter.
    #[must_use]
    pub fn segment_len(&self) -> usize {
        self.head.bytes().len() + usize::from(self.size).min(self.payload.len())
    }

    /// Octets of all segments as they are written.
    #[must_use]
    pub fn total_len(&self) -> usize {
        self.head.bytes().len() * usize::from(self.count) + self.payload.len()
    }

    /// How many octets [`write`](Self::write) would write into so much room: for a buffer that is to be of just that
    /// length.
    #[must_use]
    pub fn next_len(&self, room: usize, most: u16) -> usize {
        let each = self.segment_len();
        let (left, most) = (usize::from(self.count - self.next), usize::from(most));
        let before = usize::from(self.next) * usize::from(self.size);
        let all = self.head.bytes().len() * left + self.payload.len().saturating_sub(before);
        if left <= most && all <= room {
            return all;
        }
        // The last one is not among them, or alone has no room.
        each * most.min(room / each).min(left.saturating_sub(1))
    }

    /// Writes the next segments one after the other, as many as the buffer takes and at most `most`, and returns how
    /// many octets they have: 0 after the last one, or where there is no room for one. All are
    /// [`segment_len`](Self::segment_len) octets long, the last one at most.
    pub fn write(&mut self, buffer: &mut [u8], most: u16) -> usize {
        let (each, mut at) = (self.segment_len(), 0);
        for _ in 0..most.min(self.count - self.next) {
            let size = usize::from(self.size);
            let start = usize::from(self.next) * size;
            let end = self.payload.len().min(start + size);
            let payload = self.payload.get(start..end).unwrap_or_default();
            let len = each.min(self.head.bytes().len() + payload.len());
            let Some(room) = buffer.get_mut(at..at + len) else {
                break;
            };
            self.write_one(room, payload);
            self.next += 1;
            at += len;
        }
        at
    }

    /// Writes the next segment, with this payload, where it fits exactly.
    fn write_one(&self, room: &mut [u8], payload: &[u8]) {
        let head = self.head.bytes();
        let (first, last) = (self.next == 0, self.next + 1 == self.count);
        let (front, back) = room.split_at_mut(head.len());
        front.copy_from_slice(head);
        back.copy_from_slice(payload);
        let total = len16(front.len() - self.l3 + payload.len());
        if let Some((id, sum)) = self.ipv4 {
            let id = id.wrapping_add(self.next);
            put16(front, self.l3 + 2, total);
            put16(front, self.l3 + 4, id);
            let check = checksum::finish(combine(sum, combine(total, id)));
            put16(front, self.l3 + 10, check);
        } else {
            put16(front, self.l3 + 4, total - 40);
        }
        let len = len16(front.len() - self.l4 + payload.len());
        let sum = combine(combine(self.upper_sum, len), checksum::sum(payload));
        let Some((sequence, flags)) = self.tcp else {
            put16(front, self.l4 + 4, len);
            let check = checksum::finish_udp(combine(sum, len));
            put16(front, self.l4 + 6, check);
            return;
        };
        let sequence = sequence.wrapping_add(u32::from(self.next) * u32::from(self.size));
        let flags = match (first, last) {
            (true, true) => flags,
            (true, false) => flags & !(FIN | PSH),
            (false, true) => flags & !CWR,
            (false, false) => flags & !(CWR | FIN | PSH),
        };
        put32(front, self.l4 + 4, sequence);
        if let Some(place) = front.get_mut(self.l4 + 13) {
            *place = flags;
        }
        let [a, b, c, d] = sequence.to_be_bytes();
        let numbers = combine(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let check = checksum::finish(combine(combine(sum, numbers), u16::from(flags)));
        put16(front, self.l4 + 16, check);
    }
}

impl fmt::Debug for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cut")
            .field("count", &self.count)
            .field("next", &self.next)
            .field("segment_len", &self.segment_len())
            .finish_non_exhaustive()
    }
}
