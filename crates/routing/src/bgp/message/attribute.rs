//! Path attributes (RFC 4271, sections 4.3 and 5), with what is to be done about wrong ones (RFC 7606).

use std::net::Ipv4Addr;

use rackweave_types::Asn;

use super::octets::Octets;
use super::{Broken, Terms, code, subcode};
use crate::bgp::{
    Aggregator, AsPath, Community, LargeCommunity, Origin, Segment, SegmentKind, Unknown,
};

pub(super) const OPTIONAL: u8 = 0x80;
pub(super) const TRANSITIVE: u8 = 0x40;
pub(super) const PARTIAL: u8 = 0x20;
pub(super) const EXTENDED: u8 = 0x10;

/// Types of attributes.
pub(super) mod kind {
    pub(in super::super) const ORIGIN: u8 = 1;
    pub(in super::super) const AS_PATH: u8 = 2;
    pub(in super::super) const NEXT_HOP: u8 = 3;
    pub(in super::super) const MED: u8 = 4;
    pub(in super::super) const LOCAL_PREF: u8 = 5;
    pub(in super::super) const ATOMIC_AGGREGATE: u8 = 6;
    pub(in super::super) const AGGREGATOR: u8 = 7;
    pub(in super::super) const COMMUNITIES: u8 = 8;
    pub(in super::super) const ORIGINATOR: u8 = 9;
    pub(in super::super) const CLUSTERS: u8 = 10;
    pub(in super::super) const MP_REACH: u8 = 14;
    pub(in super::super) const MP_UNREACH: u8 = 15;
    pub(in super::super) const EXTENDED_COMMUNITIES: u8 = 16;
    pub(in super::super) const AS4_PATH: u8 = 17;
    pub(in super::super) const AS4_AGGREGATOR: u8 = 18;
    pub(in super::super) const LARGE_COMMUNITIES: u8 = 32;
}

pub(super) const SET: u8 = 1;
pub(super) const SEQUENCE: u8 = 2;

/// What a wrong attribute costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The prefixes of the message count as withdrawn.
    Withdraw,
    /// The attribute counts as not said.
    Discard,
}

/// A wrong attribute that does not end the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The attribute's type; 0 where it is none's.
    pub attribute: u8,
    /// What is wrong, for people.
    pub what: &'static str,
    /// What it costs.
    pub consequence: Consequence,
}

/// What the attributes of a message say.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) origin: Option<Origin>,
    pub(super) as_path: Option<AsPath>,
    pub(super) next_hop: Option<Ipv4Addr>,
    pub(super) med: Option<u32>,
    pub(super) local_pref: Option<u32>,
    pub(super) atomic_aggregate: bool,
    pub(super) aggregator: Option<Aggregator>,
    pub(super) communities: Vec<Community>,
    pub(super) large_communities: Vec<LargeCommunity>,
    pub(super) extended_communities: Vec<[u8; 8]>,
    pub(super) originator: Option<Ipv4Addr>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) mp_reach: Option<&'a [u8]>,
    pub(super) mp_unreach: Option<&'a [u8]>,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
    pub(super) flaws: Vec<Flaw>,
}

impl<'a> Said<'a> {
    /// Reads all attributes.
    ///
    /// # Errors
    /// What ends the session.
    pub(super) fn read(bytes: &'a [u8], terms: &Terms) -> Result<Self, Broken> {
        let mut said = Self::default();
        let mut seen = [false; 256];
        let mut octets = Octets(bytes);
        while !octets.is_empty() {
            let Some((flags, kind, value)) = next(&mut octets) else {
                // "treat-as-withdraw … whether or not there are … octets remaining": RFC 7606, section 4.
                said.flaw(
                    0,
                    "an attribute is longer than what is there",
                    Consequence::Withdraw,
                );
                break;
            };
            if std::mem::replace(&mut seen[usize::from(kind)], true) {
                said.second(kind)?;
                continue;
            }
            if let Err(what) = flags_fit(flags, kind) {
                let consequence = match kind {
                    kind::ATOMIC_AGGREGATE | kind::AGGREGATOR => Consequence::Discard,
                    _ => Consequence::Withdraw,
                };
                said.flaw(kind, what, consequence);
                if !matches!(kind, kind::MP_REACH | kind::MP_UNREACH) {
                    continue;
                }
            }
            said.one(flags, kind, value, terms)?;
        }
        if !terms.four_octets {
            said.merge();
        }
        Ok(said)
    }

    fn flaw(&mut self, attribute: u8, what: &'static str, consequence: Consequence) {
        self.flaws.push(Flaw {
            attribute,
            what,
            consequence,
        });
    }

    /// RFC 7606, section 3 (g).
    fn second(&mut self, kind: u8) -> Result<(), Broken> {
        if matches!(kind, kind::MP_REACH | kind::MP_UNREACH) {
            let what = "the attribute with prefixes stands there twice";
            return Err(Broken::new(what, code::UPDATE, subcode::ATTRIBUTES, &[]));
        }
        self.flaw(
            kind,
            "the attribute stands there twice",
            Consequence::Discard,
        );
        Ok(())
    }

    fn one(&mut self, flags: u8, kind: u8, value: &'a [u8], terms: &Terms) -> Result<(), Broken> {
        let done = match kind {
            kind::MP_REACH => {
                self.mp_reach = Some(value);
                Some(())
            }
            kind::MP_UNREACH => {
                self.mp_unreach = Some(value);
                Some(())
            }
            kind::ORIGIN | kind::AS_PATH | kind::NEXT_HOP | kind::MED => {
                self.mandatory(kind, value, terms)
            }
            kind::LOCAL_PREF | kind::ORIGINATOR | kind::CLUSTERS => {
                self.internal(kind, value, terms)
            }
            kind::ATOMIC_AGGREGATE | kind::AGGREGATOR | kind::AS4_PATH | kind::AS4_AGGREGATOR => {
                if self.aggregate(kind, value, terms).is_none() {
                    self.flaw(kind, "the attribute is malformed", Consequence::Discard);
                }
                Some(())
            }
            kind::COMMUNITIES | kind::LARGE_COMMUNITIES | kind::EXTENDED_COMMUNITIES => {
                self.marks(kind, value)
            }
            _ if flags & OPTIONAL == 0 => {
                let what = "a well-known attribute is not known";
                return Err(Broken::new(
                    what,
                    code::UPDATE,
                    subcode::UNKNOWN_WELL_KNOWN,
                    &[kind],
                ));
            }
            _ => {
                if flags & TRANSITIVE != 0 {
                    let value = value.to_vec();
                    self.unknown.push(Unknown { kind, value });
                }
                Some(())
            }
        };
        if done.is_none() {
            self.flaw(kind, "the attribute is malformed", Consequence::Withdraw);
        }
        Ok(())
    }

    fn mandatory(&mut self, kind: u8, value: &[u8], terms: &Terms) -> Option<()> {
        match kind {
            kind::ORIGIN => {
                self.origin = Some(match value {
                    [0] => Origin::Igp,
                    [1] => Origin::Egp,
                    [2] => Origin::Incomplete,
                    _ => return None,
                });
            }
            kind::AS_PATH => self.as_path = Some(as_path(value, terms.four_octets)?),
            kind::NEXT_HOP => {
                let address = Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?);
                self.next_hop = Some(address).filter(|address| is_host(*address));
                self.next_hop?;
            }
            _ => self.med = Some(u32::from_be_bytes(value.try_into().ok()?)),
        }
        Some(())
    }

    /// What is said inside a system alone; from others it counts as not said (RFC 7606, sections 7.5, 7.9, 7.10).
    fn internal(&mut self, kind: u8, value: &[u8], terms: &Terms) -> Option<()> {
        if terms.external {
            self.flaw(
                kind,
                "the attribute is for neighbours of the same system",
                Consequence::Discard,
            );
            return Some(());
        }
        match kind {
            kind::LOCAL_PREF => {
                self.local_pref = Some(u32::from_be_bytes(value.try_into().ok()?));
            }
            kind::ORIGINATOR => {
                self.originator = Some(<[u8; 4]>::try_from(value).ok()?.into());
            }
            // Clusters matter to reflectors alone.
            _ => return (!value.is_empty() && value.len().is_multiple_of(4)).then_some(()),
        }
        Some(())
    }

    fn aggregate(&mut self, kind: u8, value: &[u8], terms: &Terms) -> Option<()> {
        match kind {
            kind::ATOMIC_AGGREGATE => {
                self.atomic_aggregate = value.is_empty();
                value.is_empty().then_some(())?;
            }
            kind::AGGREGATOR => self.aggregator = Some(aggregator(value, terms.four_octets)?),
            // "A NEW BGP speaker … MUST discard": RFC 6793, section 4.1.
            _ if terms.four_octets => {}
            kind::AS4_PATH => self.as4_path = Some(as_path(value, true)?),
            _ => self.as4_aggregator = Some(aggregator(value, true)?),
        }
        Some(())
    }

    fn marks(&mut self, kind: u8, value: &[u8]) -> Option<()> {
        let size = match kind {
            kind::COMMUNITIES => 4,
            kind::LARGE_COMMUNITIES => 12,
            _ => 8,
        };
        if value.is_empty() || !value.len().is_multiple_of(size) {
            return None;
        }
        let (fours, _) = value.as_chunks::<4>();
        let mut numbers = fours.iter().map(|four| u32::from_be_bytes(*four));
        match kind {
            kind::COMMUNITIES => self.communities = in_order(numbers.map(Community)),
            kind::LARGE_COMMUNITIES => {
                let triples = std::iter::from_fn(|| {
                    Some([numbers.next()?, numbers.next()?, numbers.next()?])
                });
                self.large_communities = in_order(triples.map(LargeCommunity));
            }
            _ => self.extended_communities = in_order(value.as_chunks::<8>().0.iter().copied()),
        }
        Some(())
    }

    /// Puts numbers of four octets in the place of those that stand for them (RFC 6793, section 4.2.3).
    fn merge(&mut self) {
        let (path, aggregator) = (self.as4_path.take(), self.as4_aggregator.take());
        if let (Some(short), Some(long)) = (&mut self.aggregator, aggregator) {
            if short.asn != Asn::TRANS {
                return;
            }
            *short = long;
        }
        let (Some(mut path), Some(short)) = (path, &mut self.as_path) else {
            return;
        };
        if let Some(more) = short.hops().checked_sub(path.hops()) {
            let front: Vec<Asn> = short.asns().take(more).collect();
            for asn in front.into_iter().rev() {
                path.prepend(asn, 1);
            }
            *short = path;
        }
    }
}

fn next<'a>(octets: &mut Octets<'a>) -> Option<(u8, u8, &'a [u8])> {
    let (flags, kind) = (octets.u8()?, octets.u8()?);
    let value = if flags & EXTENDED == 0 {
        octets.short()
    } else {
        octets.long()
    };
    Some((flags, kind, value?))
}

/// Whether the flags are those of the type (RFC 7606, section 3 (c)).
fn flags_fit(flags: u8, kind: u8) -> Result<(), &'static str> {
    let right = match kind {
        kind::ORIGIN..=kind::NEXT_HOP | kind::LOCAL_PREF | kind::ATOMIC_AGGREGATE => TRANSITIVE,
        kind::MED | kind::ORIGINATOR | kind::CLUSTERS | kind::MP_REACH | kind::MP_UNREACH => {
            OPTIONAL
        }
        kind::AGGREGATOR
        | kind::COMMUNITIES
        | kind::EXTENDED_COMMUNITIES
        | kind::AS4_PATH
        | kind::AS4_AGGREGATOR
        | kind::LARGE_COMMUNITIES => OPTIONAL | TRANSITIVE,
        _ => return Ok(()),
    };
    if flags & (OPTIONAL | TRANSITIVE) == right {
        Ok(())
    } else {
        Err("the flags are not those of the attribute")
    }
}

fn as_path(value: &[u8], four_octets: bool) -> Option<AsPath> {
    let mut octets = Octets(value);
    let mut segments = Vec::new();
    while !octets.is_empty() {
        let kind = match octets.u8()? {
            SET => SegmentKind::Set,
            SEQUENCE => SegmentKind::Sequence,
            _ => return None,
        };
        let count = octets.u8().filter(|count| *count > 0)?;
        let number = || {
            let number = if four_octets {
                octets.u32()
            } else {
                octets.u16().map(u32::from)
            };
            Asn::new(number?).ok()
        };
        let asns: Vec<Asn> = std::iter::repeat_with(number)
            .take(count.into())
            .collect::<Option<_>>()?;
        segments.push(Segment { kind, asns });
    }
    Some(AsPath(segments))
}

fn aggregator(value: &[u8], four_octets: bool) -> Option<Aggregator> {
    let mut octets = Octets(value);
    let number = if four_octets {
        octets.u32()
    } else {
        octets.u16().map(u32::from)
    };
    let (number, id) = (number?, octets.array::<4>()?);
    let asn = Asn::new(number).ok()?;
    let id = id.into();
    octets.is_empty().then_some(Aggregator { asn, id })
}

fn in_order<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether packets can be given to it.
fn is_host(address: Ipv4Addr) -> bool {
    let is_none = address.is_unspecified() || address.is_loopback() || address.is_broadcast();
    // 240.0.0.0/4 is reserved.
    !is_none && !address.is_multicast() && address.octets()[0] < 240
}
