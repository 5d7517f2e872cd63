//! How a management network is.

use rackweave_mgmt::rack::Rack;
use serde::{Deserialize, Serialize};

use super::look::{Look, look};
use super::{Management, Program};
use crate::place::Place;

/// A management network as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagementStatus {
    /// The type of rack.
    pub rack: String,
    /// How many units it has.
    pub units: usize,
    /// Its programs.
    pub programs: Vec<ProgramStatus>,
    /// Pairs of cables that are in each other's connectors.
    pub crossed: Vec<[String; 2]>,
}

/// A program of a management network as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    /// What it is called.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its process, if it runs.
    pub pid: Option<i32>,
    /// Its run directory.
    pub run_dir: String,
    /// The socket on which it is asked.
    pub socket: String,
    /// Its configuration.
    pub config: String,
    /// What it says.
    pub log: String,
    /// What it has found, of a gateway that answers.
    pub look: Option<Look>,
}

/// How the management network of a lab is.
#[must_use]
pub fn status(place: &Place, management: &Management) -> ManagementStatus {
    let programs = Program::ALL.map(|program| ProgramStatus {
        name: program.name(),
        namespace: place.space(&program.node()),
        pid: program.pid(place),
        run_dir: program.run_dir(place).display().to_string(),
        socket: program.socket(place).display().to_string(),
        config: program.config(place).display().to_string(),
        log: program.log(place).display().to_string(),
        look: match program {
            Program::Gateway(position) => look(place, position),
            _ => None,
        },
    });
    let rack = management.sound().ok();
    ManagementStatus {
        rack: rack.as_ref().map_or("", Rack::name).to_owned(),
        units: rack.map_or(0, |rack| rack.units().len()),
        programs: programs.into(),
        crossed: management.crossed.clone(),
    }
}
