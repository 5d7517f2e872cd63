//! Every single fault of a cable, in virtual frames: is it named?

use anyhow::{Result, bail};
use rackweave_mgmt::cabling::{Baseline, Finding, Views, baseline, verdict};
use rackweave_mgmt::location::{Locator, Verdict};
use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::rack::Rack;

use crate::world::World;

/// How many faults there are, and how many of them are named for what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) named: u32,
    pub(crate) total: u32,
}

/// Makes each single fault, one after another: two cables swapped at a switch, the two cables of a unit swapped, a
/// cable missing. A fault is named when the verdict says that and nothing else, and both gateways still know where they
/// are.
pub(crate) fn all(rack: &Rack) -> Result<Named> {
    let mut sound = World::new(rack, true);
    let views = views(&mut sound);
    if !verdict(rack, &views, None).is_empty() {
        bail!("something is wrong with cables that are where they belong");
    }
    let before = baseline(rack, &views);
    let mut named = Named::default();
    let mut count = |world: World, expected: Finding| {
        named.total += 1;
        named.named += u32::from(is_named(world, &before, &expected));
    };
    for position in Position::ALL {
        let units = cabled(rack, position);
        for (index, one) in units.iter().enumerate() {
            for two in &units[index + 1..] {
                let mut world = sound.clone();
                world.swap(position, [*one, *two]);
                let units = [*one, *two];
                let ports = units.map(|unit| rack.port_of(position, unit));
                count(
                    world,
                    Finding::Swapped {
                        position,
                        units,
                        ports,
                    },
                );
            }
            let Some(port) = rack.port_of(position, *one) else {
                continue;
            };
            let mut world = sound.clone();
            world.pull(position, *one);
            let unit = *one;
            count(
                world,
                Finding::Missing {
                    position,
                    unit,
                    port,
                },
            );
        }
    }
    for unit in rack.units() {
        if !matches!(unit, Unit::Switch(_)) {
            let mut world = sound.clone();
            world.turn(unit);
            count(world, Finding::Turned { unit });
        }
    }
    Ok(named)
}

/// The units that a switch has a cable to: all but itself, whose service processor is on its board.
fn cabled(rack: &Rack, position: Position) -> Vec<Unit> {
    let mut units = rack.units();
    units.retain(|unit| *unit != Unit::Switch(position));
    units
}

fn views(world: &mut World) -> Views {
    let [a, b] = Position::ALL.map(|position| world.view(position));
    Views { a, b }
}

fn is_named(mut world: World, before: &Baseline, expected: &Finding) -> bool {
    let views = views(&mut world);
    let found = verdict(&world.rack, &views, Some(before));
    let located = Position::ALL.into_iter().all(|position| {
        let mut locator = Locator::new(vec![world.rack.clone()]);
        for (port, answer) in world.answers(position) {
            locator.answered(port, answer);
        }
        matches!(locator.verdict(), Verdict::Located { position: at, .. } if at == position)
    });
    located && found == std::slice::from_ref(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rack;

    #[test]
    fn every_single_fault_of_a_cable_is_named() {
        let named = all(&rack().unwrap()).unwrap();
        // 35 cables at each switch: 595 pairs and 35 cables, twice; 34 units with two cables.
        assert_eq!(named.total, 2 * (595 + 35) + 34);
        assert_eq!(named.named, named.total);
    }

    #[test]
    fn another_fault_than_the_one_that_was_made_is_not_taken_for_it() {
        let rack = rack().unwrap();
        let mut sound = World::new(&rack, true);
        let before = baseline(&rack, &views(&mut sound));
        let turned = |unit| Finding::Turned { unit };
        assert!(!is_named(sound.clone(), &before, &turned(Unit::Cubby(3))));
        let mut world = sound;
        world.turn(Unit::Cubby(3));
        assert!(!is_named(world.clone(), &before, &turned(Unit::Cubby(4))));
        assert!(is_named(world, &before, &turned(Unit::Cubby(3))));
    }
}
