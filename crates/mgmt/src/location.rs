//! On which switch a gateway sits, and in which type of rack, from what service processors answer (seed "Sidecar
//! Location").
//!
//! A gateway asks at some ports "at which of your ports did this reach you?". A rack's description says for either
//! position what would be answered where; the position that explains the answers best is the gateway's. Nothing is ever
//! settled for good: each answer replaces the last one of its port, and what contradicts the verdict is named.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::port::{Position, SpPort, SwitchPort, Unit};
use crate::rack::Rack;

/// What kind of unit a service processor says it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A sled.
    Sled,
    /// A power shelf controller.
    Psc,
    /// A rack switch.
    Switch,
}

impl UnitKind {
    /// The kind of unit that belongs at a place.
    #[must_use]
    pub const fn at(unit: Unit) -> Self {
        match unit {
            Unit::Cubby(_) => Self::Sled,
            Unit::Psc(_) => Self::Psc,
            Unit::Switch(_) => Self::Switch,
        }
    }
}

/// What a service processor answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer {
    /// At which of its ports the question reached it.
    pub reached: SpPort,
    /// What it belongs to.
    pub kind: UnitKind,
}

/// Where a gateway is, as far as answers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that would tell has been answered.
    Unknown,
    /// Several explanations are as good as each other: types of racks by name, and positions.
    InDoubt(Vec<(String, Position)>),
    /// One explanation is the best.
    Located {
        /// The type of rack, as an index into those given.
        rack: usize,
        /// The switch.
        position: Position,
        /// Answers that it does not explain.
        contradictions: Vec<Contradiction>,
    },
}

/// An answer that contradicts the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The port where the answer came from.
    pub port: SwitchPort,
    /// The unit that should be there, if any.
    pub unit: Option<Unit>,
    /// What is wrong, for people.
    pub what: String,
}

/// Infers where a gateway is.
#[derive(Clone, Debug)]
pub struct Locator {
    racks: Vec<Rack>,
    answers: BTreeMap<SwitchPort, Answer>,
}

impl Locator {
    /// A gateway in a rack of one of these types that has heard nothing yet.
    #[must_use]
    pub const fn new(racks: Vec<Rack>) -> Self {
        Self {
            racks,
            answers: BTreeMap::new(),
        }
    }

    /// The types that it may be.
    #[must_use]
    pub fn racks(&self) -> &[Rack] {
        &self.racks
    }

    /// A service processor answered at a port.
    pub fn answered(&mut self, port: SwitchPort, answer: Answer) {
        self.answers.insert(port, answer);
    }

    /// Nobody answers at a port any more.
    pub fn silent(&mut self, port: SwitchPort) {
        self.answers.remove(&port);
    }

    /// Which ports to ask for the least answers that tell: those of the gateways' own sleds first.
    #[must_use]
    pub fn ask_first(&self) -> Vec<SwitchPort> {
        let scrimlets = self.racks.iter().flat_map(|rack| {
            Position::ALL
                .into_iter()
                .filter_map(|position| rack.port_of(position, rack.scrimlet(position)))
        });
        let mut ports = Vec::new();
        for port in scrimlets {
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        ports
    }

    /// What the answers of now say.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let candidates = || {
            self.racks.iter().enumerate().flat_map(|(index, rack)| {
                Position::ALL.map(|position| (index, position, self.score(rack, position)))
            })
        };
        let best = candidates()
            .map(|(.., score)| score)
            .max()
            .unwrap_or_default();
        let mut leading = candidates().filter(|(.., score)| *score == best);
        match (leading.next(), leading.next()) {
            (Some((rack, position, _)), None) if best > 0 => Verdict::Located {
                rack,
                position,
                contradictions: self.contradictions(&self.racks[rack], position),
            },
            (Some(_), Some(_)) if best > 0 && !self.answers.is_empty() => Verdict::InDoubt(
                candidates()
                    .filter(|(.., score)| *score == best)
                    .map(|(rack, position, _)| (self.racks[rack].name().into(), position))
                    .collect(),
            ),
            _ => Verdict::Unknown,
        }
    }

    /// How many answers a position explains.
    fn score(&self, rack: &Rack, position: Position) -> usize {
        let explained = |(port, answer): &(&SwitchPort, &Answer)| {
            rack.end(position, **port).is_some_and(|end| {
                end.sp_port == answer.reached && UnitKind::at(end.unit) == answer.kind
            })
        };
        self.answers.iter().filter(explained).count()
    }

    fn contradictions(&self, rack: &Rack, position: Position) -> Vec<Contradiction> {
        let contradiction = |(port, answer): (&SwitchPort, &Answer)| {
            let end = rack.end(position, *port);
            let what = match end {
                None => format!(
                    "{port} of {position} leads nowhere, and a service processor answers there"
                ),
                Some(end) if UnitKind::at(end.unit) != answer.kind => format!(
                    "{port} of {position} leads to {}, and the service processor of a {} answers there",
                    end.unit,
                    match answer.kind {
                        UnitKind::Sled => "sled",
                        UnitKind::Psc => "PSC",
                        UnitKind::Switch => "switch",
                    }
                ),
                Some(end) if end.sp_port != answer.reached => format!(
                    "{port} of {position} leads to {} of {}, and was reached at {}: its two cables look swapped",
                    end.sp_port, end.unit, answer.reached
                ),
                Some(_) => return None,
            };
            Some(Contradiction {
                port: *port,
                unit: end.map(|end| end.unit),
                what,
            })
        };
        self.answers.iter().filter_map(contradiction).collect()
    }
}

#[cfg(test)]
mod tests;
