//! What both gateways see, joined: every swapped, missing or dead cable by name (seed "Control Plane Cabling
//! Validation").
//!
//! One cable carries data, management and ignition, so that a port of the data switch, of the management switch and of
//! the ignition controller are one (seed "VSC and Tofino Port Bijection"). What each of the three sees at a port of one
//! switch is compared with what the other switch sees of the same unit, and with what was there when all was well.

mod finding;

pub use finding::{Dead, Finding};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::address::MacRange;
use crate::port::{Position, SpPort, SwitchPort, Unit};
use crate::rack::{End, Rack};

/// What one gateway and its switch see at a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The service processor that answers: the addresses of its unit, and at which of its ports it was reached.
    pub sp: Option<(MacRange, SpPort)>,
    /// The neighbour on the data network (LLDP): the addresses of its unit.
    pub data: Option<MacRange>,
    /// Whether the ignition controller feels a target.
    pub ignition: bool,
}

impl Seen {
    /// Whether anything at all is there.
    const fn is_something(&self) -> bool {
        self.sp.is_some() || self.data.is_some() || self.ignition
    }

    /// Whose the port is.
    fn who(&self) -> Option<MacRange> {
        self.sp.map(|(unit, _)| unit).or(self.data)
    }
}

/// What one gateway and its switch see.
pub type View = BTreeMap<SwitchPort, Seen>;

/// Which unit was where when all was well.
pub type Baseline = BTreeMap<Unit, MacRange>;

/// What both gateways see of a rack.
#[derive(Clone, Debug)]
pub struct Views {
    /// At switch A.
    pub a: View,
    /// At switch B.
    pub b: View,
}

impl Views {
    const fn of(&self, position: Position) -> &View {
        match position {
            Position::A => &self.a,
            Position::B => &self.b,
        }
    }
}

/// What is wrong with the cables, in the order of units; nothing where all is well.
///
/// The baseline is the [`baseline`] of the last time that nothing was; without it, of two cables that were swapped it
/// cannot be said at which switch.
#[must_use]
pub fn verdict(rack: &Rack, views: &Views, before: Option<&Baseline>) -> Vec<Finding> {
    let ends = Ends::of(rack, views);
    let mut findings = Vec::new();
    let misplaced = misplaced(&ends, before, &mut findings);
    for unit in rack.units() {
        for position in Position::ALL {
            let Some(here) = ends.at(position, unit) else {
                continue;
            };
            if misplaced.contains(&(position, unit)) {
                continue;
            }
            let other = ends.at(position.other(), unit).map(|end| end.seen);
            findings.extend(missing_or_dead(
                position,
                unit,
                here,
                other.unwrap_or_default(),
            ));
        }
        findings.extend(turned(&ends, unit));
    }
    findings.sort_by_key(Finding::unit);
    findings
}

/// Which unit is where, for later verdicts; for when a verdict found nothing.
#[must_use]
pub fn baseline(rack: &Rack, views: &Views) -> Baseline {
    let ends = Ends::of(rack, views);
    let known = |unit| {
        let seen = |position| ends.at(position, unit).and_then(|end| end.seen.who());
        Some((unit, seen(Position::A).or_else(|| seen(Position::B))?))
    };
    rack.units().into_iter().filter_map(known).collect()
}

/// A unit's end as seen from one switch.
#[derive(Clone, Copy, Debug)]
struct Here {
    port: SwitchPort,
    end: End,
    seen: Seen,
}

/// What is seen of each unit from either switch.
struct Ends(BTreeMap<(Position, Unit), Here>);

impl Ends {
    fn of(rack: &Rack, views: &Views) -> Self {
        let at = |position: Position| {
            rack.ends(position).map(move |(port, end)| {
                let seen = views.of(position).get(&port).copied().unwrap_or_default();
                ((position, end.unit), Here { port, end, seen })
            })
        };
        Self(Position::ALL.into_iter().flat_map(at).collect())
    }

    fn at(&self, position: Position, unit: Unit) -> Option<Here> {
        self.0.get(&(position, unit)).copied()
    }

    fn who(&self, position: Position, unit: Unit) -> Option<MacRange> {
        self.at(position, unit).and_then(|here| here.seen.who())
    }

    /// Units where the two switches see two different ones.
    fn at_odds(&self) -> Vec<(Unit, MacRange, MacRange)> {
        let at_odds = |(_, unit): &(Position, Unit)| {
            let (a, b) = (self.who(Position::A, *unit)?, self.who(Position::B, *unit)?);
            (a != b).then_some((*unit, a, b))
        };
        let mut units: Vec<_> = self.0.keys().filter_map(at_odds).collect();
        units.sort_unstable();
        units.dedup();
        units
    }
}

/// Names what is at a place where it does not belong, and gives the ends that are explained by it.
fn misplaced(
    ends: &Ends,
    before: Option<&Baseline>,
    findings: &mut Vec<Finding>,
) -> BTreeSet<(Position, Unit)> {
    let mut explained = BTreeSet::new();
    let mut odd = ends.at_odds();
    while let Some((unit, a, b)) = odd.pop() {
        let partner = odd
            .iter()
            .position(|(_, other_a, other_b)| (*other_a, *other_b) == (b, a));
        let place = before.and_then(|before| before.get(&unit)).and_then(|was| {
            let moved_at_a = *was == b;
            let moved_at_b = *was == a;
            (moved_at_a != moved_at_b).then_some(if moved_at_a { Position::A } else { Position::B })
        });
        let partner = partner.map(|index| odd.remove(index).0);
        for position in Position::ALL {
            explained.extend(
                [Some(unit), partner]
                    .into_iter()
                    .flatten()
                    .map(|unit| (position, unit)),
            );
        }
        findings.push(match (partner, place) {
            (Some(partner), Some(position)) => Finding::Swapped {
                position,
                units: [partner.min(unit), partner.max(unit)],
                ports: [partner.min(unit), partner.max(unit)]
                    .map(|unit| ends.at(position, unit).map(|it| it.port)),
            },
            (Some(partner), None) => Finding::SwappedSomewhere {
                units: [partner.min(unit), partner.max(unit)],
            },
            (None, Some(position)) => Finding::Stranger {
                position,
                unit,
                found: if position == Position::A { a } else { b },
            },
            (None, None) => Finding::AtOdds {
                unit,
                found: [a, b],
            },
        });
    }
    explained
}

fn missing_or_dead(position: Position, unit: Unit, here: Here, other: Seen) -> Option<Finding> {
    let Here { port, seen, .. } = here;
    let dead = |what| {
        Some(Finding::Dead {
            position,
            unit,
            port,
            what,
        })
    };
    if !seen.is_something() {
        return other.is_something().then_some(Finding::Missing {
            position,
            unit,
            port,
        });
    }
    if seen.sp.is_none() {
        return if other.sp.is_some() {
            dead(Dead::Management)
        } else {
            dead(Dead::ServiceProcessor)
        };
    }
    if seen.data.is_none() && other.data.is_some() {
        return dead(Dead::Data);
    }
    if !seen.ignition && other.ignition {
        return dead(Dead::Ignition);
    }
    let mixed = seen
        .sp
        .zip(seen.data)
        .is_some_and(|((sp, _), data)| sp != data);
    mixed.then_some(Finding::Mixed {
        position,
        unit,
        port,
    })
}

/// A unit's two cables are in each other's connectors.
fn turned(ends: &Ends, unit: Unit) -> Option<Finding> {
    let reached_wrong = |position| {
        let here = ends.at(position, unit)?;
        let (_, reached) = here.seen.sp?;
        Some(reached != here.end.sp_port)
    };
    let wrong = [reached_wrong(Position::A), reached_wrong(Position::B)];
    let turned = wrong.contains(&Some(true)) && !wrong.contains(&Some(false));
    turned.then_some(Finding::Turned { unit })
}

#[cfg(test)]
mod tests;
