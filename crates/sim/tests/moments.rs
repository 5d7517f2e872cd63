//! What must hold at every moment, not only once routes are calm; and under loss, delay and disorder.

use std::time::Duration;

use rackweave_sim::campaign::{CALM, LIMIT};
use rackweave_sim::check::{Violation, arrivals, check};
use rackweave_sim::fault::{Fault, Manner, Part};
use rackweave_sim::random::Random;
use rackweave_sim::topology::{CableIx, Quality, Topology};
use rackweave_sim::world::World;

const STEP: Duration = Duration::from_millis(1);

fn started(topology: Topology, seed: u64) -> World {
    let mut world = World::new(topology, seed);
    world.log_limit = 60;
    assert!(world.settle(CALM, LIMIT).is_some());
    holds(&world, "the start");
    world
}

#[track_caller]
fn holds(world: &World, after: &str) {
    let violations = check(world);
    let log: Vec<String> = world.log().collect();
    assert!(
        violations.is_empty(),
        "after {after}: {violations:#?}\n{}",
        log.join("\n")
    );
}

/// Lets time pass, step by step: whatever arrived before arrives in every moment, and nothing turns in a circle.
#[track_caller]
fn loses_nothing(world: &mut World, steps: u32, after: &str) {
    let before = arrivals(world);
    for _ in 0..steps {
        world.run_for(STEP);
        let now = arrivals(world);
        let lost: Vec<_> = before.difference(&now).collect();
        let log: Vec<String> = world.log().collect();
        assert!(
            lost.is_empty(),
            "after {after}: {lost:?} {:#?}\n{}",
            check(world),
            log.join("\n")
        );
        let turns = check(world)
            .into_iter()
            .find(|one| matches!(one, Violation::Loop { .. }));
        assert_eq!(turns, None, "after {after}");
    }
}

/// A link that is back costs no packet, whatever it joins.
#[test]
fn healing_loses_nothing() {
    for manner in [Manner::Loud, Manner::Silent] {
        let mut world = started(Topology::mesh(2, 3), 3);
        for (a, b) in [("r1s1", "r1fd"), ("r1fd", "r2fe"), ("r2s3", "r2fe")] {
            let ends = [a, b].map(|name| world.topology.find(name).unwrap());
            let part = Part::Cable(world.topology.between(ends[0], ends[1]).unwrap());
            world.fail(Fault { part, manner });
            world.settle(CALM, LIMIT).unwrap();
            world.heal(Fault { part, manner });
            loses_nothing(&mut world, 300, &format!("{a}-{b} healed ({manner})"));
            holds(&world, "all is whole");
        }
    }
}

/// A switch that is back costs no packet.
#[test]
fn a_switch_that_comes_back_loses_nothing() {
    let mut world = started(Topology::mesh(2, 3), 4);
    let fault = Fault {
        part: Part::Node(world.topology.find("r1fd").unwrap()),
        manner: Manner::Loud,
    };
    world.fail(fault);
    world.settle(CALM, LIMIT).unwrap();
    world.heal(fault);
    loses_nothing(&mut world, 500, "r1fd is back");
    holds(&world, "all is whole");
}

/// A router that dies and is started again costs no packet: its kernel forwards meanwhile.
#[test]
fn a_router_that_starts_again_loses_nothing() {
    for name in ["r1s1", "r1fd"] {
        let mut world = started(Topology::mesh(2, 3), 5);
        let ix = world.topology.find(name).unwrap();
        world.stop(ix);
        for _ in 0..50 {
            world.run_for(Duration::from_millis(100));
            holds(&world, &format!("the router of {name} died"));
        }
        world.start(ix);
        for _ in 0..500 {
            world.run_for(STEP * 10);
            holds(&world, &format!("the router of {name} started again"));
        }
    }
}

/// Racks converge over links that lose, delay and reorder, and after failures of them.
#[test]
fn loss_delay_and_disorder_delay_and_nothing_more() {
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let mut topology = Topology::mesh(2, 4);
        for cable in &mut topology.cables {
            cable.quality = Quality {
                delay: Duration::from_micros(random.below(3_000)),
                jitter: Duration::from_micros(random.below(2_000)),
                loss_ppm: 100_000,
            };
        }
        let mut world = started(topology, seed);
        for _ in 0..6 {
            let cable = CableIx(random.place(world.topology.cables.len()));
            let fault = Fault {
                part: Part::Cable(cable),
                manner: Manner::Silent,
            };
            world.fail(fault);
            world.settle(Duration::from_secs(5), LIMIT).unwrap();
            holds(&world, &fault.describe(&world.topology));
            world.heal(fault);
            world.settle(Duration::from_secs(5), LIMIT).unwrap();
            holds(&world, "all is whole");
        }
    }
}
