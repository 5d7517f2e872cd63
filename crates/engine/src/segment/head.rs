//! The headers of a frame that is to be cut.

use rackweave_types::reserved;

use super::CutError;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::frame::{Checksum, Frame, Offload};
use crate::parse::{Parsed, check_offload, parse_outer};

/// The most octets of headers that a segment has: Geneve with all options that we write, Ethernet, IP, TCP, and some
/// extension headers.
const ROOM: usize = 320;
/// Geneve without options.
const GENEVE_LEN: usize = 8;

/// The inner frame of one that the engine forwarded, with what is still to be done to it.
pub(super) struct Inner {
    /// Where it begins.
    pub(super) at: usize,
    pub(super) parsed: Parsed,
    /// Its own offloads: places count from where it begins.
    pub(super) offload: Offload,
}

impl Inner {
    /// Reads a frame that goes out in its tunnel, or in to the guest.
    pub(super) fn read(direction: Direction, frame: &Frame) -> Result<Self, DropReason> {
        let mut offload = frame.offload;
        let at = match direction {
            Direction::Out => parse_outer(frame.bytes())?.len,
            Direction::In => 0,
        };
        if let Checksum::Partial { start, offset } = offload.checksum {
            let start = start.checked_sub(at).ok_or(DropReason::Offload)?;
            offload.checksum = Checksum::Partial { start, offset };
        }
        let at = usize::from(at);
        let bytes = frame.bytes().get(at..).ok_or(DropReason::Truncated)?;
        let parsed = Parsed::parse(bytes)?;
        check_offload(&parsed, offload)?;
        Ok(Self {
            at,
            parsed,
            offload,
        })
    }
}

/// The headers in front of each segment.
pub(super) struct Head {
    bytes: [u8; ROOM],
    len: usize,
}

impl Head {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; ROOM],
            len: 0,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// Adds headers behind those that are there.
    pub(super) fn push(&mut self, headers: &[u8]) -> Result<(), CutError> {
        let end = self.len + headers.len();
        let room = self
            .bytes
            .get_mut(self.len..end)
            .ok_or(CutError::HeadersTooLong(end))?;
        room.copy_from_slice(headers);
        self.len = end;
        Ok(())
    }

    /// Adds the Geneve header (RFC 8926, section 3.4) with its options, but without the MSS option: it is for packets
    /// longer than the guest's MTU, and no segment is.
    pub(super) fn push_geneve(&mut self, geneve: &[u8]) -> Result<(), CutError> {
        let at = self.len;
        let malformed = CutError::Headers(DropReason::GeneveHeader);
        let (head, mut options) = geneve.split_at_checked(GENEVE_LEN).ok_or(malformed)?;
        self.push(head)?;
        while let Some(&[class_high, class_low, kind, len]) = options.first_chunk() {
            let len = 4 + usize::from(len & 0x1f) * 4;
            let (option, rest) = options.split_at_checked(len).ok_or(malformed)?;
            let class = u16::from_be_bytes([class_high, class_low]);
            if (class, kind) != (reserved::GENEVE_OPTION_CLASS, reserved::GENEVE_OPTION_MSS) {
                self.push(option)?;
            }
            options = rest;
        }
        let words = u8::try_from((self.len - at - GENEVE_LEN) / 4).map_err(|_| malformed)?;
        if let Some(first) = self.bytes.get_mut(at) {
            *first = *first & 0xc0 | words;
        }
        Ok(())
    }
}
