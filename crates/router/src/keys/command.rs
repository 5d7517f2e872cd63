//! The commands.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rackweave_daemon::output::{Failure, Output};
use rackweave_linux::clock;
use rackweave_trust::{Signed, Statement, UnixTime};
use rackweave_types::{AzPrefix, MacAddr, RackNumber, Role};
use serde::Serialize;

use super::file::FileError;
use super::show::{self, ShownCertificate, ShownNode};
use super::tree::{NewNode, Term, Tree, TreeError};

/// What stands under the help of `rackweave keys`.
const EXAMPLES: &str = "\
Examples:
  rackweave keys az --keys /root/keys --az fd00:1122:3344::/48
  rackweave keys rack --keys /root/keys --rack 01
  rackweave keys node --keys /root/keys --rack 01 --id sled-1 --mac a8:40:25:10:00:01 --role sled
  rackweave keys rotate --keys /root/keys --rack 01 --id sled-1
  rackweave keys show --keys /root/keys

The directory of a node (racks/01/nodes/sled-1) is all that the node is given; keep the rest where no node can read it.

Exit codes: 0 it worked, 1 it did not (standard error says why), 2 the command line is wrong.";

/// The tree of keys that nodes trust each other by: AZ root, racks, nodes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

/// What is made or shown.
#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the root key of an AZ.
    Az(AzArgs),
    /// Makes the key of a rack, stated by the AZ's root.
    Rack(RackArgs),
    /// Makes the key of a node, stated by its rack (a spine's by the AZ's root).
    Node(NodeArgs),
    /// Gives a node its next key in the place of the one it has.
    Rotate(RotateArgs),
    /// Shows all keys, who they are of, until when they hold, and what is wrong with them.
    Show(ShowArgs),
}

/// What all have.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The directory of the AZ's keys.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Writes what was made or found as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct AzArgs {
    #[command(flatten)]
    all: ShowArgs,
    /// The AZ's prefix.
    #[arg(long, value_name = "PREFIX/48")]
    az: AzPrefix,
    /// For how many days the key holds.
    #[arg(long, value_name = "DAYS", default_value_t = 7_300, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

#[derive(Debug, Args)]
struct RackArgs {
    #[command(flatten)]
    all: ShowArgs,
    /// The rack's number: two hexadecimal digits.
    #[arg(long, value_name = "NUMBER")]
    rack: RackNumber,
    /// For how many days the key holds.
    #[arg(long, value_name = "DAYS", default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

#[derive(Debug, Args)]
struct NodeArgs {
    #[command(flatten)]
    all: ShowArgs,
    /// The number of its rack: two hexadecimal digits; a spine has none.
    #[arg(long, value_name = "NUMBER")]
    rack: Option<RackNumber>,
    /// What the node is called: as its router has it (`--id`, else its serial number, else its least hardware address).
    #[arg(long = "id", value_name = "IDENTITY")]
    identity: String,
    /// Its least permanent hardware address, which its bootstrap prefix is made of.
    #[arg(long = "mac", value_name = "MAC")]
    hardware: MacAddr,
    /// What it does: sled, switch or spine.
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// For how many days the key holds.
    #[arg(long, value_name = "DAYS", default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

#[derive(Debug, Args)]
struct RotateArgs {
    #[command(flatten)]
    all: ShowArgs,
    /// The number of its rack: two hexadecimal digits; a spine has none.
    #[arg(long, value_name = "NUMBER")]
    rack: Option<RackNumber>,
    /// What the node is called.
    #[arg(long = "id", value_name = "IDENTITY")]
    identity: String,
    /// For how many days the next key holds.
    #[arg(long, value_name = "DAYS", default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

/// Does what the command line says.
#[must_use]
pub fn main(args: &KeysArgs) -> ExitCode {
    let done = match &args.command {
        Command::Az(args) => az(args),
        Command::Rack(args) => rack(args),
        Command::Node(args) => node(args),
        Command::Rotate(args) => rotate(args),
        Command::Show(args) => shown(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn term(days: u32) -> Term {
    Term {
        now: UnixTime(clock::unix_seconds()),
        days,
    }
}

/// Says what was not done and why.
fn failure(what: String, error: &TreeError) -> Failure {
    let mut cause = error.to_string();
    let mut deeper = match error {
        TreeError::File(error) => error.source(),
        other => other.source(),
    };
    while let Some(error) = deeper {
        cause = format!("{cause}: {error}");
        deeper = error.source();
    }
    let failure = Failure::new(what).cause(cause);
    match error {
        TreeError::File(FileError::Exists(_)) => failure
            .next("take another name or directory; a node gets its next key by `rackweave keys rotate`"),
        TreeError::File(FileError::Open { path, .. }) => {
            failure.next(format!("close it: `chmod 600 {}`", path.display()))
        }
        TreeError::File(FileError::Io { .. }) => failure.next(
            "see what is there: `rackweave keys show --keys DIR`; an AZ's root comes first (`keys az`), then racks (`keys rack`), then nodes (`keys node`)",
        ),
        TreeError::Identity { .. } | TreeError::Rack(_) => failure.next("`rackweave keys node --help` has an example"),
        _ => failure,
    }
}

/// What was made, for people: where, and until when.
fn made<T: Serialize>(
    args: &ShowArgs,
    made: &T,
    what: &str,
    path: &std::path::Path,
    until: UnixTime,
) -> Result<(), Failure> {
    let text = format!("{what} is in {} and holds until {until}\n", path.display());
    Output::new(args.json).show(made, |_, _| text)
}

fn until<T: Statement>(certificate: &Signed<T>) -> UnixTime {
    certificate.claims().validity().until
}

fn az(args: &AzArgs) -> Result<(), Failure> {
    let tree = Tree::new(&args.all.keys);
    let certificate = tree.make_az(args.az, term(args.days));
    let certificate = certificate.map_err(|error| {
        failure(
            format!("no root key was made for the AZ {}", args.az),
            &error,
        )
    })?;
    let (claims, path) = (certificate.claims(), tree.dir().to_owned());
    let shown = ShownCertificate::new(&certificate, claims.key, claims.serial, path, None);
    let what = format!("the root key of the AZ {}", args.az);
    made(&args.all, &shown, &what, tree.dir(), until(&certificate))
}

fn rack(args: &RackArgs) -> Result<(), Failure> {
    let tree = Tree::new(&args.all.keys);
    let certificate = tree.make_rack(args.rack, term(args.days));
    let certificate = certificate.map_err(|error| {
        failure(
            format!("no key was made for the rack {}", args.rack),
            &error,
        )
    })?;
    let (claims, path) = (certificate.claims(), tree.rack_dir(args.rack));
    let shown = ShownCertificate::new(&certificate, claims.key, claims.serial, path.clone(), None);
    let what = format!("the key of the rack {}", claims.rack);
    made(&args.all, &shown, &what, &path, until(&certificate))
}

fn node(args: &NodeArgs) -> Result<(), Failure> {
    let tree = Tree::new(&args.all.keys);
    let new = NewNode {
        identity: args.identity.clone(),
        hardware: args.hardware,
        role: args.role,
        rack: args.rack,
    };
    let certificate = tree.make_node(&new, term(args.days));
    let certificate = certificate
        .map_err(|error| failure(format!("no key was made for {}", args.identity), &error))?;
    let path = tree.node_dir(args.rack, &args.identity);
    let shown = ShownNode::new(&certificate, path.clone(), None);
    let what = format!("the key of the {} {}", args.role, args.identity);
    made(&args.all, &shown, &what, &path, until(&certificate))
}

fn rotate(args: &RotateArgs) -> Result<(), Failure> {
    let tree = Tree::new(&args.all.keys);
    let certificate = tree.rotate(args.rack, &args.identity, term(args.days));
    let certificate = certificate
        .map_err(|error| failure(format!("{} keeps the key it has", args.identity), &error))?;
    let path = tree.node_dir(args.rack, &args.identity);
    let shown = ShownNode::new(&certificate, path.clone(), None);
    let what = format!(
        "the next key of {} (its router takes it on SIGHUP, and loses no session)",
        args.identity
    );
    made(&args.all, &shown, &what, &path, until(&certificate))
}

fn shown(args: &ShowArgs) -> Result<(), Failure> {
    let tree = Tree::new(&args.keys);
    let shown = show::read(&tree, UnixTime(clock::unix_seconds()));
    let shown = shown.map_err(|error| {
        let what = format!("cannot show the keys in {}", args.keys.display());
        failure(what, &TreeError::File(error))
    })?;
    Output::new(args.json).show(&shown, show::render)
}
