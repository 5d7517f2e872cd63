//! All routes by prefix: what was heard, what is used, and what the kernel has of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Attributes;
use crate::fabric::LinkId;

/// A peer's number: another one each time that one is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerId(pub u32);

/// Who offers a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A program of this node.
    Local,
    /// The configuration.
    Static,
    /// A peer.
    Peer(PeerId),
}

/// One way of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Way {
    /// Whom to give packets to.
    pub via: IpAddr,
    /// On which link, where the address does not say.
    pub link: Option<LinkId>,
}

/// One source's route to a prefix.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) source: Source,
    /// In which session of the peer it was heard.
    pub(super) epoch: u32,
    /// As it was said.
    pub(super) said: Arc<Attributes>,
    /// As policy lets it in; nothing where it does not, or where it must not be used.
    pub(super) used: Option<Arc<Attributes>>,
}

/// The paths of a prefix, mostly one.
#[derive(Clone, Debug, Default)]
pub(super) enum Paths {
    #[default]
    None,
    One(Path),
    Many(Vec<Path>),
}

impl Paths {
    pub(super) fn as_slice(&self) -> &[Path] {
        match self {
            Self::None => &[],
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Self::None => &mut [],
            Self::One(path) => std::slice::from_mut(path),
            Self::Many(paths) => paths,
        }
    }

    /// Puts a path in the place of its source's. Gives that one.
    pub(super) fn put(&mut self, path: Path) -> Option<Path> {
        if let Some(own) = self
            .as_mut_slice()
            .iter_mut()
            .find(|own| own.source == path.source)
        {
            return Some(std::mem::replace(own, path));
        }
        *self = match std::mem::take(self) {
            Self::None => Self::One(path),
            Self::One(first) => Self::Many(vec![first, path]),
            Self::Many(mut paths) => {
                paths.push(path);
                Self::Many(paths)
            }
        };
        None
    }

    /// Takes the path of a source out, where `when` holds of it.
    pub(super) fn take(&mut self, source: Source, when: impl Fn(&Path) -> bool) -> Option<Path> {
        let index = self
            .as_slice()
            .iter()
            .position(|path| path.source == source && when(path))?;
        match std::mem::take(self) {
            Self::None => None,
            Self::One(path) => Some(path),
            Self::Many(mut paths) => {
                let path = paths.remove(index);
                *self = match paths.pop() {
                    Some(only) if paths.is_empty() => Self::One(only),
                    Some(last) => {
                        paths.push(last);
                        Self::Many(paths)
                    }
                    None => Self::None,
                };
                Some(path)
            }
        }
    }
}

/// What is known of a prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) paths: Paths,
    /// What the kernel was asked last; nothing where it is to have no route.
    pub(super) asked: Option<Arc<[Way]>>,
    /// Answers of the kernel that are due.
    pub(super) due: u16,
    /// Whether the kernel has a route.
    pub(super) held: bool,
    /// Whether it refused what it was asked last.
    pub(super) refused: bool,
}

impl Entry {
    /// Whether nothing is known any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.paths, Paths::None) && self.asked.is_none() && self.due == 0
    }
}

/// All routes by prefix: IPv4 before IPv6.
pub(super) type Table = BTreeMap<IpNet, Entry>;

/// Values that many routes share, each held once.
#[derive(Debug)]
pub(super) struct Shared<T: ?Sized + Ord>(BTreeSet<Arc<T>>, usize);

impl<T: ?Sized + Ord> Default for Shared<T> {
    fn default() -> Self {
        Self(BTreeSet::new(), 64)
    }
}

impl<T: ?Sized + Ord> Shared<T> {
    /// The one that is held; from time to time those that nobody else holds go.
    pub(super) fn get(&mut self, value: impl Into<Arc<T>> + std::borrow::Borrow<T>) -> Arc<T> {
        if let Some(held) = self.0.get(value.borrow()) {
            return Arc::clone(held);
        }
        if self.0.len() >= self.1 {
            self.0.retain(|one| Arc::strong_count(one) > 1);
            self.1 = (self.0.len() * 2).max(64);
        }
        let value = value.into();
        self.0.insert(Arc::clone(&value));
        value
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
