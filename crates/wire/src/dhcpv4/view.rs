//! Reading messages.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use rackweave_types::MacAddr;

use crate::dhcpv4::error::Dhcpv4Error;
use crate::dhcpv4::option::{Field, MessageType, OptionCode, Options};
use crate::dhcpv4::route::{ClasslessRoute, ClasslessRoutes};
use crate::dhcpv4::{BROADCAST, ETHERNET, HEADER_LEN, MAGIC_COOKIE, Op, Raw};
use crate::domain::{Compression, Names};
use crate::raw;

/// Where `sname` begins.
const SNAME_AT: usize = 44;
/// Where `file` begins.
const FILE_AT: usize = 108;

/// A message whose header makes sense and whose options are whole.
#[derive(Clone, Debug)]
pub struct Dhcpv4View<'a> {
    raw: &'a Raw,
    op: Op,
    options: Options<'a>,
}

impl<'a> Dhcpv4View<'a> {
    /// Checks the header and the extent of every option.
    ///
    /// # Errors
    /// Where the header is cut or makes no sense, or an option reaches behind its field.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Dhcpv4Error> {
        let (raw, rest) = raw::split::<Raw>("dhcpv4 header", bytes)?;
        let op = match raw.op {
            1 => Op::Request,
            2 => Op::Reply,
            got => return Err(Dhcpv4Error::Op { got }),
        };
        if usize::from(raw.hlen) > raw.chaddr.len() {
            return Err(Dhcpv4Error::HardwareLen { got: raw.hlen });
        }
        if raw.cookie != MAGIC_COOKIE {
            return Err(Dhcpv4Error::Cookie { got: raw.cookie });
        }
        let mut view = Self {
            raw,
            op,
            options: Options {
                fields: Default::default(),
            },
        };
        view.options.fields[0] = checked(Field::new(rest, HEADER_LEN))?;
        let (file, sname) = match view.byte(OptionCode::OVERLOAD)? {
            None => (false, false),
            Some(1) => (true, false),
            Some(2) => (false, true),
            Some(3) => (true, true),
            Some(got) => return Err(Dhcpv4Error::Overload { got }),
        };
        if file {
            view.options.fields[1] = checked(Field::new(&raw.file, FILE_AT))?;
        }
        if sname {
            view.options.fields[2] = checked(Field::new(&raw.sname, SNAME_AT))?;
        }
        Ok(view)
    }

    /// Who sends the message.
    pub const fn op(&self) -> Op {
        self.op
    }

    /// The transaction, chosen by the client.
    pub const fn xid(&self) -> u32 {
        self.raw.xid.get()
    }

    /// Seconds since the client began.
    pub const fn secs(&self) -> u16 {
        self.raw.secs.get()
    }

    /// Whether the client asks for broadcast replies.
    pub const fn broadcast(&self) -> bool {
        self.raw.flags.get() & BROADCAST != 0
    }

    /// The address that the client has (`ciaddr`); 0.0.0.0 where it has none.
    pub const fn client_address(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.raw.ciaddr)
    }

    /// The address that the client gets (`yiaddr`).
    pub const fn your_address(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.raw.yiaddr)
    }

    /// The next server of the client's start (`siaddr`).
    pub const fn next_server(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.raw.siaddr)
    }

    /// The relay agent (`giaddr`); 0.0.0.0 where there is none.
    pub const fn relay(&self) -> Ipv4Addr {
        Ipv4Addr::from_octets(self.raw.giaddr)
    }

    /// The client's Ethernet address (`chaddr`); `None` where its hardware is of another kind.
    pub fn client_mac(&self) -> Option<MacAddr> {
        let ethernet = self.raw.htype == ETHERNET && self.raw.hlen == 6;
        self.raw
            .chaddr
            .first_chunk()
            .filter(|_| ethernet)
            .map(|octets| MacAddr::new(*octets))
    }

    /// The fixed fields.
    pub(super) const fn raw(&self) -> &'a Raw {
        self.raw
    }

    /// Every option as it stands.
    pub fn options(&self) -> Options<'a> {
        self.options.clone()
    }

    /// The value of an option, its parts joined (RFC 3396 section 7).
    pub fn option(&self, code: OptionCode) -> Option<Cow<'a, [u8]>> {
        let mut parts = self.options().filter(|o| o.code == code).map(|o| o.value);
        let mut value = Cow::Borrowed(parts.next()?);
        for part in parts {
            value.to_mut().extend_from_slice(part);
        }
        Some(value)
    }

    /// What the message is for.
    ///
    /// # Errors
    /// Where the option is missing, has a wrong length or an unknown value.
    pub fn message_type(&self) -> Result<MessageType, Dhcpv4Error> {
        self.byte(OptionCode::MESSAGE_TYPE)?
            .ok_or(Dhcpv4Error::NoMessageType)?
            .try_into()
    }

    /// The address that the client asks for.
    ///
    /// # Errors
    /// Where the option is not an address.
    pub fn requested_address(&self) -> Result<Option<Ipv4Addr>, Dhcpv4Error> {
        self.address(OptionCode::REQUESTED_ADDRESS)
    }

    /// The server that is meant or answers.
    ///
    /// # Errors
    /// Where the option is not an address.
    pub fn server_id(&self) -> Result<Option<Ipv4Addr>, Dhcpv4Error> {
        self.address(OptionCode::SERVER_ID)
    }

    /// The client's identity, of at least two octets.
    ///
    /// # Errors
    /// Where the option is shorter.
    pub fn client_id(&self) -> Result<Option<Cow<'a, [u8]>>, Dhcpv4Error> {
        let code = OptionCode::CLIENT_ID;
        match self.option(code) {
            Some(id) if id.len() < 2 => Err(Dhcpv4Error::OptionLen {
                code,
                got: id.len(),
                expected: "at least 2",
            }),
            id => Ok(id),
        }
    }

    /// Codes of the options that the client wants, the most wanted first.
    pub fn parameter_list(&self) -> Option<Cow<'a, [u8]>> {
        self.option(OptionCode::PARAMETER_LIST)
    }

    /// The greatest message that the client takes, in octets of the IP packet.
    ///
    /// # Errors
    /// Where the option has a wrong length.
    pub fn max_message_size(&self) -> Result<Option<u16>, Dhcpv4Error> {
        let value = self.fixed(OptionCode::MAX_MESSAGE_SIZE, "2")?;
        Ok(value.map(u16::from_be_bytes))
    }

    /// The subnet mask.
    ///
    /// # Errors
    /// Where the option is not an address.
    pub fn subnet_mask(&self) -> Result<Option<Ipv4Addr>, Dhcpv4Error> {
        self.address(OptionCode::SUBNET_MASK)
    }

    /// Default gateways, the most preferred first.
    ///
    /// # Errors
    /// Where the option is not a list of addresses.
    pub fn routers(&self) -> Result<Vec<Ipv4Addr>, Dhcpv4Error> {
        self.addresses(OptionCode::ROUTER)
    }

    /// DNS servers, the most preferred first.
    ///
    /// # Errors
    /// Where the option is not a list of addresses.
    pub fn dns_servers(&self) -> Result<Vec<Ipv4Addr>, Dhcpv4Error> {
        self.addresses(OptionCode::DNS_SERVER)
    }

    /// Domains that the client searches, in this order.
    ///
    /// # Errors
    /// Where the option is not a list of names.
    pub fn domain_search(&self) -> Result<Vec<String>, Dhcpv4Error> {
        let value = self.option(OptionCode::DOMAIN_SEARCH).unwrap_or_default();
        Names::new(&value, Compression::Allowed)
            .map(|name| name.map_err(Dhcpv4Error::Domain))
            .collect()
    }

    /// Routes that the client installs.
    ///
    /// # Errors
    /// Where the option is not a list of routes.
    pub fn classless_routes(&self) -> Result<Vec<ClasslessRoute>, Dhcpv4Error> {
        let value = self
            .option(OptionCode::CLASSLESS_ROUTES)
            .unwrap_or_default();
        ClasslessRoutes::new(&value).collect()
    }

    /// The MTU of the link, in octets.
    ///
    /// # Errors
    /// Where the option has a wrong length.
    pub fn interface_mtu(&self) -> Result<Option<u16>, Dhcpv4Error> {
        Ok(self
            .fixed(OptionCode::INTERFACE_MTU, "2")?
            .map(u16::from_be_bytes))
    }

    /// A time of the lease in seconds: [`OptionCode::LEASE_TIME`], [`OptionCode::RENEWAL_TIME`] or
    /// [`OptionCode::REBINDING_TIME`].
    ///
    /// # Errors
    /// Where the option has a wrong length.
    pub fn seconds(&self, code: OptionCode) -> Result<Option<u32>, Dhcpv4Error> {
        Ok(self.fixed(code, "4")?.map(u32::from_be_bytes))
    }

    fn byte(&self, code: OptionCode) -> Result<Option<u8>, Dhcpv4Error> {
        Ok(self.fixed(code, "1")?.map(|[byte]| byte))
    }

    fn address(&self, code: OptionCode) -> Result<Option<Ipv4Addr>, Dhcpv4Error> {
        Ok(self.fixed(code, "4")?.map(Ipv4Addr::from_octets))
    }

    fn addresses(&self, code: OptionCode) -> Result<Vec<Ipv4Addr>, Dhcpv4Error> {
        let Some(value) = self.option(code) else {
            return Ok(Vec::new());
        };
        match value.as_chunks() {
            ([], _) | (_, [_, ..]) => Err(Dhcpv4Error::OptionLen {
                code,
                got: value.len(),
                expected: "a multiple of 4",
            }),
            (list, []) => Ok(list.iter().copied().map(Ipv4Addr::from_octets).collect()),
        }
    }

    fn fixed<const N: usize>(
        &self,
        code: OptionCode,
        expected: &'static str,
    ) -> Result<Option<[u8; N]>, Dhcpv4Error> {
        let Some(value) = self.option(code) else {
            return Ok(None);
        };
        let error = Dhcpv4Error::OptionLen {
            code,
            got: value.len(),
            expected,
        };
        <[u8; N]>::try_from(&*value).map(Some).map_err(|_| error)
    }
}

/// The field, where each of its options is whole.
fn checked(field: Field<'_>) -> Result<Field<'_>, Dhcpv4Error> {
    let mut walk = field;
    while walk.take()?.is_some() {}
    Ok(field)
}
