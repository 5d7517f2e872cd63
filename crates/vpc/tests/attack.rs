//! A guest that floods the engine harms neither its own connections nor its names.

use std::error::Error;

use rackweave_testkit::attack::{Attack, Outcome};
use rackweave_testkit::vpc::Scene;

type TestResult = Result<(), Box<dyn Error>>;

/// How much of the minute is run: in as much time the flood fills the table thirty times.
const MILLIS: u64 = 2_000;

fn stands(scene: &Scene, attack: Attack) -> Result<Outcome, Box<dyn Error>> {
    let outcome = attack.run(scene)?;
    assert_eq!(
        outcome.surviving,
        u32::from(attack.connections),
        "{outcome:?}"
    );
    assert!(outcome.answered_percent() >= 99.0, "{outcome:?}");
    let flood = u64::from(attack.flood) * attack.millis;
    assert!(
        outcome.opened >= flood,
        "every flow was opened: {outcome:?}"
    );
    Ok(outcome)
}

#[test]
fn connections_and_names_survive_a_million_new_flows_a_second() -> TestResult {
    let outcome = stands(&Scene::new()?, Attack::MINUTE.shortened(MILLIS))?;
    assert_eq!(outcome.flows, 65_536, "the table is full");
    Ok(())
}

/// Eight questions for every port of the block: those that wait for their answer hold ports, too.
#[test]
fn names_are_found_when_every_port_towards_the_resolver_is_in_use() -> TestResult {
    let attack = Attack {
        flood: 10,
        question_every: 1,
        ..Attack::MINUTE.shortened(8_000)
    };
    let mut scene = Scene::new()?;
    scene.test.limits.flows = Some(16_384);
    stands(&scene, attack).map(|_| ())
}
