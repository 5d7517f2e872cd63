//! What is planned, by short names.

use std::io;
use std::sync::Arc;

use blake3::Hasher;
use rackweave_types::state::{InstanceId, ObjectName, RuleSetId, StateObject};
use rackweave_types::{Generation, PortId, Vni};
use serde::Serialize;

/// Names an object of a node. In this order a node can take them: what others name comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ObjectKey {
    Boundary,
    Vpc(Vni),
    RuleSet(Vni, RuleSetId),
    Mapping(Vni),
    Port(PortId),
    System,
    Attachment(PortId),
    Zone(Vni),
    Instance(InstanceId),
}

/// An object, told apart by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) object: Arc<StateObject>,
    pub(super) generation: Generation,
}

impl Planned {
    /// The object with the digest of its content as its generation.
    pub(super) fn new(mut object: StateObject) -> Self {
        object.set_generation(Generation::ZERO);
        let generation = digest(&object);
        object.set_generation(generation);
        Self {
            object: Arc::new(object),
            generation,
        }
    }

    pub(super) fn name(&self) -> ObjectName {
        self.object.name()
    }
}

/// How many bits of a digest are a generation: readers of JSON that hold numbers as floats keep 53.
pub(super) const DIGEST_BITS: u32 = 52;

/// The digest of a content.
pub(super) fn digest(content: &impl Serialize) -> Generation {
    let mut hasher = Sink(Hasher::new());
    let written = serde_json::to_writer(&mut hasher, content);
    debug_assert!(written.is_ok(), "nothing of a state is not JSON");
    let mut octets = [0; 8];
    hasher.0.finalize_xof().fill(&mut octets);
    Generation::new(u64::from_be_bytes(octets) >> (u64::BITS - DIGEST_BITS))
}

/// Hashes what is written.
struct Sink(Hasher);

impl io::Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
