//! ICMP errors about a packet.

use std::net::IpAddr;

use rackweave_types::{MacAddr, reserved};

use super::FrameBuilder;
use super::builder::GUEST_MAC;

/// What went wrong, in either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// Nobody listens on the port.
    PortUnreachable,
    /// The packet is longer than this link's MTU.
    TooBig {
        /// Octets that fit.
        mtu: u16,
    },
    /// The packet was forwarded too often.
    TimeExceeded,
}

/// The frame of an ICMP error that `from` sends to the source of the packet in `frame`, which it
/// quotes: up to 576 octets in all over IPv4 (RFC 1812 section 4.3.2.3), up to 1280 over IPv6 (RFC
/// 4443 section 3). The frame comes from the gateway.
#[must_use]
pub fn icmp_error(from: IpAddr, error: IcmpError, frame: &[u8]) -> Vec<u8> {
    let quoted = frame.get(14..).unwrap_or_default();
    let (to, max) = match from {
        IpAddr::V4(_) => (array::<4>(quoted, 12).into(), 576 - 28),
        IpAddr::V6(_) => (array::<16>(quoted, 8).into(), 1280 - 48),
    };
    let (kind, code, mtu) = match (error, from.is_ipv4()) {
        // RFC 792; RFC 1191 section 4.
        (IcmpError::PortUnreachable, true) => (3, 3, 0),
        (IcmpError::TooBig { mtu }, true) => (3, 4, mtu),
        (IcmpError::TimeExceeded, true) => (11, 0, 0),
        // RFC 4443 section 3.
        (IcmpError::PortUnreachable, false) => (1, 4, 0),
        (IcmpError::TooBig { mtu }, false) => (2, 0, mtu),
        (IcmpError::TimeExceeded, false) => (3, 0, 0),
    };
    let mut message = u32::from(mtu).to_be_bytes().to_vec();
    message.extend(&quoted[..quoted.len().min(max)]);
    let guest = frame
        .get(6..12)
        .map_or(GUEST_MAC, |mac| MacAddr::new(array(mac, 0)));
    FrameBuilder::icmp(from, to, kind, code)
        .macs(reserved::GATEWAY_MAC, guest)
        .payload(&message)
        .build()
}

/// The octets at `at`; zeros where there are none.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}
