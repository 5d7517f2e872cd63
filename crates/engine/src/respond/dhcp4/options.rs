//! The options of a reply.

use alloc::vec::Vec;

use super::request::code;

/// A DHCP message whose options are being written, with a limit to its length.
pub(super) struct Options {
    message: Vec<u8>,
    limit: usize,
}

impl Options {
    /// Goes on behind `message`; the whole gets no longer than `limit` octets.
    pub(super) fn new(message: Vec<u8>, limit: usize) -> Self {
        Self { message, limit }
    }

    /// Appends an option; one for which there is no room is left out. A value of more than 255
    /// octets is split (RFC 3396, section 5).
    pub(super) fn put(&mut self, code: u8, value: &[u8]) {
        let parts = value.len().div_ceil(usize::from(u8::MAX));
        // The end option has its octet.
        if self.message.len() + 2 * parts + value.len() + 1 > self.limit {
            return;
        }
        for part in value.chunks(usize::from(u8::MAX)) {
            let len = u8::try_from(part.len()).unwrap_or(u8::MAX);
            self.message.extend([code, len]);
            self.message.extend_from_slice(part);
        }
    }

    /// The message, its options ended.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.message.push(code::END);
        self.message
    }
}
