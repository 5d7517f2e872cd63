//! Where objects of a kind stand, and who may reach them.

use rackweave_api::control::{BASE, Role};
use rackweave_api::http::Problem;
use rackweave_control::model::Object;
use rackweave_control::{Id, Intent, Kind};

use crate::auth::Caller;
use crate::objects::name;
use crate::paths::{chain, plural};

/// The objects of a kind: their path is made of those above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Collection {
    kind: Kind,
}

/// What somebody wants with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To read it.
    Read,
    /// To make, change or remove it.
    Change,
}

impl Collection {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind }
    }

    pub(super) const fn kind(self) -> Kind {
        self.kind
    }

    /// The kinds from the outermost parent to this one.
    pub(super) fn chain(self) -> Vec<Kind> {
        chain(self.kind)
    }

    /// The path of all of them, with the names of parents in braces.
    pub(super) fn path(self) -> String {
        let mut path = BASE.to_owned();
        for kind in self.chain() {
            path.push('/');
            path.push_str(plural(kind));
            if kind != self.kind {
                path.push_str("/{");
                path.push_str(&parameter(kind));
                path.push('}');
            }
        }
        path
    }

    /// The path of one of them.
    pub(super) fn item_path(self) -> String {
        format!("{}/{{{}}}", self.path(), parameter(self.kind))
    }

    /// Whether its objects belong to a project, the project itself among them.
    pub(super) fn in_project(self) -> bool {
        self.chain()[0] == Kind::Project
    }

    /// The parent of these names, and the project that it belongs to; what the caller may not know of is not there.
    ///
    /// # Errors
    /// Where a name is none, an object is not there, or the caller may not do it.
    pub(super) fn parent(
        self,
        intent: &Intent,
        caller: &Caller,
        names: &[String],
        wish: Wish,
    ) -> Result<Place, Problem> {
        let chain = self.chain();
        let mut place = Place::default();
        if !self.in_project() {
            caller.operator()?;
        }
        for (kind, text) in chain.iter().zip(names) {
            if *kind == self.kind {
                break;
            }
            let found = find(intent, *kind, place.parent, text)?;
            if *kind == Kind::Project {
                self.enter(caller, found, text, wish)?;
                place.project = Some(found.meta().id.to_string());
            }
            place.parent = Some(found.meta().id);
        }
        Ok(place)
    }

    /// The object of these names.
    ///
    /// # Errors
    /// Where a name is none, an object is not there, or the caller may not do it.
    pub(super) fn object<'i>(
        self,
        intent: &'i Intent,
        caller: &Caller,
        names: &[String],
        wish: Wish,
    ) -> Result<(&'i Object, Place), Problem> {
        let mut place = self.parent(intent, caller, names, wish)?;
        let text = names.last().map_or("", String::as_str);
        let found = find(intent, self.kind, place.parent, text)?;
        if self.kind == Kind::Project {
            self.enter(caller, found, text, wish)?;
            place.project = Some(found.meta().id.to_string());
        }
        Ok((found, place))
    }

    /// Refuses whoever may not do this in a project.
    fn enter(
        self,
        caller: &Caller,
        project: &Object,
        text: &str,
        wish: Wish,
    ) -> Result<(), Problem> {
        let role = caller.role(&project.meta().id.to_string());
        let Some(role) = role else {
            return Err(missing(Kind::Project, text));
        };
        match (wish, self.kind) {
            (Wish::Read, _) => Ok(()),
            (Wish::Change, Kind::Project | Kind::PoolLink) => caller.operator(),
            (Wish::Change, _) if role >= Role::Developer => Ok(()),
            (Wish::Change, _) => {
                let problem = Problem::forbidden("a viewer of the project changes nothing");
                Err(problem.next("ask an admin of the project for a developer's token"))
            }
        }
    }
}

/// Where objects are made and listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The parent, where there is one.
    pub(super) parent: Option<Id>,
    /// The project, by id, where there is one.
    pub(super) project: Option<String>,
}

fn find<'i>(
    intent: &'i Intent,
    kind: Kind,
    parent: Option<Id>,
    text: &str,
) -> Result<&'i Object, Problem> {
    let found = name(text, kind.name()).map_err(|_| missing(kind, text))?;
    let found = intent.find(kind, parent, &found);
    found.ok_or_else(|| missing(kind, text))
}

fn missing(kind: Kind, name: &str) -> Problem {
    Problem::not_found(format!("there is no {kind} {name}"))
}

/// What a kind's name is called in a path.
pub(super) fn parameter(kind: Kind) -> String {
    kind.name().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_of_parents() {
        let route = Collection::new(Kind::Route);
        assert_eq!(
            route.item_path(),
            "/v1/projects/{project}/vpcs/{vpc}/routers/{router}/routes/{route}"
        );
        assert_eq!(Collection::new(Kind::Sled).path(), "/v1/sleds");
        assert!(route.in_project() && !Collection::new(Kind::Uplink).in_project());
    }

    #[test]
    fn no_two_kinds_share_a_path() {
        let mut paths: Vec<_> = Kind::ALL
            .iter()
            .map(|kind| Collection::new(*kind).path())
            .collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), Kind::ALL.len());
    }
}
