//! What a type of rack looks like: which port of which switch leads to which unit.
//!
//! [`Description`] is what people write in a file; [`Rack`] is one that was found sound, and the only way to a
//! [`Rack`] is [`Rack::check`]. A mapping that could leave a gateway in doubt where it is cannot be loaded.

mod check;
mod describe;

pub use check::{Fault, Place, Rule};
pub use describe::{Cubby, Description, Psc, Scrimlets, Switches};

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::port::{Position, SpPort, SwitchPort, Unit};

/// Where a cable of a switch port ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// At which unit.
    pub unit: Unit,
    /// At which of its two ports.
    pub sp_port: SpPort,
}

/// A type of rack that was found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rack {
    name: String,
    upstream: SwitchPort,
    technicians: Vec<SwitchPort>,
    ends: [BTreeMap<SwitchPort, End>; 2],
    scrimlets: [u8; 2],
}

impl Rack {
    /// The rack that a description describes.
    ///
    /// # Errors
    /// Every rule that it breaks, in the order of the description.
    pub fn check(description: &Description) -> Result<Self, Vec<Fault>> {
        let faults = check::faults(description);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            name: description.name.clone(),
            upstream: description.switches.upstream,
            technicians: description.switches.technicians.clone(),
            ends: Position::ALL.map(|position| describe::ends(description, position)),
            scrimlets: [description.scrimlets.a, description.scrimlets.b],
        })
    }

    /// The type's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port of either switch that leads to its gateway.
    #[must_use]
    pub const fn upstream(&self) -> SwitchPort {
        self.upstream
    }

    /// The ports of either switch that a technician may plug into.
    #[must_use]
    pub fn technicians(&self) -> &[SwitchPort] {
        &self.technicians
    }

    /// The ports of a switch that lead to service processors, with where they end.
    pub fn ends(&self, position: Position) -> impl Iterator<Item = (SwitchPort, End)> + '_ {
        self.map(position).iter().map(|(port, end)| (*port, *end))
    }

    /// Where the cable of a switch's port ends; `None` where the port leads to no service processor.
    #[must_use]
    pub fn end(&self, position: Position, port: SwitchPort) -> Option<End> {
        self.map(position).get(&port).copied()
    }

    /// The port of a switch that leads to a unit.
    #[must_use]
    pub fn port_of(&self, position: Position, unit: Unit) -> Option<SwitchPort> {
        self.ends(position)
            .find_map(|(port, end)| (end.unit == unit).then_some(port))
    }

    /// Every unit that has a service processor, in order.
    #[must_use]
    pub fn units(&self) -> Vec<Unit> {
        let mut units: Vec<Unit> = self.ends(Position::A).map(|(_, end)| end.unit).collect();
        units.sort_unstable();
        units
    }

    /// The cubby whose sled the gateway of a switch runs on.
    #[must_use]
    pub const fn scrimlet(&self, position: Position) -> Unit {
        let [a, b] = self.scrimlets;
        Unit::Cubby(match position {
            Position::A => a,
            Position::B => b,
        })
    }

    const fn map(&self, position: Position) -> &BTreeMap<SwitchPort, End> {
        let [a, b] = &self.ends;
        match position {
            Position::A => a,
            Position::B => b,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
