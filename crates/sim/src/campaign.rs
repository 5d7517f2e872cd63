//! Many failures, one after the other, in one world.

use std::time::Duration;

use crate::check::{Violation, check};
use crate::fault::{Fault, Manner, Part};
use crate::random::Random;
use crate::topology::Topology;
use crate::world::World;

/// How long no route must have changed for routes to be calm.
pub const CALM: Duration = Duration::from_millis(500);
/// How long routes may take to be calm.
pub const LIMIT: Duration = Duration::from_mins(1);
/// How many cases one world sees until another one begins.
const CHUNK: usize = 100;

/// Something that did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// After what, for people.
    pub after: String,
    /// What did not hold; none where routes did not come to rest.
    pub violations: Vec<Violation>,
    /// What the nodes said last.
    pub log: Vec<String>,
}

/// What a campaign found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Cases that were tried.
    pub cases: usize,
    /// What did not hold.
    pub failures: Vec<Failure>,
    /// How long routes took to be calm after each failure and each healing, in the order of the cases.
    pub took: Vec<(Duration, Duration)>,
}

/// Has the parts of each case fail together, walks packets, has them be whole again, walks packets. Each part fails as
/// the seed will: loudly or in silence. It ends early after so many failures.
#[must_use]
pub fn campaign(topology: &Topology, cases: &[Vec<Part>], seed: u64, enough: usize) -> Outcome {
    let mut random = Random::new(seed);
    let mut outcome = Outcome::default();
    let mut cases: Vec<&Vec<Part>> = cases.iter().collect();
    random.shuffle(&mut cases);
    for chunk in cases.chunks(CHUNK) {
        let mut world = World::new(topology.clone(), random.next());
        world.log_limit = 60;
        if world.settle(CALM, LIMIT).is_none() {
            outcome.note(&world, "the start".into(), Vec::new());
        }
        for parts in chunk {
            if outcome.failures.len() >= enough {
                return outcome;
            }
            outcome.cases += 1;
            let faults: Vec<Fault> = parts.iter().map(|part| fault(*part, &mut random)).collect();
            outcome.try_case(&mut world, &faults);
        }
    }
    outcome
}

fn fault(part: Part, random: &mut Random) -> Fault {
    let manner = if random.happens(500_000) {
        Manner::Silent
    } else {
        Manner::Loud
    };
    Fault { part, manner }
}

impl Outcome {
    fn try_case(&mut self, world: &mut World, faults: &[Fault]) {
        let names: Vec<String> = faults
            .iter()
            .map(|fault| fault.describe(&world.topology))
            .collect();
        for fault in faults {
            world.fail(*fault);
        }
        let failed = self.calm(world, &names.join(", "));
        for fault in faults {
            world.heal(*fault);
        }
        let healed = self.calm(world, &format!("{}, healed", names.join(", ")));
        self.took.push((failed, healed));
    }

    fn calm(&mut self, world: &mut World, after: &str) -> Duration {
        let took = world.settle(CALM, LIMIT);
        let violations = check(world);
        if took.is_none() || !violations.is_empty() {
            self.note(world, after.to_owned(), violations);
        }
        took.unwrap_or(LIMIT)
    }

    fn note(&mut self, world: &World, after: String, violations: Vec<Violation>) {
        let log = world.log().collect();
        self.failures.push(Failure {
            after,
            violations,
            log,
        });
    }

    /// All that did not hold, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let each = self.failures.iter().map(|failure| {
            let violations: Vec<String> = failure
                .violations
                .iter()
                .take(8)
                .map(ToString::to_string)
                .collect();
            let (count, log) = (failure.violations.len(), failure.log.join("\n    "));
            format!(
                "after {}: {count}\n  {}\n    {log}\n",
                failure.after,
                violations.join("\n  ")
            )
        });
        each.collect()
    }
}
