//! Whether a responder can do what it says.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rackweave_types::MacAddr;
use rackweave_wire::domain::{self, DomainError};

use super::packet::is_host;
use super::{Dhcp4, Dhcp6, Responder, RouterAdvert};
use crate::addr::Addr;

/// The least MTU of an IPv4 link (RFC 791, section 3.2) and of an IPv6 link (RFC 8200, section 5).
const MIN_MTU_V4: u16 = 68;
const MIN_MTU_V6: u16 = 1280;
/// The most name servers that are told: more find no room in a message of 576 octets.
const MAX_DNS: usize = 16;
/// The most addresses of a DHCPv6 client: each takes 28 octets of a reply.
const MAX_ADDRESSES: usize = 32;
/// The most prefixes of a link: each takes 32 octets of an advertisement.
const MAX_PREFIXES: usize = 16;

/// Why a responder is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponderError {
    /// A link-layer address that no station has.
    Mac {
        /// The field.
        field: &'static str,
        /// The address.
        got: MacAddr,
    },
    /// An address that is not one of a single host.
    Address {
        /// The field.
        field: &'static str,
        /// The address.
        got: Addr,
    },
    /// A prefix longer than an address.
    PrefixLen {
        /// The length.
        got: u8,
    },
    /// An MTU that the family does not allow.
    Mtu {
        /// The MTU in octets.
        got: u16,
        /// The least there is.
        min: u16,
    },
    /// What is no domain name.
    Name {
        /// The field.
        field: &'static str,
        /// The name.
        got: String,
        /// What is wrong with it.
        error: DomainError,
    },
    /// More than messages have room for.
    TooMany {
        /// The field.
        field: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        max: usize,
    },
}

impl fmt::Display for ResponderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac { field, got } => write!(f, "{field} {got} is no station's"),
            Self::Address { field, got } => write!(f, "{field} {got} is no host's"),
            Self::PrefixLen { got } => write!(f, "prefix length {got} is above 32"),
            Self::Mtu { got, min } => write!(f, "mtu {got} is below {min}"),
            Self::Name { field, got, .. } => write!(f, "{field} {got:?} is no domain name"),
            Self::TooMany { field, got, max } => write!(f, "{got} {field}, at most {max}"),
        }
    }
}

impl core::error::Error for ResponderError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Name { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Responder {
    /// Whether the responder can do what it says: its addresses are those of hosts, its names are
    /// names, and there is room for all of it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ResponderError> {
        match self {
            Self::Arp { mac } | Self::Neighbor { mac, .. } => station("mac", *mac),
            Self::Router(advert) => router(advert),
            Self::Echo => Ok(()),
            Self::Dhcp4(server) => dhcp4(server),
            Self::Dhcp6(server) => dhcp6(server),
        }
    }
}

fn router(advert: &RouterAdvert) -> Result<(), ResponderError> {
    station("mac", advert.mac)?;
    host("router", advert.router.into())?;
    mtu(advert.mtu, MIN_MTU_V6)?;
    few("prefixes", advert.prefixes.len(), MAX_PREFIXES)?;
    few("dns servers", advert.dns.len(), MAX_DNS)?;
    names("search domain", &advert.search)
}

fn dhcp4(server: &Dhcp4) -> Result<(), ResponderError> {
    station("mac", server.mac)?;
    station("client", server.client)?;
    host("server", server.server.into())?;
    host("address", server.address.into())?;
    host("gateway", server.gateway.into())?;
    if server.prefix_len > 32 {
        return Err(ResponderError::PrefixLen {
            got: server.prefix_len,
        });
    }
    mtu(server.mtu, MIN_MTU_V4)?;
    few("dns servers", server.dns.len(), MAX_DNS)?;
    names("domain", server.domain.as_slice())?;
    names("host name", server.hostname.as_slice())?;
    names("search domain", &server.search)
}

fn dhcp6(server: &Dhcp6) -> Result<(), ResponderError> {
    station("mac", server.mac)?;
    station("client", server.client)?;
    host("server", server.server.into())?;
    for address in &server.addresses {
        host("address", (*address).into())?;
    }
    few("addresses", server.addresses.len(), MAX_ADDRESSES)?;
    few("dns servers", server.dns.len(), MAX_DNS)?;
    names("search domain", &server.search)
}

fn station(field: &'static str, got: MacAddr) -> Result<(), ResponderError> {
    let station = !got.is_multicast() && got != MacAddr::ZERO;
    if station {
        Ok(())
    } else {
        Err(ResponderError::Mac { field, got })
    }
}

fn host(field: &'static str, got: Addr) -> Result<(), ResponderError> {
    if is_host(got) {
        Ok(())
    } else {
        Err(ResponderError::Address { field, got })
    }
}

fn mtu(got: u16, min: u16) -> Result<(), ResponderError> {
    if got < min {
        Err(ResponderError::Mtu { got, min })
    } else {
        Ok(())
    }
}

fn few(field: &'static str, got: usize, max: usize) -> Result<(), ResponderError> {
    if got > max {
        Err(ResponderError::TooMany { field, got, max })
    } else {
        Ok(())
    }
}

fn names(field: &'static str, names: &[String]) -> Result<(), ResponderError> {
    let mut scratch = Vec::new();
    names.iter().try_for_each(|name| {
        domain::put(name, &mut scratch).map_err(|error| ResponderError::Name {
            field,
            got: name.clone(),
            error,
        })
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::respond::testing::GATEWAY;
    use crate::respond::{dhcp4, dhcp6, router};

    fn text(responder: &Responder) -> String {
        responder.validate().unwrap_err().to_string()
    }

    #[test]
    fn what_the_tests_use_is_valid() {
        for responder in [
            Responder::Arp { mac: GATEWAY },
            Responder::Echo,
            Responder::Router(router::tests::advert()),
            Responder::Dhcp4(dhcp4::tests::server()),
            Responder::Dhcp6(dhcp6::tests::server()),
        ] {
            assert_eq!(responder.validate(), Ok(()));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let group = MacAddr::BROADCAST;
        assert_eq!(
            text(&Responder::Neighbor {
                mac: group,
                router: true
            }),
            "mac ff:ff:ff:ff:ff:ff is no station's"
        );
        let low = RouterAdvert {
            mtu: 1279,
            ..router::tests::advert()
        };
        assert_eq!(text(&Responder::Router(low)), "mtu 1279 is below 1280");
        let long = Dhcp4 {
            prefix_len: 33,
            ..dhcp4::tests::server()
        };
        assert_eq!(
            text(&Responder::Dhcp4(long)),
            "prefix length 33 is above 32"
        );
        let group = Dhcp4 {
            gateway: Ipv4Addr::BROADCAST,
            ..dhcp4::tests::server()
        };
        assert_eq!(
            text(&Responder::Dhcp4(group)),
            "gateway 255.255.255.255 is no host's"
        );
        let name = Dhcp4 {
            hostname: Some("a b".into()),
            ..dhcp4::tests::server()
        };
        assert_eq!(
            text(&Responder::Dhcp4(name)),
            "host name \"a b\" is no domain name"
        );
        let none = Dhcp6 {
            addresses: vec![Ipv6Addr::UNSPECIFIED],
            ..dhcp6::tests::server()
        };
        assert_eq!(text(&Responder::Dhcp6(none)), "address :: is no host's");
        let many = Dhcp6 {
            dns: vec![Ipv6Addr::LOCALHOST; 17],
            ..dhcp6::tests::server()
        };
        assert_eq!(text(&Responder::Dhcp6(many)), "17 dns servers, at most 16");
    }
}
