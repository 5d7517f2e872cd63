//! Which links are of the fabric, by name.

use rackweave_linux::netlink::Link;
use serde::Deserialize;

/// Loopback is never of the fabric.
const LOOPBACK: &str = "lo";

/// The longest name of a link (`IFNAMSIZ` without its end).
const NAME_LEN: usize = 15;

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It could match no link.
    #[error(
        "`{pattern}` is no pattern for links: give a name such as `eth0`, with `*` and `?` as wildcards, `!` before it to leave links out"
    )]
    Malformed {
        /// The pattern.
        pattern: String,
    },
}

/// Patterns for the names of links: `*` stands for any characters, `?` for one. A link is of the fabric where one of
/// them matches and none of those that begin with `!` does. With none at all, or only such with `!`, every link is that
/// stands for hardware. Loopback never is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Patterns {
    with: Vec<String>,
    without: Vec<String>,
}

impl TryFrom<Vec<String>> for Patterns {
    type Error = PatternError;

    fn try_from(patterns: Vec<String>) -> Result<Self, PatternError> {
        let mut all = Self::default();
        for pattern in patterns {
            let (name, side) = match pattern.strip_prefix('!') {
                Some(name) => (name, &mut all.without),
                None => (pattern.as_str(), &mut all.with),
            };
            let odd = |c: char| c == '/' || c == '!' || c.is_whitespace() || c.is_control();
            let fixed = name.chars().filter(|c| *c != '*').count();
            if name.is_empty() || fixed > NAME_LEN || name.contains(odd) {
                return Err(PatternError::Malformed { pattern });
            }
            side.push(name.to_owned());
        }
        Ok(all)
    }
}

impl Patterns {
    /// Whether the link is of the fabric.
    #[must_use]
    pub fn match_link(&self, link: &Link) -> bool {
        let by = |patterns: &[String]| {
            let name = link.name.as_bytes();
            patterns.iter().any(|it| matches(it.as_bytes(), name))
        };
        let with = if self.with.is_empty() {
            link.hardware
        } else {
            by(&self.with)
        };
        with && link.name != LOOPBACK && !by(&self.without)
    }
}

/// Whether a pattern matches a name as a whole.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([a, pattern @ ..], [b, name @ ..]) if a == b => matches(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(all: &[&str]) -> Result<Patterns, PatternError> {
        all.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .try_into()
    }

    fn link(name: &str, hardware: bool) -> Link {
        Link {
            index: 7,
            name: name.into(),
            mac: None,
            permanent: None,
            mtu: 1500,
            up: true,
            running: true,
            hardware,
        }
    }

    #[test]
    fn names_match_as_a_whole() {
        let fabric = patterns(&["swp*", "eth?", "up0", "!swp*s1"]).unwrap();
        for (name, expected) in [
            ("swp", true),
            ("swp12", true),
            ("swp3s1", false),
            ("aswp1", false),
            ("eth0", true),
            ("eth", false),
            ("eth10", false),
            ("up0", true),
            ("up01", false),
        ] {
            assert_eq!(fabric.match_link(&link(name, false)), expected, "{name}");
        }
    }

    #[test]
    fn without_patterns_hardware_is_of_the_fabric() {
        for (fabric, odd) in [(patterns(&[]), true), (patterns(&["!eth9"]), false)] {
            let fabric = fabric.unwrap();
            assert!(fabric.match_link(&link("eth0", true)));
            assert!(!fabric.match_link(&link("veth0", false)));
            assert_eq!(fabric.match_link(&link("eth9", true)), odd);
        }
    }

    #[test]
    fn loopback_never_is() {
        let all = patterns(&["*"]).unwrap();
        assert!(all.match_link(&link("l", false)));
        assert!(!all.match_link(&link("lo", false)));
    }

    #[test]
    fn what_can_match_nothing_is_refused() {
        for odd in ["", "!", "a/b", "a b", "!!a", "sixteen-letters-"] {
            let error = patterns(&["eth0", odd]).unwrap_err();
            assert!(error.to_string().contains(&format!("`{odd}`")), "{error}");
        }
    }
}
