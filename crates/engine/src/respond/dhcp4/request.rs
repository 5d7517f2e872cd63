//! What a client asks.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use rackweave_types::MacAddr;

use crate::respond::NoAnswer;

/// UDP ports (RFC 2131, section 4.1).
pub(super) const SERVER_PORT: u16 = 67;
pub(super) const CLIENT_PORT: u16 = 68;
/// What tells that options follow (RFC 2131, section 3).
pub(super) const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
/// "BOOTREQUEST".
const REQUEST: u8 = 1;
/// Where fields are, counted from the UDP header.
const UDP_LEN: usize = 8;
const SERVER_NAME: core::ops::Range<usize> = UDP_LEN + 44..UDP_LEN + 108;
const BOOT_FILE: core::ops::Range<usize> = UDP_LEN + 108..UDP_LEN + 236;
const COOKIE: core::ops::Range<usize> = UDP_LEN + 236..UDP_LEN + 240;

/// Message types (RFC 2132, section 9.6).
pub(super) mod kind {
    pub(crate) const DISCOVER: u8 = 1;
    pub(crate) const OFFER: u8 = 2;
    pub(crate) const REQUEST: u8 = 3;
    pub(crate) const ACK: u8 = 5;
    pub(crate) const NAK: u8 = 6;
    pub(crate) const INFORM: u8 = 8;
}

/// Option codes (RFC 2132; RFC 3397; RFC 3442).
pub(super) mod code {
    pub(crate) const PAD: u8 = 0;
    pub(crate) const SUBNET_MASK: u8 = 1;
    pub(crate) const ROUTER: u8 = 3;
    pub(crate) const DNS: u8 = 6;
    pub(crate) const HOST_NAME: u8 = 12;
    pub(crate) const DOMAIN: u8 = 15;
    pub(crate) const MTU: u8 = 26;
    pub(crate) const REQUESTED_ADDRESS: u8 = 50;
    pub(crate) const LEASE: u8 = 51;
    pub(crate) const OVERLOAD: u8 = 52;
    pub(crate) const MESSAGE_TYPE: u8 = 53;
    pub(crate) const SERVER_ID: u8 = 54;
    pub(crate) const PARAMETERS: u8 = 55;
    pub(crate) const MAX_SIZE: u8 = 57;
    pub(crate) const RENEWAL: u8 = 58;
    pub(crate) const REBINDING: u8 = 59;
    pub(crate) const CLIENT_ID: u8 = 61;
    pub(crate) const SEARCH: u8 = 119;
    pub(crate) const CLASSLESS_ROUTES: u8 = 121;
    pub(crate) const WINDOWS_ROUTES: u8 = 249;
    pub(crate) const END: u8 = 255;
}

/// A client's message, as far as a server without state cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Message type.
    pub(super) kind: u8,
    /// Transaction id.
    pub(super) transaction: [u8; 4],
    /// Whether the client cannot take unicasts yet.
    pub(super) broadcast: bool,
    /// `ciaddr`: the address that the client uses already.
    pub(super) client_addr: Ipv4Addr,
    /// `chaddr`.
    pub(super) client: MacAddr,
    /// The address that the client asks for.
    pub(super) requested: Option<Ipv4Addr>,
    /// The server that the client has chosen.
    pub(super) server: Option<Ipv4Addr>,
    /// The longest datagram that the client takes; 0 where it does not say.
    pub(super) max_datagram: u16,
    /// The client identifier; empty where there is none.
    pub(super) client_id: Vec<u8>,
    /// Codes of the options that the client wants; empty where it does not say.
    parameters: Vec<u8>,
}

impl Request {
    /// Reads a UDP datagram with a message from a client on the link.
    pub(super) fn parse(udp: &[u8]) -> Result<Self, NoAnswer> {
        let len = udp.get(4..6).ok_or(NoAnswer::Malformed("udp header"))?;
        let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
        let udp = udp.get(..len).ok_or(NoAnswer::Malformed("udp length"))?;
        let (fixed, options) = udp
            .split_at_checked(COOKIE.end)
            .ok_or(NoAnswer::Malformed("length"))?;
        if fixed[COOKIE] != MAGIC_COOKIE {
            return Err(NoAnswer::Malformed("magic cookie"));
        }
        let message: &[u8; 34] = fixed[UDP_LEN..]
            .first_chunk()
            .ok_or(NoAnswer::Malformed("length"))?;
        if message[0] != REQUEST {
            return Err(NoAnswer::NotForUs);
        }
        // Ethernet, six octets.
        if message[1..3] != [1, 6] {
            return Err(NoAnswer::Malformed("hardware type"));
        }
        // `giaddr`: a guest is no relay.
        if message[24..28] != [0; 4] {
            return Err(NoAnswer::NotForUs);
        }
        let [.., x0, x1, x2, x3, _, _, flags, _, c0, c1, c2, c3] = *message
            .first_chunk::<16>()
            .ok_or(NoAnswer::Malformed("length"))?;
        let hardware = message.last_chunk().ok_or(NoAnswer::Malformed("length"))?;
        let mut request = Self {
            kind: 0,
            transaction: [x0, x1, x2, x3],
            broadcast: flags & 0x80 != 0,
            client_addr: Ipv4Addr::new(c0, c1, c2, c3),
            client: MacAddr::new(*hardware),
            requested: None,
            server: None,
            max_datagram: 0,
            client_id: Vec::new(),
            parameters: Vec::new(),
        };
        request.read_options(fixed, options)?;
        Ok(request)
    }

    /// Whether an option is wanted that a client may do without: it names it, or names none.
    pub(super) fn asks_for(&self, code: u8) -> bool {
        self.parameters.is_empty() || self.asks_by_name(code)
    }

    /// Whether the client names this option.
    pub(super) fn asks_by_name(&self, code: u8) -> bool {
        self.parameters.contains(&code)
    }

    /// Reads the options, also those in the fields that "option overload" lends them (RFC 2132,
    /// section 9.3).
    fn read_options(&mut self, fixed: &[u8], options: &[u8]) -> Result<(), NoAnswer> {
        let mut raw = Raw::default();
        raw.read(options)?;
        let overload = raw.overload.first().copied().unwrap_or(0);
        if overload & 1 != 0 {
            raw.read(&fixed[BOOT_FILE])?;
        }
        if overload & 2 != 0 {
            raw.read(&fixed[SERVER_NAME])?;
        }
        let [kind] = raw.kind[..] else {
            return Err(NoAnswer::Malformed("message type"));
        };
        self.kind = kind;
        self.requested = address(&raw.requested, "requested address")?;
        self.server = address(&raw.server, "server identifier")?;
        self.max_datagram = match raw.max_size[..] {
            [] => 0,
            [high, low] => u16::from_be_bytes([high, low]),
            _ => return Err(NoAnswer::Malformed("maximum message size")),
        };
        self.client_id = raw.client_id;
        self.parameters = raw.parameters;
        Ok(())
    }
}

/// An option that holds an address, where it is there.
fn address(value: &[u8], field: &'static str) -> Result<Option<Ipv4Addr>, NoAnswer> {
    match *value {
        [] => Ok(None),
        [a, b, c, d] => Ok(Some(Ipv4Addr::new(a, b, c, d))),
        _ => Err(NoAnswer::Malformed(field)),
    }
}

/// The values of the options that are looked at; those of one code put together (RFC 3396, section
/// 7).
#[derive(Default)]
struct Raw {
    kind: Vec<u8>,
    overload: Vec<u8>,
    requested: Vec<u8>,
    server: Vec<u8>,
    max_size: Vec<u8>,
    client_id: Vec<u8>,
    parameters: Vec<u8>,
}

impl Raw {
    /// Octets of one option's value that are kept: a client identifier is echoed, and the reply has
    /// its limit.
    const MAX_VALUE: usize = 255;

    /// Reads one field of options.
    fn read(&mut self, mut field: &[u8]) -> Result<(), NoAnswer> {
        loop {
            match field {
                [] | [code::END, ..] => return Ok(()),
                [code::PAD, rest @ ..] => field = rest,
                [code, len, rest @ ..] => {
                    let (value, rest) = rest
                        .split_at_checked(usize::from(*len))
                        .ok_or(NoAnswer::Malformed("options"))?;
                    if let Some(kept) = self.value(*code) {
                        kept.extend_from_slice(value);
                        if kept.len() > Self::MAX_VALUE {
                            return Err(NoAnswer::Malformed("options"));
                        }
                    }
                    field = rest;
                }
                [_] => return Err(NoAnswer::Malformed("options")),
            }
        }
    }

    /// Where the values of this code go, if they are kept.
    fn value(&mut self, code: u8) -> Option<&mut Vec<u8>> {
        match code {
            code::MESSAGE_TYPE => Some(&mut self.kind),
            code::OVERLOAD => Some(&mut self.overload),
            code::REQUESTED_ADDRESS => Some(&mut self.requested),
            code::SERVER_ID => Some(&mut self.server),
            code::MAX_SIZE => Some(&mut self.max_size),
            code::CLIENT_ID => Some(&mut self.client_id),
            code::PARAMETERS => Some(&mut self.parameters),
            _ => None,
        }
    }
}
