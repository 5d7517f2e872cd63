//! Reading messages.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;

use crate::dhcpv6::HEADER_LEN;
use crate::dhcpv6::association::Association;
use crate::dhcpv6::duid::Duid;
use crate::dhcpv6::error::Dhcpv6Error;
use crate::dhcpv6::message_type::MessageType;
use crate::dhcpv6::option::{OptionCode, Options};
use crate::dhcpv6::status::Status;
use crate::domain::{Compression, Names};
use crate::error::Truncated;

/// A message between client and server whose options are whole.
#[derive(Clone, Debug)]
pub struct Dhcpv6View<'a> {
    message_type: MessageType,
    xid: [u8; 3],
    options: Options<'a>,
}

impl<'a> Dhcpv6View<'a> {
    /// Checks the header and the extent of the message's own options.
    ///
    /// # Errors
    /// Where the header is cut, the type is unknown or one of relay agents, or an option reaches
    /// behind the message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Dhcpv6Error> {
        let (&[message_type, a, b, c], rest) = bytes.split_first_chunk().ok_or(Truncated {
            header: "dhcpv6 header",
            needed: HEADER_LEN,
            got: bytes.len(),
        })?;
        let message_type = MessageType::try_from(message_type)?;
        if message_type.is_relay() {
            return Err(Dhcpv6Error::Relay { got: message_type });
        }
        let options = Options::parse(rest, HEADER_LEN)?;
        Ok(Self {
            message_type,
            xid: [a, b, c],
            options,
        })
    }

    /// What the message is for.
    pub const fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// The transaction, chosen by the client.
    pub const fn xid(&self) -> [u8; 3] {
        self.xid
    }

    /// Every option of the message itself.
    pub fn options(&self) -> Options<'a> {
        self.options.clone()
    }

    /// The client's identity.
    ///
    /// # Errors
    /// Where the option has a wrong length or stands twice.
    pub fn client_id(&self) -> Result<Option<Duid<'a>>, Dhcpv6Error> {
        self.duid(OptionCode::CLIENT_ID)
    }

    /// The identity of the server that is meant or answers.
    ///
    /// # Errors
    /// Where the option has a wrong length or stands twice.
    pub fn server_id(&self) -> Result<Option<Duid<'a>>, Dhcpv6Error> {
        self.duid(OptionCode::SERVER_ID)
    }

    /// The identity associations, of every kind, in order.
    pub fn associations(
        &self,
    ) -> impl Iterator<Item = Result<Association<'a>, Dhcpv6Error>> + use<'a> {
        self.options
            .clone()
            .filter_map(|option| Association::read(&option).transpose())
    }

    /// The options that the client wants, in order.
    ///
    /// # Errors
    /// Where the option has an odd length or stands twice.
    pub fn option_request(&self) -> Result<Vec<OptionCode>, Dhcpv6Error> {
        let Some(option) = self.options.only(OptionCode::OPTION_REQUEST)? else {
            return Ok(Vec::new());
        };
        match option.value.as_chunks() {
            (codes, []) => Ok(codes
                .iter()
                .map(|c| OptionCode(u16::from_be_bytes(*c)))
                .collect()),
            _ => Err(option.wrong_len("a multiple of 2")),
        }
    }

    /// How much the server wants to be chosen, 0 where it does not say.
    ///
    /// # Errors
    /// Where the option has a wrong length or stands twice.
    pub fn preference(&self) -> Result<u8, Dhcpv6Error> {
        let option = self.options.only(OptionCode::PREFERENCE)?;
        option.map_or(Ok(0), |option| option.fixed("1").map(|[value]| value))
    }

    /// How long the client has been trying, in steps of 10 ms; at most 655.35 s.
    ///
    /// # Errors
    /// Where the option has a wrong length or stands twice.
    pub fn elapsed_time(&self) -> Result<Option<Duration>, Dhcpv6Error> {
        let option = self.options.only(OptionCode::ELAPSED_TIME)?;
        let hundredths = option.map(|option| option.fixed("2").map(u16::from_be_bytes));
        Ok(hundredths
            .transpose()?
            .map(|count| Duration::from_millis(10 * u64::from(count))))
    }

    /// What became of the request; none means success.
    ///
    /// # Errors
    /// Where the option has no sense or stands twice.
    pub fn status(&self) -> Result<Option<Status<'a>>, Dhcpv6Error> {
        Status::among(&self.options)
    }

    /// Whether two messages are to do what else takes four.
    ///
    /// # Errors
    /// Where the option has a value or stands twice.
    pub fn rapid_commit(&self) -> Result<bool, Dhcpv6Error> {
        let option = self.options.only(OptionCode::RAPID_COMMIT)?;
        option.map_or(Ok(false), |option| option.fixed("0").map(|[]| true))
    }

    /// DNS servers, the most preferred first.
    ///
    /// # Errors
    /// Where the option is not a list of addresses or stands twice.
    pub fn dns_servers(&self) -> Result<Vec<Ipv6Addr>, Dhcpv6Error> {
        let Some(option) = self.options.only(OptionCode::DNS_SERVERS)? else {
            return Ok(Vec::new());
        };
        match option.value.as_chunks() {
            (list, []) => Ok(list.iter().copied().map(Ipv6Addr::from_octets).collect()),
            _ => Err(option.wrong_len("a multiple of 16")),
        }
    }

    /// Domains that the client searches, in this order.
    ///
    /// # Errors
    /// Where the option is not a list of names or stands twice.
    pub fn domain_list(&self) -> Result<Vec<String>, Dhcpv6Error> {
        let option = self.options.only(OptionCode::DOMAIN_LIST)?;
        Names::new(
            option.map_or(&[], |option| option.value),
            Compression::Forbidden,
        )
        .map(|name| name.map_err(Dhcpv6Error::Domain))
        .collect()
    }

    fn duid(&self, code: OptionCode) -> Result<Option<Duid<'a>>, Dhcpv6Error> {
        self.options
            .only(code)?
            .map(|option| Duid::read(&option))
            .transpose()
    }
}
