//! What the tests of this crate share.

use std::future::Future;
use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::IpNet;
use nix::unistd::Uid;
use tokio::runtime::{Builder, Runtime};

use crate::netlink::{Change, LinkSettings, Monitor, Netlink};
use crate::netns::Netns;
use crate::sysctl;

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether the test may make namespaces and devices; where not, says that it is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn root(test: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        eprintln!("skipped {test}: it makes network namespaces, which needs root");
    }
    root
}

/// One of two neighbours, each a namespace, joined by a cable.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub(crate) netns: Netns,
    pub(crate) netlink: Netlink,
    /// The number of its only link.
    pub(crate) link: u32,
    /// The link's own address.
    pub(crate) address: Ipv6Addr,
}

/// The links' names.
pub(crate) const LINKS: [&str; 2] = ["left", "right"];

/// Two neighbours; `None` where the test may not.
pub(crate) fn neighbours(test: &str) -> Option<[Neighbour; 2]> {
    if !root(test) {
        return None;
    }
    let nodes = [0, 1].map(|_| {
        let netns = Netns::temporary("rwt-near").unwrap();
        let netlink = netns.run_in(Netlink::open).unwrap().unwrap();
        let no_dad = || sysctl::ensure("net/ipv6/conf/default/accept_dad", "0");
        netns.run_in(no_dad).unwrap().unwrap();
        (netns, netlink)
    });
    nodes[0].1.create_veth(LINKS[0], LINKS[1]).unwrap();
    nodes[0].1.move_link(LINKS[1], &nodes[1].0).unwrap();
    let up = LinkSettings {
        up: Some(true),
        ..LinkSettings::default()
    };
    for ((_, netlink), name) in nodes.iter().zip(LINKS) {
        netlink.ensure_link("lo", &up).unwrap();
        netlink.ensure_link(name, &up).unwrap();
    }
    let mut names = LINKS.into_iter();
    Some(nodes.map(|(netns, netlink)| {
        let name = names.next().unwrap();
        assert!(netlink.wait_for_link(name, DEADLINE).unwrap());
        let link = netlink.link(name).unwrap().index;
        let address = link_local(&netns, link);
        Neighbour {
            netns,
            netlink,
            link,
            address,
        }
    }))
}

/// The link-local address that the kernel gives a link once it is running, when it may be used.
fn link_local(netns: &Netns, index: u32) -> Ipv6Addr {
    let runtime = runtime();
    let mut monitor = open_in(netns, &runtime, Monitor::links);
    runtime.block_on(soon(async {
        loop {
            for change in monitor.changes().await.unwrap() {
                if let Change::Address {
                    link,
                    address: IpNet::V6(own),
                    tentative: false,
                } = change
                    && link == index
                    && own.addr().is_unicast_link_local()
                {
                    return own.addr();
                }
            }
        }
    }))
}

/// Opens a socket in a namespace, to be used in the runtime.
fn open_in<T: Send, E: Send + std::fmt::Debug>(
    netns: &Netns,
    runtime: &Runtime,
    open: impl FnOnce() -> Result<T, E> + Send,
) -> T {
    let handle = runtime.handle().clone();
    let inside = move || {
        let _inside = handle.enter();
        open()
    };
    netns.run_in(inside).unwrap().unwrap()
}

impl Neighbour {
    /// Opens a socket there, to be used in the runtime.
    pub(crate) fn open<T: Send, E: Send + std::fmt::Debug>(
        &self,
        runtime: &Runtime,
        open: impl FnOnce() -> Result<T, E> + Send,
    ) -> T {
        open_in(&self.netns, runtime, open)
    }
}

/// A runtime for what is waited for.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits for it, not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("what the test waits for comes")
}
