//! Routes that come and go (RFC 4271, section 4.3; RFC 4760, sections 3 and 4).

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::attribute::Said;
use super::octets::Octets;
use super::{Broken, Consequence, Flaw, Terms, code, subcode};
use crate::bgp::{Attributes, Family, NextHop};

/// Prefixes of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefixes {
    /// IPv4.
    V4(Vec<Ipv4Net>),
    /// IPv6.
    V6(Vec<Ipv6Net>),
}

impl Prefixes {
    /// Their family.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4,
            Self::V6(_) => Family::Ipv6,
        }
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::V4(all) => all.len(),
            Self::V6(all) => all.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> {
        let (four, six) = match self {
            Self::V4(all) => (&all[..], &[][..]),
            Self::V6(all) => (&[][..], &all[..]),
        };
        let four = four.iter().copied().map(IpNet::V4);
        four.chain(six.iter().copied().map(IpNet::V6))
    }
}

/// Prefixes that can be reached from now on, and what is said of their routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// What is said of them.
    pub attributes: Attributes,
    /// Which.
    pub prefixes: Prefixes,
}

/// Routes that come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// What cannot be reached any more. It may name a prefix that [`reach`](Self::reach) names too: that one comes.
    pub withdrawn: Vec<Prefixes>,
    /// What can.
    pub reach: Vec<Reach>,
    /// What was wrong with attributes, and was not worth the session.
    pub flaws: Vec<Flaw>,
    /// Of which family all was told that was to tell (RFC 4724, section 2).
    pub end_of_rib: Option<Family>,
}

impl Update {
    pub(super) fn parse(body: &[u8], terms: &Terms) -> Result<Self, Broken> {
        let cut = || Broken::new("an update is cut", code::UPDATE, subcode::ATTRIBUTES, &[]);
        let mut octets = Octets(body);
        let withdrawn = octets.long().ok_or_else(cut)?;
        let attributes = octets.long().ok_or_else(cut)?;
        let announced = octets.0;
        let said = Said::read(attributes, terms)?;
        let mut update = Self::default();
        update.withdraw(withdrawn, terms)?;
        if let Some(value) = said.mp_unreach {
            update.multiprotocol_withdraw(value, terms, body)?;
        } else if body.len() == 4 {
            update.end_of_rib = Some(Family::Ipv4);
        }
        let mut found = Vec::new();
        if !announced.is_empty() {
            let next_hop = said.next_hop.map(NextHop::V4);
            found.push((next_hop, Prefixes::V4(four(announced)?)));
        }
        if let Some(value) = said.mp_reach {
            found.extend(reach(value, terms)?);
        }
        update.reached(found, said, terms);
        Ok(update)
    }

    fn withdraw(&mut self, octets: &[u8], terms: &Terms) -> Result<(), Broken> {
        let prefixes = four(octets)?;
        if !prefixes.is_empty() && terms.ipv4 {
            self.withdrawn.push(Prefixes::V4(prefixes));
        }
        Ok(())
    }

    fn multiprotocol_withdraw(
        &mut self,
        value: &[u8],
        terms: &Terms,
        body: &[u8],
    ) -> Result<(), Broken> {
        let mut octets = Octets(value);
        let family = family(&mut octets)?;
        let Some(family) = family.filter(|family| terms.has(*family)) else {
            return Ok(());
        };
        let prefixes = parse(family, octets.0)?;
        // Nothing but this attribute: 4 octets of lengths, 3 or 4 of its head, 3 of the family.
        if prefixes.is_empty() && body.len() <= 11 {
            self.end_of_rib = Some(family);
        } else if !prefixes.is_empty() {
            self.withdrawn.push(prefixes);
        }
        Ok(())
    }

    /// Takes in what can be reached, unless something is wrong with what is said of it.
    fn reached(
        &mut self,
        found: Vec<(Option<NextHop>, Prefixes)>,
        mut said: Said<'_>,
        terms: &Terms,
    ) {
        self.flaws = std::mem::take(&mut said.flaws);
        if found.is_empty() {
            return;
        }
        let mut missing = |is_there: bool, attribute: u8, what: &'static str| {
            let consequence = Consequence::Withdraw;
            if !is_there && !self.flaws.iter().any(|flaw| flaw.attribute == attribute) {
                self.flaws.push(Flaw {
                    attribute,
                    what,
                    consequence,
                });
            }
        };
        missing(said.origin.is_some(), 1, "the origin is missing");
        missing(said.as_path.is_some(), 2, "the as path is missing");
        let hops = found.iter().all(|(next_hop, _)| next_hop.is_some());
        missing(
            hops,
            3,
            "the next hop is missing, or no address of a neighbour",
        );
        let costs = |flaw: &Flaw| flaw.consequence == Consequence::Withdraw;
        let is_wrong = self.flaws.iter().any(costs) || !hops;
        let attributes = said.attributes();
        for (next_hop, prefixes) in found {
            if !terms.has(prefixes.family()) {
                continue;
            }
            match (&attributes, next_hop) {
                (Some(attributes), Some(next_hop)) if !is_wrong => self.reach.push(Reach {
                    attributes: Attributes {
                        next_hop,
                        ..attributes.clone()
                    },
                    prefixes,
                }),
                _ => self.withdrawn.push(prefixes),
            }
        }
    }
}

impl Said<'_> {
    /// All that is said but the next hop, where nothing is missing.
    fn attributes(self) -> Option<Attributes> {
        let none = NextHop::V4(Ipv4Addr::UNSPECIFIED);
        let mut unknown = self.unknown;
        unknown.sort_unstable();
        Some(Attributes {
            as_path: self.as_path?,
            next_hop: none,
            origin: self.origin?,
            med: self.med,
            local_pref: self.local_pref,
            communities: self.communities,
            large_communities: self.large_communities,
            extended_communities: self.extended_communities,
            aggregator: self.aggregator,
            atomic_aggregate: self.atomic_aggregate,
            originator: self.originator,
            unknown,
        })
    }
}

fn optional(what: &'static str) -> Broken {
    Broken::new(what, code::UPDATE, subcode::OPTIONAL, &[])
}

fn family(octets: &mut Octets<'_>) -> Result<Option<Family>, Broken> {
    let cut = || optional("an attribute with prefixes is cut");
    let afi = octets.u16().ok_or_else(cut)?;
    Ok(Family::from_wire(afi, octets.u8().ok_or_else(cut)?))
}

/// What an `MP_REACH_NLRI` says, where its family was agreed upon.
fn reach(value: &[u8], terms: &Terms) -> Result<Option<(Option<NextHop>, Prefixes)>, Broken> {
    let cut = || optional("an attribute with prefixes is cut");
    let mut octets = Octets(value);
    let family = family(&mut octets)?;
    let hop = octets.short().ok_or_else(cut)?;
    octets.u8().ok_or_else(cut)?;
    let Some(family) = family.filter(|family| terms.has(*family)) else {
        return Ok(None);
    };
    let by_six = family == Family::Ipv6 || terms.extended_next_hop;
    let next_hop = match (family, hop.len()) {
        (Family::Ipv4, 4) => {
            let hop = <[u8; 4]>::try_from(hop).map(Ipv4Addr::from).ok();
            hop.filter(|hop| !hop.is_unspecified() && !hop.is_multicast())
                .map(NextHop::V4)
        }
        (_, 16 | 32) if by_six => six_hop(hop),
        _ => return Err(optional("the next hop's length is not one of its family")),
    };
    Ok(Some((next_hop, parse(family, octets.0)?)))
}

/// One address, or a global one and one of the link. Speakers differ in what they put first where there is no global one.
fn six_hop(octets: &[u8]) -> Option<NextHop> {
    let mut addresses = octets
        .as_chunks::<16>()
        .0
        .iter()
        .map(|octets| Ipv6Addr::from(*octets));
    let first = addresses.next()?;
    let on_link = |address: &Ipv6Addr| address.is_unicast_link_local();
    let link_local = addresses
        .next()
        .filter(on_link)
        .or(Some(first).filter(on_link));
    let global = if on_link(&first) {
        Ipv6Addr::UNSPECIFIED
    } else {
        first
    };
    let is_one = !global.is_multicast() && !global.is_loopback();
    let is_there = !global.is_unspecified() || link_local.is_some();
    (is_one && is_there).then_some(NextHop::V6 { global, link_local })
}

fn parse(family: Family, octets: &[u8]) -> Result<Prefixes, Broken> {
    match family {
        Family::Ipv4 => four(octets).map(Prefixes::V4),
        Family::Ipv6 => {
            let mut all = Vec::with_capacity(octets.len() / 8);
            each::<16>(octets, |address, len| {
                all.push(Ipv6Net::new(address.into(), len).ok()?.trunc());
                Some(())
            })?;
            Ok(Prefixes::V6(all))
        }
    }
}

fn four(octets: &[u8]) -> Result<Vec<Ipv4Net>, Broken> {
    let mut all = Vec::with_capacity(octets.len() / 4);
    each::<4>(octets, |address, len| {
        all.push(Ipv4Net::new(address.into(), len).ok()?.trunc());
        Some(())
    })?;
    Ok(all)
}

/// Reads prefixes: the length in bits, then as many octets as have these.
fn each<const N: usize>(
    octets: &[u8],
    mut take: impl FnMut([u8; N], u8) -> Option<()>,
) -> Result<(), Broken> {
    let wrong = |what| Broken::new(what, code::UPDATE, subcode::NETWORK, &[]);
    let mut octets = Octets(octets);
    while let Some(len) = octets.u8() {
        let size = usize::from(len).div_ceil(8);
        if size > N {
            return Err(wrong("a prefix is longer than an address"));
        }
        let bits = octets.take(size).ok_or_else(|| wrong("a prefix is cut"))?;
        let mut address = [0; N];
        address[..size].copy_from_slice(bits);
        take(address, len).ok_or_else(|| wrong("a prefix is longer than an address"))?;
    }
    Ok(())
}
