//! What every step of the agent is given: the time, chance, and where to count.

use rackweave_types::Instant;

use super::counters::AgentCounters;
use super::random::Random;

/// One turn of the agent: nothing in it asks a clock or draws for itself.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    /// What time it is.
    pub(crate) now: Instant,
    /// Random numbers.
    pub(crate) random: &'a mut Random,
    /// What happens is counted here.
    pub(crate) counters: &'a mut AgentCounters,
}
