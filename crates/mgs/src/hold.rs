//! Whether the gateway's own switch may be used. One that was replaced or cabled anew is held until both gateways find
//! nothing wrong, or until an operator says by name that it is to be used in spite of that.

use rackweave_api::mgs::Overridden;
use rackweave_mgmt::cabling::Finding;
use rackweave_mgmt::port::Position;
use serde::{Deserialize, Serialize};

/// What is known of the own switch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The serial number of the switch that was in its place when nothing was wrong last.
    verified: Option<String>,
    /// Why it is held.
    reasons: Vec<String>,
    /// Who said that it is to be used in spite of what.
    overridden: Option<Overridden>,
}

/// What is found of the switch now.
#[derive(Clone, Debug)]
pub struct Finds<'f> {
    /// Where it is.
    pub position: Position,
    /// Its serial number, if it says it.
    pub serial: Option<&'f str>,
    /// What is wrong; `None` while only one gateway's view is known.
    pub findings: Option<&'f [Finding]>,
    /// Whether the other gateway finds nothing wrong either.
    pub peer_is_clean: bool,
}

impl Hold {
    /// Takes in what is found now; whether anything changed.
    pub fn find(&mut self, finds: &Finds<'_>) -> bool {
        let before = self.clone();
        let clean = finds.findings.is_some_and(<[Finding]>::is_empty) && finds.peer_is_clean;
        if let Some(serial) = finds.serial.filter(|_| clean) {
            *self = Self {
                verified: Some(serial.into()),
                reasons: Vec::new(),
                overridden: None,
            };
        } else {
            self.doubt(finds);
        }
        *self != before
    }

    fn doubt(&mut self, finds: &Finds<'_>) {
        let new = match (&self.verified, finds.serial) {
            (None, _) => Some(
                "its cables have not been verified: both gateways must find nothing wrong".into(),
            ),
            (Some(before), Some(serial)) if before != serial => Some(format!(
                "it was replaced: {serial} is in the place of {before}"
            )),
            _ => None,
        };
        let held = new.is_some() || !self.reasons.is_empty();
        let wrong: Vec<String> = finds
            .findings
            .unwrap_or_default()
            .iter()
            .filter(|finding| is_recabled(finding, finds.position, held))
            .map(ToString::to_string)
            .collect();
        if finds.findings.is_none() && new.is_none() {
            // Nothing new is known: what held it holds it.
            return;
        }
        let mut reasons: Vec<String> = new.into_iter().chain(wrong).collect();
        if reasons.is_empty() && held {
            reasons.push(
                "its cables are to be verified: both gateways must find nothing wrong".into(),
            );
        }
        self.reasons = reasons;
        let covered = |by: &Overridden| {
            self.reasons
                .iter()
                .all(|reason| by.reasons.contains(reason))
        };
        if !self.overridden.as_ref().is_some_and(covered) {
            self.overridden = None;
        }
    }

    /// Somebody says that it is to be used in spite of why it is held.
    pub fn put_to_use(&mut self, who: &str, why: &str, at_unix_ms: u64) -> &Overridden {
        self.overridden.insert(Overridden {
            who: who.into(),
            why: why.into(),
            at_unix_ms,
            reasons: self.reasons.clone(),
        })
    }

    /// Whether nothing is to be sent through it.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        !self.reasons.is_empty() && self.overridden.is_none()
    }

    /// Why it is held.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Who said that it is to be used in spite of that.
    #[must_use]
    pub const fn overridden(&self) -> Option<&Overridden> {
        self.overridden.as_ref()
    }
}

/// Whether a finding says that this switch's cables are not where they belong. What may be the other switch's fault as
/// well holds only a switch that is held anyway, so that one fault does not take both from use.
fn is_recabled(finding: &Finding, here: Position, held: bool) -> bool {
    match finding {
        Finding::Swapped { position, .. }
        | Finding::Stranger { position, .. }
        | Finding::Mixed { position, .. } => *position == here,
        Finding::SwappedSomewhere { .. } | Finding::AtOdds { .. } | Finding::Turned { .. } => held,
        Finding::Missing { position, .. } | Finding::Dead { position, .. } => {
            held && *position == here
        }
    }
}

#[cfg(test)]
mod tests {
    use rackweave_mgmt::port::Unit;

    use super::*;

    fn swapped(position: Position) -> Finding {
        Finding::Swapped {
            position,
            units: [Unit::Cubby(1), Unit::Cubby(2)],
            ports: [None, None],
        }
    }

    fn finds<'f>(serial: &'f str, findings: Option<&'f [Finding]>) -> Finds<'f> {
        Finds {
            position: Position::A,
            serial: Some(serial),
            findings,
            peer_is_clean: true,
        }
    }

    #[test]
    fn a_switch_is_held_until_both_find_nothing_wrong() {
        let mut hold = Hold::default();
        assert!(hold.find(&finds("S1", None)));
        assert!(hold.is_drained());
        let alone = Finds {
            peer_is_clean: false,
            ..finds("S1", Some(&[]))
        };
        hold.find(&alone);
        assert!(hold.is_drained());
        assert!(hold.find(&finds("S1", Some(&[]))));
        assert!(!hold.is_drained());
        assert!(!hold.find(&finds("S1", None)), "the other gateway restarts");
        hold.find(&finds("S2", Some(&[])));
        assert!(!hold.is_drained(), "replaced, and all is well");
        let wrong = [swapped(Position::A)];
        hold.find(&finds("S3", Some(&wrong)));
        let reasons = [
            "it was replaced: S3 is in the place of S2",
            "the cables of cubby 1 and cubby 2 are swapped at switch A",
        ];
        assert_eq!(hold.reasons(), reasons);
    }

    #[test]
    fn the_other_switches_cables_do_not_hold_this_one() {
        let mut hold = Hold::default();
        hold.find(&finds("S1", Some(&[])));
        let other = [
            swapped(Position::B),
            Finding::SwappedSomewhere {
                units: [Unit::Cubby(1), Unit::Cubby(2)],
            },
        ];
        assert!(!hold.find(&finds("S1", Some(&other))));
        assert!(hold.find(&finds("S1", Some(&[swapped(Position::A)]))));
        assert!(hold.is_drained());
    }

    #[test]
    fn an_override_is_by_name_and_holds_for_what_it_was_said_of() {
        let mut hold = Hold::default();
        hold.find(&finds("S1", Some(&[])));
        let wrong = [swapped(Position::A)];
        hold.find(&finds("S1", Some(&wrong)));
        let said = hold.put_to_use("ada", "the sleds are empty", 5).clone();
        assert_eq!((said.who.as_str(), said.reasons.len()), ("ada", 1));
        assert!(!hold.find(&finds("S1", Some(&wrong))));
        assert!(!hold.is_drained());
        let more = [
            wrong[0].clone(),
            Finding::Stranger {
                position: Position::A,
                unit: Unit::Cubby(9),
                found: rackweave_mgmt::address::MacRange::new(rackweave_types::MacAddr::ZERO)
                    .unwrap(),
            },
        ];
        hold.find(&finds("S1", Some(&more)));
        assert!(hold.is_drained(), "that was not known when it was said");
    }
}
