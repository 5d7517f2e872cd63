//! What programs of the node had originated, and how long it holds.
//!
//! An asker's request holds while its connection does, and [`AFTERWARDS`] longer; the next request of the same asker
//! takes its place. So an asker's restart withdraws nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::Ipv6Net;
use rackweave_api::router::{OriginScope, OriginatedPrefix, Origination};
use rackweave_routing::ddm::item::Scope;
use rackweave_routing::fabric::{Asker, Input};
use rackweave_types::Instant;
use tokio::sync::oneshot;

/// How long a request outlives its asker's connection.
pub const AFTERWARDS: Duration = Duration::from_secs(30);

/// A request's number: the later request of an asker has the higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

/// What each asker had originated.
#[derive(Debug, Default)]
pub struct Originations {
    askers: BTreeMap<String, Asked>,
    last: u64,
}

#[derive(Debug)]
struct Asked {
    request: RequestId,
    prefixes: BTreeMap<Ipv6Net, Origination>,
    /// When it ends; never while its asker is there.
    ends: Option<Instant>,
    /// Its other end is told when this request no longer holds.
    _holding: oneshot::Sender<()>,
}

impl Originations {
    /// A request takes the place of what this asker had originated. Gives its number, what the machine is told, and what
    /// says so when another request takes its place.
    pub fn ask(
        &mut self,
        asker: &str,
        prefixes: Vec<Origination>,
    ) -> (RequestId, Vec<Input>, oneshot::Receiver<()>) {
        self.last += 1;
        let (holding, replaced) = oneshot::channel();
        let request = RequestId(self.last);
        let new: BTreeMap<_, _> = prefixes.into_iter().map(|one| (one.prefix, one)).collect();
        let old = self.askers.insert(
            asker.to_owned(),
            Asked {
                request,
                prefixes: new.clone(),
                ends: None,
                _holding: holding,
            },
        );
        let old = old.map(|asked| asked.prefixes).unwrap_or_default();
        let gone = old.keys().filter(|prefix| !new.contains_key(prefix));
        let mut inputs: Vec<Input> = gone.map(|prefix| withdraw(asker, *prefix)).collect();
        let changed = new.values().filter(|one| old.get(&one.prefix) != Some(one));
        inputs.extend(changed.map(|one| originate(asker, one)));
        (request, inputs, replaced)
    }

    /// The asker's connection is gone: its request ends in a while, unless another one took its place.
    pub fn leave(&mut self, asker: &str, request: RequestId, now: Instant) {
        if let Some(asked) = self.askers.get_mut(asker)
            && asked.request == request
        {
            asked.ends = Some(now.after(AFTERWARDS));
        }
    }

    /// The asker wants nothing any more; with a number, only if that request is its last one.
    pub fn withdraw(&mut self, asker: &str, request: Option<RequestId>) -> Vec<Input> {
        let held = self.askers.get(asker).map(|asked| asked.request);
        if held.is_none() || request.is_some_and(|request| held != Some(request)) {
            return Vec::new();
        }
        let gone = self.askers.remove(asker);
        let prefixes = gone.map(|asked| asked.prefixes).unwrap_or_default();
        let prefixes = prefixes.into_keys();
        prefixes.map(|prefix| withdraw(asker, prefix)).collect()
    }

    /// Ends what is over.
    pub fn expire(&mut self, now: Instant) -> Vec<Input> {
        let over = |asked: &Asked| asked.ends.is_some_and(|ends| ends <= now);
        let askers = self.askers.iter().filter(|(_, asked)| over(asked));
        let askers: Vec<String> = askers.map(|(asker, _)| asker.clone()).collect();
        let inputs = askers.iter().flat_map(|asker| self.withdraw(asker, None));
        inputs.collect()
    }

    /// When the next request ends.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.askers.values().filter_map(|asked| asked.ends).min()
    }

    /// All that is originated, for people.
    #[must_use]
    pub fn list(&self, now: Instant) -> Vec<OriginatedPrefix> {
        let askers = self.askers.iter();
        let each = askers.flat_map(|(asker, asked)| {
            asked.prefixes.values().map(|one| OriginatedPrefix {
                asker: asker.clone(),
                prefix: one.prefix,
                ready: one.ready,
                ends_in_ms: asked
                    .ends
                    .map(|ends| u64::try_from(ends.since(now).as_millis()).unwrap_or(u64::MAX)),
            })
        });
        each.collect()
    }
}

fn originate(asker: &str, one: &Origination) -> Input {
    Input::Originate {
        asker: Asker(asker.to_owned()),
        prefix: one.prefix,
        scope: match one.scope {
            OriginScope::Service => Scope::Service,
            OriginScope::Site => Scope::Site,
        },
        ready: one.ready,
    }
}

fn withdraw(asker: &str, prefix: Ipv6Net) -> Input {
    Input::Withdraw {
        asker: Asker(asker.to_owned()),
        prefix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(prefix: &str, ready: bool) -> Origination {
        Origination {
            prefix: prefix.parse().unwrap(),
            scope: OriginScope::Service,
            ready,
        }
    }

    const A: &str = "fd00:1122:3344:ff00::/64";
    const B: &str = "fd00:1122:3344:ff80::/64";

    #[test]
    fn only_what_changes_is_told() {
        let mut all = Originations::default();
        let (_, told, _) = all.ask("dns", vec![one(A, true), one(B, true)]);
        assert_eq!(told.len(), 2);
        let (_, told, _) = all.ask("dns", vec![one(A, true), one(B, false)]);
        assert_eq!(told, [originate("dns", &one(B, false))]);
        let (_, told, _) = all.ask("dns", vec![one(B, false)]);
        assert_eq!(told, [withdraw("dns", A.parse().unwrap())]);
    }

    #[test]
    fn a_restart_of_the_asker_withdraws_nothing() {
        let start = Instant::START;
        let mut all = Originations::default();
        let (first, _, _replaced) = all.ask("dns", vec![one(A, true)]);
        all.leave("dns", first, start);
        let end = start.after(AFTERWARDS);
        assert_eq!(all.deadline(), Some(end));
        assert_eq!(all.list(start)[0].ends_in_ms, Some(30_000));
        // It is back; that its old connection ends is seen later.
        let (second, told, _) = all.ask("dns", vec![one(A, true)]);
        assert_eq!(told, []);
        all.leave("dns", first, start);
        assert_eq!((all.expire(end), all.deadline()), (Vec::new(), None));
        all.leave("dns", second, start);
        assert_eq!(all.expire(end), [withdraw("dns", A.parse().unwrap())]);
        assert!(all.list(end).is_empty());
    }

    #[test]
    fn an_older_request_takes_back_nothing_of_a_newer_one() {
        let mut all = Originations::default();
        let (first, _, _replaced) = all.ask("dns", vec![one(A, true)]);
        let (second, _, _) = all.ask("dns", vec![one(B, true)]);
        assert_eq!(all.withdraw("dns", Some(first)), []);
        assert_eq!(all.withdraw("dns", Some(second)).len(), 1);
        assert_eq!(all.withdraw("dns", None), []);
    }
}
