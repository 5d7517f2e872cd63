//! How routes are written.

use std::net::Ipv6Addr;

use ipnet::IpNet;
use rackweave_types::Asn;

use super::attribute::{self as flags, EXTENDED, SEQUENCE, SET, kind};
use super::{HEADER, MAX, Prefixes, Terms, begin, finish, kind as message};
use crate::bgp::{AsPath, Attributes, Family, NextHop, Origin, SegmentKind};

/// All that is said of a route does not fit into a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is said of the route does not fit into a message")]
pub struct TooLong;

/// Octets of the longest prefix.
const LONGEST: usize = 17;

/// The messages that announce these prefixes: IPv4 by IPv4 next hops in the oldest form, all else by RFC 4760.
///
/// # Errors
/// [`TooLong`].
pub fn announce(
    terms: &Terms,
    attributes: &Attributes,
    prefixes: &Prefixes,
) -> Result<Vec<Vec<u8>>, TooLong> {
    let written = write(terms, attributes);
    let by_four = matches!(
        (attributes.next_hop, prefixes.family()),
        (NextHop::V4(_), Family::Ipv4)
    );
    let head = if by_four {
        Vec::new()
    } else {
        reach_head(attributes.next_hop, prefixes.family())
    };
    // Both lengths, and the head of the attribute with prefixes.
    let fixed = HEADER + 4 + written.len() + if by_four { 0 } else { 4 + head.len() };
    let room = MAX
        .checked_sub(fixed)
        .filter(|room| *room >= LONGEST)
        .ok_or(TooLong)?;
    let message = |block: &[u8]| {
        let mut bytes = begin(message::UPDATE);
        bytes.extend_from_slice(&[0, 0]);
        if by_four {
            put_len(&mut bytes, written.len());
            bytes.extend_from_slice(&written);
            bytes.extend_from_slice(block);
        } else {
            let len = head.len() + block.len();
            put_len(&mut bytes, 4 + len + written.len());
            bytes.extend_from_slice(&[flags::OPTIONAL | EXTENDED, kind::MP_REACH]);
            put_len(&mut bytes, len);
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(block);
            bytes.extend_from_slice(&written);
        }
        finish(bytes)
    };
    Ok(blocks(prefixes, room)
        .iter()
        .map(|block| message(block))
        .collect())
}

/// The messages that withdraw these prefixes.
#[must_use]
pub fn withdraw(prefixes: &Prefixes) -> Vec<Vec<u8>> {
    let by_four = prefixes.family() == Family::Ipv4;
    let room = MAX - HEADER - 4 - 7;
    let message = |block: &Vec<u8>| {
        let mut bytes = begin(message::UPDATE);
        if by_four {
            put_len(&mut bytes, block.len());
            bytes.extend_from_slice(block);
            bytes.extend_from_slice(&[0, 0]);
        } else {
            bytes.extend_from_slice(&[0, 0]);
            put_len(&mut bytes, 7 + block.len());
            bytes.extend_from_slice(&[flags::OPTIONAL | EXTENDED, kind::MP_UNREACH]);
            put_len(&mut bytes, 3 + block.len());
            bytes.extend_from_slice(&[0, 2, Family::SAFI]);
            bytes.extend_from_slice(block);
        }
        finish(bytes)
    };
    blocks(prefixes, room).iter().map(message).collect()
}

/// That all is told of a family that was to tell (RFC 4724, section 2).
#[must_use]
pub fn end_of_rib(family: Family) -> Vec<u8> {
    let mut bytes = begin(message::UPDATE);
    match family {
        Family::Ipv4 => bytes.extend_from_slice(&[0, 0, 0, 0]),
        Family::Ipv6 => {
            let attribute = [flags::OPTIONAL, kind::MP_UNREACH, 3, 0, 2, Family::SAFI];
            bytes.extend_from_slice(&[0, 0, 0, 6]);
            bytes.extend_from_slice(&attribute);
        }
    }
    finish(bytes)
}

/// Prefixes as octets, so many in each block as have room.
fn blocks(prefixes: &Prefixes, room: usize) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut block = Vec::with_capacity(room);
    let mut put = |octets: &[u8], len: u8| {
        let size = usize::from(len).div_ceil(8);
        if block.len() + 1 + size > room {
            blocks.push(std::mem::replace(&mut block, Vec::with_capacity(room)));
        }
        block.push(len);
        block.extend_from_slice(&octets[..size]);
    };
    for prefix in prefixes.iter() {
        match prefix {
            IpNet::V4(net) => put(&net.addr().octets(), net.prefix_len()),
            IpNet::V6(net) => put(&net.addr().octets(), net.prefix_len()),
        }
    }
    if !block.is_empty() {
        blocks.push(block);
    }
    blocks
}

fn reach_head(next_hop: NextHop, family: Family) -> Vec<u8> {
    let [high, low] = family.afi().to_be_bytes();
    let mut head = vec![high, low, Family::SAFI];
    match next_hop {
        NextHop::V4(address) => {
            head.push(4);
            head.extend_from_slice(&address.octets());
        }
        NextHop::V6 { global, link_local } => {
            // Where there is the link's address alone it stands in both places, as others write it.
            let first = match link_local {
                Some(on_link) if global == Ipv6Addr::UNSPECIFIED => on_link,
                _ => global,
            };
            head.push(if link_local.is_some() { 32 } else { 16 });
            head.extend_from_slice(&first.octets());
            if let Some(on_link) = link_local {
                head.extend_from_slice(&on_link.octets());
            }
        }
    }
    head.push(0);
    head
}

/// All attributes but the one with prefixes, by type.
fn write(terms: &Terms, attributes: &Attributes) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let transitive = flags::OPTIONAL | flags::TRANSITIVE;
    let origin = match attributes.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    };
    put(&mut out, flags::TRANSITIVE, kind::ORIGIN, &[origin]);
    let path = path(&attributes.as_path, terms.four_octets);
    put(&mut out, flags::TRANSITIVE, kind::AS_PATH, &path);
    if let NextHop::V4(address) = attributes.next_hop {
        put(
            &mut out,
            flags::TRANSITIVE,
            kind::NEXT_HOP,
            &address.octets(),
        );
    }
    if let Some(med) = attributes.med {
        put(&mut out, flags::OPTIONAL, kind::MED, &med.to_be_bytes());
    }
    if let Some(preference) = attributes.local_pref.filter(|_| !terms.external) {
        put(
            &mut out,
            flags::TRANSITIVE,
            kind::LOCAL_PREF,
            &preference.to_be_bytes(),
        );
    }
    if attributes.atomic_aggregate {
        put(&mut out, flags::TRANSITIVE, kind::ATOMIC_AGGREGATE, &[]);
    }
    if let Some(aggregator) = attributes.aggregator {
        let mut value = number(aggregator.asn, terms.four_octets);
        value.extend_from_slice(&aggregator.id.octets());
        put(&mut out, transitive, kind::AGGREGATOR, &value);
    }
    let marks: Vec<u8> = attributes
        .communities
        .iter()
        .flat_map(|it| it.0.to_be_bytes())
        .collect();
    put_some(&mut out, kind::COMMUNITIES, &marks);
    put_some(
        &mut out,
        kind::EXTENDED_COMMUNITIES,
        attributes.extended_communities.as_flattened(),
    );
    if !terms.four_octets {
        put_long_numbers(&mut out, attributes);
    }
    let large = attributes.large_communities.iter();
    let large: Vec<u8> = large
        .flat_map(|it| it.0)
        .flat_map(u32::to_be_bytes)
        .collect();
    put_some(&mut out, kind::LARGE_COMMUNITIES, &large);
    for unknown in &attributes.unknown {
        // "If a path with an unrecognized transitive optional attribute is accepted and passed along …, then the
        // unrecognized transitive optional attribute … MUST be passed, … with the Partial bit … set to 1": section 5.
        put(
            &mut out,
            transitive | flags::PARTIAL,
            unknown.kind,
            &unknown.value,
        );
    }
    out
}

/// What is lost where numbers have two octets (RFC 6793, section 4.2.2).
fn put_long_numbers(out: &mut Vec<u8>, attributes: &Attributes) {
    let is_long = |asn: Asn| u16::try_from(asn.get()).is_err();
    if attributes.as_path.asns().any(is_long) {
        put_some(out, kind::AS4_PATH, &path(&attributes.as_path, true));
    }
    if let Some(aggregator) = attributes.aggregator.filter(|it| is_long(it.asn)) {
        let mut value = number(aggregator.asn, true);
        value.extend_from_slice(&aggregator.id.octets());
        put_some(out, kind::AS4_AGGREGATOR, &value);
    }
}

/// An optional, transitive attribute that has something to say.
fn put_some(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    if !value.is_empty() {
        put(out, flags::OPTIONAL | flags::TRANSITIVE, kind, value);
    }
}

fn put(out: &mut Vec<u8>, flags: u8, kind: u8, value: &[u8]) {
    if let Ok(len) = u8::try_from(value.len()) {
        out.extend_from_slice(&[flags, kind, len]);
    } else {
        out.extend_from_slice(&[flags | EXTENDED, kind]);
        put_len(out, value.len());
    }
    out.extend_from_slice(value);
}

/// A length of two octets; what is longer does not fit into a message, and is refused before it is sent.
fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
}

fn number(asn: Asn, four_octets: bool) -> Vec<u8> {
    if four_octets {
        return asn.get().to_be_bytes().to_vec();
    }
    let short = u16::try_from(asn.get()).or_else(|_| u16::try_from(Asn::TRANS.get()));
    short.unwrap_or(0).to_be_bytes().to_vec()
}

fn path(path: &AsPath, four_octets: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for segment in &path.0 {
        let kind = match segment.kind {
            SegmentKind::Set => SET,
            SegmentKind::Sequence => SEQUENCE,
        };
        for part in segment.asns.chunks(255) {
            out.extend_from_slice(&[kind, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
            out.extend(part.iter().flat_map(|asn| number(*asn, four_octets)));
        }
    }
    out
}
