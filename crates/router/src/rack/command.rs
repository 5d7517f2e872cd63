//! The commands `rackweave rack …`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_api::router::{
    RUN_DIR, RackInitRequest, RackReplaceRequest, RackShowRequest, RackTable, Request, SERVICE,
    SOCKET,
};
use rackweave_daemon::ask;
use rackweave_daemon::output::Failure;
use rackweave_daemon::table::Table;
use rackweave_types::{AzPrefix, RackNumber, RackPrefix};

/// What stands under the help of `rackweave rack`.
const EXAMPLES: &str = "\
Examples:
  rackweave rack init --az fd00:1122:3344::/48 --rack 01 --keys /root/keys
  rackweave rack show
  rackweave rack replace-keeper BRM-2 --keys /root/keys

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
    /// Has another node keep the rack's table in the place of one that is dead or leaves (needs root). Two of the three
    /// keepers have to run.
    ReplaceKeeper(ReplaceArgs),
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

#[derive(Debug, Args)]
struct ReplaceArgs {
    #[command(flatten)]
    all: ShowArgs,
    /// The keeper that is to be none: its identity, as `rackweave rack show` lists it.
    keeper: String,
    /// Who keeps the table then; the node with the lowest number that answers where nothing is said.
    #[arg(long, value_name = "NODE")]
    next: Option<String>,
    /// The directory with the rack's key: that of the AZ's keys, or the rack's own. A keeper of the table has the key
    /// already, and needs none here.
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
        Command::ReplaceKeeper(args) => replace(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn init(args: &InitArgs) -> Result<(), Failure> {
    let request = RackInitRequest {
        rack: RackPrefix::new(args.az, args.rack),
        keys: named(args.keys.as_deref())?,
    };
    ask(&args.all, &Request::RackInit(request))
}

fn replace(args: &ReplaceArgs) -> Result<(), Failure> {
    let request = RackReplaceRequest {
        keeper: args.keeper.clone(),
        next: args.next.clone(),
        keys: named(args.keys.as_deref())?,
    };
    ask(&args.all, &Request::RackReplace(request))
}

/// The directory of keys as the router, which works elsewhere, finds it.
fn named(keys: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let keys = keys.map(std::path::absolute).transpose();
    keys.map_err(|error| {
        Failure::new("the directory of keys cannot be named").cause(error.to_string())
    })
}

fn ask(args: &ShowArgs, request: &Request) -> Result<(), Failure> {
    let socket = args.run_dir.join(SOCKET);
    ask::show(&socket, SERVICE, request, args.json, render)
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
