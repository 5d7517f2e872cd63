//! What a speaker can do (RFC 5492).

use std::time::Duration;

use rackweave_types::Asn;

use super::octets::Octets;
use crate::bgp::Family;

/// Codes of capabilities.
mod code {
    pub(super) const MULTIPROTOCOL: u8 = 1;
    pub(super) const ROUTE_REFRESH: u8 = 2;
    pub(super) const EXTENDED_NEXT_HOP: u8 = 5;
    pub(super) const GRACEFUL_RESTART: u8 = 64;
    pub(super) const FOUR_OCTET_AS: u8 = 65;
}

/// Graceful restart, as a speaker offers it (RFC 4724, section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// Whether it has just restarted.
    pub restarted: bool,
    /// Whether also a session that ended with a notification is gone through (RFC 8538, section 2).
    pub notifications: bool,
    /// How long it takes to be back, in seconds: 12 bits.
    pub seconds: u16,
    /// The families for which it helps others, and keeps its own forwarding.
    pub families: Vec<RestartFamily>,
}

/// A family in [`Restart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartFamily {
    /// The family.
    pub family: Family,
    /// Whether its packets were forwarded all the while.
    pub preserved: bool,
}

impl Restart {
    /// How long the speaker takes to be back.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// Whether a family is in it.
    #[must_use]
    pub fn has(&self, family: Family) -> bool {
        self.families.iter().any(|one| one.family == family)
    }

    /// Whether packets of the family were forwarded all the while.
    #[must_use]
    pub fn preserved(&self, family: Family) -> bool {
        self.families
            .iter()
            .any(|one| one.family == family && one.preserved)
    }
}

/// What a speaker can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The families of ours that it exchanges. Where it names none at all, that means IPv4.
    pub families: Vec<Family>,
    /// Whether it names families, of whatever kind.
    pub multiprotocol: bool,
    /// Whether it tells all routes again when asked.
    pub route_refresh: bool,
    /// Whether it takes IPv6 next hops for IPv4 prefixes.
    pub extended_next_hop: bool,
    /// Its number, where it knows such of four octets.
    pub four_octet_as: Option<Asn>,
    /// Graceful restart.
    pub restart: Option<Restart>,
    /// Others that it names.
    pub others: Vec<u8>,
}

impl Capabilities {
    /// Whether it exchanges the family.
    #[must_use]
    pub fn has(&self, family: Family) -> bool {
        self.families.contains(&family) || !self.multiprotocol && family == Family::Ipv4
    }

    /// Takes in the capabilities of one optional parameter; what is wrong with one loses that one alone.
    /// Nothing where they are cut.
    pub(super) fn read(&mut self, parameter: &[u8]) -> Option<()> {
        let mut octets = Octets(parameter);
        while !octets.is_empty() {
            let code = octets.u8()?;
            self.read_one(code, octets.short()?);
        }
        Some(())
    }

    fn read_one(&mut self, code: u8, value: &[u8]) {
        match (code, value) {
            (code::MULTIPROTOCOL, [high, low, _, safi]) => {
                self.multiprotocol = true;
                let family = Family::from_wire(u16::from_be_bytes([*high, *low]), *safi);
                let new = family.filter(|family| !self.families.contains(family));
                self.families.extend(new);
            }
            (code::ROUTE_REFRESH, _) => self.route_refresh = true,
            (code::EXTENDED_NEXT_HOP, _) => {
                self.extended_next_hop |= value
                    .chunks_exact(6)
                    .any(|triple| triple == [0, 1, 0, Family::SAFI, 0, 2]);
            }
            (code::GRACEFUL_RESTART, [first, second, families @ ..]) => {
                let word = u16::from_be_bytes([*first, *second]);
                let family = |four: &[u8]| {
                    let family =
                        Family::from_wire(u16::from_be_bytes([four[0], four[1]]), four[2])?;
                    let preserved = four[3] & 0x80 != 0;
                    Some(RestartFamily { family, preserved })
                };
                self.restart = Some(Restart {
                    restarted: word & 0x8000 != 0,
                    notifications: word & 0x4000 != 0,
                    seconds: word & 0x0fff,
                    families: families.chunks_exact(4).filter_map(family).collect(),
                });
            }
            (code::FOUR_OCTET_AS, [a, b, c, d]) => {
                self.four_octet_as = Asn::new(u32::from_be_bytes([*a, *b, *c, *d])).ok();
            }
            _ => self.others.push(code),
        }
    }

    /// Writes them, one behind the other: less than 100 octets.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |code: u8, value: &[u8]| {
            let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
            out.extend_from_slice(&[code, len]);
            out.extend_from_slice(value);
        };
        for family in &self.families {
            let [high, low] = family.afi().to_be_bytes();
            put(code::MULTIPROTOCOL, &[high, low, 0, Family::SAFI]);
        }
        if self.route_refresh {
            put(code::ROUTE_REFRESH, &[]);
        }
        if self.extended_next_hop {
            put(code::EXTENDED_NEXT_HOP, &[0, 1, 0, Family::SAFI, 0, 2]);
        }
        if let Some(restart) = &self.restart {
            let mut word = restart.seconds & 0x0fff;
            word |= if restart.restarted { 0x8000 } else { 0 };
            word |= if restart.notifications { 0x4000 } else { 0 };
            let mut value = word.to_be_bytes().to_vec();
            for one in &restart.families {
                value.extend_from_slice(&one.family.afi().to_be_bytes());
                value.extend_from_slice(&[Family::SAFI, u8::from(one.preserved) << 7]);
            }
            put(code::GRACEFUL_RESTART, &value);
        }
        if let Some(asn) = self.four_octet_as {
            put(code::FOUR_OCTET_AS, &asn.get().to_be_bytes());
        }
        out
    }
}
