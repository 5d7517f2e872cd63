//! What a gateway sees, as of a moment: what everything outside its loop works with.

use std::time::Duration;

use rackweave_mgmt::location::{Contradiction, Verdict};
use rackweave_mgmt::port::{Position, SwitchPort, Unit};
use rackweave_mgmt::rack::{End, Rack};
use rackweave_mgmt::sp::exchange::Refusals;
use rackweave_types::Instant;

use crate::gateway::link::Found;
use crate::gateway::update::Progress;
use crate::gateway::{Counters, Gateway};

/// What a gateway sees.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// When the gateway started.
    pub started: Instant,
    /// The type of rack and the switch; `None` while they are not known.
    pub place: Option<(Rack, Position)>,
    /// What it may be, where several are as likely.
    pub in_doubt: Vec<(String, Position)>,
    /// Answers that do not fit.
    pub contradictions: Vec<Contradiction>,
    /// The links, by port.
    pub links: Vec<LinkSeen>,
    /// One bit for each port where ignition feels something.
    pub ignition: Option<u64>,
    /// How long after the start the last service processor was found that was not known.
    pub discovered: Option<Duration>,
    /// What was counted.
    pub counters: Counters,
    /// Frames that the uplink did not take.
    pub unsent: u64,
    /// Whether the uplink is there.
    pub uplink: bool,
}

/// What is seen of a link.
#[derive(Clone, Debug)]
pub struct LinkSeen {
    /// The switch's port.
    pub port: SwitchPort,
    /// Where it leads, where that is known.
    pub end: Option<End>,
    /// Who is there.
    pub found: Option<Found>,
    /// When somebody was heard last.
    pub heard: Option<Instant>,
    /// What was not taken of what came.
    pub refusals: Refusals,
    /// How far an update is.
    pub update: Option<Progress>,
}

impl LinkSeen {
    /// The unit that it leads to.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        self.end.map(|end| end.unit)
    }
}

impl Seen {
    /// What a gateway sees now.
    #[must_use]
    pub fn of(gateway: &Gateway, started: Instant, now: Instant) -> Self {
        let link = |link: &crate::gateway::link::Link| LinkSeen {
            port: link.port(),
            end: gateway.end(link.port()),
            found: link.found().cloned(),
            heard: link.heard(),
            refusals: link.refusals(),
            update: link.update(),
        };
        let (in_doubt, contradictions) = match gateway.verdict() {
            Verdict::Unknown => Default::default(),
            Verdict::InDoubt(candidates) => (candidates.clone(), Vec::new()),
            Verdict::Located { contradictions, .. } => (Vec::new(), contradictions.clone()),
        };
        Self {
            at: now,
            started,
            place: gateway
                .place()
                .map(|(rack, position)| (rack.clone(), position)),
            in_doubt,
            contradictions,
            links: gateway.links().map(link).collect(),
            ignition: gateway.ignition(),
            discovered: gateway.discovered(),
            counters: gateway.counters(),
            unsent: 0,
            uplink: true,
        }
    }

    /// The link to a unit.
    #[must_use]
    pub fn link_to(&self, unit: Unit) -> Option<&LinkSeen> {
        self.links.iter().find(|link| link.unit() == Some(unit))
    }

    /// Who is in the switch of this gateway.
    #[must_use]
    pub fn own_switch(&self) -> Option<&Found> {
        let (_, position) = self.place.as_ref()?;
        self.link_to(Unit::Switch(*position))?.found.as_ref()
    }

    /// How many service processors are there.
    #[must_use]
    pub fn found(&self) -> usize {
        self.links
            .iter()
            .filter(|link| link.found.is_some())
            .count()
    }
}

/// What a place is called in paths and commands.
#[must_use]
pub fn name_of(unit: Unit) -> String {
    match unit {
        Unit::Cubby(number) => format!("cubby-{number}"),
        Unit::Psc(number) => format!("psc-{number}"),
        Unit::Switch(Position::A) => "switch-a".into(),
        Unit::Switch(Position::B) => "switch-b".into(),
    }
}

/// What a port is called while nobody knows where it leads.
#[must_use]
pub fn name_of_port(port: SwitchPort) -> String {
    format!("port-{}", port.get())
}

/// A link's place, for people.
#[must_use]
pub fn place_of(link: &LinkSeen) -> String {
    match link.unit() {
        Some(unit) => unit.to_string(),
        None => link.port.to_string(),
    }
}
