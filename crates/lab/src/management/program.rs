//! The programs of a management network.

use std::path::PathBuf;

use rackweave_mgmt::port::Position;

use super::{UNITS, gateway, switch};
use crate::place::Place;
use crate::program::{self, Started};
use crate::spaces::{self, Process};
use crate::step::StepError;

/// A program of a management network, each a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The chip of a switch.
    Switch(Position),
    /// The chips of all units.
    Chips,
    /// The service processors of all units.
    ServiceProcessors,
    /// A gateway.
    Gateway(Position),
}

impl Program {
    /// All, in the order in which they are started.
    pub const ALL: [Self; 6] = [
        Self::Switch(Position::A),
        Self::Switch(Position::B),
        Self::Chips,
        Self::ServiceProcessors,
        Self::Gateway(Position::A),
        Self::Gateway(Position::B),
    ];

    /// The one that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.name() == name)
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Switch(position) => switch(position),
            Self::Chips => "chips".to_owned(),
            Self::ServiceProcessors => "sps".to_owned(),
            Self::Gateway(position) => gateway(position),
        }
    }

    /// The node that it runs in.
    #[must_use]
    pub fn node(self) -> String {
        match self {
            Self::Switch(position) => switch(position),
            Self::Chips | Self::ServiceProcessors => UNITS.to_owned(),
            Self::Gateway(position) => gateway(position),
        }
    }

    /// Where it is, of a gateway.
    #[must_use]
    pub const fn position(self) -> Option<Position> {
        match self {
            Self::Gateway(position) => Some(position),
            Self::Switch(_) | Self::Chips | Self::ServiceProcessors => None,
        }
    }

    /// The service that it is, by which its command, run directory and socket are called.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Switch(_) | Self::Chips => "switch-sim",
            Self::ServiceProcessors => "sp-sim",
            Self::Gateway(_) => "mgs",
        }
    }

    /// Its configuration.
    #[must_use]
    pub fn config(self, place: &Place) -> PathBuf {
        place
            .node(&self.node())
            .join(format!("{}.toml", self.service()))
    }

    /// Its run directory.
    #[must_use]
    pub fn run_dir(self, place: &Place) -> PathBuf {
        place.runs(&self.node()).join(self.service())
    }

    /// What outlives it.
    #[must_use]
    pub fn state_dir(self, place: &Place) -> PathBuf {
        place
            .node(&self.node())
            .join(format!("{}-state", self.service()))
    }

    /// The socket on which it is asked.
    #[must_use]
    pub fn socket(self, place: &Place) -> PathBuf {
        self.run_dir(place).join(format!("{}.sock", self.service()))
    }

    /// What it says.
    #[must_use]
    pub fn log(self, place: &Place) -> PathBuf {
        place
            .node(&self.node())
            .join(format!("{}.log", self.service()))
    }

    /// Its process.
    #[must_use]
    pub fn pid(self, place: &Place) -> Option<i32> {
        self.find(place).first().map(|found| found.pid)
    }

    fn find(self, place: &Place) -> Vec<Process> {
        let mut found = spaces::processes(&place.space(&self.node()));
        found.retain(|process| process.is(&[self.service(), "run"]));
        found
    }

    /// Starts it, after which it runs by itself.
    ///
    /// # Errors
    /// Where it cannot be started, or runs already.
    pub(crate) fn start(self, place: &Place) -> Result<Started, StepError> {
        let (name, log) = (self.name(), self.log(place));
        let step = || StepError::new(format!("cannot start {name}"));
        if let Some(pid) = self.pid(place) {
            let kill = format!("end it: `rackweave lab kill --name {} {name}`", place.lab());
            return Err(step()
                .cause(format!("it runs already, as process {pid}"))
                .next(kill));
        }
        let space = spaces::node(place, &self.node())?;
        let called = [self.service(), "run"];
        let child = program::spawn(&space, &called, &self.config(place), &log)
            .map_err(|error| step().because(&error).log(&log))?;
        Ok(Started {
            what: name.clone(),
            child,
            log,
        })
    }

    /// Ends it without asking, and waits until it has ended.
    ///
    /// # Errors
    /// Where it does not run.
    pub(crate) fn kill(self, place: &Place) -> Result<(), StepError> {
        let found = self.find(place);
        let step = || StepError::new(format!("cannot end {}", self.name()));
        if found.is_empty() {
            return Err(step().cause("it does not run").log(&self.log(place)));
        }
        let ended = spaces::end(&found);
        ended
            .then_some(())
            .ok_or_else(|| step().cause("it does not end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_name_and_a_socket_of_its_own() {
        let place = Place::of(&"test".parse().unwrap());
        let mut sockets = std::collections::BTreeSet::new();
        for program in Program::ALL {
            assert_eq!(Program::named(&program.name()), Some(program));
            sockets.insert(program.socket(&place));
        }
        assert_eq!(sockets.len(), Program::ALL.len());
        assert_eq!(Program::named("mgs-c"), None);
    }
}
