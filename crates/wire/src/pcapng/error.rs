//! What can be wrong with a capture, read or written.

use thiserror::Error;

/// Why bytes are no capture of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PcapngError {
    /// The capture ends within a block or a part of it.
    #[error("pcapng {part} at offset {at} needs {needed} bytes, {got} are there")]
    Cut {
        /// What is cut.
        part: &'static str,
        /// Where it begins in the capture.
        at: usize,
        /// Octets of it.
        needed: usize,
        /// Octets that are left.
        got: usize,
    },
    /// The two lengths of a block differ, or are too short or not a multiple of four.
    #[error("pcapng block at offset {at} has lengths {first} and {last}")]
    Length {
        /// Where the block begins in the capture.
        at: usize,
        /// The length before the body.
        first: u32,
        /// The length behind the body; the same where only the number is wrong.
        last: u32,
    },
    /// The capture does not begin with a section, or with one of another byte order or version.
    #[error("pcapng section at offset {at} is not a little-endian one of version 1.0")]
    Section {
        /// Where the block begins in the capture.
        at: usize,
    },
    /// The interface captures something other than Ethernet with nanosecond time stamps.
    #[error(
        "pcapng interface at offset {at} has link type {link} and time resolution {resolution}"
    )]
    Interface {
        /// Where the block begins in the capture.
        at: usize,
        /// Link type.
        link: u16,
        /// `if_tsresol`; 6 is what its absence means.
        resolution: u8,
    },
    /// A packet names an interface that was not described.
    #[error("pcapng packet at offset {at} names interface {interface}")]
    UnknownInterface {
        /// Where the block begins in the capture.
        at: usize,
        /// The interface's number.
        interface: u32,
    },
    /// A text is not UTF-8.
    #[error("pcapng option {code} of the block at offset {at} is not UTF-8")]
    Text {
        /// Where the block begins in the capture.
        at: usize,
        /// The option.
        code: u16,
    },
}

/// Why a block was not added; the capture is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PcapngWriteError {
    /// A name, description or comment is longer than its length field can say.
    #[error("pcapng text has {len} octets, 65535 are allowed")]
    LongText {
        /// Octets of the text.
        len: usize,
    },
    /// A frame is longer than its length field can say.
    #[error("pcapng frame has {len} octets, more than 32 bits can say")]
    LongFrame {
        /// Octets of the frame.
        len: usize,
    },
    /// The interface is another capture's.
    #[error("pcapng interface {interface} is not one of this capture")]
    UnknownInterface {
        /// The interface's number.
        interface: u32,
    },
}
