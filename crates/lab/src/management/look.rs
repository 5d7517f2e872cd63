//! What a gateway has found, as its API says.

use std::time::Duration;

use rackweave_api::http::{Blocking, Endpoint};
use rackweave_api::mgs::{Location, Position as At};
use rackweave_mgmt::port::Position;
use serde::{Deserialize, Serialize};

use super::Program;
use crate::place::Place;

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a gateway has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// At which switch it is, as far as it knows.
    pub position: Option<Position>,
    /// How many service processors answer it.
    pub found: usize,
    /// From its start until it had found the last of them, in milliseconds.
    pub discovered_ms: Option<u64>,
}

/// What the gateway of a switch has found; nothing where it does not answer.
pub(super) fn look(place: &Place, position: Position) -> Option<Look> {
    let socket = Program::Gateway(position).socket(place);
    let gateway = Blocking::new(Endpoint::Unix(socket)).ok()?;
    let asked = gateway.answer::<Location>(|client| client.get("/location").patience(PATIENCE));
    let location = asked.ok()?.body;
    Some(Look {
        position: location.position.map(|at| match at {
            At::A => Position::A,
            At::B => Position::B,
        }),
        found: usize::try_from(location.found).ok()?,
        discovered_ms: location.discovered_ms,
    })
}

impl Look {
    /// What it has found, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let place = self.position.map_or_else(
            || "does not know where it is".to_owned(),
            |position| format!("at {position}"),
        );
        format!("{} units found, {place}", self.found)
    }
}
