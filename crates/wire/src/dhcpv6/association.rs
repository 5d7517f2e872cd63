//! Identity associations: what a client wants or has on one interface (RFC 8415 sections 12, 21.4
//! to 21.6 and 21.21).

use core::net::Ipv6Addr;

use crate::dhcpv6::error::Dhcpv6Error;
use crate::dhcpv6::option::{Dhcpv6Option, OptionCode, Options};
use crate::dhcpv6::status::Status;

/// What an association is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssociationKind {
    /// Addresses that are not temporary (`IA_NA`).
    Addresses,
    /// Temporary addresses (`IA_TA`).
    TemporaryAddresses,
    /// Delegated prefixes (`IA_PD`).
    Prefixes,
}

/// One association.
#[derive(Clone, Debug)]
pub struct Association<'a> {
    /// What it is of.
    pub kind: AssociationKind,
    /// The client's number for it.
    pub iaid: u32,
    /// Seconds until the client renews (T1), 0 where the client may choose; temporary addresses
    /// have none.
    pub renew: u32,
    /// Seconds until the client rebinds (T2), as above.
    pub rebind: u32,
    /// Addresses or prefixes, and status.
    pub options: Options<'a>,
}

impl<'a> Association<'a> {
    /// The association that the option is; `None` where it is another one.
    pub(super) fn read(option: &Dhcpv6Option<'a>) -> Result<Option<Self>, Dhcpv6Error> {
        let kind = match option.code {
            OptionCode::IA_NA => AssociationKind::Addresses,
            OptionCode::IA_PD => AssociationKind::Prefixes,
            OptionCode::IA_TA => {
                let (iaid, options) = option.head("at least 4")?;
                let iaid = u32::from_be_bytes(*iaid);
                let kind = AssociationKind::TemporaryAddresses;
                return Ok(Some(Self {
                    kind,
                    iaid,
                    renew: 0,
                    rebind: 0,
                    options,
                }));
            }
            _ => return Ok(None),
        };
        let (head, options) = option.head::<12>("at least 12")?;
        let [iaid, renew, rebind] = words(head);
        Ok(Some(Self {
            kind,
            iaid,
            renew,
            rebind,
            options,
        }))
    }

    /// The addresses, in order.
    pub fn addresses(
        &self,
    ) -> impl Iterator<Item = Result<AssociatedAddress<'a>, Dhcpv6Error>> + use<'a> {
        let addresses = self
            .options
            .clone()
            .filter(|option| option.code == OptionCode::IA_ADDRESS);
        addresses.map(|option| AssociatedAddress::read(&option))
    }

    /// What became of the association; none means success.
    ///
    /// # Errors
    /// Where the option has no sense or stands twice.
    pub fn status(&self) -> Result<Option<Status<'a>>, Dhcpv6Error> {
        Status::among(&self.options)
    }
}

/// One address of an association.
///
/// RFC 8415 section 21.6: a server ignores the lifetimes that a client sends; a client discards an
/// address that is preferred for longer than it is valid.
#[derive(Clone, Debug)]
pub struct AssociatedAddress<'a> {
    /// The address.
    pub address: Ipv6Addr,
    /// Seconds for which it is preferred.
    pub preferred: u32,
    /// Seconds for which it is valid.
    pub valid: u32,
    /// Status.
    pub options: Options<'a>,
}

impl<'a> AssociatedAddress<'a> {
    fn read(option: &Dhcpv6Option<'a>) -> Result<Self, Dhcpv6Error> {
        let (head, options) = option.head::<24>("at least 24")?;
        let [a, b, c, d, preferred, valid] = words(head);
        let address = [a, b, c, d]
            .into_iter()
            .fold(0, |bits, word| bits << 32 | u128::from(word));
        Ok(Self {
            address: Ipv6Addr::from_bits(address),
            preferred,
            valid,
            options,
        })
    }

    /// What became of the address; none means success.
    ///
    /// # Errors
    /// Where the option has no sense or stands twice.
    pub fn status(&self) -> Result<Option<Status<'a>>, Dhcpv6Error> {
        Status::among(&self.options)
    }
}

/// The 32-bit words of a fixed part: `N` is a quarter of its length.
fn words<const N: usize>(octets: &[u8]) -> [u32; N] {
    let (chunks, _) = octets.as_chunks();
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u32::from_be_bytes(*chunk);
    }
    words
}
