//! The commands of users and operators: a client of the API.
//!
//! One table drives them (`kinds`): a row says what is particular to a kind of object, and what is done
//! with an object (`act`) is the same for all. So a kind has the options that its row names, and its siblings' verbs.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

mod act;
mod apply;
mod ask;
mod audit;
mod commands;
mod declare;
mod export;
mod form;
mod host;
mod ip;
mod kind;
mod kinds;
mod place;
mod render;
mod secret;
mod time;
mod token;
mod yaml;

pub use commands::{Commands, tree};

/// Says on standard error why a command did not work.
pub fn tell(error: anyhow::Error) -> std::process::ExitCode {
    rackweave_daemon::output::Failure::from(error).tell()
}
