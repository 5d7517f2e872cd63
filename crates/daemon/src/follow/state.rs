//! What all states of nodes have in common.

use rackweave_types::Generation;
use rackweave_types::state::{DeltaError, HostState, StateDelta, StateDigest, SwitchState};
use serde::de::DeserializeOwned;

/// The state of a kind of node.
pub trait NodeState: DeserializeOwned + Send + Sync + 'static {
    /// The change that it came with last.
    fn generation(&self) -> Generation;

    /// That it holds what it held before, after a later change that did not concern it.
    fn set_generation(&mut self, generation: Generation);

    /// What it comes to.
    fn digest(&self) -> StateDigest;

    /// Applies a change.
    ///
    /// # Errors
    /// Where the change does not fit. The state is then half changed and of no use.
    fn change(&mut self, delta: StateDelta) -> Result<(), DeltaError>;
}

macro_rules! node_state {
    ($($state:ty),+) => {
        $(
            impl NodeState for $state {
                fn generation(&self) -> Generation {
                    self.generation
                }

                fn set_generation(&mut self, generation: Generation) {
                    self.generation = generation;
                }

                fn digest(&self) -> StateDigest {
                    Self::digest(self)
                }

                fn change(&mut self, delta: StateDelta) -> Result<(), DeltaError> {
                    self.apply(delta)
                }
            }
        )+
    };
}

node_state!(HostState, SwitchState);
