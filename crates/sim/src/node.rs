//! A node that runs.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use rackweave_routing::fabric::Fabric;
use rackweave_types::Instant;
use serde::Serialize;

use crate::fib::Fib;

/// A node: the machine of its router, and what the rest of it would be.
#[derive(Debug)]
pub struct Node {
    /// Its router's machine; none while that does not run.
    pub fabric: Option<Fabric>,
    /// Which start of its router this is: what was under way for one before is lost.
    pub(crate) life: u32,
    /// Its kernel's routes.
    pub fib: Fib,
    /// The addresses of its loopback.
    pub addresses: BTreeSet<Ipv6Addr>,
    /// When it is to be woken next.
    pub(crate) wake: Option<Instant>,
    /// What it did.
    pub counters: Counters,
}

/// What a node did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Messages of the interior protocol that it sent.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
    /// Solicitations and advertisements that it sent.
    pub discovery: u64,
    /// Routes that it had its kernel install.
    pub installs: u64,
    /// Routes that it had its kernel remove.
    pub removals: u64,
    /// Things that it told people.
    pub events: u64,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self {
            fabric: None,
            life: 0,
            fib: Fib::default(),
            addresses: BTreeSet::new(),
            wake: None,
            counters: Counters::default(),
        }
    }
}
