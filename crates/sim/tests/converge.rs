//! From nothing to all-to-all, for a few shapes.

use std::time::Duration;

use rackweave_sim::check::check;
use rackweave_sim::scale::entries;
use rackweave_sim::topology::Topology;
use rackweave_sim::world::World;
use rackweave_types::Role;

const CALM: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(20);

fn converges(topology: Topology, seed: u64) -> World {
    let mut world = World::new(topology, seed);
    world.log_limit = 200;
    let took = world.settle(CALM, LIMIT);
    let violations = check(&world);
    let log: Vec<String> = world.log().collect();
    assert!(
        took.is_some() && violations.is_empty(),
        "{took:?}: {violations:#?}\n{}",
        log.join("\n")
    );
    world
}

#[test]
fn a_rack_converges() {
    converges(Topology::mesh(1, 3), 1);
}

#[test]
fn three_racks_converge() {
    let world = converges(Topology::mesh(3, 8), 2);
    assert!(
        world.changed().nanos() < 2_000_000_000,
        "{:?}",
        world.changed()
    );
}

/// Two AZs, each of which knows the other as one /48 and nothing else of it.
#[test]
fn two_sites_converge() {
    let world = converges(Topology::sites(3, 2, 2), 3);
    for (ix, spec) in world.topology.all() {
        let entries = entries(spec, &world.nodes[ix.0]);
        assert_eq!(entries.sites, 1, "{}: {entries:?}", spec.name);
        let racks = match (&*spec.az.to_string(), spec.role) {
            ("fd00:5277::/48", Role::Sled) => 2,
            ("fd00:5277::/48", _) => 3,
            (_, Role::Sled) => 1,
            _ => 2,
        };
        assert_eq!(entries.racks, racks, "{}: {entries:?}", spec.name);
    }
}
