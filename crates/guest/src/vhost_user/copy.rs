//! Frames out of chains and into them, copied once.

use rackweave_wire::virtio_net::{Form, NetHeader};

use super::chain::{Chain, MAX_DESCRIPTORS};
use super::queue::Agreement;
use super::ring::Ring;
use crate::Claim;
use crate::check::checked_header;

/// Bytes of the longest header on a ring.
const MAX_HEADER: usize = Form::Mergeable.header_len();

/// Copies a chain, its header apart; how long the frame is.
#[inline]
pub(super) fn read_chain(
    ring: &mut Ring,
    head: u16,
    form: Form,
    header: &mut NetHeader,
    buffer: &mut [u8],
) -> Result<usize, Claim> {
    let mut head_bytes = [0; MAX_HEADER];
    let head_bytes = &mut head_bytes[..form.header_len()];
    let (mut head_len, mut len) = (0, 0);
    let mut hint = ring.hint;
    let mut chain = Chain::new(ring.tables(), head, false, MAX_DESCRIPTORS);
    while let Some(mut run) = chain.next_run(&mut hint)? {
        if let Some(missing) = head_bytes.get_mut(head_len..)
            && !missing.is_empty()
        {
            let (first, rest) = run.split_at(missing.len());
            first.copy_to(missing);
            head_len += first.len();
            run = rest;
        }
        let end = len + run.len();
        let place = buffer.get_mut(len..end).ok_or(Claim::TooLong)?;
        run.copy_to(place);
        len = end;
    }
    ring.hint = hint;
    let head_bytes = head_bytes.get(..head_len).unwrap_or_default();
    *header = checked_header(form, head_bytes, len)?;
    Ok(len)
}

/// Why a frame is not in the guest's buffers.
pub(super) enum Unwritten {
    /// There are not enough now.
    NoBuffers,
    /// It does not fit into the one that it may fill.
    TooLarge,
    /// A chain made no sense; it and those before it are given back.
    Chain(Claim),
    /// The ring makes no sense.
    Ring(Claim),
}

/// Writes header and frame over as many chains as it takes, and gives them back.
#[inline]
pub(super) fn write_frame(
    ring: &mut Ring,
    agreement: Agreement,
    header: &NetHeader,
    frame: &[u8],
) -> Result<(), Unwritten> {
    let form = agreement.form();
    let mut head_bytes = [0; MAX_HEADER];
    let head_bytes = &mut head_bytes[..form.header_len()];
    header
        .emit(form, head_bytes)
        .map_err(|_| Unwritten::TooLarge)?;
    let total = head_bytes.len() + frame.len();
    let (mut written, mut chains, mut left) = (0, 0, MAX_DESCRIPTORS);
    while written < total {
        let head = match ring.head(chains) {
            Ok(Some(head)) => head,
            Ok(None) => return Err(Unwritten::NoBuffers),
            Err(claim) => return Err(Unwritten::Ring(claim)),
        };
        match write_chain(ring, head, head_bytes, frame, written, &mut left) {
            Ok(end) if end < total && !agreement.mergeable => return Err(Unwritten::TooLarge),
            Ok(end) if end > written => {
                ring.set_used(
                    chains,
                    head,
                    u32::try_from(end - written).unwrap_or(u32::MAX),
                );
                written = end;
            }
            outcome => {
                ring.set_used(chains, head, 0);
                ring.give_back(chains + 1);
                return Err(Unwritten::Chain(outcome.err().unwrap_or(Claim::NoRoom)));
            }
        }
        chains += 1;
    }
    if chains > 1 {
        let merged = NetHeader {
            num_buffers: chains,
            ..*header
        };
        if let (Ok(Some(first)), Ok(())) = (ring.head(0), merged.emit(form, head_bytes)) {
            let mut left_for_header = MAX_DESCRIPTORS;
            // The first chain was there a moment ago; a guest that has changed it gets what it asked for.
            let _rewritten = write_chain(ring, first, head_bytes, &[], 0, &mut left_for_header);
        }
    }
    ring.give_back(chains);
    Ok(())
}

/// Fills one chain with what header and frame have from `from` on; where that ended.
#[inline]
fn write_chain(
    ring: &mut Ring,
    head: u16,
    head_bytes: &[u8],
    frame: &[u8],
    from: usize,
    left: &mut u16,
) -> Result<usize, Claim> {
    let total = head_bytes.len() + frame.len();
    let mut hint = ring.hint;
    let mut chain = Chain::new(ring.tables(), head, true, *left);
    let mut at = from;
    while at < total {
        let Some(mut run) = chain.next_run(&mut hint)? else {
            break;
        };
        if let Some(rest) = head_bytes.get(at..) {
            let (first, behind) = run.split_at(rest.len());
            first.copy_from(rest);
            at += first.len();
            run = behind;
        }
        if let Some(rest) = at
            .checked_sub(head_bytes.len())
            .and_then(|at| frame.get(at..))
        {
            run.copy_from(rest);
            at += run.len().min(rest.len());
        }
    }
    *left = chain.left();
    ring.hint = hint;
    Ok(at)
}
