//! What the host does around the underlay TAP.
//!
//! Outwards, the host's IPv6 routing carries what the program writes, as it carries what any link
//! brings: forwarding is on, and the program's frames are addressed to the device itself.
//!
//! Inwards, Geneve for the tunnel end point must reach the device although the end point is one of
//! the host's own addresses, which the first of all rules looks up. So one rule goes before it:
//!
//! ```text
//! 1:  to END_POINT ipproto udp dport 6081 lookup 6081     table 6081: END_POINT dev TAP
//! 2:  lookup local                                        was at 0
//! ```
//!
//! Everything else that the host does with its address stays as it was. The end point has a fixed
//! neighbour entry on the device, since nobody answers there.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};
use rackweave_types::reserved::GENEVE_PORT;
use rackweave_types::{MacAddr, Mtu};

use super::TapError;
use crate::netlink::{LOCAL_TABLE, LinkSettings, Netlink, NetlinkError, Path, Route, Rule};
use crate::sysctl;

/// The table with nothing but the way into the TAP.
const TABLE: u32 = GENEVE_PORT as u32;
/// Where the rule that leads there stands.
const TABLE_PRIORITY: u32 = 1;
/// Where the rule of the host's own addresses stands then.
const LOCAL_PRIORITY: u32 = 2;
/// UDP (IANA's protocol numbers).
const UDP: u8 = 17;
/// Frames that wait for the program: enough for the bursts of many guests of small packets.
const QUEUE_LEN: u32 = 8192;

/// How the host is joined to the underlay TAP.
#[derive(Clone, Copy, Debug)]
pub struct TapHost<'a> {
    /// The device's name.
    pub name: &'a str,
    /// The tunnel end point, which belongs to the host.
    pub end_point: Ipv6Addr,
    /// The device's own Ethernet address: the destination of frames that the program writes.
    pub mac: MacAddr,
    /// The program's Ethernet address: the source of those frames, and the end point's neighbour entry.
    pub peer: MacAddr,
    /// The underlay's MTU.
    pub mtu: Mtu,
}

impl TapHost<'_> {
    /// Sets the host up in the namespace of the calling thread; where it is so already, nothing changes. The device
    /// must be open.
    ///
    /// Forwarding of IPv6 is switched on; a link that is to go on taking router advertisements then needs `accept_ra` 2
    /// (the kernel's ip-sysctl). At no time is an address of the host unreachable.
    ///
    /// # Errors
    /// What could not be set up. What was set up before it stays, for the next try.
    pub fn ensure(&self) -> Result<(), TapError> {
        self.link().map_err(|e| failed(self.name, e))?;
        self.routing().map_err(|e| failed(self.name, e))
    }

    fn link(&self) -> Result<(), Failure> {
        let name = self.name;
        // The device has no addresses and speaks of itself to nobody.
        sysctl::ensure(&format!("net/ipv6/conf/{name}/addr_gen_mode"), "1")?;
        sysctl::ensure(&format!("net/ipv6/conf/{name}/accept_ra"), "0")?;
        sysctl::ensure("net/ipv6/conf/all/forwarding", "1")?;
        let settings = LinkSettings {
            mac: Some(self.mac),
            mtu: Some(self.mtu.get().into()),
            queue_len: Some(QUEUE_LEN),
            up: Some(true),
        };
        Ok(Netlink::open()?.ensure_link(name, &settings)?)
    }

    fn routing(&self) -> Result<(), Failure> {
        let netlink = Netlink::open()?;
        let to = IpNet::from(Ipv6Net::from(self.end_point));
        let end_point = self.end_point.into();
        netlink.ensure_neighbour(self.name, end_point, self.peer)?;
        let link = netlink.link(self.name)?.index;
        for stale in netlink
            .routes(TABLE)?
            .iter()
            .filter(|it| it.destination != to)
        {
            netlink.remove_route(stale)?;
        }
        netlink.ensure_route(&Route {
            table: TABLE,
            ..Route::new(to, Path::on_link(link))
        })?;
        if netlink.rules()?.contains(&local(0)) {
            netlink.ensure_rule(&local(LOCAL_PRIORITY))?;
        }
        let rule = Rule {
            priority: TABLE_PRIORITY,
            to,
            protocol: Some(UDP),
            port: Some(GENEVE_PORT),
            table: TABLE,
        };
        netlink.ensure_rule(&rule)?;
        // Only now that it stands behind ours: the host's addresses are always looked up.
        netlink.remove_rule(&local(0))?;
        for stale in ours(&netlink)?.into_iter().filter(|it| *it != rule) {
            netlink.remove_rule(&stale)?;
        }
        Ok(())
    }
}

/// Takes away the device with this name, where there is one, and what [`TapHost::ensure`] did to rules and routes, in
/// the namespace of the calling thread. Whoever wants the tunnel end point's packets on a socket must do this first.
///
/// Forwarding stays on: others may need it.
///
/// # Errors
/// What could not be taken away.
pub fn remove(name: &str) -> Result<(), TapError> {
    let remove = || -> Result<(), Failure> {
        let netlink = Netlink::open()?;
        if netlink.rules()?.contains(&local(LOCAL_PRIORITY)) {
            netlink.ensure_rule(&local(0))?;
        }
        for rule in ours(&netlink)? {
            netlink.remove_rule(&rule)?;
        }
        netlink.remove_rule(&local(LOCAL_PRIORITY))?;
        // Routes and neighbours go with their link.
        Ok(netlink.remove_link(name)?)
    };
    remove().map_err(|error| failed(name, error))
}

/// The rule of the host's own IPv6 addresses.
fn local(priority: u32) -> Rule {
    Rule {
        priority,
        to: Ipv6Net::default().into(),
        protocol: None,
        port: None,
        table: LOCAL_TABLE,
    }
}

/// The rules that lead to our table, for whatever end point.
fn ours(netlink: &Netlink) -> Result<Vec<Rule>, NetlinkError> {
    let mut rules = netlink.rules()?;
    rules.retain(|rule| rule.table == TABLE);
    Ok(rules)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn failed(name: &str, source: Failure) -> TapError {
    TapError::Host {
        name: name.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Netns;
    use crate::tap::TapQueue;
    use crate::testing::root;

    #[test]
    fn set_up_is_idempotent_and_undone() {
        if !root("set_up_is_idempotent_and_undone") {
            return;
        }
        let netns = Netns::temporary("rwt-tap").unwrap();
        let test = || {
            let netlink = Netlink::open().unwrap();
            let before = netlink.rules().unwrap();
            let host = |end_point: &str| TapHost {
                name: "rw-underlay",
                end_point: end_point.parse().unwrap(),
                mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
                peer: MacAddr::new([2, 0, 0, 0, 0, 2]),
                mtu: Mtu::new(9000).unwrap(),
            };
            remove("rw-underlay").unwrap();
            drop(TapQueue::open("rw-underlay", 2).unwrap());
            assert!(netlink.link("rw-underlay").is_ok(), "the device stays");
            let _queues = TapQueue::open("rw-underlay", 1).unwrap();
            host("fd00::1").ensure().unwrap();
            let once = netlink.rules().unwrap();
            assert_ne!(once, before);
            host("fd00::2").ensure().unwrap();
            host("fd00::1").ensure().unwrap();
            assert_eq!(netlink.rules().unwrap(), once);
            let routes = netlink.routes(TABLE).unwrap().into_iter();
            let to = routes.map(|route| route.destination.to_string());
            assert_eq!(to.collect::<Vec<_>>(), ["fd00::1/128"]);
            for _ in 0..2 {
                remove("rw-underlay").unwrap();
                assert_eq!(netlink.rules().unwrap(), before);
                assert!(netlink.link("rw-underlay").is_err());
            }
        };
        netns.run_in(test).unwrap();
    }
}
