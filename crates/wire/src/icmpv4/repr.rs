//! Messages as values.

use core::net::Ipv4Addr;

use super::{HEADER_LEN, Icmpv4Error, Icmpv4Type, Icmpv4View, Raw, fill_checksum};
use crate::checksum;
use crate::error::BufferTooSmall;
use crate::number::codes;
use crate::raw;

codes! {
    /// Why a destination is unreachable (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section
    /// 5.2.7.1). "Fragmentation needed" carries an MTU and is a variant of [`Icmpv4Repr`].
    Icmpv4Unreachable {
        /// Network unreachable.
        Network = 0,
        /// Host unreachable.
        Host = 1,
        /// Protocol unreachable.
        Protocol = 2,
        /// Port unreachable.
        Port = 3,
        /// Source route failed.
        SourceRoute = 5,
        /// Destination network unknown.
        NetworkUnknown = 6,
        /// Destination host unknown.
        HostUnknown = 7,
        /// Source host isolated.
        SourceIsolated = 8,
        /// Network administratively prohibited.
        NetworkProhibited = 9,
        /// Host administratively prohibited.
        HostProhibited = 10,
        /// Network unreachable for this type of service.
        NetworkService = 11,
        /// Host unreachable for this type of service.
        HostService = 12,
        /// Communication administratively prohibited.
        Prohibited = 13,
        /// Host precedence violation.
        PrecedenceViolation = 14,
        /// Precedence cutoff in effect.
        PrecedenceCutoff = 15,
    }
}

codes! {
    /// What time was exceeded (RFC 792).
    Icmpv4TimeExceeded {
        /// The TTL in transit.
        Ttl = 0,
        /// The fragments' reassembly time.
        Reassembly = 1,
    }
}

codes! {
    /// For what a redirect counts (RFC 792).
    Icmpv4Redirect {
        /// The network.
        Network = 0,
        /// The host.
        Host = 1,
        /// Type of service and network.
        NetworkService = 2,
        /// Type of service and host.
        HostService = 3,
    }
}

const FRAGMENTATION_NEEDED: u8 = 4;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Icmpv4Repr<'a> {
    /// Echo request.
    EchoRequest {
        /// Identifier.
        id: u16,
        /// Sequence number.
        sequence: u16,
        /// Data to be sent back.
        data: &'a [u8],
    },
    /// Echo reply.
    EchoReply {
        /// The request's identifier.
        id: u16,
        /// The request's sequence number.
        sequence: u16,
        /// The request's data.
        data: &'a [u8],
    },
    /// Destination unreachable.
    DestinationUnreachable {
        /// Why.
        reason: Icmpv4Unreachable,
        /// The packet that did not arrive, perhaps cut.
        quoted: &'a [u8],
    },
    /// Destination unreachable: fragmentation needed and not allowed (RFC 1191 section 4).
    FragmentationNeeded {
        /// Bytes of the next hop's MTU; zero from routers older than RFC 1191.
        mtu: u16,
        /// The packet that was too long, perhaps cut.
        quoted: &'a [u8],
    },
    /// Redirect.
    Redirect {
        /// For what it counts.
        scope: Icmpv4Redirect,
        /// The better gateway.
        gateway: Ipv4Addr,
        /// The packet that took the detour, perhaps cut.
        quoted: &'a [u8],
    },
    /// Time exceeded.
    TimeExceeded {
        /// What time.
        reason: Icmpv4TimeExceeded,
        /// The packet that was dropped, perhaps cut.
        quoted: &'a [u8],
    },
    /// Parameter problem.
    ParameterProblem {
        /// Byte of the packet at which the problem is.
        pointer: u8,
        /// The packet that was dropped, perhaps cut.
        quoted: &'a [u8],
    },
}

impl<'a> Icmpv4Repr<'a> {
    /// The message that a view shows.
    ///
    /// # Errors
    /// Where the checksum is wrong, or type or code are none of these.
    pub fn parse(view: &Icmpv4View<'a>) -> Result<Self, Icmpv4Error> {
        let sum = checksum::sum(view.message);
        if sum != 0xffff {
            let expected = checksum::finish(checksum::combine(sum, !view.checksum()));
            return Err(Icmpv4Error::Checksum {
                got: view.checksum(),
                expected,
            });
        }
        let (kind, code) = (view.kind(), view.code());
        let unknown = Icmpv4Error::Code { kind, got: code };
        let [first, second, third, fourth] = view.rest_of_header();
        let (high, low) = (
            u16::from_be_bytes([first, second]),
            u16::from_be_bytes([third, fourth]),
        );
        let data = view.payload();
        let quoted = view.quoted().unwrap_or_default();
        match (kind, code) {
            (Icmpv4Type::ECHO_REQUEST, 0) => Ok(Self::EchoRequest {
                id: high,
                sequence: low,
                data,
            }),
            (Icmpv4Type::ECHO_REPLY, 0) => Ok(Self::EchoReply {
                id: high,
                sequence: low,
                data,
            }),
            (Icmpv4Type::DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => {
                Ok(Self::FragmentationNeeded { mtu: low, quoted })
            }
            (Icmpv4Type::DESTINATION_UNREACHABLE, _) => {
                let reason = Icmpv4Unreachable::of_code(code).ok_or(unknown)?;
                Ok(Self::DestinationUnreachable { reason, quoted })
            }
            (Icmpv4Type::REDIRECT, _) => {
                let scope = Icmpv4Redirect::of_code(code).ok_or(unknown)?;
                Ok(Self::Redirect {
                    scope,
                    gateway: view.rest_of_header().into(),
                    quoted,
                })
            }
            (Icmpv4Type::TIME_EXCEEDED, _) => {
                let reason = Icmpv4TimeExceeded::of_code(code).ok_or(unknown)?;
                Ok(Self::TimeExceeded { reason, quoted })
            }
            (Icmpv4Type::PARAMETER_PROBLEM, 0) => Ok(Self::ParameterProblem {
                pointer: first,
                quoted,
            }),
            (
                Icmpv4Type::ECHO_REQUEST | Icmpv4Type::ECHO_REPLY | Icmpv4Type::PARAMETER_PROBLEM,
                _,
            ) => Err(unknown),
            _ => Err(Icmpv4Error::Type { got: kind }),
        }
    }

    /// Bytes of the message.
    pub const fn buffer_len(&self) -> usize {
        HEADER_LEN + self.payload().len()
    }

    /// Writes the message, its checksum included, to the start of `buffer`.
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
        raw::put_bytes(self.payload(), raw::put(&raw, message)?)?;
        fill_checksum(message)
    }

    const fn payload(&self) -> &'a [u8] {
        match *self {
            Self::EchoRequest { data, .. } | Self::EchoReply { data, .. } => data,
            Self::DestinationUnreachable { quoted, .. }
            | Self::FragmentationNeeded { quoted, .. }
            | Self::Redirect { quoted, .. }
            | Self::TimeExceeded { quoted, .. }
            | Self::ParameterProblem { quoted, .. } => quoted,
        }
    }

    fn header(&self) -> (Icmpv4Type, u8, [u8; 4]) {
        match *self {
            Self::EchoRequest { id, sequence, .. } => {
                (Icmpv4Type::ECHO_REQUEST, 0, raw::words(id, sequence))
            }
            Self::EchoReply { id, sequence, .. } => {
                (Icmpv4Type::ECHO_REPLY, 0, raw::words(id, sequence))
            }
            Self::DestinationUnreachable { reason, .. } => {
                (Icmpv4Type::DESTINATION_UNREACHABLE, reason.code(), [0; 4])
            }
            Self::FragmentationNeeded { mtu, .. } => (
                Icmpv4Type::DESTINATION_UNREACHABLE,
                FRAGMENTATION_NEEDED,
                raw::words(0, mtu),
            ),
            Self::Redirect { scope, gateway, .. } => {
                (Icmpv4Type::REDIRECT, scope.code(), gateway.octets())
            }
            Self::TimeExceeded { reason, .. } => (Icmpv4Type::TIME_EXCEEDED, reason.code(), [0; 4]),
            Self::ParameterProblem { pointer, .. } => {
                (Icmpv4Type::PARAMETER_PROBLEM, 0, [pointer, 0, 0, 0])
            }
        }
    }
}
