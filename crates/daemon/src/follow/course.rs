//! Whom to ask, when, and what to make of the answer. No clock, no socket, no chance of its own.

use std::time::Duration;

use rackweave_types::Generation;
use rackweave_types::state::{DeltaError, StateDigest};

use super::{NodeState, Update};

/// The longest pause before the next controller is asked, in the first round of all of them.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause in any round.
const LONGEST: Duration = Duration::from_secs(2);

/// Follows the controllers of an AZ.
///
/// [`ask`](Self::ask) says whom to ask now. What the stream says goes to [`hear`](Self::hear); when it ends, or nobody
/// answered, [`lost`](Self::lost) says how long to wait before the next [`ask`](Self::ask).
///
/// Pauses are drawn evenly from nothing to a limit that doubles with each round, so that a thousand nodes that lose their
/// controller together do not come to the next one together.
#[derive(Debug)]
pub struct Course<S> {
    state: Option<S>,
    controllers: usize,
    /// The one that is asked.
    at: usize,
    /// How often nobody was of use since a controller was.
    failures: u32,
}

/// A question to a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which controller, by its place in the list.
    pub controller: usize,
    /// What the node has, to be told what it missed; `None` where it wants to be told everything.
    pub has: Option<(Generation, StateDigest)>,
}

/// What an update changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the state is the newest one.
    Nothing,
    /// So many objects.
    Objects(usize),
    /// Everything may be different.
    Whole,
}

/// Why what the node has cannot be what it should have. It asks for its whole state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// A change came before any state.
    #[error("a change came before any state")]
    NoState,
    /// The change does not fit.
    #[error("the change does not fit on the state")]
    Delta(#[source] DeltaError),
    /// The state comes to something else than it should.
    #[error("the state comes to {found}, and the controller has {expected}")]
    Digest {
        /// What the node's state comes to.
        found: StateDigest,
        /// What it should come to, as the controller wrote it.
        expected: String,
    },
}

impl<S: NodeState> Course<S> {
    /// Begins with what the node has, at one of so many controllers that `random` picks.
    #[must_use]
    pub fn new(controllers: usize, state: Option<S>, random: u32) -> Self {
        let all = u32::try_from(controllers.max(1)).unwrap_or(u32::MAX);
        Self {
            state,
            controllers: controllers.max(1),
            at: usize::try_from(random % all).unwrap_or_default(),
            failures: 0,
        }
    }

    /// The state; none before the first one was heard, and while it is not known to be right.
    #[must_use]
    pub const fn state(&self) -> Option<&S> {
        self.state.as_ref()
    }

    /// Whom to ask now, and what to say.
    #[must_use]
    pub fn ask(&self) -> Ask {
        let has = self.state.as_ref();
        Ask {
            controller: self.at,
            has: has.map(|state| (state.generation(), state.digest())),
        }
    }

    /// Whether each controller was asked since one was of use.
    #[must_use]
    pub fn asked_all(&self) -> bool {
        usize::try_from(self.failures).unwrap_or(usize::MAX) >= self.controllers
    }

    /// Nobody answered, or the stream has ended: the next controller is to be asked after this pause.
    pub fn lost(&mut self, random: u32) -> Duration {
        let all = u32::try_from(self.controllers).unwrap_or(u32::MAX);
        let round = (self.failures / all).min(8);
        self.failures = self.failures.saturating_add(1);
        self.at = (self.at + 1) % self.controllers;
        let most = FIRST.saturating_mul(1 << round).min(LONGEST);
        most.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Takes in what a controller says.
    ///
    /// # Errors
    /// Where it does not fit. The node then has no state to name, and the stream is of no use: it counts as
    /// [`lost`](Self::lost).
    pub fn hear(&mut self, update: Update<S>) -> Result<Change, Misfit> {
        let change = match update {
            Update::State(state) => {
                self.state = Some(state);
                Change::Whole
            }
            Update::Current { generation } => {
                let state = self.state.as_mut().ok_or(Misfit::NoState)?;
                state.set_generation(generation);
                Change::Nothing
            }
            // A question: nothing changes by it.
            Update::Preview { .. } => Change::Nothing,
            Update::Delta { delta, digest } => {
                // Taken, so that what is half changed is gone when it does not fit.
                let mut state = self.state.take().ok_or(Misfit::NoState)?;
                let objects = delta.changes.len();
                state.change(delta).map_err(Misfit::Delta)?;
                let found = state.digest();
                if digest.parse() != Ok(found) {
                    let expected = digest;
                    return Err(Misfit::Digest { found, expected });
                }
                self.state = Some(state);
                Change::Objects(objects)
            }
        };
        self.failures = 0;
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rackweave_types::state::{ObjectChange, ObjectName, StateDelta, StateVersion};
    use rackweave_types::{PortId, Vni};

    use super::*;

    /// A state that is nothing but a generation and the names it was told to forget.
    #[derive(Clone, Debug, Default, serde::Deserialize)]
    struct Toy {
        generation: u64,
        ports: Vec<u64>,
    }

    impl NodeState for Toy {
        fn generation(&self) -> Generation {
            Generation::new(self.generation)
        }

        fn set_generation(&mut self, generation: Generation) {
            self.generation = generation.get();
        }

        fn digest(&self) -> StateDigest {
            let ports = self.ports.iter().map(|port| PortId::new(*port));
            ports.fold(StateDigest::EMPTY, |digest, port| {
                digest.with(&ObjectName::Port(port), Generation::new(1))
            })
        }

        fn change(&mut self, delta: StateDelta) -> Result<(), DeltaError> {
            self.generation = delta.generation.get();
            for change in delta.changes {
                match change {
                    ObjectChange::Remove(ObjectName::Port(port)) => self.ports.push(port.get()),
                    _ => return Err(DeltaError::NotThere(ObjectName::Vpc(Vni::BOUNDARY))),
                }
            }
            Ok(())
        }
    }

    fn delta(generation: u64, ports: &[u64]) -> StateDelta {
        let ports = ports.iter().map(|port| PortId::new(*port));
        StateDelta {
            version: StateVersion::CURRENT,
            generation: Generation::new(generation),
            changes: ports
                .map(|port| ObjectChange::Remove(ObjectName::Port(port)))
                .collect(),
        }
    }

    fn digest(ports: &[u64]) -> String {
        let toy = Toy {
            generation: 0,
            ports: ports.to_vec(),
        };
        toy.digest().to_string()
    }

    #[test]
    fn what_was_heard_is_what_is_said_next_time() {
        let mut course = Course::<Toy>::new(3, None, 4);
        assert_eq!(course.ask().controller, 1);
        assert_eq!(course.ask().has, None);
        assert_eq!(
            course.hear(Update::State(Toy::default())),
            Ok(Change::Whole)
        );
        let update = Update::Delta {
            delta: delta(7, &[1, 2]),
            digest: digest(&[2, 1]),
        };
        assert_eq!(course.hear(update), Ok(Change::Objects(2)));
        let generation = Generation::new(9);
        let heard = course.hear(Update::Current { generation });
        assert_eq!(heard, Ok(Change::Nothing));
        let (has, comes_to) = course.ask().has.unwrap();
        assert_eq!((has.get(), comes_to.to_string()), (9, digest(&[1, 2])));
    }

    #[test]
    fn who_has_something_else_asks_for_everything() {
        let whole = || {
            let mut course = Course::new(1, None, 0);
            course.hear(Update::State(Toy::default())).unwrap();
            course
        };
        let update = |delta, digest| Update::Delta { delta, digest };
        let mut course = whole();
        let heard = course.hear(update(delta(1, &[5]), digest(&[6])));
        assert!(matches!(heard, Err(Misfit::Digest { .. })));
        assert_eq!(course.ask().has, None);
        let mut course = whole();
        let mut bad = delta(1, &[5]);
        bad.changes.push(ObjectChange::Remove(ObjectName::System));
        let heard = course.hear(update(bad, digest(&[5])));
        assert!(matches!(heard, Err(Misfit::Delta(_))));
        assert_eq!(course.ask().has, None);
        // What cannot be read as a digest is none that it has.
        let mut course = whole();
        assert!(course.hear(update(delta(1, &[]), String::new())).is_err());
        // Changes without a state are of no use.
        let heard = course.hear(update(delta(2, &[]), digest(&[])));
        assert_eq!(heard, Err(Misfit::NoState));
        let generation = Generation::new(2);
        let heard = course.hear(Update::Current { generation });
        assert_eq!(heard, Err(Misfit::NoState));
    }

    #[test]
    fn a_controller_that_is_of_use_ends_the_count() {
        let mut course = Course::<Toy>::new(2, Some(Toy::default()), 0);
        let pause = |course: &mut Course<Toy>| course.lost(u32::MAX).as_millis();
        let pauses: Vec<_> = (0..10).map(|_| pause(&mut course)).collect();
        let expected = [200, 200, 400, 400, 800, 800, 1600, 1600, 2000, 2000];
        assert_eq!(pauses, expected);
        assert!(course.asked_all());
        let generation = Generation::new(1);
        course.hear(Update::Current { generation }).unwrap();
        assert!(!course.asked_all());
        assert_eq!(pause(&mut course), 200);
    }

    proptest! {
        #[test]
        fn all_controllers_have_their_turn(controllers in 0_usize..20, first: u32, drawn: Vec<u32>) {
            let mut course = Course::<Toy>::new(controllers, None, first);
            let all = controllers.max(1);
            let mut asked = vec![0_u32; all];
            for random in &drawn {
                asked[course.ask().controller] += 1;
                prop_assert!(course.lost(*random) <= LONGEST);
            }
            let (most, least) = (asked.iter().max(), asked.iter().min());
            prop_assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
