//! `cargo xtask figures AREA`: what an area measures, beside what a user would pick instead.
//!
//! An area is one program of the workspace that measures. Its side of the contract:
//!
//! - `--list` prints each figure it knows as one JSON object a line: `figure`, `unit`, `about`.
//! - Otherwise it measures, and prints each result as soon as it has it, one JSON object a line (a
//!   [`Row`]). What it wants to say meanwhile goes to stderr.
//! - `--only NAME…` measures these alone. `--quick` makes the same measurements shorter (their rows
//!   carry a `scale`), and `--seconds N` comes with it: after so many seconds it should be done.
//!
//! This side builds the program before its time counts, checks names against the list, ends the
//! program when it outstays its time or on Ctrl-C, and prints a row with `value: null` and the
//! cause for every figure that was asked for and did not come.

mod area;
mod page;
mod row;
mod table;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;

use self::area::{Area, Known};
use self::row::Row;
use crate::child::{Ending, INTERRUPTED, Interrupt};
use crate::workspace;

/// What `--quick` may take in all on a built tree, with cargo's own start.
const QUICK: Duration = Duration::from_secs(50);
/// Of that, the seconds that the program is told…
const QUICK_TOLD_SECONDS: u64 = 42;
/// …and when it is ended.
const QUICK_KILLED: Duration = Duration::from_secs(47);

/// Arguments of `cargo xtask figures`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The area to measure
    #[arg(value_parser = PossibleValuesParser::new(area::names()))]
    area: String,
    /// The same measurements made shorter, within 50 seconds on a built tree
    #[arg(long)]
    quick: bool,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
    /// Measure these figures alone
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Name the area's figures and measure nothing
    #[arg(long, conflicts_with_all = ["quick", "only", "write"])]
    list: bool,
    /// Put the result into docs/benchmarks.md under this date, such as 2026-11-21
    #[arg(long, value_name = "DATE", conflicts_with = "only")]
    write: Option<String>,
}

/// Measures, shows, and writes the page where that is wanted.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let area = area::named(&args.area).context("the area is not known")?;
    eprintln!("{}: building", area.name);
    if area.build(&interrupt)? == Ending::Interrupted {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let known = area.list(&interrupt)?;
    if args.list {
        for figure in &known {
            if args.json {
                println!("{}", serde_json::to_string(figure)?);
            } else {
                println!("{:<32} {:<12} {}", figure.figure, figure.unit, figure.about);
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = wanted(&known, &args.only, area)?;
    let mut rows = Vec::new();
    let ending = area.measure(args.quick, &wanted, &interrupt, |row| {
        if args.json {
            println!("{}", serde_json::to_string(&row)?);
        }
        rows.push(row);
        Ok(())
    })?;
    for row in missing(&wanted, &rows, &ending) {
        if args.json {
            println!("{}", serde_json::to_string(&row)?);
        }
        rows.push(row);
    }
    if !args.json {
        print!("{}", table::plain(&rows));
    }
    if let Some(date) = &args.write {
        write(area, date, args.quick, &rows)?;
    }
    Ok(match ending {
        Ending::Exited(status) if !status.success() => ExitCode::FAILURE,
        Ending::Exited(_) | Ending::OutOfTime => ExitCode::SUCCESS,
        Ending::Interrupted => ExitCode::from(INTERRUPTED),
    })
}

fn wanted<'a>(known: &'a [Known], only: &[String], area: &Area) -> Result<Vec<&'a Known>> {
    for name in only {
        if !known.iter().any(|figure| figure.figure == *name) {
            let names: Vec<_> = known.iter().map(|figure| figure.figure.as_str()).collect();
            bail!(
                "`{}` has no figure `{name}`; it has {}",
                area.name,
                names.join(", ")
            );
        }
    }
    Ok(known
        .iter()
        .filter(|figure| only.is_empty() || only.contains(&figure.figure))
        .collect())
}

/// A row for each figure that was asked for and did not come.
fn missing(wanted: &[&Known], rows: &[Row], ending: &Ending) -> Vec<Row> {
    let why = match ending {
        Ending::Exited(status) if status.success() => "the program ended without it".to_owned(),
        Ending::Exited(status) => format!("the program failed before it ({status})"),
        Ending::OutOfTime => format!("not measured within the {} s of --quick", QUICK.as_secs()),
        Ending::Interrupted => "interrupted".to_owned(),
    };
    let came = |known: &&&Known| rows.iter().any(|row| row.figure == known.figure);
    wanted
        .iter()
        .filter(|known| !came(known))
        .map(|known| Row::without(known, &why))
        .collect()
}

fn write(area: &Area, date: &str, quick: bool, rows: &[Row]) -> Result<()> {
    let path = workspace::root().join(page::PATH);
    let before =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", page::PATH))?;
    let section = page::section(area, &page::Run::here(date, quick)?, rows);
    let after = page::replace(&before, area.name, &section);
    fs::write(&path, after).with_context(|| format!("cannot write {}", page::PATH))?;
    eprintln!("{}: wrote {}", area.name, page::PATH);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn known(name: &str) -> Known {
        Known {
            figure: name.to_owned(),
            unit: "ns".to_owned(),
            about: "a test".to_owned(),
        }
    }

    #[test]
    fn an_unknown_figure_is_answered_with_the_known_ones() {
        let known = [known("hit_ns"), known("new_ns")];
        let area = area::named("engine").unwrap();
        let error = wanted(&known, &["mist_ns".to_owned()], area)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "`engine` has no figure `mist_ns`; it has hit_ns, new_ns"
        );
        assert_eq!(
            wanted(&known, &["new_ns".to_owned()], area).unwrap()[0].figure,
            "new_ns"
        );
        assert_eq!(wanted(&known, &[], area).unwrap().len(), 2);
    }

    #[test]
    fn what_did_not_come_says_why() {
        let known = [known("hit_ns"), known("new_ns")];
        let wanted: Vec<&Known> = known.iter().collect();
        let came = [Row::without(&known[0], "a stand-in")];
        let rows = missing(&wanted, &came, &Ending::OutOfTime);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].figure.as_str(), rows[0].value), ("new_ns", None));
        assert_eq!(
            rows[0].why.as_deref(),
            Some("not measured within the 50 s of --quick")
        );
        let failed = Ending::Exited(ExitStatus::from_raw(0x100));
        let why = missing(&wanted, &came, &failed)[0].why.clone().unwrap();
        assert!(why.contains("exit status: 1"), "{why}");
    }
}
