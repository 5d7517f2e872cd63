//! Reading whole frames from a door, a descriptor chain or a system call each.

use std::io;

use rackweave_engine::Frame;
use rackweave_engine::frame::Offload;
use rackweave_guest::{MAX_FRAME, Received};
use rackweave_wire::virtio_net::NetHeader;

/// Fills frames from the front with what `receive` gives; those for which `offload` knows none are passed over. How
/// many there are.
///
/// What is refused counts as a frame's work, or a guest that never sends anything else would hold the worker.
///
/// # Errors
/// Those of `receive`.
pub(super) fn read_frames(
    frames: &mut [Frame],
    mut receive: impl FnMut(&mut NetHeader, &mut [u8]) -> io::Result<Received>,
    mut offload: impl FnMut(&NetHeader) -> Option<Offload>,
) -> io::Result<usize> {
    let mut count = 0;
    for _ in 0..frames.len() {
        let frame = &mut frames[count];
        let mut header = NetHeader::default();
        match receive(&mut header, frame.resize_for_overwrite(MAX_FRAME))? {
            Received::Empty => break,
            Received::Refused(_) => {}
            Received::Frame { len } => {
                frame.truncate(len);
                if let Some(offload) = offload(&header) {
                    frame.offload = offload;
                    count += 1;
                }
            }
        }
    }
    Ok(count)
}
