//! The compiled header transform: what an executor does to the packets of an established flow.
//!
//! Input is a frame, where its headers are, a [`CompiledFlow`] and (outbound) an [`OuterTemplate`]; all of them plain
//! data, so that an eBPF program or a NIC can do the same to the same bytes. Nothing here decides.

mod embedded;
mod outer;
mod rewrite;

pub(crate) use embedded::translate as translate_embedded;
pub(crate) use outer::wrap;
pub use outer::{OuterTemplate, TemplateError};
pub(crate) use rewrite::combine;

use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::CompiledFlow;
use crate::frame::{Checksum, Frame, Offload, Segment, SegmentKind};
use crate::parse::{Outer, Parsed, checksum_offset, protocol};

/// Turns a packet of the guest into one for the wire: headers to the wire side's, then the tunnel around it.
///
/// # Errors
/// The reason for which the packet cannot be sent; the frame is then no longer of use.
#[inline(always)]
pub fn outbound(
    flow: &CompiledFlow,
    template: &OuterTemplate,
    parsed: &Parsed,
    frame: &mut Frame,
) -> Result<(), DropReason> {
    rewrite::rewrite(flow, Direction::Out, parsed, frame)?;
    wrap(template, flow.entropy, parsed, frame)
}

/// Turns a packet of the wire into one for the guest: the tunnel's marks are taken over, then headers become the
/// guest side's. The tunnel headers are already off the frame.
///
/// # Errors
/// The reason for which the packet cannot be delivered; the frame is then no longer of use.
#[inline(always)]
pub fn inbound(
    flow: &CompiledFlow,
    outer: &Outer,
    parsed: &Parsed,
    frame: &mut Frame,
) -> Result<(), DropReason> {
    rewrite::take_over_tos(outer, parsed, frame)?;
    rewrite::rewrite(flow, Direction::In, parsed, frame)
}

/// Takes the tunnel headers off a frame; its offloads are then the inner frame's.
#[inline(always)]
pub(crate) fn unwrap(frame: &mut Frame, outer: &Outer, parsed: &Parsed, guest_mtu: u16) {
    frame.pull_front(usize::from(outer.len));
    inner_offload(&mut frame.offload, outer, parsed, guest_mtu);
}

/// What the offloads of a frame from the wire mean for the inner frame. The MSS option (design, contract "On the
/// wire") stands for a request: the inner packet was never cut, and its checksum is unfinished.
#[inline(always)]
pub(crate) fn inner_offload(offload: &mut Offload, outer: &Outer, parsed: &Parsed, guest_mtu: u16) {
    if let Checksum::Partial { start, offset } = offload.checksum {
        offload.checksum = match start.checked_sub(outer.len) {
            Some(start) => Checksum::Partial { start, offset },
            None => Checksum::Complete,
        };
    }
    let Some(size) = outer.mss else { return };
    if parsed.ip_len() <= u32::from(guest_mtu) || offload.segment.is_some() {
        return;
    }
    let kind = if parsed.protocol == protocol::TCP {
        SegmentKind::Tcp
    } else {
        SegmentKind::Udp
    };
    if let Some(offset) = checksum_offset(parsed.protocol) {
        offload.checksum = Checksum::Partial {
            start: parsed.l4,
            offset,
        };
        offload.segment = Some(Segment { kind, size });
    }
}
