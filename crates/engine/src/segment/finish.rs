//! Checksums that were left to whoever sends the frame on.

use rackweave_wire::checksum;

use super::CutError;
use super::head::Inner;
use crate::direction::Direction;
use crate::frame::{Checksum, Frame, Offload};
use crate::parse::{Parsed, protocol};

/// Completes a partial checksum, so that the frame needs nothing more done to it: it is one packet then, whatever it
/// was to be cut into. `direction` tells where the engine forwarded it: out, with its tunnel, or in, to the guest.
///
/// # Errors
/// Where its headers cannot be read or the checksum is not where it belongs; the frame is as before.
pub fn finish_checksum(direction: Direction, frame: &mut Frame) -> Result<(), CutError> {
    if let Checksum::Partial { .. } = frame.offload.checksum {
        let inner = Inner::read(direction, frame)?;
        let bytes = frame.bytes_mut().get_mut(inner.at..).unwrap_or_default();
        finish(bytes, inner.offload, &inner.parsed);
        frame.offload.checksum = Checksum::Complete;
    }
    frame.offload.segment = None;
    Ok(())
}

/// Adds to a partial checksum of an inner frame what its sender left to others.
pub(crate) fn finish(bytes: &mut [u8], offload: Offload, parsed: &Parsed) {
    let Checksum::Partial { start, offset } = offload.checksum else {
        return;
    };
    let end = usize::try_from(parsed.end).unwrap_or(usize::MAX);
    let Some(upper) = bytes.get_mut(usize::from(start)..end) else {
        return;
    };
    let sum = checksum::sum(upper);
    let field = if parsed.protocol == protocol::UDP {
        checksum::finish_udp(sum)
    } else {
        checksum::finish(sum)
    };
    super::put16(upper, usize::from(offset), field);
}
