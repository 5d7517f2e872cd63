//! Links, and how neighbours are found on them.
//!
//! On a link that is up the node solicits at once, and again after 50, 100, 200 … 1,000 ms, until a neighbour's session
//! stands; after half a minute, or where neighbours were known before, every 10 s.

use std::time::Duration;

use rackweave_types::Instant;

use super::{LinkState, Output};

/// Neighbours that a link may have.
pub(super) const NEIGHBORS_MAX: usize = 4;

const FIRST: Duration = Duration::from_millis(50);
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(10);
/// So many solicitations and about half a minute after the first, it is likely that nobody is there.
const IMPATIENT: u32 = 32;

/// A link that the fabric runs on.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: LinkState,
    solicited: u32,
    due: Option<Instant>,
}

impl Link {
    pub(super) fn new(state: LinkState, now: Instant) -> Self {
        let mut link = Self {
            state,
            solicited: 0,
            due: None,
        };
        link.restart(now);
        link
    }

    /// Whether messages can be sent.
    pub(super) fn is_ready(&self) -> bool {
        self.state.up && self.state.address.is_some()
    }

    /// Solicits anew from the start, where the link can.
    pub(super) fn restart(&mut self, now: Instant) {
        self.solicited = 0;
        self.due = self.is_ready().then_some(now);
    }

    /// A neighbour's session stands: no more soliciting.
    pub(super) fn found(&mut self) {
        self.due = None;
    }

    /// All neighbours are lost: soliciting from time to time.
    pub(super) fn lost(&mut self, now: Instant) {
        if self.is_ready() && self.due.is_none() {
            self.solicited = IMPATIENT;
            self.due = Some(now.after(SELDOM));
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Solicits where it is time.
    pub(super) fn solicit(&mut self, now: Instant) -> Option<Output> {
        self.due.filter(|due| *due <= now)?;
        let wait = if self.solicited >= IMPATIENT {
            SELDOM
        } else {
            FIRST.saturating_mul(1 << self.solicited.min(5)).min(OFTEN)
        };
        self.solicited = self.solicited.saturating_add(1);
        self.due = Some(now.after(wait));
        let link = self.state.link;
        Some(Output::Solicit { link })
    }
}
