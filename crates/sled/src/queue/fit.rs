//! Frames for a guest, finished and cut where it takes no others.

use rackweave_engine::segment::{Cut, finish_checksum};
use rackweave_engine::{Direction, Frame};
use rackweave_guest::Offloads;
use rackweave_wire::virtio_net::NetHeader;

use super::{Sent, offload};

/// Sends a frame by `put`, as it is or as this guest takes it; `scratch` is used again. Of several frames that it
/// becomes, the first that is not taken tells what became of it.
pub(crate) fn send_fitting(
    frame: &Frame,
    takes: Offloads,
    scratch: &mut Frame,
    put: &mut dyn FnMut(&NetHeader, &[u8]) -> Sent,
) -> Sent {
    let header = offload::for_guest(frame);
    if takes.allow(&header) {
        return put(&header, frame.bytes());
    }
    let plain = NetHeader {
        num_buffers: 1,
        ..NetHeader::default()
    };
    if frame.offload.segment.is_none() {
        scratch.fill(frame.bytes());
        scratch.offload = frame.offload;
        if finish_checksum(Direction::In, scratch).is_err() {
            return Sent::Unsendable;
        }
        return put(&plain, scratch.bytes());
    }
    let Ok(mut cut) = Cut::new(Direction::In, frame) else {
        return Sent::Unsendable;
    };
    let room = scratch.resize_for_overwrite(cut.segment_len());
    let mut sent = Sent::Taken;
    loop {
        let len = cut.write(room, 1);
        if len == 0 {
            return sent;
        }
        let outcome = put(&plain, &room[..len]);
        if sent == Sent::Taken {
            sent = outcome;
        }
    }
}

#[cfg(test)]
mod tests {
    use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
    use rackweave_testkit::packet::FrameBuilder;
    use rackweave_testkit::verify::verify;

    use super::*;

    const EVERYTHING: Offloads = Offloads {
        checksum: true,
        tcp4: true,
        tcp6: true,
        udp: true,
    };

    fn large() -> Frame {
        let mut frame = Frame::new(
            &FrameBuilder::udp("10.0.0.1:1000", "10.0.0.2:2000")
                .payload_len(2500)
                .build(),
        );
        frame.offload = Offload {
            checksum: Checksum::Partial {
                start: 34,
                offset: 6,
            },
            segment: Some(Segment {
                kind: SegmentKind::Udp,
                size: 1000,
            }),
        };
        frame
    }

    fn sent_to(takes: Offloads, frame: &Frame) -> Vec<(NetHeader, Vec<u8>)> {
        let mut sent = Vec::new();
        let outcome = send_fitting(frame, takes, &mut Frame::new(&[]), &mut |header, bytes| {
            sent.push((*header, bytes.to_vec()));
            Sent::Taken
        });
        assert_eq!(outcome, Sent::Taken);
        sent
    }

    #[test]
    fn who_takes_everything_gets_it_whole() {
        let sent = sent_to(EVERYTHING, &large());
        assert_eq!(
            sent,
            [(offload::for_guest(&large()), large().bytes().to_vec())]
        );
    }

    #[test]
    fn who_takes_nothing_gets_finished_packets() {
        let sent = sent_to(Offloads::default(), &large());
        let lens: Vec<_> = sent.iter().map(|(_, bytes)| bytes.len() - 42).collect();
        assert_eq!(lens, [1000, 1000, 500]);
        let mut single = large();
        single.offload.segment = None;
        let field = single.bytes_mut();
        field[40..42].fill(0);
        for (header, bytes) in sent.iter().chain(&sent_to(Offloads::default(), &single)) {
            assert_eq!(header.gso, None);
            if bytes.len() <= 1042 {
                assert_eq!(verify(bytes), Ok(()));
            }
        }
    }

    #[test]
    fn what_is_not_taken_is_told() {
        let mut first = true;
        let outcome = send_fitting(
            &large(),
            Offloads::default(),
            &mut Frame::new(&[]),
            &mut |_, _| {
                if std::mem::take(&mut first) {
                    Sent::Taken
                } else {
                    Sent::Full
                }
            },
        );
        assert_eq!(outcome, Sent::Full);
    }
}
