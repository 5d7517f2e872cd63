//! What an instance is told.

use rackweave_types::Generation;
use rackweave_types::state::{DomainName, InstanceId, InstanceState, StateObject, StateVersion};

use super::object::Planned;
use super::port::port_id;
use crate::intent::Intent;
use crate::key::Id;
use crate::model::{AzGiven, AzSpec, Entry, InstanceGiven, InstanceSpec};

/// The host name: as it is given, or the instance's name.
pub(super) fn hostname(instance: &Entry<InstanceSpec, InstanceGiven>) -> Option<DomainName> {
    let name = instance.spec.hostname.as_ref();
    name.unwrap_or(&instance.meta.name).as_str().parse().ok()
}

/// The number of an instance on its sled.
pub(super) const fn instance_id(id: Id) -> InstanceId {
    InstanceId::new(id.get())
}

/// Plans an instance.
pub(super) fn plan(intent: &Intent, az: &Entry<AzSpec, AzGiven>, id: Id) -> Option<Planned> {
    let instance = intent.instance(id)?;
    let nics = intent.nics_of_instance(id);
    let state = InstanceState {
        version: StateVersion::CURRENT,
        generation: Generation::ZERO,
        id: instance_id(id),
        hostname: hostname(instance)?,
        ports: nics.iter().map(|nic| port_id(nic.meta.id)).collect(),
        image: instance.spec.image.clone(),
        size: instance.spec.size.clone(),
        availability_zone: az.spec.zone.clone(),
        ssh_keys: instance.spec.ssh_keys.clone(),
        user_data: instance.spec.user_data.clone(),
    };
    Some(Planned::new(StateObject::Instance(state)))
}
