//! Writing messages.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use rackweave_types::MacAddr;
use zerocopy::IntoBytes;

use crate::dhcpv4::error::{Dhcpv4BuildError, Dhcpv4Error};
use crate::dhcpv4::option::{MessageType, OptionCode};
use crate::dhcpv4::route::ClasslessRoute;
use crate::dhcpv4::view::Dhcpv4View;
use crate::dhcpv4::{BROADCAST, ETHERNET, HEADER_LEN, MAGIC_COOKIE, Raw};
use crate::domain;

/// The least message that every client and relay agent takes, and to which shorter ones are padded
/// (RFC 1542 section 2.1: "the BOOTP message … MUST be at least 300 octets").
const MIN_LEN: usize = 300;
/// "A DHCP client must be prepared to receive DHCP messages with an 'options' field of at least
/// length 312 octets" (RFC 2131 section 2): an IP packet of 576 octets.
const MIN_PACKET_LEN: u16 = 576;
/// IPv4 and UDP headers of that packet.
const IP_UDP_LEN: u16 = 28;
/// The most octets of one part of a value.
const MAX_PART_LEN: usize = 255;

/// Builds one message.
///
/// Options are added in the order of their importance: one that no longer fits into what the
/// receiver takes is refused, the message staying as it was, and the caller decides whether it can
/// do without. RFC 2132 section 3.3 wants the subnet mask before the routers.
///
/// ```
/// # use std::net::Ipv4Addr;
/// # use rackweave_wire::dhcpv4::{Dhcpv4Builder, Dhcpv4BuildError, Dhcpv4View, MessageType};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mac = "02:72:77:00:00:01".parse()?;
/// let discover = Dhcpv4Builder::request(0x1234, mac, MessageType::Discover).finish();
/// let discover = Dhcpv4View::parse(&discover)?;
///
/// let mut offer = Dhcpv4Builder::reply(&discover, MessageType::Offer)?;
/// offer.your_address(Ipv4Addr::new(10, 0, 0, 5));
/// offer.server_id(Ipv4Addr::new(10, 0, 0, 1))?;
/// offer.lease(3600)?;
/// let offer = offer.finish();
/// assert_eq!(Dhcpv4View::parse(&offer)?.your_address(), Ipv4Addr::new(10, 0, 0, 5));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dhcpv4Builder {
    raw: Raw,
    options: Vec<u8>,
    /// The most octets of `options`, the end option included.
    max_options: usize,
}

impl Dhcpv4Builder {
    /// The reply to a message: it goes back to the same client in the same transaction.
    ///
    /// # Errors
    /// Where the message's maximum message size has a wrong length.
    pub fn reply(request: &Dhcpv4View<'_>, message_type: MessageType) -> Result<Self, Dhcpv4Error> {
        let request_raw = request.raw();
        let raw = Raw {
            op: 2,
            hops: 0,
            secs: 0.into(),
            // RFC 2131 table 3: DHCPOFFER and DHCPNAK carry no ciaddr, DHCPACK may.
            ciaddr: if message_type == MessageType::Ack {
                request_raw.ciaddr
            } else {
                [0; 4]
            },
            yiaddr: [0; 4],
            siaddr: [0; 4],
            sname: [0; 64],
            file: [0; 128],
            ..request_raw.clone()
        };
        let max_packet = request.max_message_size()?.unwrap_or(0).max(MIN_PACKET_LEN);
        Ok(Self::new(raw, max_packet, message_type))
    }

    /// A client's message.
    #[must_use]
    pub fn request(xid: u32, mac: MacAddr, message_type: MessageType) -> Self {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&mac.octets());
        let raw = Raw {
            op: 1,
            htype: ETHERNET,
            hlen: 6,
            hops: 0,
            xid: xid.into(),
            secs: 0.into(),
            flags: 0.into(),
            ciaddr: [0; 4],
            yiaddr: [0; 4],
            siaddr: [0; 4],
            giaddr: [0; 4],
            chaddr,
            sname: [0; 64],
            file: [0; 128],
            cookie: MAGIC_COOKIE,
        };
        Self::new(raw, MIN_PACKET_LEN, message_type)
    }

    fn new(raw: Raw, max_packet: u16, message_type: MessageType) -> Self {
        let max_options = usize::from(max_packet - IP_UDP_LEN) - HEADER_LEN;
        let mut options = Vec::with_capacity(MIN_LEN - HEADER_LEN);
        options.extend_from_slice(&[OptionCode::MESSAGE_TYPE.get(), 1, message_type.get()]);
        Self {
            raw,
            options,
            max_options,
        }
    }

    /// Asks for broadcast replies.
    pub fn broadcast(&mut self) -> &mut Self {
        self.raw.flags = BROADCAST.into();
        self
    }

    /// Sets the address that the client has (`ciaddr`).
    pub fn client_address(&mut self, addr: Ipv4Addr) -> &mut Self {
        self.raw.ciaddr = addr.octets();
        self
    }

    /// Sets the address that the client gets (`yiaddr`).
    pub fn your_address(&mut self, addr: Ipv4Addr) -> &mut Self {
        self.raw.yiaddr = addr.octets();
        self
    }

    /// Adds the server's identity.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn server_id(&mut self, addr: Ipv4Addr) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::SERVER_ID, &addr.octets())
    }

    /// Adds the address that the client asks for.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn requested_address(&mut self, addr: Ipv4Addr) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::REQUESTED_ADDRESS, &addr.octets())
    }

    /// Adds lease, renewal and rebinding time: all of it, a half, and seven eighths
    /// (RFC 2131 section 4.4.5). The greatest number is for ever.
    ///
    /// # Errors
    /// Where they do not fit.
    pub fn lease(&mut self, seconds: u32) -> Result<&mut Self, Dhcpv4BuildError> {
        let part = |eighths: u32| match seconds {
            u32::MAX => u32::MAX,
            _ => seconds / 8 * eighths + seconds % 8 * eighths / 8,
        };
        self.option(OptionCode::LEASE_TIME, &seconds.to_be_bytes())?
            .option(OptionCode::RENEWAL_TIME, &part(4).to_be_bytes())?
            .option(OptionCode::REBINDING_TIME, &part(7).to_be_bytes())
    }

    /// Adds the subnet mask.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn subnet_mask(&mut self, mask: Ipv4Addr) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::SUBNET_MASK, &mask.octets())
    }

    /// Adds default gateways; none adds no option.
    ///
    /// # Errors
    /// Where they do not fit.
    pub fn routers(&mut self, list: &[Ipv4Addr]) -> Result<&mut Self, Dhcpv4BuildError> {
        self.addresses(OptionCode::ROUTER, list)
    }

    /// Adds DNS servers; none adds no option.
    ///
    /// # Errors
    /// Where they do not fit.
    pub fn dns_servers(&mut self, list: &[Ipv4Addr]) -> Result<&mut Self, Dhcpv4BuildError> {
        self.addresses(OptionCode::DNS_SERVER, list)
    }

    /// Adds the client's name; an empty one adds no option.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn host_name(&mut self, name: &str) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::HOST_NAME, name.as_bytes())
    }

    /// Adds the client's domain; an empty one adds no option.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn domain_name(&mut self, name: &str) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::DOMAIN_NAME, name.as_bytes())
    }

    /// Adds domains that the client searches, uncompressed; none adds no option.
    ///
    /// # Errors
    /// Where one is no domain name, or they do not fit.
    pub fn domain_search<S: AsRef<str>>(
        &mut self,
        list: &[S],
    ) -> Result<&mut Self, Dhcpv4BuildError> {
        let mut value = Vec::new();
        for name in list {
            domain::put(name.as_ref(), &mut value).map_err(Dhcpv4BuildError::Domain)?;
        }
        self.option(OptionCode::DOMAIN_SEARCH, &value)
    }

    /// Adds the MTU of the link; "the minimum legal value for the MTU is 68".
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn interface_mtu(&mut self, octets: u16) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::INTERFACE_MTU, &octets.to_be_bytes())
    }

    /// Adds routes, of which one must be the default route where there is one: a client that reads
    /// them ignores the routers (RFC 3442, "DHCP Client Behavior"). None adds no option.
    ///
    /// # Errors
    /// Where they do not fit.
    pub fn classless_routes(
        &mut self,
        list: &[ClasslessRoute],
    ) -> Result<&mut Self, Dhcpv4BuildError> {
        let mut value = Vec::new();
        for route in list {
            route.put(&mut value);
        }
        self.option(OptionCode::CLASSLESS_ROUTES, &value)
    }

    /// Adds the client's identity.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn client_id(&mut self, id: &[u8]) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::CLIENT_ID, id)
    }

    /// Adds the codes of the options that the client wants.
    ///
    /// # Errors
    /// Where they do not fit.
    pub fn parameter_list(&mut self, list: &[OptionCode]) -> Result<&mut Self, Dhcpv4BuildError> {
        let value: Vec<u8> = list.iter().map(|code| code.get()).collect();
        self.option(OptionCode::PARAMETER_LIST, &value)
    }

    /// Adds the greatest message that the client takes, in octets of the IP packet, from 576.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn max_message_size(&mut self, octets: u16) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(
            OptionCode::MAX_MESSAGE_SIZE,
            &octets.max(MIN_PACKET_LEN).to_be_bytes(),
        )
    }

    /// Adds the reason, in words.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn message(&mut self, text: &str) -> Result<&mut Self, Dhcpv4BuildError> {
        self.option(OptionCode::MESSAGE, text.as_bytes())
    }

    /// Adds an option, in several parts where it is long (RFC 3396 section 6). An empty value adds
    /// no option: each that a server sends has a value.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn option(
        &mut self,
        code: OptionCode,
        value: &[u8],
    ) -> Result<&mut Self, Dhcpv4BuildError> {
        let parts = value.chunks(MAX_PART_LEN);
        let needed = value.len() + 2 * parts.len();
        let room = self.max_options.saturating_sub(self.options.len() + 1);
        if needed > room {
            return Err(Dhcpv4BuildError::NoRoom { code, needed, room });
        }
        for part in parts {
            let len = u8::try_from(part.len()).unwrap_or(u8::MAX);
            self.options.extend_from_slice(&[code.get(), len]);
            self.options.extend_from_slice(part);
        }
        Ok(self)
    }

    fn addresses(
        &mut self,
        code: OptionCode,
        list: &[Ipv4Addr],
    ) -> Result<&mut Self, Dhcpv4BuildError> {
        let value: Vec<u8> = list.iter().flat_map(Ipv4Addr::octets).collect();
        self.option(code, &value)
    }

    /// The message, ended and padded.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(MIN_LEN.max(HEADER_LEN + self.options.len() + 1));
        message.extend_from_slice(self.raw.as_bytes());
        message.extend_from_slice(&self.options);
        message.push(OptionCode::END.get());
        if message.len() < MIN_LEN {
            message.resize(MIN_LEN, OptionCode::PAD.get());
        }
        message
    }
}
