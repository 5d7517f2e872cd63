//! Projects.

use super::Checked;
use super::case::{Case, unused};
use crate::key::{Id, Kind};
use crate::model::{Entry, Meta, Nothing, ProjectSpec};

#[expect(clippy::unnecessary_wraps, reason = "siblings share one shape")]
pub(super) fn create(case: &mut Case<'_>, meta: Meta, spec: ProjectSpec) -> Checked {
    case.put(Entry {
        meta,
        spec,
        given: Nothing {},
    });
    Ok(())
}

/// Links to pools go with their project; what users made goes by its own name first.
pub(super) fn delete(case: &Case<'_>, project: Id) -> Checked {
    let kinds = [Kind::Instance, Kind::Vpc, Kind::FloatingIp];
    let left = kinds.into_iter().flat_map(|kind| {
        let children = case.intent.children(kind, Some(project), None);
        children.map(ToString::to_string)
    });
    unused(&left.collect::<Vec<_>>())
}
