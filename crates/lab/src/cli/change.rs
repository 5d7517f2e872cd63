//! Commands that change a lab.

use clap::Args;
use rackweave_daemon::output::{Failure, write_all, written};

use super::{Named, failure};
use crate::fault::{Delay, Fault, Loss};
use crate::lab;
use crate::place::Place;

/// Arguments of `lab fail`.
#[derive(Debug, Args)]
pub(super) struct FailArgs {
    #[command(flatten)]
    at: At,
    /// Frames vanish and the carrier stays
    #[arg(long)]
    silent: bool,
}

/// Arguments of `lab heal`.
#[derive(Debug, Args)]
pub(super) struct HealArgs {
    #[command(flatten)]
    lab: Named,
    /// The link, the node whose links are meant, or `all`
    #[arg(value_name = "LINK")]
    target: String,
}

/// Arguments of `lab delay`.
#[derive(Debug, Args)]
pub(super) struct DelayArgs {
    #[command(flatten)]
    at: At,
    /// How much later, in each direction: 5ms, 250us; 0ms for no more
    delay: Delay,
    /// How much later each frame at most besides, drawn for each, so that frames overtake others
    #[arg(long, value_name = "DELAY", default_value = "0ms")]
    jitter: Delay,
}

/// Arguments of `lab lossy`.
#[derive(Debug, Args)]
pub(super) struct LossyArgs {
    #[command(flatten)]
    at: At,
    /// How many, in each direction: 10%, 0.5%; 0% for none
    loss: Loss,
}

/// Arguments of `lab swap`.
#[derive(Debug, Args)]
pub(super) struct SwapArgs {
    #[command(flatten)]
    lab: Named,
    /// The two cables: of one switch (c05-1 c06-1), or of one unit (c05-1 c05-2)
    #[arg(value_name = "CABLE", num_args = 2, required = true)]
    cables: Vec<String>,
}

/// Links of a lab.
#[derive(Debug, Args)]
struct At {
    #[command(flatten)]
    lab: Named,
    /// The link, or the node whose links are meant
    #[arg(value_name = "LINK")]
    target: String,
    /// The frames that this node sends alone
    #[arg(long, value_name = "NODE")]
    from: Option<String>,
}

/// A node of a lab.
#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    #[command(flatten)]
    lab: Named,
    /// The node
    node: String,
}

/// Arguments of `lab kill`.
#[derive(Debug, Args)]
pub(super) struct KillArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Whatever else runs in the node, too
    #[arg(long)]
    all: bool,
}

/// Arguments of `lab down`.
#[derive(Debug, Args)]
pub(super) struct DownArgs {
    #[command(flatten)]
    lab: Named,
    /// All labs of this machine
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

pub(super) fn fail(args: &FailArgs) -> Result<(), Failure> {
    if args.silent {
        return apply(&args.at, Fault::Silent);
    }
    if args.at.from.is_some() {
        let failure = Failure::new("a link is down at both ends");
        return Err(failure.next("with --from goes --silent"));
    }
    apply(&args.at, Fault::Down)
}

pub(super) fn heal(args: &HealArgs) -> Result<(), Failure> {
    lab::fault(&args.lab.place(), &args.target, None, Fault::Heal).map_err(failure)
}

pub(super) fn delay(args: &DelayArgs) -> Result<(), Failure> {
    apply(&args.at, Fault::Delay(args.delay, args.jitter))
}

pub(super) fn lossy(args: &LossyArgs) -> Result<(), Failure> {
    apply(&args.at, Fault::Loss(args.loss))
}

pub(super) fn swap(args: &SwapArgs) -> Result<(), Failure> {
    let [one, other] = args.cables.as_slice() else {
        return Err(Failure::new("two cables are swapped"));
    };
    lab::swap(&args.lab.place(), [one, other]).map_err(failure)
}

fn apply(at: &At, fault: Fault) -> Result<(), Failure> {
    lab::fault(&at.lab.place(), &at.target, at.from.as_deref(), fault).map_err(failure)
}

pub(super) fn kill(args: &KillArgs) -> Result<(), Failure> {
    let NodeArgs { lab, node } = &args.node;
    lab::kill(&lab.place(), node, args.all).map_err(failure)
}

pub(super) fn start(args: &NodeArgs) -> Result<(), Failure> {
    lab::start(&args.lab.place(), &args.node).map_err(failure)
}

pub(super) fn down(args: &DownArgs) -> Result<(), Failure> {
    let labs = if args.all {
        Place::all()
    } else {
        vec![args.lab.name.clone()]
    };
    for name in labs {
        lab::down(&Place::of(&name)).map_err(failure)?;
        written(write_all(format!("{name} is gone\n").as_bytes()))?;
    }
    Ok(())
}
