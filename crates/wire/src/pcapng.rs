//! Captures in the pcapng format (draft-ietf-opsawg-pcapng), as Wireshark reads them.
//!
//! [`PcapngWriter`] writes one little-endian section of Ethernet frames with nanosecond time
//! stamps. [`Blocks`] reads such sections: any bytes give blocks or an error that says where.

mod error;
mod reader;
mod writer;

pub use error::{PcapngError, PcapngWriteError};
pub use reader::{Block, Blocks, PacketBlock};
pub use writer::{InterfaceId, Packet, PcapngWriter};

/// Which way a packet went, seen from its interface (section 4.3.1, bits 0 and 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketDirection {
    /// The interface received it.
    Inbound,
    /// The interface sent it.
    Outbound,
}

/// Block types (section 11.1).
mod block_type {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const PACKET: u32 = 6;
}

/// Option codes, each of its block (sections 3.5, 4.1, 4.2 and 4.3).
mod option_code {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SECTION_APPLICATION: u16 = 4;
    pub(super) const INTERFACE_NAME: u16 = 2;
    pub(super) const INTERFACE_DESCRIPTION: u16 = 3;
    pub(super) const INTERFACE_TIME_RESOLUTION: u16 = 9;
    pub(super) const PACKET_FLAGS: u16 = 2;
}

/// What a section begins with, in the byte order of the section (section 4.1).
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// The link type of Ethernet (section 4.2).
const LINK_ETHERNET: u16 = 1;
/// Time stamps count units of 10^-9 s (section 4.2, `if_tsresol`).
const NANOSECONDS: u8 = 9;
/// Octets of a block besides its body: type, and length before and after.
const FRAMING_LEN: usize = 12;

/// Octets up to the next multiple of four.
const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}

#[cfg(test)]
mod tests;
