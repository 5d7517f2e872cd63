//! Guests in namespaces, behind a TAP.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rackweave_types::reserved;
use tempfile::TempDir;

use crate::clock::{SHORT, wait_until};
use crate::namespace::Namespace;
use crate::world::{GUEST_LINK, Member};

/// What DHCP clients run: it does what they were told and writes it down.
const HOOK: &str = include_str!("guest/hook.sh");

/// A guest: a namespace that holds a TAP's end.
#[derive(Debug)]
pub struct Guest {
    /// The instance's name.
    pub name: &'static str,
    /// Its own namespace.
    pub namespace: Namespace,
    /// Its addresses, IPv4 before IPv6.
    pub addresses: [IpAddr; 2],
    folder: TempDir,
}

/// What a client was told by DHCP, by the names that it gives its hook.
pub type Lease = BTreeMap<String, String>;

impl Guest {
    /// A guest that waits for its TAP.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn new(member: &Member) -> Result<Self> {
        let namespace = Namespace::new(member.name)?;
        namespace.sysctl("ipv6/conf/default/accept_ra", "1")?;
        Ok(Self {
            name: member.name,
            namespace,
            addresses: member.addresses()?,
            folder: tempfile::Builder::new().prefix("rwguest").tempdir()?,
        })
    }

    /// Its IPv4 address.
    pub fn v4(&self) -> IpAddr {
        self.addresses[0]
    }

    /// Its IPv6 address.
    pub fn v6(&self) -> IpAddr {
        self.addresses[1]
    }

    /// A folder for its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets its link up.
    ///
    /// # Errors
    /// Where it has none.
    pub fn up(&self) -> Result<()> {
        self.namespace.ip(&format!("link set dev {GUEST_LINK} up"))
    }

    /// Sets its link up and gives it its addresses, as its own administrator would without DHCP and advertisements.
    ///
    /// # Errors
    /// Where it has no link.
    pub fn configure(&self) -> Result<()> {
        let (v4, v6, gateway) = (self.v4(), self.v6(), reserved::GATEWAY_V6);
        // What the kernel has made of advertisements by now goes away: it would keep its /64, and take all of that for
        // its neighbours.
        for (key, value) in [
            ("accept_ra", "0"),
            ("disable_ipv6", "1"),
            ("disable_ipv6", "0"),
        ] {
            let key = format!("ipv6/conf/{GUEST_LINK}/{key}");
            self.namespace.sysctl(&key, value)?;
        }
        self.up()?;
        self.namespace.ip(&format!(
            "address add {v4}/32 dev {GUEST_LINK}\n\
             address add {v6}/128 dev {GUEST_LINK} nodad\n\
             route add default via {} dev {GUEST_LINK} onlink\n\
             route add default via {gateway} dev {GUEST_LINK} metric 10\n",
            self.gateway()
        ))
    }

    /// Its IPv4 gateway.
    pub fn gateway(&self) -> IpAddr {
        self.in_subnet(1)
    }

    /// Its subnet's DNS server.
    pub fn resolver(&self) -> IpAddr {
        self.in_subnet(2)
    }

    fn in_subnet(&self, last: u8) -> IpAddr {
        match self.v4() {
            IpAddr::V4(addr) => {
                let [a, b, c, _] = addr.octets();
                IpAddr::from([a, b, c, last])
            }
            IpAddr::V6(addr) => addr.into(),
        }
    }

    /// Runs busybox's `udhcpc` until it has an address.
    ///
    /// # Errors
    /// What the client said.
    pub fn udhcpc(&self) -> Result<Lease> {
        let hook = self.hook()?;
        let words = ["udhcpc", "-i", GUEST_LINK, "-n", "-q", "-f", "-s", &hook];
        let options = [
            "-O",
            "mtu",
            "-O",
            "staticroutes",
            "-O",
            "search",
            "-t",
            "8",
            "-T",
            "1",
        ];
        self.namespace.must(&[&words[..], &options].concat())?;
        self.lease()
    }

    /// Runs ISC's `dhclient` for one family (`-4` or `-6`) until it has an address.
    ///
    /// # Errors
    /// What the client said.
    pub fn dhclient(&self, family: &str) -> Result<Lease> {
        let (hook, folder) = (self.hook()?, self.folder().display());
        let (leases, pid) = (
            format!("{folder}/leases{family}"),
            format!("{folder}/pid{family}"),
        );
        let words = [
            "dhclient",
            family,
            "-1",
            "-v",
            "-cf",
            "/dev/null",
            "-sf",
            &hook,
        ];
        let files = ["-lf", &leases, "-pf", &pid, GUEST_LINK];
        self.namespace.must(&[&words[..], &files].concat())?;
        // It writes its process id after the one that was started has ended.
        let mut process = String::new();
        wait_until(SHORT, "dhclient has a process id", || {
            process = fs::read_to_string(&pid)?;
            Ok(process.ends_with('\n'))
        })?;
        self.namespace.must(&["kill", process.trim()])?;
        self.lease()
    }

    fn hook(&self) -> Result<String> {
        let path = self.folder().join("hook");
        let lease = self.folder().join("lease").display().to_string();
        fs::write(&path, HOOK.replace("@LEASE@", &lease))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path.display().to_string())
    }

    fn lease(&self) -> Result<Lease> {
        let text = fs::read_to_string(self.folder().join("lease")).context("no lease")?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect())
    }

    /// Waits until its link has an address.
    ///
    /// # Errors
    /// What addresses it has instead.
    pub fn wait_for_address(&self, addr: IpAddr) -> Result<()> {
        wait_until(SHORT, &format!("{} has {addr}", self.name), || {
            let shown = self
                .namespace
                .must(&["ip", "-o", "address", "show", "dev", GUEST_LINK])?;
            Ok(shown.contains(&format!(" {addr}/")))
        })
    }

    /// Whether one echo request to an address is answered within a second.
    ///
    /// # Errors
    /// Where `ping` cannot be started.
    pub fn pings(&self, addr: IpAddr) -> Result<bool> {
        let addr = addr.to_string();
        Ok(self
            .namespace
            .run(&["ping", "-c1", "-W1", "-n", &addr])?
            .success)
    }

    /// Waits until an address answers.
    ///
    /// # Errors
    /// Where it does not in time.
    pub fn wait_for_ping(&self, addr: IpAddr) -> Result<()> {
        let what = format!("{addr} answers {}", self.name);
        wait_until(SHORT, &what, || self.pings(addr))
    }
}
