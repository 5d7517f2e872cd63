//! The header as values.

use super::{MIN_HEADER_LEN, Raw, TcpError, TcpFlags, TcpOption, TcpView};
use crate::error::BufferTooSmall;
use crate::options::Options;
use crate::raw;

/// A header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TcpRepr<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number, of no meaning without the ACK flag.
    pub acknowledgment: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Window, not scaled.
    pub window: u16,
    /// Urgent pointer, of no meaning without the URG flag.
    pub urgent: u16,
    /// Options.
    pub options: Options<'a, TcpOption<'a>>,
}

impl<'a> TcpRepr<'a> {
    /// The header of a segment.
    ///
    /// # Errors
    /// Where an option is malformed.
    pub fn parse(view: &TcpView<'a>) -> Result<Self, TcpError> {
        Ok(Self {
            src_port: view.src_port(),
            dst_port: view.dst_port(),
            sequence: view.sequence(),
            acknowledgment: view.acknowledgment(),
            flags: view.flags(),
            window: view.window(),
            urgent: view.urgent(),
            options: Options::parse(view.option_area())?,
        })
    }

    /// Bytes of the header.
    pub fn buffer_len(&self) -> usize {
        MIN_HEADER_LEN + self.options.buffer_len()
    }

    /// Writes the header, its checksum zero, to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let header = raw::room(buffer, self.buffer_len())?;
        // At most 15 words: the options are checked to fit.
        let words = u16::try_from(header.len() / 4).unwrap_or(u16::MAX);
        let raw = Raw {
            src_port: self.src_port.into(),
            dst_port: self.dst_port.into(),
            sequence: self.sequence.into(),
            acknowledgment: self.acknowledgment.into(),
            offset_and_flags: (words << 12 | self.flags.bits()).into(),
            window: self.window.into(),
            checksum: 0.into(),
            urgent: self.urgent.into(),
        };
        self.options.emit(raw::put(&raw, header)?)
    }
}
