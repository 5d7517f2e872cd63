//! What a sled needs: what its ports can reach, and nothing else.

use rackweave_types::Vni;

use super::object::ObjectKey;
use super::port::{PortRecord, port_id};
use super::{Plan, instance, system};
use crate::intent::Intent;
use crate::key::Id;

/// The names of the objects of a sled, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs(Vec<ObjectKey>);

impl Needs {
    /// What a sled needs now.
    pub(super) fn of(
        plan: &Plan,
        intent: &Intent,
        sled: Id,
        system_port: Option<ObjectKey>,
    ) -> Self {
        let mut needs = vec![ObjectKey::Boundary];
        if let Some(port) = system_port {
            let vni = system::vni();
            needs.extend([port, ObjectKey::System, ObjectKey::Vpc(vni)]);
            let sets = intent.sled(sled).map(|sled| system::rule_sets(&sled.spec));
            let sets = sets.into_iter().flatten();
            needs.extend(sets.map(|set| ObjectKey::RuleSet(vni, set)));
        }
        let instances = intent.instances_on(sled).map(instance::instance_id);
        needs.extend(instances.map(ObjectKey::Instance));
        for (nic, record) in plan.ports_on(sled) {
            of_port(plan, nic, record, &mut needs);
        }
        needs.sort_unstable();
        needs.dedup();
        Self(needs)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ObjectKey> {
        self.0.iter().copied()
    }

    pub(super) fn insert(&mut self, key: ObjectKey) {
        if let Err(at) = self.0.binary_search(&key) {
            self.0.insert(at, key);
        }
    }

    pub(super) fn remove(&mut self, key: ObjectKey) {
        if let Ok(at) = self.0.binary_search(&key) {
            self.0.remove(at);
        }
    }

    pub(super) fn contains(&self, key: ObjectKey) -> bool {
        self.0.binary_search(&key).is_ok()
    }

    /// What stands here and not there, ascending: one pass over both.
    pub(super) fn without(&self, other: &Self) -> impl Iterator<Item = ObjectKey> {
        let mut other = other.0.iter().copied().peekable();
        self.iter().filter(move |key| {
            while other.next_if(|other| other < key).is_some() {}
            other.peek() != Some(key)
        })
    }
}

fn of_port(plan: &Plan, nic: Id, record: &PortRecord, needs: &mut Vec<ObjectKey>) {
    let (id, vni) = (port_id(nic), record.vni);
    needs.extend([
        ObjectKey::Port(id),
        ObjectKey::Attachment(id),
        ObjectKey::Vpc(vni),
        ObjectKey::Mapping(vni),
        ObjectKey::Zone(vni),
    ]);
    let sets = record.rule_sets.iter();
    needs.extend(sets.map(|set| ObjectKey::RuleSet(vni, *set)));
    let peers = plan.vpcs.get(&record.vpc).into_iter();
    let peers = peers.flat_map(|vpc| &vpc.peers);
    let peers = peers.filter_map(|peer| plan.vpcs.get(peer));
    needs.extend(peers.map(|peer| ObjectKey::Mapping(peer.vni)));
    if record.goes_out {
        needs.push(ObjectKey::Mapping(Vni::BOUNDARY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_has_is_found_in_one_pass() {
        let vpc = |number| ObjectKey::Vpc(Vni::new(number).unwrap());
        let needs = |numbers: &[u32]| Needs(numbers.iter().map(|number| vpc(*number)).collect());
        let (one, other) = (needs(&[1, 2, 4, 7]), needs(&[2, 3, 7, 9]));
        assert!(one.without(&other).eq([vpc(1), vpc(4)]));
        assert!(other.without(&one).eq([vpc(3), vpc(9)]));
        assert!(one.without(&Needs::default()).eq(one.iter()));
    }
}
