//! A reply in the making.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::request::{Association, code};

/// A DHCPv6 message whose options are being written (RFC 8415, section 8).
pub(super) struct Message {
    octets: Vec<u8>,
}

impl Message {
    /// A message without options.
    pub(super) fn new(kind: u8, transaction: [u8; 3]) -> Self {
        let [a, b, c] = transaction;
        Self {
            octets: vec![kind, a, b, c],
        }
    }

    /// Appends an option; its value is these parts.
    pub(super) fn option(&mut self, code: u16, parts: &[&[u8]]) {
        self.nested(code, |out| {
            for part in parts {
                out.octets.extend_from_slice(part);
            }
        });
    }

    /// Appends a status code without a text (section 21.13).
    pub(super) fn status(&mut self, status: u16) {
        self.option(code::STATUS, &[&status.to_be_bytes()]);
    }

    /// Appends the client's identity association with the options that `fill` writes (sections
    /// 21.4, 21.5, 21.21); the times to renew and rebind follow from the lease, and are 0 where
    /// there is none.
    pub(super) fn association(
        &mut self,
        ia: &Association,
        lease: Option<u32>,
        fill: impl FnOnce(&mut Self),
    ) {
        self.nested(ia.code, |out| {
            out.octets.extend(ia.id);
            if ia.code != code::IA_TA {
                // Section 21.4: 0.5 and 0.8 times the preferred lifetime; "infinity" stays.
                let (renew, rebind) = match lease {
                    None => (0, 0),
                    Some(u32::MAX) => (u32::MAX, u32::MAX),
                    Some(lease) => (lease / 2, lease - lease / 5),
                };
                out.octets.extend(renew.to_be_bytes());
                out.octets.extend(rebind.to_be_bytes());
            }
            fill(out);
        });
    }

    /// Appends an address with its lifetime, preferred and valid (section 21.6).
    pub(super) fn address(&mut self, address: Ipv6Addr, lifetime: u32) {
        let lifetime = lifetime.to_be_bytes();
        self.option(code::ADDRESS, &[&address.octets(), &lifetime, &lifetime]);
    }

    /// The octets of the message.
    pub(super) fn finish(self) -> Vec<u8> {
        self.octets
    }

    /// Appends an option whose value `fill` writes; one that is too long for its length field is
    /// left out.
    fn nested(&mut self, code: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.octets.len();
        self.octets.extend(code.to_be_bytes());
        self.octets.extend([0; 2]);
        fill(self);
        match u16::try_from(self.octets.len() - start - 4) {
            Ok(len) => self.octets[start + 2..start + 4].copy_from_slice(&len.to_be_bytes()),
            Err(_) => self.octets.truncate(start),
        }
    }
}
