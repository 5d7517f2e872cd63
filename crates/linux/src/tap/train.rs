//! Joining small packets into one segmented send.
//!
//! A guest that sends many small packets in a row pays for one crossing of the kernel, not for each: datagrams of one
//! flow and one size become one frame that is to be cut into UDP datagrams again (`VIRTIO_NET_HDR_GSO_UDP_L4`), by the
//! NIC, or by the program at the other end of a host's internal link.

use std::num::NonZeroU16;

use rackweave_wire::checksum::{finish_udp, pseudo_header_v6, sum};
use rackweave_wire::virtio_net::{Checksum, Gso, GsoKind, NetHeader};

/// Where the IPv6 header begins, where the UDP header, and where its payload.
const IP: usize = 14;
const UDP: usize = IP + 40;
const PAYLOAD: usize = UDP + 8;
/// Datagrams in one train: what the kernel cuts at once (`UDP_MAX_SEGMENTS` before it was raised to 128).
const COUNT_MAX: usize = 64;
/// The longest IPv6 payload.
const IP_PAYLOAD_MAX: usize = 65_535;

/// Frames of one flow that wait to be sent together.
#[derive(Debug, Default)]
pub(super) struct Train {
    /// The first frame, and behind it the UDP payloads of the others.
    frame: Vec<u8>,
    /// The header of the first frame.
    header: NetHeader,
    /// Octets of each UDP payload but the last.
    size: usize,
    count: usize,
    /// The last one is shorter: nothing can follow.
    closed: bool,
}

impl Train {
    /// How many frames wait.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Puts a frame behind those that wait. Whether it could.
    pub(super) fn join(&mut self, header: &NetHeader, frame: &[u8]) -> bool {
        let payload = frame.get(PAYLOAD..).unwrap_or_default();
        let takes = !self.closed
            && (1..COUNT_MAX).contains(&self.count)
            && is_plain_udp(header, frame)
            && payload.len() <= self.size
            && self.frame.len() - UDP + payload.len() <= IP_PAYLOAD_MAX
            && same_flow(&self.frame, frame);
        if !takes {
            return false;
        }
        if self.count == 1 {
            complete(&mut self.frame, self.header.checksum, 0);
        }
        let start = self.frame.len();
        self.frame.extend_from_slice(payload);
        complete(&mut self.frame, header.checksum, start - PAYLOAD);
        self.closed = payload.len() < self.size;
        self.count += 1;
        true
    }

    /// Makes a frame the first one that waits, where others could join it; nothing may wait. Whether it was.
    pub(super) fn begin(&mut self, header: &NetHeader, frame: &[u8]) -> bool {
        debug_assert_eq!(self.count, 0, "what waits is sent first");
        if !is_plain_udp(header, frame) {
            return false;
        }
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        self.header = *header;
        self.size = frame.len() - PAYLOAD;
        self.count = 1;
        self.closed = false;
        true
    }

    /// What waits, as one frame; then nothing waits.
    pub(super) fn take(&mut self) -> (NetHeader, &[u8]) {
        let count = std::mem::take(&mut self.count);
        let size = u16::try_from(self.size).ok().and_then(NonZeroU16::new);
        if let (2.., Some(size)) = (count, size) {
            self.header = cut_into(size);
            write_lengths(&mut self.frame);
        }
        (self.header, &self.frame)
    }
}

/// Whether the frame is one UDP datagram in IPv6 that others can join: nothing of it but a checksum inside its payload
/// is left to be done.
fn is_plain_udp(header: &NetHeader, frame: &[u8]) -> bool {
    let Some(len) = frame
        .len()
        .checked_sub(UDP)
        .and_then(|len| u16::try_from(len).ok())
    else {
        return false;
    };
    let inside = match header.checksum {
        Checksum::Needed { start, offset } => {
            let field = usize::from(start) + usize::from(offset);
            usize::from(start) >= PAYLOAD && field + 2 <= frame.len()
        }
        Checksum::None | Checksum::Valid => true,
    };
    let len = len.to_be_bytes();
    header.gso.is_none()
        && inside
        && frame.len() > PAYLOAD
        && frame[12..14] == [0x86, 0xdd]
        && frame[IP] >> 4 == 6
        && frame[IP + 6] == 17
        && frame[IP + 4..IP + 6] == len
        && frame[UDP + 4..UDP + 6] == len
}

/// Whether Ethernet, IPv6 and UDP headers differ in lengths and checksum alone.
fn same_flow(first: &[u8], next: &[u8]) -> bool {
    let length = IP + 4..IP + 6;
    first[..length.start] == next[..length.start]
        && first[length.end..UDP + 4] == next[length.end..UDP + 4]
}

/// Completes a checksum that is not finished: the frame that it was said of began `moved` octets later than this one.
fn complete(frame: &mut [u8], checksum: Checksum, moved: usize) {
    let Checksum::Needed { start, offset } = checksum else {
        return;
    };
    let start = usize::from(start) + moved;
    let field = start + usize::from(offset);
    let sum = finish_udp(sum(&frame[start..]));
    frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// The header of a frame that is to be cut into datagrams of this size, their checksums to be computed.
fn cut_into(size: NonZeroU16) -> NetHeader {
    NetHeader {
        checksum: Checksum::Needed {
            start: u16::try_from(UDP).unwrap_or(0),
            offset: 6,
        },
        gso: Some(Gso {
            kind: GsoKind::UdpL4,
            hdr_len: u16::try_from(PAYLOAD).unwrap_or(0),
            size,
            ecn: false,
            tunnel: None,
        }),
        num_buffers: 0,
    }
}

/// Writes the lengths of a joined frame, and the sum that its checksum begins with.
fn write_lengths(frame: &mut [u8]) {
    let len = u16::try_from(frame.len() - UDP).unwrap_or(u16::MAX);
    let mut addresses = [[0; 16]; 2];
    addresses[0].copy_from_slice(&frame[IP + 8..IP + 24]);
    addresses[1].copy_from_slice(&frame[IP + 24..IP + 40]);
    let [src, dst] = addresses;
    let pseudo = pseudo_header_v6(src, dst, 17, len.into());
    frame[IP + 4..IP + 6].copy_from_slice(&len.to_be_bytes());
    frame[UDP + 4..UDP + 6].copy_from_slice(&len.to_be_bytes());
    frame[UDP + 6..UDP + 8].copy_from_slice(&pseudo.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame of one of a few flows, whose payload is so long, with a checksum to be finished in it or not.
    fn frame(flow: u8, len: usize, fill: u8, unfinished: bool) -> (NetHeader, Vec<u8>) {
        let mut frame = vec![fill; PAYLOAD + len];
        frame[..PAYLOAD].fill(0);
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        (frame[IP], frame[IP + 6], frame[IP + 39]) = (0x60, 17, flow);
        let udp_len = u16::try_from(8 + len).unwrap().to_be_bytes();
        frame[IP + 4..IP + 6].copy_from_slice(&udp_len);
        frame[UDP + 4..UDP + 6].copy_from_slice(&udp_len);
        let mut header = NetHeader::default();
        if unfinished && len > 8 {
            let start = u16::try_from(PAYLOAD).unwrap() + 3;
            header.checksum = Checksum::Needed { start, offset: 2 };
        }
        (header, frame)
    }

    /// The payloads of a frame, and its flow, as the kernel would send them.
    fn sent(header: &NetHeader, frame: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let flow = frame[IP + 39];
        let size = header.gso.map_or(frame.len(), |gso| gso.size.get().into());
        let mut frame = frame.to_vec();
        complete(&mut frame, header.checksum, 0);
        if header.gso.is_some() {
            assert!(frame.len() > PAYLOAD + size, "a single datagram is not cut");
            assert!(frame.len() <= UDP + IP_PAYLOAD_MAX);
            let mut addresses = frame[IP + 8..IP + 40].as_chunks::<16>().0.iter();
            let [src, dst] = [0, 1].map(|_| *addresses.next().unwrap());
            let len = u32::try_from(frame.len() - UDP).unwrap();
            let pseudo = pseudo_header_v6(src, dst, 17, len);
            let udp = rackweave_wire::udp::UdpView::parse(&frame[UDP..]).unwrap();
            assert!(udp.checksum_ok(pseudo));
        }
        let payloads = frame[PAYLOAD..].chunks(size);
        payloads.map(|payload| (flow, payload.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn trains_lose_nothing_and_keep_order(
            frames in prop::collection::vec(
                (0..2_u8, prop_oneof![3 => Just(90_usize), 1 => 1..9000_usize], any::<u8>(), any::<bool>()),
                1..150,
            ),
        ) {
            let mut train = Train::default();
            let (mut wanted, mut got) = (Vec::new(), Vec::new());
            for (flow, len, fill, unfinished) in frames {
                let (header, frame) = frame(flow, len, fill, unfinished);
                wanted.extend(sent(&header, &frame));
                if !train.join(&header, &frame) {
                    if train.count() > 0 {
                        let (header, frame) = train.take();
                        got.extend(sent(&header, frame));
                    }
                    prop_assert!(train.begin(&header, &frame));
                }
            }
            let (header, frame) = train.take();
            got.extend(sent(&header, frame));
            prop_assert!(wanted == got);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, start: u16, offset: u16, flip in 0..70_usize) {
            let (_, mut near) = frame(1, 60, 7, false);
            near[flip] ^= 0xff;
            let mut train = Train::default();
            let header = NetHeader { checksum: Checksum::Needed { start, offset }, ..NetHeader::default() };
            for frame in [&near, &bytes] {
                if !train.join(&header, frame) && train.count() == 0 {
                    train.begin(&header, frame);
                }
            }
            let (_, plain) = frame(1, 60, 7, false);
            train.join(&header, &plain);
        }
    }

    #[test]
    fn equal_frames_leave_as_one() {
        let (header, first) = frame(1, 90, 1, true);
        let mut train = Train::default();
        assert!(train.begin(&header, &first));
        for _ in 1..COUNT_MAX {
            assert!(train.join(&header, &first));
        }
        assert!(!train.join(&header, &first), "it is full");
        let (header, joined) = train.take();
        assert_eq!(header.gso.unwrap().size.get(), 90);
        assert_eq!(joined.len(), PAYLOAD + 90 * COUNT_MAX);
        assert_eq!(train.count(), 0);
    }

    #[test]
    fn large_sends_go_alone() {
        let (mut header, frame) = frame(1, 90, 1, true);
        header.gso = cut_into(NonZeroU16::MIN).gso;
        assert!(!Train::default().begin(&header, &frame));
    }
}
