//! A frame as whoever reads tags sees it: addresses, one tag, the rest.

use alloc::vec::Vec;

use rackweave_types::{MacAddr, Vlan};

use crate::switch::DropReason;

/// Both addresses of a frame.
const ADDRESSES: usize = 12;
/// A tag: its type, and priority, drop eligibility and VLAN.
const TAG: usize = 4;
/// The type of a tag: 802.1Q; and those of outer tags, 802.1ad and what came before it.
const TAG_TYPES: [[u8; 2]; 3] = [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]];
/// The bits of a tag that are no VLAN: priority and drop eligibility.
const PRIORITY: u16 = 0xf000;

/// A frame, not changed yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parsed<'f> {
    pub(crate) dst: MacAddr,
    pub(crate) src: MacAddr,
    pub(crate) tag: Option<Tag>,
    addresses: &'f [u8],
    /// Type and payload, behind the tag where there is one.
    rest: &'f [u8],
}

/// A frame's outermost tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    pub(crate) vid: u16,
    priority: u16,
}

impl<'f> Parsed<'f> {
    pub(crate) fn of(bytes: &'f [u8]) -> Result<Self, DropReason> {
        let (addresses, rest) = bytes
            .split_at_checked(ADDRESSES)
            .ok_or(DropReason::Truncated)?;
        let (dst, src) = addresses.split_at(ADDRESSES / 2);
        let (tag, rest) = match rest.split_at_checked(TAG) {
            Some(([a, b, high, low], rest)) if TAG_TYPES.contains(&[*a, *b]) => {
                let control = u16::from_be_bytes([*high, *low]);
                let tag = Tag {
                    vid: control & !PRIORITY,
                    priority: control & PRIORITY,
                };
                (Some(tag), rest)
            }
            _ => (None, rest),
        };
        if rest.len() < 2 {
            return Err(DropReason::Truncated);
        }
        Ok(Self {
            dst: mac(dst),
            src: mac(src),
            tag,
            addresses,
            rest,
        })
    }

    /// Whether there is a tag behind the tag, or behind none.
    pub(crate) fn is_nested(&self) -> bool {
        TAG_TYPES.iter().any(|kind| self.rest.starts_with(kind))
    }

    pub(crate) fn without_tag(&self) -> Vec<u8> {
        [self.addresses, self.rest].concat()
    }

    /// The frame with this VLAN's tag, and the priority it had.
    pub(crate) fn with_tag(&self, vlan: Vlan) -> Vec<u8> {
        let priority = self.tag.map_or(0, |tag| tag.priority);
        let control = (vlan.get() | priority).to_be_bytes();
        let [kind, ..] = &TAG_TYPES;
        [self.addresses, kind, &control, self.rest].concat()
    }
}

fn mac(octets: &[u8]) -> MacAddr {
    let mut address = [0; 6];
    address.copy_from_slice(octets);
    MacAddr::new(address)
}
