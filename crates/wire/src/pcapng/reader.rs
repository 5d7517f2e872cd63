//! Reading captures.

use rackweave_types::Instant;

use crate::pcapng::error::PcapngError;
use crate::pcapng::{
    BYTE_ORDER_MAGIC, FRAMING_LEN, LINK_ETHERNET, NANOSECONDS, PacketDirection, block_type,
    option_code, padding,
};

/// One block of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// A section begins; numbers of interfaces count from 0 again.
    Section {
        /// What wrote it.
        application: &'a str,
    },
    /// An interface is described.
    Interface {
        /// Its name.
        name: &'a str,
        /// Words for people.
        description: &'a str,
    },
    /// A packet was captured.
    Packet(PacketBlock<'a>),
    /// Something else.
    Other {
        /// Block type.
        block_type: u32,
    },
}

/// A captured packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketBlock<'a> {
    /// The number of its interface.
    pub interface: u32,
    /// When, in nanoseconds since 1970.
    pub time: Instant,
    /// Which way, where that is told.
    pub direction: Option<PacketDirection>,
    /// What was captured of the frame.
    pub frame: &'a [u8],
    /// Octets of the frame on the wire.
    pub original_len: u32,
    /// Words for people.
    pub comment: &'a str,
}

/// The blocks of a capture, in order; ends after the first error.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    rest: Part<'a>,
    /// Interfaces of the section; none where no section began yet.
    interfaces: Option<u32>,
}

impl<'a> Blocks<'a> {
    /// The blocks in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: Part {
                name: "block",
                bytes,
                at: 0,
            },
            interfaces: None,
        }
    }

    fn read(&mut self) -> Result<Block<'a>, PcapngError> {
        let at = self.rest.at;
        let mut whole = self.rest;
        let block_type = whole.u32()?;
        let first = whole.u32()?;
        let len = usize::try_from(first).unwrap_or(usize::MAX);
        if len < FRAMING_LEN || padding(len) != 0 {
            return Err(PcapngError::Length {
                at,
                first,
                last: first,
            });
        }
        let mut body = Part {
            name: "block body",
            ..whole.split(len - FRAMING_LEN)?
        };
        let last = whole.u32()?;
        if first != last {
            return Err(PcapngError::Length { at, first, last });
        }
        self.rest = whole;
        match (block_type, self.interfaces) {
            (block_type::SECTION, _) => self.section(at, &mut body),
            (_, None) => Err(PcapngError::Section { at }),
            (block_type::INTERFACE, Some(count)) => {
                self.interfaces = Some(count.saturating_add(1));
                interface(at, &mut body)
            }
            (block_type::PACKET, Some(count)) => packet(at, &mut body, count).map(Block::Packet),
            (block_type, Some(_)) => Ok(Block::Other { block_type }),
        }
    }

    fn section(&mut self, at: usize, body: &mut Part<'a>) -> Result<Block<'a>, PcapngError> {
        let [magic, version] = [body.u32()?, body.u32()?];
        // Major version 1 in the low half, minor version 0 in the high one.
        if (magic, version) != (BYTE_ORDER_MAGIC, 1) {
            return Err(PcapngError::Section { at });
        }
        body.split(8)?;
        self.interfaces = Some(0);
        let mut application = "";
        while let Some((code, value)) = body.option()? {
            if code == option_code::SECTION_APPLICATION {
                application = text(at, code, value)?;
            }
        }
        Ok(Block::Section { application })
    }
}

fn interface<'a>(at: usize, body: &mut Part<'a>) -> Result<Block<'a>, PcapngError> {
    let link = body.u16()?;
    body.split(6)?;
    // Section 4.2: "If this option is not present, a resolution of 10^-6 is assumed".
    let (mut name, mut description, mut resolution) = ("", "", 6);
    while let Some((code, value)) = body.option()? {
        match (code, value) {
            (option_code::INTERFACE_NAME, _) => name = text(at, code, value)?,
            (option_code::INTERFACE_DESCRIPTION, _) => description = text(at, code, value)?,
            (option_code::INTERFACE_TIME_RESOLUTION, &[exponent]) => resolution = exponent,
            _ => {}
        }
    }
    if (link, resolution) != (LINK_ETHERNET, NANOSECONDS) {
        return Err(PcapngError::Interface {
            at,
            link,
            resolution,
        });
    }
    Ok(Block::Interface { name, description })
}

fn packet<'a>(
    at: usize,
    body: &mut Part<'a>,
    interfaces: u32,
) -> Result<PacketBlock<'a>, PcapngError> {
    let interface = body.u32()?;
    if interface >= interfaces {
        return Err(PcapngError::UnknownInterface { at, interface });
    }
    let [high, low, captured_len, original_len] =
        [body.u32()?, body.u32()?, body.u32()?, body.u32()?];
    let frame = body.padded(usize::try_from(captured_len).unwrap_or(usize::MAX))?;
    let (mut direction, mut comment) = (None, "");
    while let Some((code, value)) = body.option()? {
        match (code, value) {
            (option_code::COMMENT, _) => comment = text(at, code, value)?,
            (option_code::PACKET_FLAGS, &[flags, _, _, _]) => {
                direction = match flags & 0b11 {
                    1 => Some(PacketDirection::Inbound),
                    2 => Some(PacketDirection::Outbound),
                    _ => None,
                };
            }
            _ => {}
        }
    }
    let time = Instant::from_nanos(u64::from(high) << 32 | u64::from(low));
    Ok(PacketBlock {
        interface,
        time,
        direction,
        frame,
        original_len,
        comment,
    })
}

fn text(at: usize, code: u16, value: &[u8]) -> Result<&str, PcapngError> {
    core::str::from_utf8(value).map_err(|_| PcapngError::Text { at, code })
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, PcapngError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.bytes.is_empty() {
            return None;
        }
        let block = self.read();
        if block.is_err() {
            self.rest.bytes = &[];
        }
        Some(block)
    }
}

/// A part of the capture that is being read.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    name: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Part<'a> {
    /// Takes the first `needed` octets.
    fn split(&mut self, needed: usize) -> Result<Self, PcapngError> {
        let (part, at, got) = (self.name, self.at, self.bytes.len());
        let cut = PcapngError::Cut {
            part,
            at,
            needed,
            got,
        };
        let (bytes, rest) = self.bytes.split_at_checked(needed).ok_or(cut)?;
        self.bytes = rest;
        self.at += needed;
        Ok(Self {
            name: part,
            bytes,
            at,
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PcapngError> {
        let mut array = [0; N];
        array.copy_from_slice(self.split(N)?.bytes);
        Ok(array)
    }

    fn u16(&mut self) -> Result<u16, PcapngError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, PcapngError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes `len` octets and those that pad them.
    fn padded(&mut self, len: usize) -> Result<&'a [u8], PcapngError> {
        let value = self.split(len)?.bytes;
        self.split(padding(len))?;
        Ok(value)
    }

    /// Takes an option; `None` at the last one, or where the body ends.
    fn option(&mut self) -> Result<Option<(u16, &'a [u8])>, PcapngError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (code, len) = (self.u16()?, self.u16()?);
        let value = self.padded(len.into())?;
        Ok((code != option_code::END).then_some((code, value)))
    }
}
