//! Who a speaker is (RFC 4271, section 4.2).

use std::net::Ipv4Addr;

use rackweave_types::Asn;

use super::octets::Octets;
use super::{Broken, Capabilities, begin, code, finish, kind, subcode};

const VERSION: u8 = 4;
/// The optional parameter that has capabilities (RFC 5492, section 4).
const CAPABILITIES: u8 = 2;
/// Says that lengths have two octets (RFC 9072).
const EXTENDED: u8 = 255;

/// Who a speaker is, and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its system.
    pub asn: Asn,
    /// After how many seconds of silence it is held dead; 0 is never.
    pub hold: u16,
    /// Its identifier: not 0, and no two of a system have the same (RFC 6286).
    pub id: Ipv4Addr,
    /// What it can do.
    pub capabilities: Capabilities,
}

impl Open {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Broken> {
        let cut = || wrong("an open is cut", subcode::UNSPECIFIC, &[]);
        let mut octets = Octets(body);
        let version = octets.u8().ok_or_else(cut)?;
        if version != VERSION {
            return Err(wrong(
                "the version is not 4",
                subcode::VERSION,
                &[0, VERSION],
            ));
        }
        let short = octets.u16().ok_or_else(cut)?;
        let hold = octets.u16().ok_or_else(cut)?;
        let id = Ipv4Addr::from(octets.array::<4>().ok_or_else(cut)?);
        let capabilities = parameters(octets).ok_or_else(cut)??;
        let asn = capabilities
            .four_octet_as
            .or_else(|| Asn::new(short.into()).ok());
        let asn = asn.ok_or_else(|| wrong("no system has the number 0", subcode::PEER_AS, &[]))?;
        if matches!(hold, 1 | 2) {
            return Err(wrong(
                "the hold time is below three seconds",
                subcode::HOLD_TIME,
                &[],
            ));
        }
        if id.is_unspecified() {
            return Err(wrong("the identifier is 0", subcode::IDENTIFIER, &[]));
        }
        Ok(Self {
            asn,
            hold,
            id,
            capabilities,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = begin(kind::OPEN);
        bytes.push(VERSION);
        let short = u16::try_from(self.asn.get()).or_else(|_| u16::try_from(Asn::TRANS.get()));
        bytes.extend_from_slice(&short.unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&self.hold.to_be_bytes());
        bytes.extend_from_slice(&self.id.octets());
        let capabilities = self.capabilities.write();
        let len = u8::try_from(capabilities.len()).unwrap_or(0);
        if len == 0 {
            bytes.push(0);
        } else {
            bytes.extend_from_slice(&[len.saturating_add(2), CAPABILITIES, len]);
            bytes.extend_from_slice(&capabilities);
        }
        finish(bytes)
    }
}

/// The capabilities of all optional parameters. Nothing where these are cut.
fn parameters(mut octets: Octets<'_>) -> Option<Result<Capabilities, Broken>> {
    let len = octets.u8()?;
    let extended = len != 0 && octets.0.first() == Some(&EXTENDED);
    let mut octets = if extended {
        octets.u8()?;
        Octets(octets.long()?)
    } else {
        Octets(octets.take(len.into())?)
    };
    let mut capabilities = Capabilities::default();
    while !octets.is_empty() {
        let kind = octets.u8()?;
        let value = if extended {
            octets.long()?
        } else {
            octets.short()?
        };
        if kind != CAPABILITIES {
            let what = "an optional parameter is unknown";
            return Some(Err(wrong(what, subcode::PARAMETER, &[])));
        }
        capabilities.read(value)?;
    }
    Some(Ok(capabilities))
}

fn wrong(what: &'static str, subcode: u8, data: &[u8]) -> Broken {
    Broken::new(what, code::OPEN, subcode, data)
}
