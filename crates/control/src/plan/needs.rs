//! What a sled needs: what its ports can reach, and nothing else.

use std::collections::BTreeSet;

use rackweave_types::Vni;

use super::object::ObjectKey;
use super::port::port_id;
use super::{Plan, instance, system};
use crate::intent::Intent;
use crate::key::Id;

/// The names of the objects of a sled.
pub(super) fn of(
    plan: &Plan,
    intent: &Intent,
    sled: Id,
    system_port: Option<ObjectKey>,
) -> BTreeSet<ObjectKey> {
    let mut needs = BTreeSet::from([ObjectKey::Boundary]);
    if let Some(port) = system_port {
        let vni = system::vni();
        let set = ObjectKey::RuleSet(vni, system::rule_set());
        needs.extend([port, ObjectKey::System, ObjectKey::Vpc(vni), set]);
    }
    for id in intent.instances_on(sled) {
        needs.insert(ObjectKey::Instance(instance::instance_id(id)));
        for nic in intent.nics_of_instance(id) {
            of_port(plan, nic.meta.id, &mut needs);
        }
    }
    needs
}

fn of_port(plan: &Plan, nic: Id, needs: &mut BTreeSet<ObjectKey>) {
    let Some(record) = plan.ports.get(&nic) else {
        return;
    };
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
        needs.insert(ObjectKey::Mapping(Vni::BOUNDARY));
    }
}
