//! What the ignition controllers of both switches feel: whether something is plugged in.

use rackweave_api::local::{Client, ClientError};
use rackweave_api::sp_sim::{Done, Request, SERVICE, SetPresenceRequest};
use rackweave_mgmt::port::{Position, Unit};

use super::{Management, Program, port_name, switch, unit_name};
use crate::place::Place;
use crate::step::StepError;
use crate::topology::Link;

/// Tells the switches' service processors which of these cables are plugged in, as far as one is of a unit. Where no
/// service processor runs, there is nobody to be told.
///
/// # Errors
/// Where they do not take it.
pub(crate) fn tell(
    place: &Place,
    management: &Management,
    cables: &[(&Link, bool)],
) -> Result<(), StepError> {
    let sps = Program::ServiceProcessors;
    let step =
        || StepError::new("cannot tell ignition which cables are plugged in").log(&sps.log(place));
    let words: Vec<Request> = cables
        .iter()
        .filter_map(|(link, present)| presence(management, link, *present))
        .collect();
    if words.is_empty() || sps.pid(place).is_none() {
        return Ok(());
    }
    let program = concat!("rackweave lab ", env!("CARGO_PKG_VERSION"));
    let told = || -> Result<(), ClientError> {
        let mut client = Client::connect(&sps.socket(place), SERVICE, program)?;
        for word in &words {
            let _done: Done = client.ask(word)?;
        }
        Ok(())
    };
    told().map_err(|error| step().because(&error))
}

/// What a switch's service processor is told of one of its ports.
fn presence(management: &Management, link: &Link, present: bool) -> Option<Request> {
    let [near, _] = &link.ends;
    let rack = management.sound().ok()?;
    let position = Position::ALL
        .into_iter()
        .find(|position| switch(*position) == near.node)?;
    let (port, _) = rack
        .ends(position)
        .find(|(port, _)| port_name(*port) == near.interface)?;
    Some(Request::SetPresence(SetPresenceRequest {
        unit: unit_name(Unit::Switch(position)),
        port: port.get(),
        present,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_of_a_cable_is_told_of_its_port() {
        let text = include_str!("../../../../dist/racks/rack-1.toml");
        let management = Management::new(text).unwrap();
        let word = |name: &str| {
            let links = management.target(name);
            presence(&management, links[0], false)
        };
        let told = |unit: &str, port| {
            Some(Request::SetPresence(SetPresenceRequest {
                unit: unit.into(),
                port,
                present: false,
            }))
        };
        assert_eq!(word("c05-1"), told("swa", 5));
        assert_eq!(word("c05-2"), told("swb", 26));
        assert_eq!(word("swa-2"), told("swb", 37));
        assert_eq!(word("up-a"), None);
    }
}
