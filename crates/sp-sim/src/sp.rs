//! `rackweave sp-sim`: service processors of sleds, switches and power shelves, over interfaces.
//!
//! Each has a network stack for each of its two VLANs, tags stripped below, and the dispatcher that firmware has too.
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | the commands |
//! | [`config`] | the configuration file |

mod board;
pub mod cli;
pub mod config;
mod control;
mod firmware;
mod host;
mod subverted;
mod unit;
mod units;

use config::Config;
use rackweave_linux::clock;

use crate::life::{self, Doors};

/// Runs the service processors until they are told to end: SIGTERM, SIGINT, or over their control socket.
///
/// # Errors
/// Why they cannot start.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let units = units::Units::new(config, clock::now())?;
    let doors = Doors {
        run_dir: &config.run_dir,
        socket: rackweave_api::sp_sim::SOCKET,
        group: config.control.group.as_deref(),
    };
    life::run(doors, units, control::Control)
}
