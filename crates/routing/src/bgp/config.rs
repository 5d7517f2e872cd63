//! What a speaker is told by people.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use rackweave_types::Asn;
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::{Community, Family, LargeCommunity};

/// The most peers of a speaker.
pub const MOST_PEERS: usize = 60;

/// What a speaker is told. A new configuration is compared with the one before: a peer whose session it does not concern
/// keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Our system.
    pub asn: Asn,
    /// Our identifier: no other speaker of the system has it.
    pub router_id: Ipv4Addr,
    /// How many ways of a prefix are used at once, where they are equally good.
    #[serde(default = "multipath")]
    pub multipath: usize,
    /// How long peers may wait for us after a restart, in seconds: at most 4095.
    #[serde(default = "restart")]
    pub restart_s: u16,
    /// The peers, by the names that people have for them.
    #[serde(default)]
    pub peers: BTreeMap<String, PeerConfig>,
    /// Routes that are always there, as long as their links are up and their next hops live.
    #[serde(default)]
    pub statics: Vec<StaticRoute>,
}

const fn multipath() -> usize {
    16
}

const fn restart() -> u16 {
    120
}

/// Which systems a peer may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum RemoteAs {
    /// This one.
    Number(Asn),
    /// Any other, or our own.
    Any(RemoteKind),
}

/// Which systems a peer may be of that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteKind {
    /// Any but ours.
    External,
    /// Ours.
    Internal,
}

/// A peer. It has an address, or is whoever speaks on a link (unnumbered), or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the file")]
pub struct PeerConfig {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The link that it is on. Without an address it is found by its router advertisements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Its system: a number, `external` or `internal`.
    pub remote_as: RemoteAs,
    /// What is exchanged; both families where nothing is said.
    #[serde(default = "families")]
    pub families: Vec<Family>,
    /// After how many seconds of silence it is held dead: 0 is never, else at least 3.
    #[serde(default = "hold")]
    pub hold_s: u16,
    /// How many seconds are between attempts to reach it.
    #[serde(default = "retry")]
    pub retry_s: u16,
    /// Whether it is waited for and never called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passive: bool,
    /// Held down by people, who say why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<String>,
    /// How many hops away it may be: 1 is on the link.
    #[serde(default = "one")]
    pub hops: u8,
    /// Whether what comes from further away than that is refused by its hop limit (RFC 5082).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ttl_security: bool,
    /// The secret that its segments are tagged with (RFC 2385).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether its liveness is watched by BFD.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bfd: bool,
    /// How many prefixes it may announce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prefixes: Option<usize>,
    /// What is let in: nothing where nothing is said (RFC 8212).
    #[serde(default)]
    pub import: Policy,
    /// What is let out: nothing where nothing is said (RFC 8212).
    #[serde(default)]
    pub export: Policy,
    /// The next hop that it is told for IPv4 prefixes; the session's own address where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop_ipv4: Option<Ipv4Addr>,
    /// The next hop that it is told for IPv6 prefixes; the session's own address where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop_ipv6: Option<Ipv6Addr>,
    /// Whether graceful restart is offered and helped with.
    #[serde(default = "yes")]
    pub graceful_restart: bool,
}

fn families() -> Vec<Family> {
    Family::ALL.to_vec()
}

const fn hold() -> u16 {
    90
}

const fn retry() -> u16 {
    5
}

const fn one() -> u8 {
    1
}

const fn yes() -> bool {
    true
}

impl PeerConfig {
    /// A peer of a system, with nothing said of it.
    #[must_use]
    pub fn new(remote_as: RemoteAs) -> Self {
        Self {
            address: None,
            interface: None,
            remote_as,
            families: families(),
            hold_s: hold(),
            retry_s: retry(),
            passive: false,
            shutdown: None,
            hops: one(),
            ttl_security: false,
            password: None,
            bfd: false,
            max_prefixes: None,
            import: Policy::default(),
            export: Policy::default(),
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            graceful_restart: yes(),
        }
    }

    /// Whether a session under the one can go on under the other.
    pub(super) fn same_session(&self, other: &Self) -> bool {
        let part = |of: &Self| Self {
            retry_s: 0,
            bfd: false,
            max_prefixes: None,
            import: Policy::default(),
            export: Policy::default(),
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            shutdown: None,
            passive: false,
            ..of.clone()
        };
        part(self) == part(other)
    }

    pub(super) fn retry(&self) -> Duration {
        Duration::from_secs(self.retry_s.max(1).into())
    }
}

/// A route that is always there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticRoute {
    /// Where it leads.
    pub prefix: IpNet,
    /// Its ways, equally good.
    pub via: Vec<StaticWay>,
}

/// A way of a static route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticWay {
    /// Whom to give packets to.
    pub address: IpAddr,
    /// On which link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Whether its liveness is watched by BFD: the way is used while it lives.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bfd: bool,
}

/// What our own routes say beside their prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Marks {
    /// Marks.
    pub communities: Vec<Community>,
    /// Large marks.
    pub large_communities: Vec<LargeCommunity>,
    /// Which of several links is preferred.
    pub med: Option<u32>,
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There are too many.
    #[error("{0} peers are configured: {MOST_PEERS} is the most")]
    Peers(usize),
    /// Nobody has this identifier.
    #[error("router_id: {0} is nobody's: take an IPv4 address of this router")]
    RouterId(Ipv4Addr),
    /// A value of a peer.
    #[error("peer `{peer}`: {field}: {problem}")]
    Peer {
        /// Which.
        peer: String,
        /// The field.
        field: &'static str,
        /// What is wrong, and what is right.
        problem: &'static str,
    },
    /// Two peers are one.
    #[error("peers `{0}` and `{1}` have the same address and interface")]
    Same(String, String),
    /// A static route.
    #[error("static route {0}: {1}")]
    Static(IpNet, &'static str),
}

impl Config {
    /// Checks what no single field's type can say.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.peers.len() > MOST_PEERS {
            return Err(ConfigError::Peers(self.peers.len()));
        }
        if self.router_id.is_unspecified() || self.router_id.is_multicast() {
            return Err(ConfigError::RouterId(self.router_id));
        }
        for (name, peer) in &self.peers {
            peer.check().map_err(|(field, problem)| ConfigError::Peer {
                peer: name.clone(),
                field,
                problem,
            })?;
            let is_same = |(_, other): &(&String, &PeerConfig)| {
                (other.address, &other.interface) == (peer.address, &peer.interface)
            };
            if let Some((first, _)) = self
                .peers
                .iter()
                .take_while(|(other, _)| *other != name)
                .find(is_same)
            {
                return Err(ConfigError::Same(first.clone(), name.clone()));
            }
        }
        for route in &self.statics {
            let wrong = |problem| Err(ConfigError::Static(route.prefix, problem));
            if route.prefix.trunc() != route.prefix {
                return wrong("the prefix has bits behind its length");
            }
            let on_link = |way: &StaticWay| match way.address {
                IpAddr::V6(address) => address.is_unicast_link_local(),
                IpAddr::V4(_) => false,
            };
            if route
                .via
                .iter()
                .any(|way| on_link(way) && way.interface.is_none())
            {
                return wrong("a link-local address needs its interface");
            }
        }
        Ok(())
    }
}

impl PeerConfig {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let on_link = match self.address {
            None if self.interface.is_none() => {
                return Err((
                    "address",
                    "neither an address nor an interface says who it is",
                ));
            }
            Some(IpAddr::V6(address)) => address.is_unicast_link_local(),
            _ => false,
        };
        if on_link && self.interface.is_none() {
            return Err(("interface", "a link-local address needs its interface"));
        }
        if self.families.is_empty() {
            return Err(("families", "nothing is exchanged: name ipv4, ipv6 or both"));
        }
        if matches!(self.hold_s, 1 | 2) {
            return Err(("hold_s", "0 (never), or at least 3"));
        }
        if self.hops == 0 {
            return Err(("hops", "at least 1, which is a peer on the link"));
        }
        if self
            .password
            .as_ref()
            .is_some_and(|it| it.is_empty() || it.len() > 80)
        {
            return Err(("password", "1 to 80 octets"));
        }
        Ok(())
    }
}
