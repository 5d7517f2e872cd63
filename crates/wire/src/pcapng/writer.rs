//! Writing captures.

use alloc::vec::Vec;

use rackweave_types::Instant;

use crate::pcapng::error::PcapngWriteError;
use crate::pcapng::{
    BYTE_ORDER_MAGIC, FRAMING_LEN, LINK_ETHERNET, NANOSECONDS, PacketDirection, block_type,
    option_code, padding,
};

/// An interface of one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceId(u32);

/// What is captured of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Where.
    pub interface: InterfaceId,
    /// When: nanoseconds since the start stand for nanoseconds since 1970.
    pub time: Instant,
    /// Which way, where that is known.
    pub direction: Option<PacketDirection>,
    /// The whole Ethernet frame, without check sequence.
    pub frame: &'a [u8],
    /// Words for people; none where empty.
    pub comment: &'a str,
}

/// A capture that grows block by block.
///
/// ```
/// # use rackweave_types::Instant;
/// # use rackweave_wire::pcapng::{Packet, PcapngWriter};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut capture = PcapngWriter::new("an example")?;
/// let guest = capture.interface("guest", "between guest and port")?;
/// capture.packet(&Packet {
///     interface: guest,
///     time: Instant::START,
///     direction: None,
///     frame: &[0; 60],
///     comment: "nothing in it",
/// })?;
/// assert!(capture.finish().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PcapngWriter {
    bytes: Vec<u8>,
    interfaces: u32,
}

impl PcapngWriter {
    /// A capture without interfaces, made by this application.
    ///
    /// # Errors
    /// Where the text is too long.
    pub fn new(application: &str) -> Result<Self, PcapngWriteError> {
        let mut writer = Self {
            bytes: Vec::new(),
            interfaces: 0,
        };
        writer.block(block_type::SECTION, |bytes| {
            bytes.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
            bytes.extend_from_slice(&1_u16.to_le_bytes());
            bytes.extend_from_slice(&0_u16.to_le_bytes());
            // Section 4.1: −1 where the length of the section is not told.
            bytes.extend_from_slice(&u64::MAX.to_le_bytes());
            text(bytes, option_code::SECTION_APPLICATION, application)?;
            end_options(bytes);
            Ok(())
        })?;
        Ok(writer)
    }

    /// Describes an interface.
    ///
    /// # Errors
    /// Where a text is too long.
    pub fn interface(
        &mut self,
        name: &str,
        description: &str,
    ) -> Result<InterfaceId, PcapngWriteError> {
        self.block(block_type::INTERFACE, |bytes| {
            bytes.extend_from_slice(&LINK_ETHERNET.to_le_bytes());
            bytes.extend_from_slice(&[0; 2]);
            // Section 4.2: a snap length of 0 is no limit.
            bytes.extend_from_slice(&0_u32.to_le_bytes());
            text(bytes, option_code::INTERFACE_NAME, name)?;
            text(bytes, option_code::INTERFACE_DESCRIPTION, description)?;
            option(
                bytes,
                option_code::INTERFACE_TIME_RESOLUTION,
                &[NANOSECONDS],
                1,
            );
            end_options(bytes);
            Ok(())
        })?;
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        Ok(id)
    }

    /// Adds a packet.
    ///
    /// # Errors
    /// Where the frame or the comment is too long, or the interface is another capture's.
    pub fn packet(&mut self, packet: &Packet<'_>) -> Result<(), PcapngWriteError> {
        let InterfaceId(interface) = packet.interface;
        if interface >= self.interfaces {
            return Err(PcapngWriteError::UnknownInterface { interface });
        }
        let too_long = PcapngWriteError::LongFrame {
            len: packet.frame.len(),
        };
        let len = u32::try_from(packet.frame.len())
            .map_err(|_| too_long)?
            .to_le_bytes();
        // High word before low word (section 4.3), each in the byte order of the section.
        let time = packet.time.nanos().rotate_left(32).to_le_bytes();
        let flags = packet.direction.map(|direction| match direction {
            PacketDirection::Inbound => 1_u32,
            PacketDirection::Outbound => 2,
        });
        self.block(block_type::PACKET, |bytes| {
            bytes.extend_from_slice(&interface.to_le_bytes());
            bytes.extend_from_slice(&time);
            bytes.extend_from_slice(&len);
            bytes.extend_from_slice(&len);
            padded(bytes, packet.frame);
            text(bytes, option_code::COMMENT, packet.comment)?;
            if let Some(flags) = flags {
                option(bytes, option_code::PACKET_FLAGS, &flags.to_le_bytes(), 4);
            }
            end_options(bytes);
            Ok(())
        })
    }

    /// The capture so far, whole at any time.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written since the last call, for who sends it on: all these pieces in their order are the capture.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }

    /// The capture.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds a block whose body `fill` writes; on an error the capture is as before.
    fn block(
        &mut self,
        block_type: u32,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), PcapngWriteError>,
    ) -> Result<(), PcapngWriteError> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&block_type.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        let filled = fill(&mut self.bytes);
        let len = self.bytes.len() - start + 4;
        let len = u32::try_from(len).map_err(|_| PcapngWriteError::LongFrame {
            len: len - FRAMING_LEN,
        });
        match filled.and(len) {
            Ok(len) => {
                self.bytes[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
                self.bytes.extend_from_slice(&len.to_le_bytes());
                Ok(())
            }
            Err(error) => {
                self.bytes.truncate(start);
                Err(error)
            }
        }
    }
}

/// An option with a text; none where it is empty.
fn text(bytes: &mut Vec<u8>, code: u16, text: &str) -> Result<(), PcapngWriteError> {
    if text.is_empty() {
        return Ok(());
    }
    let too_long = PcapngWriteError::LongText { len: text.len() };
    let len = u16::try_from(text.len()).map_err(|_| too_long)?;
    option(bytes, code, text.as_bytes(), len);
    Ok(())
}

/// An option with a value of `len` octets.
fn option(bytes: &mut Vec<u8>, code: u16, value: &[u8], len: u16) {
    bytes.extend_from_slice(&code.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    padded(bytes, value);
}

fn end_options(bytes: &mut Vec<u8>) {
    option(bytes, option_code::END, &[], 0);
}

fn padded(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len() + padding(value.len()), 0);
}
