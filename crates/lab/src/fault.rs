//! What can be wrong with a link, and what a person can do to it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::topology::Link;

/// How a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// Both ends have lost their carrier.
    pub down: bool,
    /// What becomes of frames that come in at the first end and of those that come in at the second.
    pub ways: [Way; 2],
}

/// What becomes of the frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Way {
    /// All vanish, and nobody is told.
    pub silent: bool,
    /// So many of a million vanish.
    pub loss_ppm: u32,
    /// They arrive so much later, in microseconds.
    pub delay_us: u32,
    /// Each arrives later by something up to this besides, drawn for it alone, in microseconds: frames overtake others.
    pub jitter_us: u32,
}

/// What a person does to links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both ends lose their carrier, as when the cable is pulled.
    Down,
    /// Frames vanish, and the carrier stays.
    Silent,
    /// Frames come later by so much, and each by something up to this besides.
    Delay(Delay, Delay),
    /// Some frames vanish.
    Loss(Loss),
    /// The link is as new.
    Heal,
}

impl Condition {
    /// How the link is after `fault`, done to the frames that come in at the end `from`, or at either end.
    #[must_use]
    pub fn after(mut self, fault: Fault, from: Option<usize>) -> Self {
        match fault {
            Fault::Heal => return Self::default(),
            Fault::Down => self.down = true,
            Fault::Silent | Fault::Delay(..) | Fault::Loss(_) => {}
        }
        for (end, way) in self.ways.iter_mut().enumerate() {
            if from.is_some_and(|from| from != end) {
                continue;
            }
            match fault {
                Fault::Silent => way.silent = true,
                Fault::Delay(Delay(us), Delay(jitter)) => {
                    way.delay_us = us;
                    way.jitter_us = jitter;
                }
                Fault::Loss(Loss(ppm)) => way.loss_ppm = ppm,
                Fault::Down | Fault::Heal => {}
            }
        }
        self
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The condition in words, for the link's two directions.
    #[must_use]
    pub fn describe(&self, link: &Link) -> String {
        if self.down {
            return "down".into();
        }
        let [first, second] = &self.ways;
        if first == second {
            return first.to_string();
        }
        let named = |way: &Way, from: usize| format!("from {}: {way}", link.ends[from].node);
        [named(first, 0), named(second, 1)].join("; ")
    }
}

impl Way {
    /// Whether frames come later.
    #[must_use]
    pub const fn is_delayed(&self) -> bool {
        self.delay_us > 0 || self.jitter_us > 0
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.silent {
            words.push("silent".to_owned());
        }
        if self.delay_us > 0 {
            words.push(format!("delay {}", Delay(self.delay_us)));
        }
        if self.jitter_us > 0 {
            words.push(format!("jitter {}", Delay(self.jitter_us)));
        }
        if self.loss_ppm > 0 {
            words.push(format!("loss {}", Loss(self.loss_ppm)));
        }
        if words.is_empty() {
            words.push("up".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

/// How much later frames come: microseconds. Written as `5ms` or `250us`; at most ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub u32);

/// How many of a million frames vanish. Written as `10%` or `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss(pub u32);

/// The text is no delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delay is written as 250us, 5ms or 1s, and is ten seconds at most")]
pub struct DelayError;

/// The text is no loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a loss is written as 10% or 0.5%, from 0% to 100%")]
pub struct LossError;

impl FromStr for Delay {
    type Err = DelayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const UNITS: [(&str, u32); 3] = [("us", 1), ("ms", 1_000), ("s", 1_000_000)];
        let unit = UNITS
            .iter()
            .find_map(|(unit, us)| Some((text.strip_suffix(unit)?, us)));
        let (number, us) = unit.ok_or(DelayError)?;
        let number: u32 = number.parse().map_err(|_| DelayError)?;
        number
            .checked_mul(*us)
            .filter(|us| *us <= 10_000_000)
            .map(Self)
            .ok_or(DelayError)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_micros(self.0.into()))
    }
}

impl FromStr for Loss {
    type Err = LossError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DIGITS: usize = 4;
        let number = text.strip_suffix('%').ok_or(LossError)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > DIGITS || !number.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(LossError);
        }
        let digits = format!("{whole}{fraction:0<DIGITS$}");
        let ppm: u32 = digits.parse().map_err(|_| LossError)?;
        Some(Self(ppm))
            .filter(|loss| loss.0 <= 1_000_000)
            .ok_or(LossError)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_and_losses_are_read() {
        for (text, us) in [
            ("5ms", 5_000),
            ("250us", 250),
            ("1s", 1_000_000),
            ("0ms", 0),
        ] {
            assert_eq!(text.parse(), Ok(Delay(us)), "{text}");
        }
        for text in ["5", "ms", "-5ms", "11s", "5 ms", "99999999999us"] {
            assert_eq!(text.parse::<Delay>(), Err(DelayError), "{text}");
        }
        for (text, ppm) in [
            ("10%", 100_000),
            ("0.5%", 5_000),
            ("100%", 1_000_000),
            ("0%", 0),
        ] {
            assert_eq!(text.parse(), Ok(Loss(ppm)), "{text}");
        }
        for text in ["10", "%", "101%", "-1%", "+1%", ".5%", "0.00001%"] {
            assert_eq!(text.parse::<Loss>(), Err(LossError), "{text}");
        }
        assert_eq!(Loss(5_000).to_string(), "0.5%");
        assert_eq!(Delay(5_000).to_string(), "5ms");
    }

    #[test]
    fn faults_add_up_and_healing_takes_all_away() {
        let slow = Condition::default().after(Fault::Delay(Delay(5_000), Delay(0)), Some(0));
        let both = slow.after(Fault::Loss(Loss(100_000)), None);
        assert_eq!(both.ways[0].to_string(), "delay 5ms, loss 10%");
        assert_eq!(both.ways[1].to_string(), "loss 10%");
        let down = both.after(Fault::Down, None);
        assert!(down.down && down.ways == both.ways);
        assert!(down.after(Fault::Heal, None).is_whole());
        let silent = Condition::default().after(Fault::Silent, Some(1));
        assert_eq!([false, true], silent.ways.map(|way| way.silent));
    }
}
