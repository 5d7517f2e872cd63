//! Messages as values.

use super::{HEADER_LEN, Icmpv6Error, Icmpv6Type, Icmpv6View, Raw};
use crate::error::BufferTooSmall;
use crate::number::codes;
use crate::raw;

codes! {
    /// Why a destination is unreachable (RFC 4443 section 3.1).
    Icmpv6Unreachable {
        /// No route to the destination.
        NoRoute = 0,
        /// Communication administratively prohibited.
        Prohibited = 1,
        /// Beyond the scope of the source address.
        BeyondScope = 2,
        /// Address unreachable.
        Address = 3,
        /// Port unreachable.
        Port = 4,
        /// The source address failed a policy.
        SourcePolicy = 5,
        /// The route to the destination says reject.
        RejectRoute = 6,
    }
}

codes! {
    /// What time was exceeded (RFC 4443 section 3.3).
    Icmpv6TimeExceeded {
        /// The hop limit in transit.
        HopLimit = 0,
        /// The fragments' reassembly time.
        Reassembly = 1,
    }
}

codes! {
    /// What is wrong with a packet (RFC 4443 section 3.4, RFC 7112 section 5).
    Icmpv6ParameterProblem {
        /// A header field.
        Field = 0,
        /// An unrecognised next header.
        NextHeader = 1,
        /// An unrecognised option.
        Option = 2,
        /// A first fragment without the whole header chain.
        IncompleteChain = 3,
    }
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Icmpv6Repr<'a> {
    /// Destination unreachable.
    DestinationUnreachable {
        /// Why.
        reason: Icmpv6Unreachable,
        /// The packet that did not arrive, perhaps cut.
        quoted: &'a [u8],
    },
    /// Packet too big (RFC 4443 section 3.2).
    PacketTooBig {
        /// Bytes of the next hop's MTU.
        mtu: u32,
        /// The packet that was too long, perhaps cut.
        quoted: &'a [u8],
    },
    /// Time exceeded.
    TimeExceeded {
        /// What time.
        reason: Icmpv6TimeExceeded,
        /// The packet that was dropped, perhaps cut.
        quoted: &'a [u8],
    },
    /// Parameter problem.
    ParameterProblem {
        /// What is wrong.
        reason: Icmpv6ParameterProblem,
        /// Byte of the packet at which the problem is.
        pointer: u32,
        /// The packet that was dropped, perhaps cut.
        quoted: &'a [u8],
    },
    /// Echo request (RFC 4443 section 4.1).
    EchoRequest {
        /// Identifier.
        id: u16,
        /// Sequence number.
        sequence: u16,
        /// Data to be sent back.
        data: &'a [u8],
    },
    /// Echo reply (RFC 4443 section 4.2).
    EchoReply {
        /// The request's identifier.
        id: u16,
        /// The request's sequence number.
        sequence: u16,
        /// The request's data.
        data: &'a [u8],
    },
}

impl<'a> Icmpv6Repr<'a> {
    /// The message that a view shows.
    ///
    /// # Errors
    /// Where type or code are none of these.
    pub fn parse(view: &Icmpv6View<'a>) -> Result<Self, Icmpv6Error> {
        let (kind, code) = (view.kind(), view.code());
        let unknown = Icmpv6Error::Code { kind, got: code };
        let rest = view.rest_of_header();
        let [first, second, third, fourth] = rest;
        let (id, sequence) = (
            u16::from_be_bytes([first, second]),
            u16::from_be_bytes([third, fourth]),
        );
        let data = view.payload();
        let quoted = view.quoted().unwrap_or_default();
        match kind {
            Icmpv6Type::DESTINATION_UNREACHABLE => {
                let reason = Icmpv6Unreachable::of_code(code).ok_or(unknown)?;
                Ok(Self::DestinationUnreachable { reason, quoted })
            }
            // RFC 4443 section 3.2: the code is ignored by the receiver.
            Icmpv6Type::PACKET_TOO_BIG => Ok(Self::PacketTooBig {
                mtu: u32::from_be_bytes(rest),
                quoted,
            }),
            Icmpv6Type::TIME_EXCEEDED => {
                let reason = Icmpv6TimeExceeded::of_code(code).ok_or(unknown)?;
                Ok(Self::TimeExceeded { reason, quoted })
            }
            Icmpv6Type::PARAMETER_PROBLEM => {
                let reason = Icmpv6ParameterProblem::of_code(code).ok_or(unknown)?;
                Ok(Self::ParameterProblem {
                    reason,
                    pointer: u32::from_be_bytes(rest),
                    quoted,
                })
            }
            Icmpv6Type::ECHO_REQUEST if code == 0 => Ok(Self::EchoRequest { id, sequence, data }),
            Icmpv6Type::ECHO_REPLY if code == 0 => Ok(Self::EchoReply { id, sequence, data }),
            Icmpv6Type::ECHO_REQUEST | Icmpv6Type::ECHO_REPLY => Err(unknown),
            _ => Err(Icmpv6Error::Type { got: kind }),
        }
    }

    /// Bytes of the message.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN + self.payload().len()
    }

    /// Writes the message, its checksum zero, to the start of `buffer`.
    ///
    /// # Errors
    /// Where the buffer is too small.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<(), BufferTooSmall> {
        let message = raw::room(buffer, self.buffer_len())?;
        let (kind, code, rest) = self.header();
        let raw = Raw {
            kind: kind.get(),
            code,
            checksum: 0.into(),
            rest,
        };
        raw::put_bytes(self.payload(), raw::put(&raw, message)?).map(|_| ())
    }

    const fn payload(&self) -> &'a [u8] {
        match *self {
            Self::EchoRequest { data, .. } | Self::EchoReply { data, .. } => data,
            Self::DestinationUnreachable { quoted, .. }
            | Self::PacketTooBig { quoted, .. }
            | Self::TimeExceeded { quoted, .. }
            | Self::ParameterProblem { quoted, .. } => quoted,
        }
    }

    fn header(&self) -> (Icmpv6Type, u8, [u8; 4]) {
        match *self {
            Self::DestinationUnreachable { reason, .. } => {
                (Icmpv6Type::DESTINATION_UNREACHABLE, reason.code(), [0; 4])
            }
            Self::PacketTooBig { mtu, .. } => (Icmpv6Type::PACKET_TOO_BIG, 0, mtu.to_be_bytes()),
            Self::TimeExceeded { reason, .. } => (Icmpv6Type::TIME_EXCEEDED, reason.code(), [0; 4]),
            Self::ParameterProblem {
                reason, pointer, ..
            } => (
                Icmpv6Type::PARAMETER_PROBLEM,
                reason.code(),
                pointer.to_be_bytes(),
            ),
            Self::EchoRequest { id, sequence, .. } => {
                (Icmpv6Type::ECHO_REQUEST, 0, raw::words(id, sequence))
            }
            Self::EchoReply { id, sequence, .. } => {
                (Icmpv6Type::ECHO_REPLY, 0, raw::words(id, sequence))
            }
        }
    }
}
