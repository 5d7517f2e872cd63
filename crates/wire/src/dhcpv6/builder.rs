//! Writing messages.

use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::time::Duration;

use crate::dhcpv6::duid::Duid;
use crate::dhcpv6::error::Dhcpv6BuildError;
use crate::dhcpv6::message_type::MessageType;
use crate::dhcpv6::option::{OPTION_HEADER_LEN, OptionCode};
use crate::dhcpv6::status::StatusCode;
use crate::domain;

/// Builds one message. Options stand in the order in which they are added.
///
/// ```
/// # use rackweave_wire::dhcpv6::{Dhcpv6Builder, Dhcpv6View, Duid, MessageType};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Duid::link_layer("02:72:77:ff:ff:01".parse()?);
/// let mut reply = Dhcpv6Builder::new(MessageType::Reply, [1, 2, 3]);
/// reply.server_id(Duid::new(&server).ok_or("no duid")?)?;
/// reply.ia_na(7, 1800, 2880, |ia| ia.ia_address("fd12::5".parse().unwrap(), 3600, 3600))?;
/// let message = reply.finish();
///
/// let view = Dhcpv6View::parse(&message)?;
/// let association = view.associations().next().ok_or("no association")??;
/// assert_eq!((association.iaid, association.addresses().count()), (7, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dhcpv6Builder {
    message: Vec<u8>,
}

impl Dhcpv6Builder {
    /// A message of this type in this transaction.
    #[must_use]
    pub fn new(message_type: MessageType, xid: [u8; 3]) -> Self {
        let mut message = Vec::with_capacity(256);
        message.push(message_type.get());
        message.extend_from_slice(&xid);
        Self { message }
    }

    /// Adds the client's identity.
    ///
    /// # Errors
    /// Never: a DUID fits.
    pub fn client_id(&mut self, duid: Duid<'_>) -> Result<&mut Self, Dhcpv6BuildError> {
        self.option(OptionCode::CLIENT_ID, duid.octets())
    }

    /// Adds the server's identity.
    ///
    /// # Errors
    /// Never: a DUID fits.
    pub fn server_id(&mut self, duid: Duid<'_>) -> Result<&mut Self, Dhcpv6BuildError> {
        self.option(OptionCode::SERVER_ID, duid.octets())
    }

    /// Adds an association of addresses: its number, seconds until the client renews and rebinds
    /// (0 and 0 leave it the choice), and what `fill` adds inside.
    ///
    /// # Errors
    /// Those of `fill`, or where it adds too much.
    pub fn ia_na(
        &mut self,
        iaid: u32,
        renew: u32,
        rebind: u32,
        fill: impl FnOnce(&mut Self) -> Result<&mut Self, Dhcpv6BuildError>,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        self.association(OptionCode::IA_NA, &[iaid, renew, rebind], fill)
    }

    /// Adds an association of temporary addresses, and what `fill` adds inside.
    ///
    /// # Errors
    /// Those of `fill`, or where it adds too much.
    pub fn ia_ta(
        &mut self,
        iaid: u32,
        fill: impl FnOnce(&mut Self) -> Result<&mut Self, Dhcpv6BuildError>,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        self.association(OptionCode::IA_TA, &[iaid], fill)
    }

    /// Adds an association of prefixes: its number, seconds until the client renews and rebinds,
    /// and what `fill` adds inside.
    ///
    /// # Errors
    /// Those of `fill`, or where it adds too much.
    pub fn ia_pd(
        &mut self,
        iaid: u32,
        renew: u32,
        rebind: u32,
        fill: impl FnOnce(&mut Self) -> Result<&mut Self, Dhcpv6BuildError>,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        self.association(OptionCode::IA_PD, &[iaid, renew, rebind], fill)
    }

    /// Adds an address to the association that is being filled: seconds for which it is preferred,
    /// cut to those for which it is valid.
    ///
    /// # Errors
    /// Never: an address fits.
    pub fn ia_address(
        &mut self,
        address: Ipv6Addr,
        preferred: u32,
        valid: u32,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        let mut value = [0; 24];
        value[..16].copy_from_slice(&address.octets());
        value[16..20].copy_from_slice(&preferred.min(valid).to_be_bytes());
        value[20..].copy_from_slice(&valid.to_be_bytes());
        self.option(OptionCode::IA_ADDRESS, &value)
    }

    /// Adds the codes of the options that the client wants.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn option_request(&mut self, codes: &[OptionCode]) -> Result<&mut Self, Dhcpv6BuildError> {
        let value: Vec<u8> = codes
            .iter()
            .flat_map(|code| code.get().to_be_bytes())
            .collect();
        self.option(OptionCode::OPTION_REQUEST, &value)
    }

    /// Adds how much the server wants to be chosen.
    ///
    /// # Errors
    /// Never: an octet fits.
    pub fn preference(&mut self, value: u8) -> Result<&mut Self, Dhcpv6BuildError> {
        self.option(OptionCode::PREFERENCE, &[value])
    }

    /// Adds how long the client has been trying, in whole steps of 10 ms; more than 655.35 s is
    /// written as that (RFC 8415 section 21.9).
    ///
    /// # Errors
    /// Never: two octets fit.
    pub fn elapsed_time(&mut self, time: Duration) -> Result<&mut Self, Dhcpv6BuildError> {
        let hundredths = u16::try_from(time.as_millis() / 10).unwrap_or(u16::MAX);
        self.option(OptionCode::ELAPSED_TIME, &hundredths.to_be_bytes())
    }

    /// Adds what became of the request, association or address, with words for people.
    ///
    /// # Errors
    /// Where there are too many words.
    pub fn status(
        &mut self,
        code: StatusCode,
        message: &str,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        self.nested(OptionCode::STATUS_CODE, |inner| {
            inner.message.extend_from_slice(&code.get().to_be_bytes());
            inner.message.extend_from_slice(message.as_bytes());
            Ok(inner)
        })
    }

    /// Adds that two messages do.
    ///
    /// # Errors
    /// Never: nothing fits.
    pub fn rapid_commit(&mut self) -> Result<&mut Self, Dhcpv6BuildError> {
        self.option(OptionCode::RAPID_COMMIT, &[])
    }

    /// Adds DNS servers; none adds no option.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn dns_servers(&mut self, list: &[Ipv6Addr]) -> Result<&mut Self, Dhcpv6BuildError> {
        if list.is_empty() {
            return Ok(self);
        }
        let value: Vec<u8> = list.iter().flat_map(Ipv6Addr::octets).collect();
        self.option(OptionCode::DNS_SERVERS, &value)
    }

    /// Adds domains that the client searches; none adds no option.
    ///
    /// # Errors
    /// Where one is no domain name, or there are too many.
    pub fn domain_list<S: AsRef<str>>(
        &mut self,
        list: &[S],
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        if list.is_empty() {
            return Ok(self);
        }
        self.nested(OptionCode::DOMAIN_LIST, |inner| {
            for name in list {
                domain::put(name.as_ref(), &mut inner.message).map_err(Dhcpv6BuildError::Domain)?;
            }
            Ok(inner)
        })
    }

    /// Adds an option.
    ///
    /// # Errors
    /// Where the value is longer than 65,535 octets.
    pub fn option(
        &mut self,
        code: OptionCode,
        value: &[u8],
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        self.nested(code, |inner| {
            inner.message.extend_from_slice(value);
            Ok(inner)
        })
    }

    fn association(
        &mut self,
        code: OptionCode,
        head: &[u32],
        fill: impl FnOnce(&mut Self) -> Result<&mut Self, Dhcpv6BuildError>,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        self.nested(code, |inner| {
            inner
                .message
                .extend(head.iter().flat_map(|word| word.to_be_bytes()));
            fill(inner)
        })
    }

    /// Adds an option whose value `fill` writes; on an error the message is as before.
    fn nested(
        &mut self,
        code: OptionCode,
        fill: impl FnOnce(&mut Self) -> Result<&mut Self, Dhcpv6BuildError>,
    ) -> Result<&mut Self, Dhcpv6BuildError> {
        let start = self.message.len();
        self.message.extend_from_slice(&code.get().to_be_bytes());
        self.message.extend_from_slice(&[0; 2]);
        let filled = fill(self).map(|_| ());
        let len = self.message.len() - start - OPTION_HEADER_LEN;
        let len = u16::try_from(len).map_err(|_| Dhcpv6BuildError::TooLong { code, len });
        match filled.and(len) {
            Ok(len) => {
                self.message[start + 2..start + 4].copy_from_slice(&len.to_be_bytes());
                Ok(self)
            }
            Err(error) => {
                self.message.truncate(start);
                Err(error)
            }
        }
    }

    /// The message.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.message
    }
}
