//! `rackweave switch-sim`: the VSC7448 of rack switches and the KSZ8463 of units, over interfaces.
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | the commands |
//! | [`config`] | the configuration file |

mod chips;
pub mod cli;
pub mod config;
mod control;

use config::Config;

use crate::life::{self, Doors};

/// Runs the switches until they are told to end: SIGTERM, SIGINT, or over their control socket.
///
/// # Errors
/// Why they cannot start.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let chips = chips::Chips::new(config)?;
    let doors = Doors {
        run_dir: &config.run_dir,
        socket: rackweave_api::switch_sim::SOCKET,
        group: config.control.group.as_deref(),
    };
    life::run(doors, chips, control::Control)
}
