//! Faults that are planted are found: each within a hundred seeds.

use std::time::Duration;

use rackweave_routing::fabric::Installed;
use rackweave_sim::campaign::{CALM, LIMIT};
use rackweave_sim::check::{Violation, check};
use rackweave_sim::fault::{Fault, Manner, Part};
use rackweave_sim::plant::{skipped_withdrawal, wrong_members};
use rackweave_sim::random::Random;
use rackweave_sim::topology::{CableIx, Topology};
use rackweave_sim::world::{Mangle, World};

/// Seeds that a fault may go unseen.
const SEEDS: u64 = 100;

/// About how many withdrawals there are from the start on to the third failure.
const WITHDRAWALS: usize = 60;

fn topology() -> Topology {
    Topology::mesh(2, 3)
}

/// Has random cables fail in a world in which messages are changed so. Whether that is seen.
fn is_seen(mangle: Mangle, random: &mut Random) -> bool {
    let mut world = World::new(topology(), random.next()).mangled(mangle);
    let calm = |world: &mut World| world.settle(CALM, LIMIT).is_none() || !check(world).is_empty();
    let mut seen = calm(&mut world);
    for _ in 0..3 {
        let part = Part::Cable(CableIx(random.place(world.topology.cables.len())));
        let manner = Manner::Loud;
        world.fail(Fault { part, manner });
        seen |= calm(&mut world);
    }
    seen
}

/// In how many of the seeds a fault is seen.
fn seen(mut plant: impl FnMut(&mut Random) -> Mangle) -> usize {
    let seen = (0..SEEDS).filter(|seed| {
        let mut random = Random::new(*seed);
        let mangle = plant(&mut random);
        is_seen(mangle, &mut random)
    });
    seen.count()
}

#[test]
fn nothing_planted_is_nothing_seen() {
    assert_eq!(seen(|_| Box::new(|_, _, bytes| bytes)), 0);
}

#[test]
fn a_skipped_withdrawal_is_seen() {
    let count = seen(|random| skipped_withdrawal(random.place(WITHDRAWALS) + 1));
    assert!(count > 0, "in none of {SEEDS} seeds");
}

#[test]
fn wrong_members_are_seen() {
    let topology = topology();
    let switches: Vec<_> = topology
        .all()
        .filter(|(_, spec)| spec.role.is_transit())
        .collect();
    let count = seen(|random| wrong_members(switches[random.place(switches.len())].0));
    assert!(count > 0, "in none of {SEEDS} seeds");
}

#[test]
fn a_missing_route_and_a_loop_are_seen() {
    let mut world = World::new(topology(), 3);
    world.settle(CALM, LIMIT).unwrap();
    let (sled, switch) = (
        world.topology.find("r1s1").unwrap(),
        world.topology.find("r1fd").unwrap(),
    );
    let cable = world.topology.between(sled, switch).unwrap();
    let to = world.topology.nodes[world.topology.find("r1s2").unwrap().0]
        .prefix
        .unwrap();
    assert_eq!(check(&world), []);

    let held = world.nodes[switch.0]
        .fib
        .lookup(to.tunnel_endpoint())
        .unwrap()
        .clone();
    assert!(world.nodes[switch.0].fib.remove(held.prefix));
    let found = check(&world);
    let lost = |one: &Violation| matches!(one, Violation::Blackhole { path, .. } if path == &["r1s1", "r1fd"]);
    assert!(found.iter().any(lost), "{found:#?}");

    // Back to where it came from: a loop, and by way of a sled.
    let back = world.topology.cables[cable.0].ends;
    let [ours, theirs] = if back[0].node == switch {
        back
    } else {
        [back[1], back[0]]
    };
    let mut hops = held.hops.clone();
    hops[0].link = ours.link;
    hops[0].via = theirs.address;
    world.nodes[switch.0]
        .fib
        .install(Installed { hops, ..held });
    let found = check(&world);
    let turns = |one: &Violation| matches!(one, Violation::Loop { path, .. } if path == &["r1s1", "r1fd", "r1s1"]);
    let strays = |one: &Violation| matches!(one, Violation::Astray { .. });
    assert!(
        found.iter().any(|one| turns(one) || strays(one)),
        "{found:#?}"
    );
    world.run_for(Duration::from_secs(1));
}
