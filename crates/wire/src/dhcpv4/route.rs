//! Classless static routes (RFC 3442).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::dhcpv4::error::Dhcpv4Error;

/// A route that a client installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClasslessRoute {
    /// Where it leads.
    pub destination: Ipv4Net,
    /// The next hop; 0.0.0.0 where the destination is on the link itself.
    pub router: Ipv4Addr,
}

impl ClasslessRoute {
    /// Appends the route as the option carries it.
    ///
    /// "The significant octets of the subnet number": as many as the prefix reaches into.
    pub(super) fn put(&self, buffer: &mut Vec<u8>) {
        let width = self.destination.prefix_len();
        buffer.push(width);
        buffer.extend_from_slice(&self.destination.network().octets()[..significant(width)]);
        buffer.extend_from_slice(&self.router.octets());
    }
}

fn significant(width: u8) -> usize {
    usize::from(width.div_ceil(8))
}

/// The routes of an option's value; ends after the first error.
#[derive(Clone, Debug)]
pub struct ClasslessRoutes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ClasslessRoutes<'a> {
    /// The routes in `bytes`, the value of option 121.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn read(&mut self, width: u8) -> Result<ClasslessRoute, Dhcpv4Error> {
        let at = self.at;
        let len = significant(width);
        let rest = self.bytes.get(at + 1..).unwrap_or_default();
        let mut destination = [0; 4];
        let head = destination.get_mut(..len);
        let head = head.ok_or(Dhcpv4Error::RouteWidth { at, got: width })?;
        let cut = Dhcpv4Error::RouteCut {
            at,
            needed: 5 + len,
            got: 1 + rest.len(),
        };
        let (octets, rest) = rest.split_at_checked(len).ok_or(cut)?;
        head.copy_from_slice(octets);
        let router = rest.first_chunk::<4>().ok_or(cut)?;
        let destination = Ipv4Net::new(destination.into(), width)
            .map_err(|_| Dhcpv4Error::RouteWidth { at, got: width })?
            .trunc();
        self.at += 5 + len;
        Ok(ClasslessRoute {
            destination,
            router: Ipv4Addr::from(*router),
        })
    }
}

impl Iterator for ClasslessRoutes<'_> {
    type Item = Result<ClasslessRoute, Dhcpv4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let width = *self.bytes.get(self.at)?;
        let route = self.read(width);
        if route.is_err() {
            self.at = self.bytes.len();
        }
        Some(route)
    }
}
