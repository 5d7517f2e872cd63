//! Faults that are planted on purpose, to see that [`check`](crate::check) finds what they do.
//!
//! They change messages on their way, as a node with that fault would have sent them; a message that is sent again is
//! changed in the same way.

use std::collections::BTreeSet;

use rackweave_routing::ddm::item::Item;
use rackweave_routing::ddm::message::{Frame, Items, Kind, Update, emit_item};
use rackweave_types::Role;

use crate::topology::{NodeIx, Topology};
use crate::world::Mangle;

/// A withdrawal, the `nth` of all, is never sent.
#[must_use]
pub fn skipped_withdrawal(nth: usize) -> Mangle {
    let mut seen = BTreeSet::new();
    let mut victim = None;
    Box::new(move |_, _, bytes| {
        edit(bytes, |update, items| {
            let name = (update.envelope.session, update.update);
            for (at, item) in items.clone().into_iter().enumerate().rev() {
                if !matches!(item, Item::Withdraw(_)) {
                    continue;
                }
                let number = (name, at);
                if seen.insert(number) && victim.is_none() && seen.len() == nth {
                    victim = Some(number);
                }
                if victim == Some(number) {
                    items.remove(at);
                }
            }
        })
    })
}

/// A switch says that it reaches all sleds of its rack, whether it does or not.
#[must_use]
pub fn wrong_members(switch: NodeIx) -> Mangle {
    Box::new(move |topology: &Topology, from, bytes| {
        if from != switch {
            return bytes;
        }
        let rack = topology.nodes[switch.0].rack();
        let sleds = topology
            .nodes
            .iter()
            .filter(|spec| spec.role == Role::Sled && spec.rack() == rack);
        let numbers: Vec<u8> = sleds
            .filter_map(|spec| Some(spec.prefix?.node().get()))
            .collect();
        edit(bytes, |_, items| {
            for item in items {
                if let Item::Announce(said) = item
                    && said.path.len() == 1
                    && let Some(members) = &mut said.members
                {
                    for number in &numbers {
                        members.0[usize::from(number / 64)] |= 1 << (number % 64);
                    }
                }
            }
        })
    })
}

/// Changes the items of a message, where it has some.
fn edit(bytes: Vec<u8>, change: impl FnOnce(&Update<'_>, &mut Vec<Item>)) -> Vec<u8> {
    let changed = || {
        let frame = Frame::parse(&bytes)
            .ok()
            .filter(|frame| frame.kind == Kind::Update)?;
        let update = Update::parse(frame.body).ok()?;
        let mut items = Items::new(update.items)
            .collect::<Result<Vec<_>, _>>()
            .ok()?;
        change(&update, &mut items);
        let mut octets = Vec::new();
        for item in &items {
            emit_item(&mut octets, item);
        }
        let items = &octets;
        Some(Update { items, ..update }.emit(false))
    };
    changed().unwrap_or(bytes)
}
