//! The tunnel headers: Ethernet, IPv6, UDP, Geneve (RFC 8926) with our options.

use core::fmt;
use core::net::Ipv6Addr;

use rackweave_types::reserved;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::addr::Addr;
use crate::drop_reason::DropReason;
use crate::frame::{Checksum, Frame};
use crate::parse::outer::{OUTER_LEN, TRANS_ETHER_BRIDGING};
use crate::parse::{ETHERTYPE_IPV6, Parsed, protocol};
use crate::program::{Encapsulate, Underlay};

/// Octets of options a template can hold; the MSS option comes on top, so that all are at most 24 (design, contract
/// "On the wire").
const OPTIONS_MAX: usize = 16;
/// Octets of the MSS option: header, size, padding.
const MSS_LEN: usize = 8;
/// Hop limit of outer packets.
const HOP_LIMIT: u8 = 64;

/// The tunnel headers of one destination, as they stand in front of every packet to it. Lengths, traffic class, flow
/// label and UDP source port are filled in per packet; the UDP checksum is zero (RFC 6935).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OuterTemplate {
    head: [u8; OUTER_LEN],
    options: [u8; OPTIONS_MAX],
    /// Octets of `options` in use.
    options_len: u16,
    /// The longest inner IP packet that fits, in octets; 0 where it is not limited.
    mtu: u16,
    /// Inner packets longer than this carry the MSS option.
    guest_mtu: u16,
}

/// Options that need more room than a header has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateError;

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "geneve options need more than {OPTIONS_MAX} octets")
    }
}

impl core::error::Error for TemplateError {}

impl OuterTemplate {
    /// The headers from the underlay's end point here to `destination`.
    ///
    /// # Errors
    /// Where the options do not fit.
    pub fn new(
        underlay: &Underlay,
        destination: Ipv6Addr,
        encapsulate: &Encapsulate,
        mtu: u16,
    ) -> Result<Self, TemplateError> {
        let mut options = [0; OPTIONS_MAX];
        let mut used = 0;
        if let Some(source) = encapsulate.source {
            used = put_option(
                &mut options,
                used,
                reserved::GENEVE_OPTION_SOURCE,
                &source.to_be_bytes(),
            )
            .ok_or(TemplateError)?;
        }
        if encapsulate.external {
            used = put_option(&mut options, used, reserved::GENEVE_OPTION_EXTERNAL, &[])
                .ok_or(TemplateError)?;
        }
        let mut head = [0; OUTER_LEN];
        head[0..6].copy_from_slice(&underlay.dst_mac.octets());
        head[6..12].copy_from_slice(&underlay.src_mac.octets());
        head[12..14].copy_from_slice(&ETHERTYPE_IPV6.to_be_bytes());
        head[14] = 0x60;
        head[20] = protocol::UDP;
        head[21] = HOP_LIMIT;
        head[22..38].copy_from_slice(&underlay.source.octets());
        head[38..54].copy_from_slice(&destination.octets());
        head[56..58].copy_from_slice(&reserved::GENEVE_PORT.to_be_bytes());
        head[62] = u8::try_from(used / 4).map_err(|_| TemplateError)?;
        // The C bit: "One or more critical options exist."
        head[63] = if encapsulate.external { 0x40 } else { 0 };
        head[64..66].copy_from_slice(&TRANS_ETHER_BRIDGING.to_be_bytes());
        head[66..69].copy_from_slice(&encapsulate.vni.get().to_be_bytes()[1..]);
        let options_len = u16::try_from(used).map_err(|_| TemplateError)?;
        Ok(Self {
            head,
            options,
            options_len,
            mtu,
            guest_mtu: underlay.guest_mtu,
        })
    }

    /// The tunnel end point the headers lead to.
    #[must_use]
    #[inline(always)]
    pub fn destination(&self) -> Addr {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.head[38..54]);
        Addr::from_octets(octets)
    }

    /// The longest inner IP packet that fits, in octets; 0 where it is not limited.
    #[must_use]
    #[inline(always)]
    pub const fn mtu(&self) -> u16 {
        self.mtu
    }

    /// The network identifier.
    #[must_use]
    pub const fn vni(&self) -> u32 {
        u32::from_be_bytes([0, self.head[66], self.head[67], self.head[68]])
    }
}

/// Appends one option (RFC 8926, section 3.5) and returns how much is used then.
fn put_option(options: &mut [u8], at: usize, kind: u8, data: &[u8]) -> Option<usize> {
    let end = at + 4 + data.len();
    let room = options.get_mut(at..end)?;
    room[..2].copy_from_slice(&reserved::GENEVE_OPTION_CLASS.to_be_bytes());
    room[2] = kind;
    room[3] = u8::try_from(data.len() / 4).ok()?;
    room[4..].copy_from_slice(data);
    Some(end)
}

/// Puts the tunnel headers in front of a frame.
#[inline(always)]
pub(crate) fn wrap(
    template: &OuterTemplate,
    entropy: u16,
    parsed: &Parsed,
    frame: &mut Frame,
) -> Result<(), DropReason> {
    // Ethernet padding stays here.
    frame.truncate(usize::try_from(parsed.end).map_err(|_| DropReason::EncapsulationTooLong)?);
    let mss = match frame.offload.segment {
        Some(segment) if parsed.ip_len() > u32::from(template.guest_mtu) => Some(segment.size),
        _ => None,
    };
    let options_len = usize::from(template.options_len);
    let added = OUTER_LEN + options_len + if mss.is_some() { MSS_LEN } else { 0 };
    let inner_len = frame.len();
    let udp_len =
        u16::try_from(inner_len + added - 54).map_err(|_| DropReason::EncapsulationTooLong)?;
    let bytes = frame
        .push_front(added)
        .map_err(|_| DropReason::EncapsulationTooLong)?;
    let (head, rest) = bytes
        .split_first_chunk_mut::<OUTER_LEN>()
        .ok_or(DropReason::EncapsulationTooLong)?;
    *head = template.head;
    fill_head(head, entropy, parsed.tos, udp_len);
    let mut rest = rest;
    if let Some(size) = mss {
        head[62] += 2;
        let (option, after) = rest
            .split_first_chunk_mut::<MSS_LEN>()
            .ok_or(DropReason::EncapsulationTooLong)?;
        let [size_high, size_low] = size.to_be_bytes();
        let [class_high, class_low] = reserved::GENEVE_OPTION_CLASS.to_be_bytes();
        *option = [
            class_high,
            class_low,
            reserved::GENEVE_OPTION_MSS,
            1,
            size_high,
            size_low,
            0,
            0,
        ];
        rest = after;
    }
    if options_len > 0 {
        rest[..options_len].copy_from_slice(&template.options[..options_len]);
    }
    shift_checksum(frame, added)
}

/// Fills in what differs from packet to packet. DSCP and ECN are the inner packet's (RFC 6040, section 4.1, normal
/// mode; RFC 2983), the flow label carries the flow's hash (RFC 6438).
#[inline(always)]
fn fill_head(head: &mut [u8; OUTER_LEN], entropy: u16, tos: u8, udp_len: u16) {
    let [entropy_high, entropy_low] = entropy.to_be_bytes();
    let [len_high, len_low] = udp_len.to_be_bytes();
    head[14] = 0x60 | tos >> 4;
    head[15] = tos << 4;
    head[16] = entropy_high;
    head[17] = entropy_low;
    head[18] = len_high;
    head[19] = len_low;
    head[54] = entropy_high;
    head[55] = entropy_low;
    head[58] = len_high;
    head[59] = len_low;
}

/// Keeps a partial checksum's place true after headers were added in front.
#[inline(always)]
fn shift_checksum(frame: &mut Frame, added: usize) -> Result<(), DropReason> {
    if let Checksum::Partial { start, offset } = frame.offload.checksum {
        let added = u16::try_from(added).map_err(|_| DropReason::EncapsulationTooLong)?;
        let start = start
            .checked_add(added)
            .ok_or(DropReason::EncapsulationTooLong)?;
        frame.offload.checksum = Checksum::Partial { start, offset };
    }
    Ok(())
}
