//! Sets of prefixes.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Prefixes inside of one, of some lengths: `10.0.0.0/8`, `10.0.0.0/8 le 24`, `10.0.0.0/8 ge 16 le 24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrefixRange {
    /// What they are inside of.
    pub net: IpNet,
    /// The shortest length.
    pub least: u8,
    /// The longest length.
    pub most: u8,
}

/// Why a text is no range of prefixes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePrefixRangeError {
    /// It has another form.
    #[error(
        "prefixes are written 10.0.0.0/8, 10.0.0.0/8 le 24, 10.0.0.0/8 ge 16 or 10.0.0.0/8 ge 16 le 24"
    )]
    Form,
    /// The prefix has bits behind its length.
    #[error("the prefix {given} has bits behind its length: {meant} is what it means")]
    Bits {
        /// What stands there.
        given: IpNet,
        /// What it means.
        meant: IpNet,
    },
    /// The lengths are not in order.
    #[error("the lengths are not in order: prefix, `ge`, `le`, and at most the address' own")]
    Lengths,
}

impl PrefixRange {
    fn has(&self, prefix: IpNet) -> bool {
        let len = prefix.prefix_len();
        (self.least..=self.most).contains(&len) && self.net.contains(&prefix)
    }
}

impl FromStr for PrefixRange {
    type Err = ParsePrefixRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let net: Option<IpNet> = words.next().and_then(|word| word.parse().ok());
        let given = net.ok_or(ParsePrefixRangeError::Form)?;
        if given.trunc() != given {
            let meant = given.trunc();
            return Err(ParsePrefixRangeError::Bits { given, meant });
        }
        let (mut least, mut most) = (None, None);
        while let Some(word) = words.next() {
            let place = match word {
                "ge" if least.is_none() && most.is_none() => &mut least,
                "le" if most.is_none() => &mut most,
                _ => return Err(ParsePrefixRangeError::Form),
            };
            let number = words.next().and_then(|word| word.parse::<u8>().ok());
            *place = Some(number.ok_or(ParsePrefixRangeError::Form)?);
        }
        let own = given.prefix_len();
        let range = Self {
            net: given,
            least: least.unwrap_or(own),
            most: most.unwrap_or(if least.is_some() {
                given.max_prefix_len()
            } else {
                own
            }),
        };
        let in_order =
            own <= range.least && range.least <= range.most && range.most <= given.max_prefix_len();
        in_order
            .then_some(range)
            .ok_or(ParsePrefixRangeError::Lengths)
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net.fmt(f)?;
        let own = self.net.prefix_len();
        if self.least != own {
            write!(f, " ge {}", self.least)?;
        }
        if self.most != own {
            write!(f, " le {}", self.most)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for PrefixRange {
    type Error = ParsePrefixRangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PrefixRange> for String {
    fn from(range: PrefixRange) -> Self {
        range.to_string()
    }
}

/// A set of prefixes. Looking one up costs a search for each length that its ranges have, not for each range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<PrefixRange>", into = "Vec<PrefixRange>")]
pub struct PrefixList {
    /// As they were given.
    given: Vec<PrefixRange>,
    /// Ranges in the order of what they are inside of, by family and length of that.
    by_length: Vec<(bool, u8, Vec<PrefixRange>)>,
}

impl PrefixList {
    /// Whether the prefix is in it.
    #[must_use]
    pub fn has(&self, prefix: IpNet) -> bool {
        let is_six = matches!(prefix, IpNet::V6(_));
        let len = prefix.prefix_len();
        self.by_length.iter().any(|(six, own, ranges)| {
            if *six != is_six || *own > len {
                return false;
            }
            let Some(net) = shorten(prefix, *own) else {
                return false;
            };
            let first = ranges.partition_point(|range| range.net < net);
            let same = ranges[first..].iter().take_while(|range| range.net == net);
            same.into_iter().any(|range| range.has(prefix))
        })
    }

    /// Its ranges, as they were given.
    #[must_use]
    pub fn ranges(&self) -> &[PrefixRange] {
        &self.given
    }
}

fn shorten(prefix: IpNet, len: u8) -> Option<IpNet> {
    IpNet::new(prefix.addr(), len).ok().map(|net| net.trunc())
}

impl From<Vec<PrefixRange>> for PrefixList {
    fn from(given: Vec<PrefixRange>) -> Self {
        let mut sorted = given.clone();
        sorted.sort_unstable();
        let mut by_length: Vec<(bool, u8, Vec<PrefixRange>)> = Vec::new();
        for range in sorted {
            let (is_six, len) = (matches!(range.net, IpNet::V6(_)), range.net.prefix_len());
            match by_length
                .iter_mut()
                .find(|(six, own, _)| (*six, *own) == (is_six, len))
            {
                Some((_, _, ranges)) => ranges.push(range),
                None => by_length.push((is_six, len, vec![range])),
            }
        }
        Self { given, by_length }
    }
}

impl From<PrefixList> for Vec<PrefixRange> {
    fn from(list: PrefixList) -> Self {
        list.given
    }
}
