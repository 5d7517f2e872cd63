//! What a client asks.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use crate::respond::NoAnswer;

/// UDP ports (RFC 8415, section 7.2).
pub(super) const CLIENT_PORT: u16 = 546;
pub(super) const SERVER_PORT: u16 = 547;
/// Identity associations of a message that are answered; no client has as many interfaces on one
/// port.
const MAX_ASSOCIATIONS: usize = 8;
/// Addresses that a message may name.
const MAX_ADDRESSES: usize = 32;
/// The longest DUID, type included (RFC 8415, section 11.1).
const MAX_DUID: usize = 130;

/// Message types (RFC 8415, section 7.3).
pub(super) mod kind {
    pub(crate) const SOLICIT: u8 = 1;
    pub(crate) const ADVERTISE: u8 = 2;
    pub(crate) const REQUEST: u8 = 3;
    pub(crate) const CONFIRM: u8 = 4;
    pub(crate) const RENEW: u8 = 5;
    pub(crate) const REBIND: u8 = 6;
    pub(crate) const REPLY: u8 = 7;
    pub(crate) const RELEASE: u8 = 8;
    pub(crate) const DECLINE: u8 = 9;
    pub(crate) const INFORMATION: u8 = 11;

    /// Whether clients send this; the others come from servers and relays.
    pub(super) const fn is_clients(kind: u8) -> bool {
        matches!(
            kind,
            SOLICIT | REQUEST..=REBIND | RELEASE | DECLINE | INFORMATION
        )
    }
}

/// Option codes (RFC 8415, section 21; RFC 3646).
pub(super) mod code {
    pub(crate) const CLIENT_ID: u16 = 1;
    pub(crate) const SERVER_ID: u16 = 2;
    pub(crate) const IA_NA: u16 = 3;
    pub(crate) const IA_TA: u16 = 4;
    pub(crate) const ADDRESS: u16 = 5;
    pub(crate) const OPTION_REQUEST: u16 = 6;
    pub(crate) const PREFERENCE: u16 = 7;
    pub(crate) const STATUS: u16 = 13;
    pub(crate) const RAPID_COMMIT: u16 = 14;
    pub(crate) const DNS: u16 = 23;
    pub(crate) const SEARCH: u16 = 24;
    pub(crate) const IA_PD: u16 = 25;
}

/// A client's message, as far as a server without state cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// Message type.
    pub(super) kind: u8,
    /// Transaction id.
    pub(super) transaction: [u8; 3],
    /// The client's DUID.
    pub(super) client_id: Option<&'a [u8]>,
    /// The DUID of the server that the client means.
    pub(super) server_id: Option<&'a [u8]>,
    /// Whether a SOLICIT may be answered with the addresses themselves.
    pub(super) rapid_commit: bool,
    /// What the client wants or has, in the order of the message.
    pub(super) associations: Vec<Association>,
    /// Codes of the options that the client wants; `None` where it does not say.
    wanted: Option<&'a [u8]>,
}

/// An identity association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Association {
    /// Its kind: [`code::IA_NA`], [`code::IA_TA`] or [`code::IA_PD`].
    pub(super) code: u16,
    /// The client's number for it.
    pub(super) id: [u8; 4],
    /// The addresses that the client names.
    pub(super) addresses: Vec<Ipv6Addr>,
}

impl<'a> Request<'a> {
    /// Reads a client's message.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, NoAnswer> {
        let [kind, a, b, c, options @ ..] = message else {
            return Err(NoAnswer::Malformed("length"));
        };
        if !kind::is_clients(*kind) {
            return Err(NoAnswer::NothingToSay);
        }
        let mut request = Self {
            kind: *kind,
            transaction: [*a, *b, *c],
            client_id: None,
            server_id: None,
            rapid_commit: false,
            associations: Vec::new(),
            wanted: None,
        };
        let mut rest = options;
        while let Some(option) = RawOption::next(&mut rest, "options")? {
            request.read(&option)?;
        }
        let named: usize = request
            .associations
            .iter()
            .map(|ia| ia.addresses.len())
            .sum();
        if request.associations.len() > MAX_ASSOCIATIONS || named > MAX_ADDRESSES {
            return Err(NoAnswer::Malformed("identity association"));
        }
        Ok(request)
    }

    /// Whether an option is wanted that a client may do without: it names it, or names none.
    pub(super) fn asks_for(&self, code: u16) -> bool {
        self.wanted.is_none_or(|wanted| {
            wanted
                .chunks_exact(2)
                .any(|pair| u16::from_be_bytes([pair[0], pair[1]]) == code)
        })
    }

    /// Takes in one option.
    fn read(&mut self, option: &RawOption<'a>) -> Result<(), NoAnswer> {
        match option.code {
            code::CLIENT_ID => once(
                &mut self.client_id,
                duid(option.value, "client identifier")?,
            ),
            code::SERVER_ID => once(
                &mut self.server_id,
                duid(option.value, "server identifier")?,
            ),
            code::OPTION_REQUEST => once(&mut self.wanted, option.value),
            code::RAPID_COMMIT => {
                self.rapid_commit = true;
                Ok(())
            }
            code::IA_NA | code::IA_PD => self.associate(option, 12),
            code::IA_TA => self.associate(option, 4),
            _ => Ok(()),
        }
    }

    /// Takes in an identity association whose options are behind `header` octets.
    fn associate(&mut self, option: &RawOption<'a>, header: usize) -> Result<(), NoAnswer> {
        let malformed = NoAnswer::Malformed("identity association");
        let id = option.value.first_chunk().ok_or(malformed)?;
        let mut rest = option.value.get(header..).ok_or(malformed)?;
        let mut addresses = Vec::new();
        while let Some(inner) = RawOption::next(&mut rest, "identity association")? {
            if inner.code == code::ADDRESS {
                // Address, two lifetimes, options.
                let (octets, rest) = inner.value.split_first_chunk::<16>().ok_or(malformed)?;
                if rest.len() < 8 {
                    return Err(malformed);
                }
                addresses.push(Ipv6Addr::from_octets(*octets));
            }
        }
        self.associations.push(Association {
            code: option.code,
            id: *id,
            addresses,
        });
        Ok(())
    }
}

/// Keeps the value of an option that a message has once.
fn once<'a>(kept: &mut Option<&'a [u8]>, value: &'a [u8]) -> Result<(), NoAnswer> {
    if kept.replace(value).is_some() {
        return Err(NoAnswer::Malformed("options"));
    }
    Ok(())
}

/// A DUID of a possible length.
fn duid<'a>(value: &'a [u8], field: &'static str) -> Result<&'a [u8], NoAnswer> {
    if (3..=MAX_DUID).contains(&value.len()) {
        Ok(value)
    } else {
        Err(NoAnswer::Malformed(field))
    }
}

/// One option (RFC 8415, section 21.1).
struct RawOption<'a> {
    code: u16,
    value: &'a [u8],
}

impl<'a> RawOption<'a> {
    /// Takes the next option off the front.
    fn next(rest: &mut &'a [u8], field: &'static str) -> Result<Option<Self>, NoAnswer> {
        if rest.is_empty() {
            return Ok(None);
        }
        let malformed = NoAnswer::Malformed(field);
        let ([c0, c1, l0, l1], behind) = rest.split_first_chunk().ok_or(malformed)?;
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        let (value, behind) = behind.split_at_checked(len).ok_or(malformed)?;
        *rest = behind;
        Ok(Some(Self {
            code: u16::from_be_bytes([*c0, *c1]),
            value,
        }))
    }
}
