//! Messages of rtnetlink as octets, for sockets that send many at once or only listen.

use rtnetlink::packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;

/// Octets of a message's header (`struct nlmsghdr`).
const HEADER: usize = 16;

/// Octets to whose multiples messages and attributes are padded (`NLMSG_ALIGNTO`, `NLA_ALIGNTO`).
const ALIGN: usize = 4;

/// The attribute of an answer that holds the kernel's word (`NLMSGERR_ATTR_MSG`).
const WORD: u16 = 1;

/// Room for what one call of the kernel's receives: a dump comes in pieces of at most 32 KiB.
pub(super) const ROOM: usize = 64 << 10;

/// Appends a request.
pub(super) fn append(buffer: &mut Vec<u8>, flags: u16, sequence: u32, body: RouteNetlinkMessage) {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(body));
    message.finalize();
    let start = buffer.len();
    buffer.resize(start + message.buffer_len().next_multiple_of(ALIGN), 0);
    message.serialize(&mut buffer[start..]);
}

/// The messages of what was received, one after the other; those of a kind that is not known are passed over.
pub(super) fn each(mut bytes: &[u8]) -> impl Iterator<Item = NetlinkMessage<RouteNetlinkMessage>> {
    std::iter::from_fn(move || {
        loop {
            let len = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
            if len < HEADER {
                return None;
            }
            let message = NetlinkMessage::deserialize(bytes.get(..len)?);
            bytes = bytes.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
            if let Ok(message) = message {
                return Some(message);
            }
        }
    })
}

/// The kernel's word about a refused request, from what stands behind the error's number: the request's header, and
/// attributes.
pub(super) fn word(refused: &[u8]) -> Option<String> {
    let mut attributes = refused.get(HEADER..)?;
    loop {
        let len = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        let value = attributes.get(ALIGN..len)?;
        if kind == WORD {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(len.next_multiple_of(ALIGN)..)?;
    }
}
