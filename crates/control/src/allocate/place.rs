//! Where an instance runs.

use crate::intent::Intent;
use crate::key::{Id, Kind};
use crate::model::{Object, SledUse};

/// The sled in service with the most room for NICs, the first by name among equals; none where none has
/// room for `nics` of them. One pass over the sleds.
pub(crate) fn roomiest(intent: &Intent, nics: u32) -> Option<Id> {
    let mut best: Option<(i64, Id)> = None;
    for sled in intent.children(Kind::Sled, None, None) {
        let Object::Sled(sled) = sled else { continue };
        let id = sled.meta.id;
        let room = sled.spec.capacity.saturating_sub(intent.load_of(id));
        let fits = sled.spec.in_use == SledUse::InService && room >= nics.max(1);
        // Instances that have no NIC yet will have one.
        let room = i64::from(room) - i64::from(intent.guests_of(id));
        if fits && best.is_none_or(|(most, _)| room > most) {
            best = Some((room, id));
        }
    }
    best.map(|(_, id)| id)
}
