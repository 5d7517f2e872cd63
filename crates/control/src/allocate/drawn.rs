//! What is drawn, so that it is not soon given again.

use ipnet::Ipv6Net;
use rackweave_types::{AzPrefix, MacAddr, Vni, reserved};

use crate::draw::Draw;
use crate::intent::Intent;

/// How often is drawn until it counts as exhausted.
const TRIES: usize = 4096;
/// The fourth octet of Ethernet addresses that guests never have: boundary groups, and the gateway.
const SYSTEM_MAC: u8 = 0xff;
/// The fourth octet of the sleds' own ports.
pub(crate) const SLED_MAC: u8 = 0xfe;

/// A network identifier that no VPC has.
pub(crate) fn vni(intent: &Intent, draw: Draw) -> Option<Vni> {
    let first = u64::from(reserved::FIRST_VPC_VNI);
    let count = u64::from(Vni::MAX) + 1 - first;
    draw.numbers("vni").take(TRIES).find_map(|number| {
        let number = u32::try_from(first + number % count).ok()?;
        let vni = Vni::new(number).ok()?;
        intent.vpc_of(vni).is_none().then_some(vni)
    })
}

/// An Ethernet address that no guest has.
pub(crate) fn mac(intent: &Intent, draw: Draw) -> Option<MacAddr> {
    draw.numbers("mac").take(TRIES).find_map(|number| {
        let mut octets = [0; 6];
        octets[..3].copy_from_slice(&reserved::GUEST_MAC_PREFIX);
        octets[3..].copy_from_slice(&number.to_be_bytes()[5..]);
        let mac = MacAddr::new(octets);
        let guests = octets[3] != SYSTEM_MAC && octets[3] != SLED_MAC;
        (guests && intent.nic_of(mac).is_none()).then_some(mac)
    })
}

/// A /48 of unique local addresses (RFC 4193, section 3.2), not the underlay's and not that of metadata.
pub(crate) fn unique_local(draw: Draw, purpose: &str, az: AzPrefix) -> Option<Ipv6Net> {
    draw.numbers(purpose).take(TRIES).find_map(|number| {
        let mut octets = [0xfd; 6];
        octets[1..].copy_from_slice(&number.to_be_bytes()[3..]);
        let prefix = AzPrefix::new(octets).ok()?;
        (prefix != az && octets[1] != BOOTSTRAP).then(|| prefix.net())
    })
}

/// The second octet of the bootstrap network, `fdb0::/16`.
const BOOTSTRAP: u8 = 0xb0;
