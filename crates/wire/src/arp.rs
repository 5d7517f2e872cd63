//! ARP for IPv4 over Ethernet (RFC 826).
//!
//! [`ArpView::parse`] fails when the packet is cut or for other hardware or protocols. Accessors
//! and [`ArpRepr::parse`] cannot fail: any operation and any addresses may be claimed.

use core::net::Ipv4Addr;

use rackweave_types::MacAddr;
use thiserror::Error;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::{BufferTooSmall, Truncated};
use crate::number::registry;
use crate::protocol::EtherType;
use crate::raw;

/// Bytes of the packet.
pub const PACKET_LEN: usize = size_of::<Raw>();

const HARDWARE_ETHERNET: u16 = 1;
const HARDWARE_LEN: u8 = 6;
const PROTOCOL_LEN: u8 = 4;

registry! {
    /// What an ARP packet wants (RFC 826, "Packet format").
    ArpOperation: u16, "arp operation {}" {
        /// Who has the target protocol address?
        REQUEST = 1, "request";
        /// The sender has it.
        REPLY = 2, "reply";
    }
}

#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    hardware: U16,
    protocol: U16,
    hardware_len: u8,
    protocol_len: u8,
    operation: U16,
    sender_mac: MacAddr,
    sender_ip: [u8; 4],
    target_mac: MacAddr,
    target_ip: [u8; 4],
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug)]
pub struct ArpView<'a> {
    raw: &'a Raw,
}

impl<'a> ArpView<'a> {
    /// Checks that the packet is whole and for IPv4 over Ethernet; padding behind it is ignored.
    ///
    /// # Errors
    /// Where it is cut, or for another hardware or protocol.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArpError> {
        let (raw, _) = raw::split::<Raw>("arp packet", bytes)?;
        if raw.hardware.get() != HARDWARE_ETHERNET {
            return Err(ArpError::Hardware {
                got: raw.hardware.get(),
            });
        }
        if raw.protocol.get() != EtherType::IPV4.get() {
            return Err(ArpError::Protocol {
                got: EtherType(raw.protocol.get()),
            });
        }
        if raw.hardware_len != HARDWARE_LEN {
            return Err(ArpError::HardwareLength {
                got: raw.hardware_len,
            });
        }
        if raw.protocol_len != PROTOCOL_LEN {
            return Err(ArpError::ProtocolLength {
                got: raw.protocol_len,
            });
        }
        Ok(Self { raw })
    }

    /// Operation.
    pub fn operation(&self) -> ArpOperation {
        ArpOperation(self.raw.operation.get())
    }

    /// Sender hardware address.
    pub const fn sender_mac(&self) -> MacAddr {
        self.raw.sender_mac
    }

    /// Sender protocol address.
    pub fn sender_ip(&self) -> Ipv4Addr {
        self.raw.sender_ip.into()
    }

    /// Target hardware address, of no meaning in a request.
    pub const fn target_mac(&self) -> MacAddr {
        self.raw.target_mac
    }

    /// Target protocol address.
    pub fn target_ip(&self) -> Ipv4Addr {
        self.raw.target_ip.into()
    }
}

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpRepr {
    /// Operation.
    pub operation: ArpOperation,
    /// Sender hardware address.
    pub sender_mac: MacAddr,
    /// Sender protocol address.
    pub sender_ip: Ipv4Addr,
    /// Target hardware address, zero in a request.
    pub target_mac: MacAddr,
    /// Target protocol address.
    pub target_ip: Ipv4Addr,
}

impl ArpRepr {
    /// The packet that a view shows.
    pub fn parse(view: &ArpView<'_>) -> Self {
        Self {
            operation: view.operation(),
            sender_mac: view.sender_mac(),
            sender_ip: view.sender_ip(),
            target_mac: view.target_mac(),
            target_ip: view.target_ip(),
        }
    }

    /// Bytes of the packet.
    pub const fn buffer_len(&self) -> usize {
        PACKET_LEN
    }

    /// Writes the packet to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let raw = Raw {
            hardware: HARDWARE_ETHERNET.into(),
            protocol: EtherType::IPV4.get().into(),
            hardware_len: HARDWARE_LEN,
            protocol_len: PROTOCOL_LEN,
            operation: self.operation.get().into(),
            sender_mac: self.sender_mac,
            sender_ip: self.sender_ip.octets(),
            target_mac: self.target_mac,
            target_ip: self.target_ip.octets(),
        };
        raw::put(&raw, buffer).map(|_| ())
    }
}

/// Why bytes are no ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArpError {
    /// The packet is cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Other hardware than Ethernet.
    #[error("arp hardware type at offset 0 is {got}, expected 1")]
    Hardware {
        /// The hardware type.
        got: u16,
    },
    /// Another protocol than IPv4.
    #[error("arp protocol type at offset 2 is {got}, expected ipv4")]
    Protocol {
        /// The protocol type.
        got: EtherType,
    },
    /// Hardware addresses that are not Ethernet's.
    #[error("arp hardware address length at offset 4 is {got}, expected 6")]
    HardwareLength {
        /// The length.
        got: u8,
    },
    /// Protocol addresses that are not IPv4's.
    #[error("arp protocol address length at offset 5 is {got}, expected 4")]
    ProtocolLength {
        /// The length.
        got: u8,
    },
}

#[cfg(test)]
mod tests;
