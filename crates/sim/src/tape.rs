//! What a node was told, to be told again.

use rackweave_routing::fabric::{Fabric, Input, Now};
use rackweave_types::Instant;
use serde::{Deserialize, Serialize};

use crate::topology::NodeSpec;
use crate::world::settings;

/// All that a node's machine was told from its start on: told again, it makes the same machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tape {
    /// When it was started.
    pub began: Now,
    /// The chance that it was started with.
    pub seed: [u8; 32],
    /// What it was told, and when.
    pub inputs: Vec<(Now, Input)>,
}

impl Default for Tape {
    fn default() -> Self {
        let began = Now {
            at: Instant::START,
            unix: 0,
        };
        Self {
            began,
            seed: [0; 32],
            inputs: Vec::new(),
        }
    }
}

impl Tape {
    /// The machine of the node that this was told to.
    #[must_use]
    pub fn play(&self, spec: &NodeSpec) -> Fabric {
        let mut fabric = Fabric::new(settings(spec), self.began, self.seed);
        let mut outputs = Vec::new();
        for (now, input) in &self.inputs {
            fabric.handle(*now, input.clone(), &mut outputs);
            outputs.clear();
        }
        fabric
    }
}
