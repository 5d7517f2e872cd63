//! A node of a lab.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::in_space;
use crate::namespace::enter;
use crate::process::must;

/// A node of a lab, as it was when it was looked at.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is to the fabric: `sled`, `switch` or `spine`.
    pub role: String,
    /// The number of its rack, as two hexadecimal digits; empty for a spine.
    pub rack: String,
    /// Its address on the bootstrap network.
    pub bootstrap: Ipv6Addr,
    /// Its own address, once its rack gave it one.
    pub address: Option<Ipv6Addr>,
    /// Its namespace.
    pub namespace: String,
    /// The process of its router.
    pub router: Option<i64>,
    /// The router's run directory.
    pub run_dir: PathBuf,
    /// What its router says.
    pub log: PathBuf,
}

impl Node {
    pub(super) fn read(value: &Value) -> Result<Self> {
        let text = |field: &str| {
            let found = value[field].as_str();
            found.with_context(|| format!("a node of {value} has no {field}"))
        };
        Ok(Self {
            name: text("name")?.into(),
            role: text("role")?.into(),
            rack: value["rack"].as_str().unwrap_or_default().into(),
            bootstrap: text("bootstrap")?.parse()?,
            address: value["address"].as_str().map(str::parse).transpose()?,
            namespace: text("namespace")?.into(),
            router: value["router"].as_i64(),
            run_dir: text("run_dir")?.into(),
            log: text("log")?.into(),
        })
    }

    /// Its own address.
    ///
    /// # Errors
    /// Where its rack has not given it one.
    pub fn own(&self) -> Result<Ipv6Addr> {
        self.address
            .with_context(|| format!("{} has no address of its own", self.name))
    }

    /// Its number within its rack.
    ///
    /// # Errors
    /// Where its rack has not given it one.
    pub fn number(&self) -> Result<u8> {
        Ok(self.own()?.octets()[7])
    }

    /// Whether it reaches an address.
    pub fn pings(&self, to: Ipv6Addr) -> bool {
        let to = to.to_string();
        let words = ["ping", "-6", "-n", "-q", "-c", "1", "-W", "1", &to];
        self.must(&words).is_ok()
    }

    /// Runs a program in it, which must succeed, and gives its standard output.
    ///
    /// # Errors
    /// All that the program said, where it did not succeed.
    pub fn must(&self, words: &[&str]) -> Result<String> {
        in_space(&self.namespace, words).with_context(|| format!("in {}", self.name))
    }

    /// Calls a function on a thread that is in it. Sockets that it opens stay in it.
    ///
    /// # Errors
    /// Where the thread cannot enter, or panics.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let path = Path::new("/run/netns").join(&self.namespace);
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                enter(&path)?;
                Ok(work())
            });
            let done = inside.join();
            done.map_err(|_| anyhow!("work in {} panicked", self.name))?
        })
    }

    /// The routes of its main table.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn routes(&self) -> Result<Vec<Value>> {
        let text = self.must(&["ip", "-6", "-j", "route", "show", "table", "main"])?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The links by which datagrams from its own address to `to` leave it, one for each port that they come from.
    ///
    /// # Errors
    /// Where there is no route.
    pub fn ways(&self, to: Ipv6Addr, from_ports: Range<u16>, to_port: u16) -> Result<Vec<String>> {
        let own = self.own()?;
        let lines: Vec<String> = from_ports
            .map(|port| {
                format!("route get {to} from {own} ipproto udp sport {port} dport {to_port}")
            })
            .collect();
        let lines = lines.join("\n") + "\n";
        let words = [
            "ip",
            "netns",
            "exec",
            &self.namespace,
            "ip",
            "-6",
            "-o",
            "-batch",
            "-",
        ];
        let text = must(&words, &lines)?;
        let link = |line: &str| -> Result<String> {
            let (_, rest) = line
                .split_once(" dev ")
                .with_context(|| format!("no way to {to}: {line}"))?;
            Ok(rest.split(' ').next().unwrap_or_default().to_owned())
        };
        text.lines().map(link).collect()
    }

    /// The links by which datagrams from its own address to `to` leave it, whatever their ports.
    ///
    /// # Errors
    /// Where there is no route.
    pub fn links_to(&self, to: Ipv6Addr) -> Result<Vec<String>> {
        let links: BTreeSet<String> = self.ways(to, 20_000..20_024, 7_100)?.into_iter().collect();
        Ok(links.into_iter().collect())
    }

    /// The octets that have left a link of it.
    ///
    /// # Errors
    /// Where there is no such link.
    pub fn sent(&self, link: &str) -> Result<u64> {
        let text = self.must(&["ip", "-j", "-s", "link", "show", "dev", link])?;
        let found: Value = serde_json::from_str(&text)?;
        let octets = found[0]["stats64"]["tx"]["bytes"].as_u64();
        octets.with_context(|| format!("no counter of {link}: {text}"))
    }
}
