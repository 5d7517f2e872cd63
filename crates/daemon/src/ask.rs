//! Asking a daemon over its control socket, as commands do.

use std::path::Path;

use rackweave_api::local::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::output::{Failure, Output};

/// Connects to the daemon of this name.
///
/// # Errors
/// Where it does not answer, with what to do.
pub fn connect(socket: &Path, daemon: &str) -> Result<Client, Failure> {
    Client::connect(socket, daemon, &crate::program())
        .map_err(|error| Failure::asking(daemon, error))
}

/// Asks for one reply, and shows it: as JSON, or as the text that `text` makes of it.
///
/// # Errors
/// Where the daemon does not answer, or refuses; where nothing can be written.
pub fn show<T: DeserializeOwned + Serialize>(
    socket: &Path,
    daemon: &str,
    request: &impl Serialize,
    json: bool,
    text: impl FnOnce(&T, bool) -> String,
) -> Result<(), Failure> {
    let reply: T = connect(socket, daemon)?
        .ask(request)
        .map_err(|error| Failure::asking(daemon, error))?;
    Output::new(json).show(&reply, text)
}
