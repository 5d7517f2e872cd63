//! Segmentation and coalescing in software: what a frame of 64 KiB costs.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use rackweave_engine::frame::{Checksum, Offload, Segment, SegmentKind};
use rackweave_engine::segment::{Coalescer, Cut, TunnelEnds};
use rackweave_engine::{Direction, Frame};
use rackweave_testkit::packet::{FrameBuilder, Tunnel};
use rackweave_wire::checksum;

use crate::clock;
use crate::rounds::Rounds;

/// What is done to the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Cut into segments.
    Cut,
    /// Joined from segments.
    Join,
    /// Its octets copied and summed, a segment's length at a time: less nobody can do.
    Copy,
}

/// Octets of payload in a frame and in a segment: a guest MTU of 1500 with TCP timestamps.
const PAYLOAD: usize = 64_000;
const SEGMENT: u16 = 1_448;
/// Frames in a round.
const ROUND: u32 = 64;
/// Octets of headers around TCP.
const OUTER: u16 = 70;

/// A frame, its segments, and buffers.
#[derive(Debug)]
pub struct Segments {
    work: Work,
    frame: Frame,
    /// The segments one after the other, and how long each is.
    cut: Vec<u8>,
    each: usize,
    ends: TunnelEnds,
    coalescer: Coalescer,
    buffer: Vec<u8>,
}

impl Segments {
    /// A frame of TCP over IPv4 in its tunnel, and the same in segments.
    ///
    /// # Errors
    /// Where cutting and joining does not give the frame back.
    pub fn new(work: Work) -> Result<Self> {
        let inner = FrameBuilder::tcp("10.0.0.5:40000", "10.0.0.6:80")
            .tcp_options(&[1; 12])
            .payload_len(PAYLOAD)
            .build();
        let (src, dst) = ("fd00:1:2:101::1", "fd00:1:2:102::1");
        let mut frame = Frame::new(&Tunnel::new(src, dst, 5000).wrap(&inner));
        let kind = SegmentKind::Tcp;
        frame.offload = Offload {
            checksum: Checksum::Partial {
                start: OUTER + 34,
                offset: 16,
            },
            segment: Some(Segment {
                kind,
                size: SEGMENT,
            }),
        };
        let mut cutting = Cut::new(Direction::Out, &frame)?;
        let each = cutting.segment_len();
        let mut cut = vec![0; cutting.total_len()];
        cutting.write(&mut cut, u16::MAX);
        let ends = TunnelEnds {
            src: src.parse()?,
            dst: dst.parse()?,
            src_port: 49_152,
            tos: 0,
        };
        let mut segments = Self {
            work,
            frame,
            buffer: vec![0; cut.len()],
            cut,
            each,
            ends,
            coalescer: Coalescer::new(),
        };
        let joined = segments.join();
        ensure!(joined == PAYLOAD + 66, "{joined} octets joined");
        Ok(segments)
    }

    fn cut(&mut self) {
        if let Ok(mut cut) = Cut::new(Direction::Out, black_box(&self.frame)) {
            black_box(cut.write(&mut self.buffer, u16::MAX));
        }
    }

    /// Joins all segments; gives the length of the inner frames.
    fn join(&mut self) -> usize {
        let Self {
            cut,
            each,
            ends,
            coalescer,
            ..
        } = self;
        let mut len = 0;
        let mut sink = |frame: &mut Frame| len += frame.len() - usize::from(OUTER);
        coalescer.receive(ends, black_box(cut), *each, &mut sink);
        coalescer.flush(&mut sink);
        len
    }

    fn copy(&mut self) {
        let size = usize::from(SEGMENT);
        let payload = self.cut.get(..PAYLOAD).unwrap_or_default();
        for (from, to) in payload.chunks(size).zip(self.buffer.chunks_mut(size)) {
            if let Some(to) = to.get_mut(..from.len()) {
                to.copy_from_slice(black_box(from));
                black_box(checksum::sum(to));
            }
        }
    }
}

impl Rounds for Segments {
    fn each(&self) -> u32 {
        ROUND
    }

    fn round(&mut self) -> Result<[Duration; 2]> {
        let taken = clock::time(|| {
            for _ in 0..ROUND {
                match self.work {
                    Work::Cut => self.cut(),
                    Work::Join => {
                        black_box(self.join());
                    }
                    Work::Copy => self.copy(),
                }
            }
        });
        Ok([taken, Duration::ZERO])
    }
}
