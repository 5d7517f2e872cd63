//! Options: code, length, value (RFC 2132 section 2).

use core::fmt;

use crate::dhcpv4::error::Dhcpv4Error;
use crate::number::registry;

registry! {
    /// What an option is (RFC 2132, and as noted).
    OptionCode: u8, "option {}" {
        /// Fills, has neither length nor value.
        PAD = 0, "pad";
        /// Subnet mask.
        SUBNET_MASK = 1, "subnet mask";
        /// Default gateways.
        ROUTER = 3, "router";
        /// DNS servers.
        DNS_SERVER = 6, "dns server";
        /// Name of the client, without domain.
        HOST_NAME = 12, "host name";
        /// Domain in which the client resolves names.
        DOMAIN_NAME = 15, "domain name";
        /// MTU of the link.
        INTERFACE_MTU = 26, "interface mtu";
        /// Address that the client asks for.
        REQUESTED_ADDRESS = 50, "requested address";
        /// Seconds that an address may be used.
        LEASE_TIME = 51, "lease time";
        /// Whether `file` and `sname` hold options.
        OVERLOAD = 52, "option overload";
        /// What the message is.
        MESSAGE_TYPE = 53, "message type";
        /// Which server is meant or answers.
        SERVER_ID = 54, "server identifier";
        /// Options that the client wants.
        PARAMETER_LIST = 55, "parameter request list";
        /// Why, in words.
        MESSAGE = 56, "message";
        /// Greatest message that the client takes.
        MAX_MESSAGE_SIZE = 57, "maximum message size";
        /// Seconds until the client renews (T1).
        RENEWAL_TIME = 58, "renewal time";
        /// Seconds until the client rebinds (T2).
        REBINDING_TIME = 59, "rebinding time";
        /// Kind of the client.
        VENDOR_CLASS = 60, "vendor class";
        /// Identity of the client.
        CLIENT_ID = 61, "client identifier";
        /// Domains that the client searches (RFC 3397).
        DOMAIN_SEARCH = 119, "domain search";
        /// Routes with their prefixes (RFC 3442).
        CLASSLESS_ROUTES = 121, "classless routes";
        /// Ends the options of a field, has neither length nor value.
        END = 255, "end";
    }
}

/// What a message is for (RFC 2132 section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client takes an offer, or keeps its address.
    Request,
    /// A client found the address in use.
    Decline,
    /// A server grants.
    Ack,
    /// A server refuses.
    Nak,
    /// A client gives its address back.
    Release,
    /// A client that has an address asks for the rest.
    Inform,
}

impl MessageType {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        match self {
            Self::Discover => 1,
            Self::Offer => 2,
            Self::Request => 3,
            Self::Decline => 4,
            Self::Ack => 5,
            Self::Nak => 6,
            Self::Release => 7,
            Self::Inform => 8,
        }
    }
}

impl TryFrom<u8> for MessageType {
    type Error = Dhcpv4Error;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Ok(match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            got => return Err(Dhcpv4Error::MessageType { got }),
        })
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discover => "discover",
            Self::Offer => "offer",
            Self::Request => "request",
            Self::Decline => "decline",
            Self::Ack => "ack",
            Self::Nak => "nak",
            Self::Release => "release",
            Self::Inform => "inform",
        })
    }
}

/// One option as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcpv4Option<'a> {
    /// What it is.
    pub code: OptionCode,
    /// Its value; a long one goes on in the next option of the same code (RFC 3396).
    pub value: &'a [u8],
}

/// One field that holds options.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Field<'a> {
    /// What is left of it.
    bytes: &'a [u8],
    /// Where that begins in the message.
    at: usize,
}

impl<'a> Field<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Takes the next option; `None` at the end option, or where the field ends without one.
    ///
    /// RFC 2131 section 4.1 wants an end option, but clients without one are in use, and the
    /// field's own end is as good.
    pub(super) fn take(&mut self) -> Result<Option<Dhcpv4Option<'a>>, Dhcpv4Error> {
        let pads = self
            .bytes
            .iter()
            .take_while(|&&octet| octet == OptionCode::PAD.get())
            .count();
        self.skip(pads);
        let Some(&code) = self.bytes.first() else {
            return Ok(None);
        };
        let code = OptionCode(code);
        if code == OptionCode::END {
            self.skip(self.bytes.len());
            return Ok(None);
        }
        let needed = 2 + self.bytes.get(1).copied().map_or(0, usize::from);
        let (at, got) = (self.at, self.bytes.len());
        let value = self.bytes.get(2..needed);
        let value = value.ok_or(Dhcpv4Error::OptionCut {
            code,
            at,
            needed,
            got,
        })?;
        self.skip(needed);
        Ok(Some(Dhcpv4Option { code, value }))
    }

    fn skip(&mut self, count: usize) {
        self.bytes = self.bytes.get(count..).unwrap_or_default();
        self.at += count;
    }
}

/// The options of a checked message, in the order of RFC 3396 section 5: the options field, then
/// `file`, then `sname`, where they hold options. Pad and end are left out.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    pub(super) fields: [Field<'a>; 3],
}

impl<'a> Iterator for Options<'a> {
    type Item = Dhcpv4Option<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fields
            .iter_mut()
            .find_map(|field| field.take().ok().flatten())
    }
}
