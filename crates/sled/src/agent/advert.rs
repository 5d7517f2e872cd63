//! Router advertisements that nobody asked for (RFC 4861, section 6.2.4): a guest asks once, and lets its default route
//! go when the advertised lifetime is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rackweave_types::{Instant, PortId};

use super::turn::Turn;
use super::view::AgentState;

/// Advertisements that follow each other quickly when something is new (`MAX_INITIAL_RTR_ADVERTISEMENTS`).
const INITIAL: u8 = 3;
/// The most time before the first one: guests of one change are spread over it (`MAX_RA_DELAY_TIME`).
const FIRST: Duration = Duration::from_millis(500);
/// The least and the most time between the quick ones (at most `MAX_INITIAL_RTR_ADVERT_INTERVAL`).
const QUICK: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(16));
/// The least and the most time between others (`MinRtrAdvInterval`, `MaxRtrAdvInterval`): the lifetime of 18 hours is
/// renewed thirty times and more.
const SLOW: (Duration, Duration) = (Duration::from_mins(10), Duration::from_mins(30));

#[derive(Debug)]
struct Plan {
    frame: Arc<[u8]>,
    due: Instant,
    quick: u8,
}

/// What is sent to whom, and when.
#[derive(Debug, Default)]
pub(super) struct Adverts {
    plans: BTreeMap<PortId, Plan>,
    due: BTreeSet<(Instant, PortId)>,
}

impl Adverts {
    /// Follows a change of the state: who is new, and whose advertisement is another, hears of it soon.
    pub(super) fn update(&mut self, state: &AgentState, turn: &mut Turn<'_>) {
        let due = &mut self.due;
        self.plans.retain(|port, plan| {
            let view = state.ports.get(port);
            let stays = view.is_some_and(|view| view.advert.as_ref() == Some(&plan.frame));
            if !stays {
                due.remove(&(plan.due, *port));
            }
            stays
        });
        for (port, view) in &state.ports {
            let Some(frame) = &view.advert else { continue };
            if self.plans.contains_key(port) {
                continue;
            }
            let due = turn.now.after(between((Duration::ZERO, FIRST), turn));
            let plan = Plan {
                frame: Arc::clone(frame),
                due,
                quick: INITIAL,
            };
            self.plans.insert(*port, plan);
            self.due.insert((due, *port));
        }
    }

    /// The next advertisement that is due.
    pub(super) fn next(&mut self, turn: &mut Turn<'_>) -> Option<(PortId, Box<[u8]>)> {
        let (due, port) = self
            .due
            .first()
            .copied()
            .filter(|(due, _)| *due <= turn.now)?;
        self.due.remove(&(due, port));
        let plan = self.plans.get_mut(&port)?;
        plan.quick = plan.quick.saturating_sub(1);
        let wait = between(if plan.quick > 0 { QUICK } else { SLOW }, turn);
        plan.due = turn.now.after(wait);
        self.due.insert((plan.due, port));
        turn.counters.adverts += 1;
        Some((port, plan.frame.as_ref().into()))
    }

    /// When the next one is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }
}

/// A random time between two.
fn between((least, most): (Duration, Duration), turn: &mut Turn<'_>) -> Duration {
    let span = most.saturating_sub(least).as_nanos();
    let span = u64::try_from(span).unwrap_or(u64::MAX);
    least + Duration::from_nanos(turn.random.below(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::counters::AgentCounters;
    use crate::agent::random::Random;
    use crate::agent::view::GuestView;

    const GUEST: PortId = PortId::new(1);

    fn state(frame: &[u8]) -> AgentState {
        let view = GuestView {
            mac: "02:72:77:00:00:01".parse().unwrap(),
            mtu: 1500,
            vni: rackweave_types::Vni::new(2000).unwrap(),
            dns: Vec::new(),
            advert: Some(frame.into()),
            instance: None,
        };
        AgentState {
            ports: BTreeMap::from([(GUEST, view)]),
            ..AgentState::default()
        }
    }

    #[test]
    fn a_change_is_told_soon_and_then_now_and_then() {
        let (mut random, mut counters) = (Random::from_seed(&[1; 32]), AgentCounters::default());
        let mut turn = Turn {
            now: Instant::from_nanos(5),
            random: &mut random,
            counters: &mut counters,
        };
        let mut adverts = Adverts::default();
        adverts.update(&state(b"one"), &mut turn);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let due = adverts.deadline().unwrap();
            waits.push(due.since(turn.now));
            turn.now = due;
            let (port, frame) = adverts.next(&mut turn).unwrap();
            assert_eq!((port, &*frame), (GUEST, &b"one"[..]));
            assert_eq!(adverts.next(&mut turn), None);
        }
        assert!(waits[0] <= FIRST);
        assert!(
            waits[1..3]
                .iter()
                .all(|wait| (QUICK.0..=QUICK.1).contains(wait))
        );
        assert!(
            waits[3..]
                .iter()
                .all(|wait| (SLOW.0..=SLOW.1).contains(wait))
        );
        // The same state again changes nothing; another advertisement is told soon.
        let due = adverts.deadline();
        adverts.update(&state(b"one"), &mut turn);
        assert_eq!(adverts.deadline(), due);
        adverts.update(&state(b"two"), &mut turn);
        assert!(adverts.deadline().unwrap().since(turn.now) <= FIRST);
        adverts.update(&AgentState::default(), &mut turn);
        assert_eq!(adverts.deadline(), None);
    }
}
