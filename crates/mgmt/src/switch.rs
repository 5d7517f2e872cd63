//! The model of a switch chip: frames in, frames out.
//!
//! Both chips of the management network are configurations of it. A port says what it does with frames that come in
//! without a tag and with one, and whether frames leave it tagged; a VLAN is a set of ports. A frame goes to the
//! ports of its VLAN but the one it came from; with learning, only to the port where its destination was last heard.

mod counters;

pub use counters::{Counters, DropReason};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use rackweave_types::{MacAddr, Vlan};
use serde::{Deserialize, Serialize};

use crate::frame::Parsed;

/// The number of a chip's port, as the chip counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChipPort(pub u8);

/// What becomes of frames at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// For ends that know no VLANs: frames come in without a tag and get this VLAN's; they leave without.
    Access(Vlan),
    /// For ends that know them: frames come in with one tag, of a VLAN that the port is in; they leave with it.
    Trunk,
}

/// The configuration of a chip: what one would program into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// Every port that is in use; others drop all.
    pub ports: BTreeMap<ChipPort, PortKind>,
    /// The ports of each VLAN.
    pub vlans: BTreeMap<Vlan, BTreeSet<ChipPort>>,
    /// Whether the chip learns where addresses are.
    pub learning: bool,
}

/// Addresses that a chip remembers at most; then it floods what it does not know.
const LEARNED_MAX: usize = 8192;

/// A switch chip at work.
#[derive(Clone, Debug)]
pub struct Switch {
    tables: Tables,
    learned: BTreeMap<(Vlan, MacAddr), ChipPort>,
    counters: BTreeMap<ChipPort, Counters>,
}

/// A frame that leaves a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// At this port.
    pub port: ChipPort,
    /// The whole frame, without its checksum.
    pub frame: Vec<u8>,
}

impl Switch {
    /// A chip with this configuration that has heard nothing yet.
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self {
            tables,
            learned: BTreeMap::new(),
            counters: BTreeMap::new(),
        }
    }

    /// The configuration.
    #[must_use]
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Programs the chip anew; it forgets what it learned.
    pub fn program(&mut self, tables: Tables) {
        self.tables = tables;
        self.learned.clear();
    }

    /// Where addresses were last heard, for debugging.
    pub fn learned(&self) -> impl Iterator<Item = (Vlan, MacAddr, ChipPort)> + '_ {
        self.learned
            .iter()
            .map(|((vlan, mac), port)| (*vlan, *mac, *port))
    }

    /// What a port has seen.
    #[must_use]
    pub fn counters(&self, port: ChipPort) -> Counters {
        self.counters.get(&port).copied().unwrap_or_default()
    }

    /// A frame comes in at a port, and leaves at others.
    ///
    /// # Errors
    /// Why it was dropped; it is counted.
    pub fn forward(&mut self, port: ChipPort, bytes: &[u8]) -> Result<Vec<Egress>, DropReason> {
        let judged = self.judge(port, bytes);
        let counters = self.counters.entry(port).or_default();
        let (vlan, parsed) = judged.inspect_err(|reason| counters.dropped(*reason))?;
        counters.came();
        self.learn(vlan, parsed.src, port);
        let out = self.spread(port, vlan, &parsed);
        for egress in &out {
            self.counters.entry(egress.port).or_default().left();
        }
        Ok(out)
    }

    /// The VLAN that a frame is of, if the port takes it.
    fn judge<'f>(&self, port: ChipPort, bytes: &'f [u8]) -> Result<(Vlan, Parsed<'f>), DropReason> {
        let kind = self.tables.ports.get(&port).ok_or(DropReason::PortOff)?;
        let parsed = Parsed::of(bytes)?;
        let vlan = match (kind, parsed.tag) {
            (PortKind::Access(vlan), None) => *vlan,
            (PortKind::Access(_), Some(_)) => return Err(DropReason::Tagged),
            (PortKind::Trunk, None) => return Err(DropReason::Untagged),
            (PortKind::Trunk, Some(tag)) => {
                Vlan::new(tag.vid).map_err(|_| DropReason::NotListed)?
            }
        };
        if parsed.is_nested() {
            return Err(DropReason::NestedTag);
        }
        let members = self.tables.vlans.get(&vlan).ok_or(DropReason::NotListed)?;
        if members.contains(&port) {
            Ok((vlan, parsed))
        } else {
            Err(DropReason::NotListed)
        }
    }

    fn learn(&mut self, vlan: Vlan, mac: MacAddr, port: ChipPort) {
        let room = self.learned.len() < LEARNED_MAX || self.learned.contains_key(&(vlan, mac));
        if self.tables.learning && room && !mac.is_multicast() {
            self.learned.insert((vlan, mac), port);
        }
    }

    fn spread(&self, came: ChipPort, vlan: Vlan, parsed: &Parsed<'_>) -> Vec<Egress> {
        let known = self.learned.get(&(vlan, parsed.dst)).copied();
        let members = self.tables.vlans.get(&vlan).into_iter().flatten().copied();
        members
            .filter(|port| *port != came && known.is_none_or(|known| known == *port))
            .filter_map(|port| {
                let frame = match self.tables.ports.get(&port)? {
                    PortKind::Access(_) => parsed.without_tag(),
                    PortKind::Trunk => parsed.with_tag(vlan),
                };
                Some(Egress { port, frame })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
