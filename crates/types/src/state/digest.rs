//! Whether two ends have the same state.

use core::fmt;
use core::hash::Hasher;
use core::str::FromStr;

use super::{HostState, ObjectName, RuleSet, SwitchState};
use crate::Generation;
use crate::text::{hexadecimal, serde_as_text};

/// Tells by names and generations whether two ends hold the same objects.
///
/// It finds what was lost on the way, not what somebody forged. A sum, so that one changed object
/// is one subtraction and one addition, in any order. Written as sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateDigest(u64);

impl StateDigest {
    /// Of no object.
    pub const EMPTY: Self = Self(0);

    /// With this object as well.
    #[must_use]
    pub fn with(self, name: &ObjectName, generation: Generation) -> Self {
        Self(self.0.wrapping_add(term(name, generation)))
    }

    /// Without this object, which was in it.
    #[must_use]
    pub fn without(self, name: &ObjectName, generation: Generation) -> Self {
        Self(self.0.wrapping_sub(term(name, generation)))
    }
}

impl HostState {
    /// The digest of the state's objects, but for the underlay.
    #[must_use]
    pub fn digest(&self) -> StateDigest {
        let digest = StateDigest::EMPTY.with(&ObjectName::Boundary, self.boundary.generation);
        let system = self.system.iter();
        let system = system.map(|system| (ObjectName::System, system.generation));
        let vpcs = self.vpcs.iter();
        let vpcs = vpcs.map(|vpc| (ObjectName::Vpc(vpc.vni), vpc.generation));
        let sets = self.vpcs.iter().flat_map(|vpc| {
            let named = |set: &RuleSet| ObjectName::RuleSet {
                vpc: vpc.vni,
                id: set.id,
            };
            vpc.rule_sets
                .iter()
                .map(move |set| (named(set), set.generation))
        });
        let tables = self.mappings.iter();
        let tables = tables.map(|table| (ObjectName::Mapping(table.vni), table.generation));
        let ports = self.ports.iter();
        let ports = ports.map(|port| (ObjectName::Port(port.id), port.generation));
        let attachments = self.attachments.iter();
        let attachments = attachments.map(|at| (ObjectName::Attachment(at.port), at.generation));
        let zones = self.zones.iter().map(|zone| {
            let (vpc, origin) = (zone.vni, zone.origin.clone());
            (ObjectName::Zone { vpc, origin }, zone.generation)
        });
        let instances = self.instances.iter();
        let instances = instances.map(|one| (ObjectName::Instance(one.id), one.generation));
        system
            .chain(vpcs)
            .chain(sets)
            .chain(tables)
            .chain(ports)
            .chain(attachments)
            .chain(zones)
            .chain(instances)
            .fold(digest, |digest, (name, generation)| {
                digest.with(&name, generation)
            })
    }
}

impl SwitchState {
    /// The digest of the state's objects.
    #[must_use]
    pub fn digest(&self) -> StateDigest {
        let external = self.external.iter();
        let external = external.map(|table| (ObjectName::Mapping(table.vni), table.generation));
        let nat = self.nat.iter().map(|nat| (ObjectName::Nat, nat.generation));
        let own = [(ObjectName::Switch, self.config.generation)];
        own.into_iter()
            .chain(external)
            .chain(nat)
            .fold(StateDigest::EMPTY, |digest, (name, generation)| {
                digest.with(&name, generation)
            })
    }
}

/// What an object adds.
fn term(name: &ObjectName, generation: Generation) -> u64 {
    let mut fold = Fold(0xcbf2_9ce4_8422_2325);
    fold.write(tag(name).as_bytes());
    match name {
        ObjectName::Underlay
        | ObjectName::Boundary
        | ObjectName::System
        | ObjectName::Switch
        | ObjectName::Nat => {}
        ObjectName::Vpc(vni) | ObjectName::Mapping(vni) => fold.number(vni.get().into()),
        ObjectName::RuleSet { vpc, id } => {
            fold.number(vpc.get().into());
            fold.number(id.get().into());
        }
        ObjectName::Port(port) | ObjectName::Attachment(port) => fold.number(port.get()),
        ObjectName::Zone { vpc, origin } => {
            fold.number(vpc.get().into());
            fold.write(origin.as_str().as_bytes());
        }
        ObjectName::Instance(id) => fold.number(id.get()),
    }
    fold.number(generation.get());
    fold.finish()
}

const fn tag(name: &ObjectName) -> &'static str {
    match name {
        ObjectName::Underlay => "underlay",
        ObjectName::Boundary => "boundary",
        ObjectName::System => "system",
        ObjectName::Vpc(_) => "vpc",
        ObjectName::RuleSet { .. } => "rule_set",
        ObjectName::Mapping(_) => "mapping",
        ObjectName::Port(_) => "port",
        ObjectName::Attachment(_) => "attachment",
        ObjectName::Zone { .. } => "zone",
        ObjectName::Instance(_) => "instance",
        ObjectName::Switch => "switch",
        ObjectName::Nat => "nat",
    }
}

/// FNV-1a with a last mixing, so that sums of terms do not cancel by pattern.
struct Fold(u64);

impl Fold {
    fn number(&mut self, number: u64) {
        self.write(&number.to_be_bytes());
    }
}

impl Hasher for Fold {
    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseStateDigestError;

impl fmt::Display for ParseStateDigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state digest is sixteen hexadecimal digits")
    }
}

impl core::error::Error for ParseStateDigestError {}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for StateDigest {
    type Err = ParseStateDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = hexadecimal(text, 16);
        number.map(Self).ok_or(ParseStateDigestError)
    }
}

serde_as_text!(StateDigest);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::{PortId, Vni};

    #[test]
    fn the_order_of_changes_does_not_matter_and_each_object_does() {
        let (port, vpc) = (
            ObjectName::Port(PortId::new(1)),
            ObjectName::Vpc(Vni::BOUNDARY),
        );
        let one = Generation::new(1);
        let both = StateDigest::EMPTY.with(&port, one).with(&vpc, one);
        assert_eq!(StateDigest::EMPTY.with(&vpc, one).with(&port, one), both);
        assert_eq!(both.without(&port, one), StateDigest::EMPTY.with(&vpc, one));
        let other = StateDigest::EMPTY.with(&ObjectName::Mapping(Vni::BOUNDARY), one);
        assert_ne!(StateDigest::EMPTY.with(&vpc, one), other);
        assert_ne!(both, both.without(&vpc, one).with(&vpc, one.next()));
    }

    #[test]
    fn text_is_sixteen_digits() {
        let digest = StateDigest::EMPTY.with(&ObjectName::System, Generation::new(7));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("1".parse::<StateDigest>(), Err(ParseStateDigestError));
    }
}
