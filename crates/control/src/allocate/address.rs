//! The first free address of a prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The first and the last address of a prefix.
pub(crate) fn bounds(net: IpNet) -> (IpAddr, IpAddr) {
    (net.network(), net.broadcast())
}

/// The first address from `first` to `last` that is neither held nor refused. `held` ascends.
///
/// Walks over the held addresses before the first gap, and over what is refused.
pub(crate) fn first_free(
    first: IpAddr,
    last: IpAddr,
    held: impl Iterator<Item = IpAddr>,
    refused: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut held = held.peekable();
    let mut candidate = first;
    loop {
        while held.next_if(|held| *held < candidate).is_some() {}
        if held.peek() != Some(&candidate) && !refused(candidate) {
            return Some(candidate);
        }
        if candidate >= last {
            return None;
        }
        candidate = next(candidate)?;
    }
}

/// The address behind this one.
pub(crate) fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let next = u32::from(address).checked_add(1)?;
            Some(Ipv4Addr::from(next).into())
        }
        IpAddr::V6(address) => {
            let next = u128::from(address).checked_add(1)?;
            Some(Ipv6Addr::from(next).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(net: &str, held: &[&str], refused: &str) -> Option<String> {
        let (first, last) = bounds(net.parse().unwrap());
        let held = held.iter().map(|held| held.parse().unwrap());
        let refused: IpAddr = refused.parse().unwrap();
        first_free(first, last, held, |address| address == refused).map(|free| free.to_string())
    }

    #[test]
    fn the_first_gap_is_taken() {
        let held = ["10.0.0.1", "10.0.0.2", "10.0.0.4"];
        assert_eq!(free("10.0.0.0/29", &held, "10.0.0.0").unwrap(), "10.0.0.3");
        assert_eq!(free("10.0.0.0/31", &["10.0.0.1"], "10.0.0.0"), None);
        assert_eq!(free("255.255.255.255/32", &[], "255.255.255.255"), None);
        assert_eq!(
            free("fd00::/64", &["fd00::"], "fd00::1").unwrap(),
            "fd00::2"
        );
    }
}
