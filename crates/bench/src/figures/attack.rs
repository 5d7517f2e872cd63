//! Figures about a guest under its own flood: what the table gives up, and what it does not.

use anyhow::{Result, anyhow};
use rackweave_testkit::attack::{Attack, Outcome};
use rackweave_testkit::vpc::Scene;

use super::{Figure, What};

/// Milliseconds of virtual time, and with `--quick`.
const MILLIS: [u64; 2] = [Attack::MINUTE.millis, 2_000];

/// What is told of the attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// Connections that are still there and lost no packet.
    Surviving,
    /// Questions to the resolver that were answered, of a hundred.
    Answered,
}

impl Told {
    pub(super) fn of(self, outcome: &Outcome) -> f64 {
        match self {
            Self::Surviving => f64::from(outcome.surviving),
            Self::Answered => outcome.answered_percent(),
        }
    }
}

/// The figures.
pub(super) fn figures() -> [Figure; 2] {
    let Attack {
        millis,
        flood,
        connections,
        pause,
        ..
    } = Attack::MINUTE;
    let flood = format!(
        "while the guest opens {} flows a second into its full table for {} s",
        flood * 1_000,
        millis / 1_000
    );
    [
        Figure::new(
            "attack_connections_surviving",
            "connections",
            What::Attack(Told::Surviving),
            format!(
                "of {connections} TCP connections with a packet every {} s, those that survive {flood}",
                pause / 1_000
            ),
        ),
        Figure::new(
            "attack_dns_percent",
            "%",
            What::Attack(Told::Answered),
            format!("of 100 questions a second to a resolver outside, those answered {flood}"),
        ),
    ]
}

/// How the attack is made shorter.
pub(super) fn scale() -> String {
    let [full, quick] = MILLIS.map(|millis| millis / 1_000);
    format!("{quick} of {full} virtual seconds, a connection's pauses shortened with them")
}

/// Runs the attack.
///
/// # Errors
/// Where it cannot begin.
pub(super) fn run(quick: bool) -> Result<Outcome> {
    let attack = Attack::MINUTE.shortened(MILLIS[usize::from(quick)]);
    let scene = Scene::new().map_err(|error| anyhow!("no scene: {error}"))?;
    attack
        .run(&scene)
        .map_err(|error| anyhow!("the attack does not begin: {error}"))
}
