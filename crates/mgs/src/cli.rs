//! The commands `rackweave mgs`, `rackweave sp …` and `rackweave mgmt …`.
//!
//! Exit codes: 0 it worked; 1 it did not, and standard error says what, why and what to do; 2 the command line is
//! wrong.

mod console;
mod mgmt;
mod render;
mod run;
mod sp;
mod terminal;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_api::http::{Blocking, Call, Client, ClientError, Endpoint};
use rackweave_api::mgs::{RUN_DIR, SERVICE, SOCKET};
use rackweave_daemon::output::{Failure, Output};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use mgmt::MgmtArgs;
pub use run::RunArgs;
pub use sp::SpArgs;

/// What stands under the help of `rackweave mgs`.
const EXAMPLES: &str = "\
Examples:
  rackweave mgs run --config /etc/rackweave/mgs.toml

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The management gateway: finds, locates and commands every service processor of a rack.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MgsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway in the foreground until SIGTERM or SIGINT.
    Run(RunArgs),
}

/// What all commands have that ask a gateway.
#[derive(Clone, Debug, Args)]
pub(crate) struct AskArgs {
    /// The gateway's API: `unix:PATH` or `http://HOST:PORT`; its usual socket where nothing is said.
    #[arg(long, value_name = "URL", global = true)]
    mgs: Option<Endpoint>,
    /// Writes the reply as JSON.
    #[arg(long, global = true)]
    json: bool,
}

impl AskArgs {
    fn client(&self) -> Result<Blocking, Failure> {
        let usual = || Endpoint::Unix(Path::new(RUN_DIR).join(SOCKET));
        let client = Blocking::new(self.mgs.clone().unwrap_or_else(usual));
        client.map_err(|error| Failure::new("cannot ask the gateway").cause(error.to_string()))
    }

    /// Asks, and shows the answer.
    fn show<T: DeserializeOwned + Serialize>(
        &self,
        call: impl FnOnce(&Client) -> Call<'_>,
        text: impl FnOnce(&T, bool) -> String,
    ) -> Result<(), Failure> {
        let answer = self.client()?.answer::<T>(call).map_err(asking)?;
        Output::new(self.json).show(&answer.body, text)
    }

    /// Has something done.
    fn done(&self, call: impl FnOnce(&Client) -> Call<'_>) -> Result<(), Failure> {
        self.client()?.done(call).map_err(asking)
    }
}

/// What a command says where the gateway does not answer, or refuses.
fn asking(error: ClientError) -> Failure {
    Failure::asking_http(SERVICE, error)
}

fn exit(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// `rackweave mgs`.
#[must_use]
pub fn mgs(args: MgsArgs) -> ExitCode {
    match args.command {
        Command::Run(args) => exit(run::run(&args)),
    }
}

/// `rackweave sp`.
#[must_use]
pub fn sp(args: SpArgs) -> ExitCode {
    exit(sp::main(args))
}

/// `rackweave mgmt`.
#[must_use]
pub fn mgmt(args: MgmtArgs) -> ExitCode {
    exit(mgmt::main(args))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    enum Line {
        Mgs(MgsArgs),
        Sp(SpArgs),
        Mgmt(MgmtArgs),
    }

    #[test]
    fn the_argument_trees_hold_together() {
        Line::command().debug_assert();
        for line in [
            "r mgs run --config f.toml --uplink up0",
            "r sp --mgs unix:/run/a.sock list --json",
            "r sp console cubby-5 --operator ada --force",
            "r sp power cubby-5 on --mgs http://[::1]:12225",
            "r sp update cubby-5 image.bin --image sled-2 --wait",
            "r mgmt vlans --rack rack-1.toml",
            "r mgmt override a --who ada --why tested",
        ] {
            Line::try_parse_from(line.split_whitespace()).unwrap();
        }
    }
}
