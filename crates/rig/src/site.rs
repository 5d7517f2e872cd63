//! Two sleds' namespaces on an underlay of two paths, a boundary, and the world outside.
//!
//! ```text
//!  outside ══ TUN of the boundary ══ edge
//!                                   /    \            path0
//!                               sled 1 ════════════ sled 2
//!                                        path1
//! ```
//!
//! Sled N is `fd52:7761:6b65:10N::/64`, its end point the `::1` of it on loopback, reached by a multipath route over
//! both paths, which the outer UDP ports choose. The boundary is `fd52:7761:6b65:ff10::1`. Outside are 192.0.2.1 and
//! `2001:db8:ffff::1`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use rackweave_types::NodePrefix;

use crate::namespace::Namespace;

/// How many sleds a site has.
pub const SLEDS: usize = 2;

/// The boundary's address on the underlay.
pub(crate) const BOUNDARY: Ipv6Addr = Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, 0xff10, 0, 0, 0, 1);
/// An address of the world outside.
pub(crate) const OUTSIDE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// An address of the world outside.
pub(crate) const OUTSIDE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);
/// The TUN by which the world outside meets the boundary.
pub(crate) const OUTSIDE_LINK: &str = "border";

/// How a sled reaches the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underlay {
    /// UDP sockets.
    Udp,
    /// A TAP with tunnel segmentation offload.
    Tap,
}

impl fmt::Display for Underlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tap => "tap",
        })
    }
}

/// The namespaces, joined.
#[derive(Debug)]
pub struct Site {
    /// One for each sled.
    pub sleds: [Namespace; SLEDS],
    /// Where the boundary runs.
    pub edge: Namespace,
    /// The customer's network and all behind it.
    pub outside: Namespace,
}

impl Site {
    /// Makes the namespaces and links, and the routes of the underlay.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn new() -> Result<Self> {
        let site = Self {
            sleds: [Namespace::new("sled1")?, Namespace::new("sled2")?],
            edge: Namespace::new("edge")?,
            outside: Namespace::new("outside")?,
        };
        for node in site.sleds.iter().chain([&site.edge]) {
            as_router(node)?;
        }
        let [first, second] = &site.sleds;
        link(first, "path0", second, "path0")?;
        link(first, "path1", second, "path1")?;
        link(first, "north", &site.edge, "south1")?;
        link(second, "north", &site.edge, "south2")?;
        site.address()?;
        Ok(site)
    }

    /// The prefix of a sled.
    ///
    /// # Errors
    /// Where there is no such sled.
    pub fn prefix(sled: usize) -> Result<NodePrefix> {
        Ok(NodePrefix::of(end_point(sled)?)?)
    }

    /// An address of the world outside, of the family of `like`.
    pub fn outside_address(like: IpAddr) -> IpAddr {
        match like {
            IpAddr::V4(_) => OUTSIDE_V4.into(),
            IpAddr::V6(_) => OUTSIDE_V6.into(),
        }
    }

    fn address(&self) -> Result<()> {
        self.edge
            .ip(&format!("address add {BOUNDARY}/128 dev lo nodad"))?;
        for (at, node) in self.sleds.iter().enumerate() {
            let (own, other) = (end_point(at)?, end_point(1 - at)?);
            let (me, peer) = (at + 1, 2 - at);
            node.ip(&format!(
                "address add {own}/128 dev lo nodad\n\
                 address add fe80::{me}/64 dev path0 nodad\n\
                 address add fe80::{me}/64 dev path1 nodad\n\
                 address add fe80::{me}/64 dev north nodad\n\
                 route add {other}/64 src {own} nexthop via fe80::{peer} dev path0 \
                     nexthop via fe80::{peer} dev path1\n\
                 route add {BOUNDARY}/64 src {own} via fe80::ff dev north\n"
            ))?;
            let south = format!("south{me}");
            self.edge.ip(&format!(
                "address add fe80::ff/64 dev {south} nodad\n\
                 route add {own}/64 src {BOUNDARY} via fe80::{me} dev {south}\n"
            ))?;
        }
        Ok(())
    }
}

/// The tunnel end point of a sled.
pub(crate) fn end_point(sled: usize) -> Result<Ipv6Addr> {
    let node = u16::try_from(sled)? + 0x101;
    Ok(Ipv6Addr::new(0xfd52, 0x7761, 0x6b65, node, 0, 0, 0, 1))
}

/// A node of the underlay forwards, spreads flows by their ports, and has no addresses but those it is given.
fn as_router(node: &Namespace) -> Result<()> {
    for (key, value) in [
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv6/fib_multipath_hash_policy", "1"),
        ("ipv6/conf/default/addr_gen_mode", "1"),
    ] {
        node.sysctl(key, value)?;
    }
    Ok(())
}

fn link(near: &Namespace, near_name: &str, far: &Namespace, far_name: &str) -> Result<()> {
    near.ip(&format!(
        "link add name {near_name} mtu 9000 type veth peer name {far_name} mtu 9000 netns {}\n\
         link set dev {near_name} up\n",
        far.name()
    ))?;
    far.ip(&format!("link set dev {far_name} up"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SHORT, wait_until};

    #[test]
    fn sleds_reach_each_other_and_the_boundary() {
        if !crate::may_run("sleds_reach_each_other_and_the_boundary") {
            return;
        }
        let site = Site::new().unwrap();
        let [first, _] = &site.sleds;
        let from = end_point(0).unwrap().to_string();
        for to in [end_point(1).unwrap(), BOUNDARY] {
            let to = to.to_string();
            let ping = ["ping", "-6", "-c1", "-W1", "-I", &from, &to];
            let answered = || Ok(first.run(&ping)?.success);
            wait_until(SHORT, "an answer", answered).unwrap();
        }
        let routes = ["ip", "-6", "route", "show", "fd52:7761:6b65:102::/64"];
        let routes = first.must(&routes).unwrap();
        assert_eq!(routes.matches("nexthop").count(), 2, "{routes}");
    }
}
