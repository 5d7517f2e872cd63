//! Changes of frames that keep them valid, and a few that do not.

use rackweave_engine::Frame;
use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
use rackweave_wire::checksum::{finish, sum};

use crate::number::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP};
use crate::source::Source;

fn is_v4(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x08, 0x00])
}

fn is_v6(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x86, 0xdd])
}

/// Makes the checksum of an IPv4 header right.
fn finish_header(frame: &mut [u8]) {
    let len = 4 * usize::from(frame[14] & 0xf);
    frame[24..26].fill(0);
    let check = finish(sum(&frame[14..14 + len]));
    frame[24..26].copy_from_slice(&check.to_be_bytes());
}

/// The octets of a frame as hardware would send them: a partial checksum is finished.
pub(crate) fn finished(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.bytes().to_vec();
    if let Checksum::Partial { start, offset } = frame.offload.checksum {
        let start = usize::from(start);
        let at = start + usize::from(offset);
        if let Some(covered) = bytes.get(start..) {
            let check = finish(sum(covered));
            if let Some(field) = bytes.get_mut(at..at + 2) {
                field.copy_from_slice(&check.to_be_bytes());
            }
        }
    }
    bytes
}

/// Sets TTL or hop limit.
pub(super) fn set_hops(frame: &mut [u8], hops: u8) {
    if is_v4(frame) {
        frame[22] = hops;
        finish_header(frame);
    } else if is_v6(frame) {
        frame[21] = hops;
    }
}

/// Sets DSCP and ECN.
pub(super) fn set_tos(frame: &mut [u8], tos: u8) {
    if is_v4(frame) {
        frame[15] = tos;
        finish_header(frame);
    } else if is_v6(frame) {
        frame[14] = 0x60 | tos >> 4;
        frame[15] = tos << 4 | frame[15] & 0xf;
    }
}

/// Sets source and destination of the Ethernet header.
pub(super) fn set_macs(frame: &mut [u8], src: [u8; 6], dst: [u8; 6]) {
    frame[..6].copy_from_slice(&dst);
    frame[6..12].copy_from_slice(&src);
}

/// Adds an 802.1Q tag.
pub(super) fn add_tag(frame: &mut Vec<u8>, control: u16) {
    let [high, low] = control.to_be_bytes();
    frame.splice(12..12, [0x81, 0x00, high, low]);
}

fn add_to(frame: &mut [u8], at: usize, more: u16) {
    let len = u16::from_be_bytes([frame[at], frame[at + 1]]) + more;
    frame[at..at + 2].copy_from_slice(&len.to_be_bytes());
}

/// Adds an IPv4 option or an IPv6 extension header.
pub(super) fn add_options(frame: &mut Vec<u8>, source: &mut Source<'_>) {
    if is_v4(frame) {
        // Router alert (RFC 2113).
        frame.splice(34..34, [148, 4, 0, 0]);
        frame[14] += 1;
        add_to(frame, 16, 4);
        finish_header(frame);
    } else if is_v6(frame) {
        let kind = source.pick(&[HOP_BY_HOP, DESTINATION_OPTIONS]);
        let next = frame[20];
        frame.splice(54..54, [next, 0, 1, 4, 0, 0, 0, 0]);
        frame[20] = kind;
        add_to(frame, 18, 8);
    }
}

/// The fragments of a frame without options, with up to `len` (a multiple of 8) octets of the packet each.
pub(super) fn fragments(frame: &[u8], identification: u16, len: usize) -> Vec<Vec<u8>> {
    if is_v4(frame) {
        return crate::packet::fragments(frame, identification, len);
    }
    let (head, body) = frame.split_at(54);
    let count = body.len().div_ceil(len);
    let part = |(at, piece): (usize, &[u8])| {
        let place = u16::try_from(at * len).unwrap_or(0) | u16::from(at + 1 < count);
        let mut part = head.to_vec();
        part[20] = FRAGMENT;
        let total = u16::try_from(piece.len() + 8).unwrap_or(0);
        part[18..20].copy_from_slice(&total.to_be_bytes());
        part.extend([head[20], 0]);
        part.extend(place.to_be_bytes());
        part.extend([0, 0]);
        part.extend(identification.to_be_bytes());
        part.extend(piece);
        part
    };
    body.chunks(len).enumerate().map(part).collect()
}

/// Sometimes adds a Geneve option that nobody knows, critical or not.
pub(super) fn odd_option(options: &mut Vec<u8>, source: &mut Source<'_>) {
    if !source.one_in(12) {
        return;
    }
    let kind = source.pick(&[0x01, 0x7f, 0x80]);
    let class = source.pick(&[[0x01, 0x03], [0xff, 0x52]]);
    options.extend(class);
    options.extend([kind, 1, 1, 2, 3, 4]);
}

/// Offloads that may not fit their frame.
pub(super) fn any_offload(source: &mut Source<'_>) -> Offload {
    let partial = Checksum::Partial {
        start: source.word() % 128,
        offset: source.pick(&[16, 6, 2, u16::MAX]),
    };
    let segment = Segment {
        kind: source.pick(&[SegmentKind::Tcp, SegmentKind::Udp]),
        size: source.word(),
    };
    Offload {
        checksum: source.pick(&[Checksum::Complete, Checksum::Verified, partial]),
        segment: source.maybe(2, |_| segment),
    }
}
