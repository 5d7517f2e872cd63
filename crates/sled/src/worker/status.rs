//! What a worker says of itself.

use std::time::Duration;

use super::count::Totals;
use crate::queue::Losses;
use crate::workers::PollMode;

/// How a worker spent its time since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Moving frames, running jobs.
    pub working: Duration,
    /// Looking for frames and finding none.
    pub spinning: Duration,
    /// Waiting in the kernel.
    pub sleeping: Duration,
}

/// What a worker says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Which one.
    pub index: u16,
    /// How it waits for frames.
    pub mode: PollMode,
    /// How it spent its time.
    pub shares: Shares,
    /// How long it looks for frames before it sleeps, as experience is now.
    pub spin_budget: Duration,
    /// How often it slept.
    pub sleeps: u64,
    /// How many ports it serves.
    pub ports: usize,
    /// What went through it.
    pub totals: Totals,
    /// What its guests' queues lost, those that are gone included.
    pub guest_losses: Losses,
    /// What its queue to the wire lost.
    pub wire_losses: Losses,
}

impl WorkerStatus {
    pub(super) fn new(index: u16, mode: PollMode) -> Self {
        Self {
            index,
            mode,
            shares: Shares::default(),
            spin_budget: Duration::ZERO,
            sleeps: 0,
            ports: 0,
            totals: Totals::default(),
            guest_losses: Losses::default(),
            wire_losses: Losses::default(),
        }
    }
}
