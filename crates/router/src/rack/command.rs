//! The commands `rackweave rack …`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_api::local::Client;
use rackweave_api::router::{
    RUN_DIR, RackInitRequest, RackShowRequest, RackTable, Request, SERVICE, SOCKET,
};
use rackweave_daemon::output::{Failure, Output};
use rackweave_daemon::program;
use rackweave_daemon::table::Table;
use rackweave_types::{AzPrefix, RackNumber, RackPrefix};

/// What stands under the help of `rackweave rack`.
const EXAMPLES: &str = "\
Examples:
  rackweave rack init --az fd00:1122:3344::/48 --rack 01 --keys /root/keys
  rackweave rack show

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// Rack setup: which node of the rack has which prefix.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RackArgs {
    #[command(subcommand)]
    command: Command,
}

/// What is asked of the router of this node.
#[derive(Debug, Subcommand)]
enum Command {
    /// Begins the rack: gives every sled and switch a prefix (needs root). Run it on any one node of the rack.
    Init(InitArgs),
    /// Shows who of the rack has which prefix.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Where the router has its sockets.
    #[arg(long, value_name = "DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
    /// Writes the reply as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct InitArgs {
    #[command(flatten)]
    all: ShowArgs,
    /// The AZ's prefix.
    #[arg(long, value_name = "PREFIX/48")]
    az: AzPrefix,
    /// The rack's number: two hexadecimal digits.
    #[arg(long, value_name = "NUMBER")]
    rack: RackNumber,
    /// The directory with the rack's key: that of the AZ's keys, or the rack's own. Leave it out where messages are not
    /// signed.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

/// Does what the command line says.
#[must_use]
pub fn main(args: &RackArgs) -> ExitCode {
    let done = match &args.command {
        Command::Init(args) => init(args),
        Command::Show(args) => {
            let request = Request::RackShow(RackShowRequest {});
            ask(args, &request)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn init(args: &InitArgs) -> Result<(), Failure> {
    let keys = args.keys.as_deref().map(std::path::absolute).transpose();
    let keys = keys.map_err(|error| {
        Failure::new("the directory of keys cannot be named").cause(error.to_string())
    })?;
    let request = RackInitRequest {
        rack: RackPrefix::new(args.az, args.rack),
        keys,
    };
    ask(&args.all, &Request::RackInit(request))
}

fn ask(args: &ShowArgs, request: &Request) -> Result<(), Failure> {
    let asking = |error| Failure::asking(SERVICE, error);
    let socket = args.run_dir.join(SOCKET);
    let mut client = Client::connect(&socket, SERVICE, &program()).map_err(asking)?;
    let table: RackTable = client.ask(request).map_err(asking)?;
    Output::new(args.json).show(&table, render)
}

/// The table for people.
fn render(rack: &RackTable, bold: bool) -> String {
    let mut table = Table::new(&["NODE", "ROLE", "PREFIX", "HARDWARE", "KEEPS", "SIGNED"]);
    let word = |yes: bool| if yes { "yes" } else { "" }.to_owned();
    for node in &rack.nodes {
        table.row(vec![
            node.identity.clone(),
            node.role.to_string(),
            node.prefix.to_string(),
            node.hardware.to_string(),
            word(node.keeper),
            word(node.signed),
        ]);
    }
    let nodes = rack.nodes.len();
    let head = format!(
        "rack {}, version {}, {nodes} nodes\n",
        rack.rack, rack.version
    );
    head + &table.render(bold)
}
