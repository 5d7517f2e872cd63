//! Measures the management network for `cargo xtask figures management`: one figure, one JSON object a line.
//!
//! Times are those of a whole lab in network namespaces; what is counted over all cases is counted in the model of the
//! chips, frame by frame.

mod cables;
mod figure;
mod isolation;
mod live;
mod world;

use anyhow::{Context, Result, bail};
use rackweave_mgmt::rack::Rack;
use rackweave_rig::Management;
use rackweave_rig::figures::{Args, print, program};

use figure::{FIGURES, Figure};

/// What measuring has at hand.
#[derive(Debug)]
struct Bench {
    /// A lab of 36 units.
    lab: Management,
    /// How many runs make a median.
    runs: usize,
    args: Args,
}

fn main() -> Result<()> {
    let args = Args::read(|_, _| Ok(false))?;
    let wanted = || FIGURES.iter().filter(|figure| args.wants(figure.name));
    if args.list {
        for figure in wanted() {
            print(&figure.known());
        }
        return Ok(());
    }
    let labs = wanted().any(Figure::needs_lab);
    if labs && !rackweave_rig::may_run("management figures") {
        bail!("a lab is made of network namespaces: run this as root");
    }
    let mut bench = None;
    for figure in wanted() {
        let value = measure(figure, &args, &mut bench);
        print(&figure.row(&value, args.quick));
    }
    Ok(())
}

fn measure(
    figure: &Figure,
    args: &Args,
    bench: &mut Option<Bench>,
) -> Result<rackweave_rig::figures::Value> {
    if !args.has_time() {
        bail!("no time left");
    }
    if figure.needs_lab() && bench.is_none() {
        *bench = Some(Bench {
            lab: Management::start(&program()?, &[])?,
            runs: if args.quick { 2 } else { 10 },
            args: args.clone(),
        });
    }
    figure.measure(bench.as_ref())
}

/// The rack that is measured.
fn rack() -> Result<Rack> {
    let text = include_str!("../../../../../dist/racks/rack-1.toml");
    let description = toml::from_str(text).context("the rack's description")?;
    Rack::check(&description).map_err(|faults| anyhow::anyhow!("the rack is not sound: {faults:?}"))
}
