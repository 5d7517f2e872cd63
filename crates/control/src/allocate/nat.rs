//! Blocks of ports of shared external addresses: who had one is arithmetic.
//!
//! The addresses for sharing of a pool stand in a row, each with the same number of blocks from
//! [`PortBlock::FIRST_MIN`] on. Block `n` is block `n mod blocks` of address `n div blocks`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use rackweave_types::state::{NatBlock, PortBlock};

use crate::intent::Intent;
use crate::key::{Id, Key};
use crate::model::{GivenNat, IpPoolSpec};

/// The bounds of the number of ports in a block.
pub const PORTS: std::ops::RangeInclusive<u16> = 64..=PortBlock::COUNT_MAX;

/// How many blocks an address has: those of the aligned blocks that hold no system port.
fn blocks(ports: u16) -> u32 {
    let (all, ports) = (u32::from(u16::MAX) + 1, u32::from(ports));
    let first = u32::from(PortBlock::FIRST_MIN).div_ceil(ports.max(1));
    (all / ports.max(1)).saturating_sub(first)
}

/// How many addresses a prefix has, as far as numbers of blocks go.
fn addresses(net: IpNet) -> u32 {
    let bits = u32::from(net.max_prefix_len() - net.prefix_len());
    1_u32.checked_shl(bits).unwrap_or(u32::MAX)
}

/// The block with this number; none where the pool has no such one.
#[must_use]
pub fn block(pool: &IpPoolSpec, number: u32) -> Option<NatBlock> {
    let blocks = blocks(pool.nat_ports);
    let mut address = number.checked_div(blocks)?;
    let first = u32::from(PortBlock::FIRST_MIN).div_ceil(u32::from(pool.nat_ports));
    let port = (first + number % blocks) * u32::from(pool.nat_ports);
    for net in &pool.nat {
        if address < addresses(*net) {
            let ports = PortBlock::new(u16::try_from(port).ok()?, pool.nat_ports).ok()?;
            let address = offset(net.network(), address);
            return Some(NatBlock { address, ports });
        }
        address -= addresses(*net);
    }
    None
}

/// The number of the block that an address and port are of; none where they are of none.
#[must_use]
pub fn number(pool: &IpPoolSpec, address: IpAddr, port: u16) -> Option<u32> {
    let first = u32::from(PortBlock::FIRST_MIN).div_ceil(u32::from(pool.nat_ports));
    let block = u32::from(port).checked_div(u32::from(pool.nat_ports))?;
    let block = block.checked_sub(first)?;
    let mut before = 0_u32;
    for net in &pool.nat {
        if net.contains(&address) {
            let at = before.checked_add(distance(net.network(), address)?)?;
            return at.checked_mul(blocks(pool.nat_ports))?.checked_add(block);
        }
        before = before.checked_add(addresses(*net))?;
    }
    None
}

/// A free block of a pool for addresses of a family: behind the last one held where there is room, else the
/// first gap. So a block that was let go is not soon another's.
pub(crate) fn allocate(intent: &Intent, pool: Id, v4: bool) -> Option<GivenNat> {
    let spec = &intent.ip_pool(pool)?.spec;
    let mut first = 0_u32;
    for net in &spec.nat {
        let count = addresses(*net).saturating_mul(blocks(spec.nat_ports));
        let behind = first.saturating_add(count);
        if net.addr().is_ipv4() == v4
            && let Some(number) = free(intent, pool, first, behind)
        {
            let block = block(spec, number)?;
            return Some(GivenNat {
                pool,
                number,
                block,
            });
        }
        first = behind;
    }
    None
}

/// A free number from `first` to before `behind`.
fn free(intent: &Intent, pool: Id, first: u32, behind: u32) -> Option<u32> {
    let last = intent.nat_numbers(pool, first, behind).next_back();
    let next = last.map_or(first, |last| last.saturating_add(1));
    if next < behind {
        return Some(next);
    }
    let held = intent.nat_numbers(pool, first, behind);
    let gap = (first..behind)
        .zip(held)
        .find(|(number, held)| number != held);
    gap.map(|(number, _)| number)
}

/// Who holds the block that an external address and port are of: a NIC, or a sled for itself.
#[must_use]
pub fn holder(intent: &Intent, address: IpAddr, port: u16) -> Option<Key> {
    let pools = intent.children(crate::key::Kind::IpPool, None, None);
    let mut pools = pools.filter_map(|object| match object {
        crate::model::Object::IpPool(pool) => Some(pool),
        _ => None,
    });
    pools.find_map(|pool| {
        let number = number(&pool.spec, address, port)?;
        intent
            .nat_holder(pool.meta.id, number)
            .map(|holder| holder.0)
    })
}

fn offset(from: IpAddr, by: u32) -> IpAddr {
    match from {
        IpAddr::V4(from) => Ipv4Addr::from(u32::from(from).wrapping_add(by)).into(),
        IpAddr::V6(from) => Ipv6Addr::from(u128::from(from).wrapping_add(by.into())).into(),
    }
}

fn distance(from: IpAddr, to: IpAddr) -> Option<u32> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => u32::from(to).checked_sub(from.into()),
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let distance = u128::from(to).checked_sub(from.into())?;
            u32::try_from(distance).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pool(nat: &[&str], nat_ports: u16) -> IpPoolSpec {
        let nets = |nets: &[&str]| nets.iter().map(|net| net.parse().unwrap()).collect();
        IpPoolSpec {
            blocks: nets(nat),
            nat: nets(nat),
            nat_ports,
            system: false,
        }
    }

    #[test]
    fn blocks_stand_in_a_row() {
        let pool = pool(&["203.0.113.0/31", "198.51.100.7/32"], 1024);
        let at = |number| {
            let block = block(&pool, number)?;
            Some((block.address.to_string(), block.ports.first()))
        };
        assert_eq!(at(0), Some(("203.0.113.0".to_owned(), 1024)));
        assert_eq!(at(62), Some(("203.0.113.0".to_owned(), 64_512)));
        assert_eq!(at(63), Some(("203.0.113.1".to_owned(), 1024)));
        assert_eq!(at(126), Some(("198.51.100.7".to_owned(), 1024)));
        assert_eq!(at(189), None);
    }

    proptest! {
        #[test]
        fn who_had_a_port_is_arithmetic(exponent in 6_u32..=15, number_of in 0_u32..5000) {
            let pool = pool(&["203.0.113.0/28", "2001:db8::/124"], 1 << exponent);
            if let Some(block) = block(&pool, number_of) {
                for port in [block.ports.range().first(), block.ports.range().last()] {
                    prop_assert_eq!(number(&pool, block.address, port), Some(number_of));
                }
            }
        }

        #[test]
        fn a_system_port_is_in_no_block(exponent in 6_u32..=15, port in 0_u16..1024) {
            let pool = pool(&["203.0.113.0/28"], 1 << exponent);
            prop_assert_eq!(number(&pool, "203.0.113.3".parse().unwrap(), port), None);
        }
    }
}
