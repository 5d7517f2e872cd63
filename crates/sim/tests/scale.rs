//! Large fabrics: their shape in full, their behaviour small.

use rackweave_sim::scale::{Shape, ports_fit, scale, world};
use rackweave_sim::topology::{POD, Topology};

#[test]
fn no_switch_of_256_racks_has_too_many_ports() {
    let topology = Topology::spines(256, 64);
    assert!(ports_fit(&topology));
    let sleds = topology.nodes.iter().filter(|spec| !spec.role.is_transit());
    assert_eq!(sleds.count(), 256 * 64);
}

/// As the seeds' summary of a switch's state: one entry for each rack, each site, each service and each own node.
#[test]
fn entries_of_a_switch_grow_with_racks_and_own_sleds_alone() {
    for (racks, sleds) in [(3, 2), (3, 6), (17, 2)] {
        let shape = Shape {
            racks,
            sleds,
            seed: 5,
        };
        let mut world = world(shape);
        let (found, tapes) = scale(&mut world, shape, |_| {});
        for step in &found.steps {
            assert_eq!(step.violations, [""; 0], "{}", step.what);
            assert!(
                step.converged_us.is_some_and(|us| us < 1_000_000),
                "{step:?}"
            );
        }
        assert_eq!(tapes.len(), 4);
        for (ix, tape) in tapes {
            // Told the same again, a machine is the same again.
            let spec = &world.topology.nodes[ix.0];
            let (once, twice) = (tape.play(spec), tape.play(spec));
            assert_eq!(once.routes(), twice.routes());
            assert!(
                once.counts().held > racks,
                "{}: {:?}",
                spec.name,
                once.counts()
            );
        }
        let entries = found.routers["switch"].entries;
        assert_eq!(entries.own_sleds, sleds + 1);
        assert_eq!(entries.racks, racks);
        assert_eq!(entries.bootstrap, sleds);
        assert_eq!((entries.service, entries.sites), (6, 0));
        assert_eq!(entries.disaggregated, 0);
        // A pod's spines tell the two switches of a rack apart, which the rack's summary does not.
        let apart = found.routers["spine"].entries.disaggregated;
        assert_eq!(apart, 2 * racks.min(POD));
    }
}
