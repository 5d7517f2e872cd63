//! What the transformation must know besides who holds what.

use std::net::Ipv6Addr;

use rackweave_types::{AzPrefix, MacAddr, Mtu};

/// Octets of [`Settings`] as the program has them.
pub(crate) const LEN: usize = 76;

/// Two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The Ethernet address of who gets what goes there.
    pub dst: MacAddr,
    /// The Ethernet address of who sends it.
    pub src: MacAddr,
    /// The number of the link; the kernel's stack where there is none.
    pub link: Option<u32>,
}

/// What the transformation must know besides who holds what. It is fixed while a program runs; a change loads another
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The group's anycast address: the source of what goes to sleds, the target of what they send.
    pub group: Ipv6Addr,
    /// The group's inner Ethernet address.
    pub mac: MacAddr,
    /// The AZ of all sleds.
    pub az: AzPrefix,
    /// The longest packet that the underlay carries.
    pub mtu: Mtu,
    /// Towards the fabric.
    pub fabric: Hop,
    /// Towards the customer.
    pub customer: Hop,
    /// Whether the program is the hop that counts in an inbound packet; where not, the kernel was it before.
    pub counts_hop: bool,
}

impl Settings {
    /// As the program has them, for a table of this many buckets less one.
    pub(crate) fn octets(&self, mask: u32, plain: bool) -> [u8; LEN] {
        let mut octets = [0; LEN];
        let numbers = [
            u32::from(self.mtu.get()),
            self.fabric.link.unwrap_or(0),
            self.customer.link.unwrap_or(0),
            mask,
            u32::from(self.counts_hop),
            u32::from(plain),
        ];
        let (addresses, words) = octets.split_at_mut(LEN - size_of_val(&numbers));
        let (group, macs) = addresses.split_at_mut(16);
        group.copy_from_slice(&self.group.octets());
        let six = [
            self.az.octets(),
            self.mac.octets(),
            self.fabric.dst.octets(),
            self.fabric.src.octets(),
            self.customer.dst.octets(),
            self.customer.src.octets(),
        ];
        macs.copy_from_slice(six.as_flattened());
        for (place, number) in words.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        octets
    }
}
