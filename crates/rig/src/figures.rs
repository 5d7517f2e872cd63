//! What programs that measure for `cargo xtask figures` have in common: their command line, their rows, medians.
//!
//! `--list` names the figures, `--only` picks some, `--quick` makes the same measurements shorter and `--seconds` says
//! after how many seconds the rest is left out.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value as Json, json};

use crate::clock;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Whether figures are to be named and none measured.
    pub list: bool,
    /// Whether measurements are made shorter.
    pub quick: bool,
    /// When it should be done.
    pub until: Option<Instant>,
    /// The figures that are wanted; all, where none is named.
    pub only: Vec<String>,
}

impl Args {
    /// Reads the command line; `more` is given each option that is not one of all figures, with what follows it, and
    /// says whether it knows it.
    ///
    /// # Errors
    /// An argument that nobody knows.
    pub fn read(mut more: impl FnMut(&str, Option<String>) -> Result<bool>) -> Result<Self> {
        let mut args = Self::default();
        let mut words = std::env::args().skip(1).peekable();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => args.list = true,
                "--quick" => args.quick = true,
                "--seconds" => {
                    let seconds = words.next().context("--seconds N")?.parse()?;
                    args.until = Some(clock::now() + Duration::from_secs(seconds));
                }
                "--only" => {
                    while let Some(name) = words.next_if(|word| !word.starts_with("--")) {
                        args.only.push(name);
                    }
                }
                other => {
                    if !more(other, words.next())? {
                        bail!("unknown argument {other}");
                    }
                }
            }
        }
        Ok(args)
    }

    /// Whether a figure is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Whether there is time for another run.
    pub fn has_time(&self) -> bool {
        self.until.is_none_or(|until| clock::now() < until)
    }
}

/// What was measured: a number, and how it came about.
#[derive(Clone, Debug)]
pub struct Value {
    /// The number, in the figure's unit.
    pub number: f64,
    /// How it came about.
    pub note: String,
}

/// A figure's line for `--list`.
#[must_use]
pub fn known(figure: &str, unit: &str, about: &str) -> Json {
    json!({ "figure": figure, "unit": unit, "about": about })
}

/// A figure's line once it was measured, or was not.
#[must_use]
pub fn row(figure: &str, unit: &str, value: &Result<Value>, quick: bool) -> Json {
    let mut row = json!({ "figure": figure, "unit": unit, "value": null });
    match value {
        Ok(value) => {
            row["value"] = json!(value.number);
            let quick = if quick { "quick: " } else { "" };
            row["scale"] = json!(format!("{quick}{}", value.note));
        }
        Err(error) => row["why"] = json!(format!("{error:#}")),
    }
    row
}

/// The middle of some numbers.
///
/// # Errors
/// Where there is none.
pub fn median(numbers: &mut [f64]) -> Result<f64> {
    ensure!(!numbers.is_empty(), "no run was made");
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let odd = numbers.len() % 2 == 1;
    Ok(if odd {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    })
}

/// A median, with how many runs made it and their extremes.
///
/// # Errors
/// Where there was no run.
pub fn median_of(what: &str, mut numbers: Vec<f64>) -> Result<Value> {
    let number = median(&mut numbers)?;
    let (least, most) = (numbers[0], numbers[numbers.len() - 1]);
    let note = format!("{what}{} runs, {least:.2} to {most:.2}", numbers.len());
    Ok(Value { number, note })
}

/// The program that is measured: built beside this one.
///
/// # Errors
/// Where it is not there.
pub fn program() -> Result<String> {
    let program = std::env::current_exe()?.with_file_name("rackweave");
    if !program.exists() {
        bail!(
            "{} is not there: cargo build --release -p rackweave",
            program.display()
        );
    }
    Ok(program.display().to_string())
}

/// Now.
#[must_use]
pub fn now() -> Instant {
    clock::now()
}

/// Lets real time pass: between a fault and its end.
pub fn pause(duration: Duration) {
    clock::pause(duration);
}

/// Tells `cargo xtask figures` a line.
#[expect(
    clippy::print_stdout,
    reason = "the one place that talks to `cargo xtask figures`"
)]
pub fn print(line: &Json) {
    println!("{line}");
}

/// Tells who waits how far it is.
#[expect(clippy::print_stderr, reason = "standard error is for people")]
pub fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_of_sorted_numbers() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]).unwrap().to_string(), "2");
        assert_eq!(median(&mut [4.0, 1.0]).unwrap().to_string(), "2.5");
        assert!(median(&mut []).is_err());
    }

    #[test]
    fn rows_say_what_xtask_reads() {
        let measured = row("f", "ms", &median_of("", vec![5.0]), true);
        assert_eq!(measured["value"], 5.0);
        assert_eq!(measured["scale"], "quick: 1 runs, 5.00 to 5.00");
        let missing = row("f", "ms", &Err(anyhow::anyhow!("no time left")), false);
        assert_eq!(
            (&missing["value"], &missing["why"]),
            (&Json::Null, &json!("no time left"))
        );
    }
}
