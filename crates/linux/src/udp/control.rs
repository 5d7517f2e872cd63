//! Control messages: what accompanies a datagram to and from the kernel.
//!
//! The layouts are those of 64-bit Linux, compared with libc's when the program is built.

use std::mem::offset_of;

use libc::{c_int, cmsghdr};

/// What is said with a send: the traffic class, and the segment size where the payload is cut.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct SendControl {
    class: cmsghdr,
    class_value: c_int,
    class_padding: [u8; 4],
    segment: cmsghdr,
    segment_value: u16,
    segment_padding: [u8; 6],
}

/// Octets of a control message's header, and of each with its value and padding.
const HEADER: usize = size_of::<cmsghdr>();
const CLASS_SPACE: usize = offset_of!(SendControl, segment);
const SPACE: usize = size_of::<SendControl>();

const _: () = {
    assert!(offset_of!(cmsghdr, cmsg_level) == 8 && offset_of!(cmsghdr, cmsg_type) == 12);
    assert!(HEADER == 16 && align_of::<cmsghdr>() == 8);
    assert!(CLASS_SPACE == 24 && SPACE == 48);
};

impl SendControl {
    /// `segment` of zero: not cut.
    pub(super) const fn new(traffic_class: u8, segment: u16) -> Self {
        Self {
            class: header(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, size_of::<c_int>()),
            class_value: traffic_class as c_int,
            class_padding: [0; 4],
            segment: header(libc::SOL_UDP, libc::UDP_SEGMENT, size_of::<u16>()),
            segment_value: segment,
            segment_padding: [0; 6],
        }
    }

    /// How many octets of it the kernel is given.
    pub(super) const fn len(&self) -> usize {
        if self.segment_value == 0 {
            CLASS_SPACE
        } else {
            SPACE
        }
    }
}

const fn header(level: c_int, kind: c_int, value: usize) -> cmsghdr {
    cmsghdr {
        cmsg_len: HEADER + value,
        cmsg_level: level,
        cmsg_type: kind,
    }
}

/// Room for what the kernel says of a datagram that arrived.
pub(super) const RECEIVE_SPACE: usize = 128;

/// What the kernel said of a datagram that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) traffic_class: u8,
    /// Octets of each datagram, where several were joined.
    pub(super) segment: Option<u16>,
    /// Datagrams that this socket lost since it was opened, for want of room.
    pub(super) overflow: Option<u32>,
}

impl Arrival {
    /// Reads control messages; what is not known or cut short is passed over.
    pub(super) fn read(mut control: &[u8]) -> Self {
        let mut arrival = Self::default();
        while let Some((message, rest)) = next(control) {
            control = rest;
            let number = message.value.first_chunk().map(|v| u32::from_ne_bytes(*v));
            match (message.level, message.kind, number) {
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, Some(class)) => {
                    arrival.traffic_class = u8::try_from(class).unwrap_or(0);
                }
                (libc::SOL_UDP, libc::UDP_GRO, Some(size)) => {
                    arrival.segment = u16::try_from(size).ok().filter(|size| *size > 0);
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL, Some(_)) => arrival.overflow = number,
                _ => {}
            }
        }
        arrival
    }
}

/// One control message.
pub(crate) struct Message<'a> {
    pub(crate) level: c_int,
    pub(crate) kind: c_int,
    pub(crate) value: &'a [u8],
}

/// The first control message, and what follows it.
pub(crate) fn next(control: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let len = usize::from_ne_bytes(*control.first_chunk()?);
    let number = |at: usize| Some(c_int::from_ne_bytes(*control.get(at..)?.first_chunk()?));
    let message = Message {
        level: number(8)?,
        kind: number(12)?,
        value: control.get(HEADER..len)?,
    };
    let rest = control.get(len.next_multiple_of(8)..).unwrap_or_default();
    Some((message, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(level: c_int, kind: c_int, value: &[u8]) -> Vec<u8> {
        let mut octets = (HEADER + value.len()).to_ne_bytes().to_vec();
        octets.extend(level.to_ne_bytes());
        octets.extend(kind.to_ne_bytes());
        octets.extend(value);
        octets.resize(octets.len().next_multiple_of(8), 0);
        octets
    }

    proptest! {
        #[test]
        fn what_was_said_is_read(class: u8, segment in 1..=u16::MAX, lost: u32, stray: Vec<u8>) {
            let control = [
                message(libc::SOL_SOCKET, libc::SCM_TIMESTAMP, &stray),
                message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &lost.to_ne_bytes()),
                message(libc::SOL_UDP, libc::UDP_GRO, &i32::from(segment).to_ne_bytes()),
                message(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &i32::from(class).to_ne_bytes()),
            ];
            let expected = Arrival {
                traffic_class: class,
                segment: Some(segment),
                overflow: Some(lost),
            };
            prop_assert_eq!(Arrival::read(&control.concat()), expected);
        }

        #[test]
        fn no_bytes_panic(control: Vec<u8>, len in 0..64_usize) {
            let _arrival = Arrival::read(&control);
            let _arrival = Arrival::read(&[&len.to_ne_bytes()[..], &control].concat());
        }
    }

    #[test]
    fn a_class_alone_is_half_as_long() {
        assert_eq!(SendControl::new(0xb8, 0).len(), 24);
        assert_eq!(SendControl::new(0xb8, 1400).len(), 48);
    }
}
