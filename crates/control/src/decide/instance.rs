//! Instances.

use std::collections::BTreeSet;

use super::Checked;
use super::case::{Case, ensure, named};
use super::{firewall, floating};
use crate::allocate::place::roomiest;
use crate::key::{Id, Kind};
use crate::model::{Entry, InstanceGiven, InstanceSpec, Meta, Object, SledUse};
use crate::refusal::{Problem, Refusal};

/// The most tags of an instance.
const TAGS_MAX: usize = 32;
/// The most SSH keys of an instance, and the most octets of one.
const KEYS_MAX: (usize, usize) = (64, 8192);
/// The most octets of what cloud-init runs: as much as EC2 takes.
const USER_DATA_MAX: usize = 16_384;

pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: &InstanceSpec) -> Checked {
    let project = case.project(meta.parent)?;
    case.quota(&meta, Kind::Instance, project.spec.quota.instances)?;
    check(spec)?;
    let sled = match &spec.sled {
        Some(_) => asked(case, spec, 0)?,
        None => roomiest(case.intent, 1),
    };
    let sled = sled.ok_or(Refusal::of("sled", Problem::NoRoom))?;
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: InstanceGiven { sled: Some(sled) },
    });
    Ok(())
}

/// The sled that is asked for, with room for so many NICs.
fn asked(case: &Case<'_>, spec: &InstanceSpec, nics: u32) -> Checked<Option<Id>> {
    let Some(name) = &spec.sled else {
        return Ok(None);
    };
    let found = named(case.intent, Kind::Sled, None, name, "sled")?;
    let Object::Sled(sled) = found else {
        return Ok(None);
    };
    let serves = sled.spec.in_use == SledUse::InService;
    ensure(serves, "sled", Problem::Wrong("the sled is not in service"))?;
    let load = case.intent.load_of(sled.meta.id).saturating_add(nics);
    ensure(load <= sled.spec.capacity, "sled", Problem::NoRoom)?;
    Ok(Some(sled.meta.id))
}

fn check(spec: &InstanceSpec) -> Checked {
    let max = |max: usize| Problem::Bounds {
        min: 0,
        max: u64::try_from(max).unwrap_or(u64::MAX),
    };
    ensure(spec.tags.len() <= TAGS_MAX, "tags", max(TAGS_MAX))?;
    let mut seen = BTreeSet::new();
    for (at, tag) in spec.tags.iter().enumerate() {
        let new = seen.insert(tag);
        ensure(new, &format!("tags[{at}]"), Problem::Twice)?;
    }
    let (keys, octets) = KEYS_MAX;
    ensure(spec.ssh_keys.len() <= keys, "ssh_keys", max(keys))?;
    for (at, key) in spec.ssh_keys.iter().enumerate() {
        let field = format!("ssh_keys[{at}]");
        let line = !key.contains(['\n', '\r']) && !key.is_empty();
        ensure(line, &field, Problem::Wrong("a key is one line"))?;
        ensure(key.len() <= octets, &field, max(octets))?;
    }
    let data = spec.user_data.as_ref().map_or(0, String::len);
    ensure(data <= USER_DATA_MAX, "user_data", max(USER_DATA_MAX))
}

pub(super) fn update(
    case: &mut Case<'_>,
    meta: Meta,
    old: &Entry<InstanceSpec, InstanceGiven>,
    spec: &InstanceSpec,
) -> Checked {
    check(spec)?;
    let nics = case.intent.nics_of_instance(meta.id);
    let stays = match (&spec.sled, old.given.sled) {
        (Some(name), Some(sled)) => case
            .intent
            .sled(sled)
            .is_some_and(|sled| sled.meta.name == *name),
        (None, _) => true,
        (Some(_), None) => false,
    };
    let sled = if stays {
        old.given.sled
    } else {
        asked(case, spec, u32::try_from(nics.len()).unwrap_or(u32::MAX))?
    };
    let new = spec.tags.iter().filter(|tag| !old.spec.tags.contains(tag));
    let new: Vec<_> = new.cloned().collect();
    for nic in nics {
        let Some(vpc) = nic.given.vpc else { continue };
        let more = nic.given.addresses.len();
        firewall::room(case.intent, vpc, &meta.name, &new, more)?;
    }
    case.put(Entry {
        meta,
        spec: spec.clone(),
        given: InstanceGiven { sled },
    });
    Ok(())
}

/// Floating addresses outlive the instance and lead nowhere.
#[expect(clippy::unnecessary_wraps, reason = "siblings share one shape")]
pub(super) fn delete(case: &mut Case<'_>, instance: Id) -> Checked {
    for nic in case.intent.nics_of_instance(instance) {
        floating::let_go(case, nic.meta.id);
    }
    Ok(())
}
