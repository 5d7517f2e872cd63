//! A wish to be told all routes of a family again (RFC 2918).

use super::{Broken, begin, code, finish, kind, subcode};
use crate::bgp::Family;

/// A wish to be told all routes of a family again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The family, where it is one of ours.
    pub family: Option<Family>,
    /// What it is: 0 is the wish; others mark where an answer begins and ends (RFC 7313).
    pub subtype: u8,
}

impl Refresh {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Broken> {
        let [afi_high, afi_low, subtype, safi, ..] = body else {
            return Err(Broken::new(
                "a route refresh is cut",
                code::REFRESH,
                subcode::UNSPECIFIC,
                &[],
            ));
        };
        // What may follow are outbound filters (RFC 5291), which we never offered to take.
        Ok(Self {
            family: Family::from_wire(u16::from_be_bytes([*afi_high, *afi_low]), *safi),
            subtype: *subtype,
        })
    }

    /// Writes a wish.
    #[must_use]
    pub fn emit(family: Family) -> Vec<u8> {
        let mut bytes = begin(kind::REFRESH);
        bytes.extend_from_slice(&family.afi().to_be_bytes());
        bytes.extend_from_slice(&[0, Family::SAFI]);
        finish(bytes)
    }
}
