//! Items as octets: one map each, one behind the other (a CBOR sequence, RFC 8742).

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use minicbor::Decoder;

use rackweave_types::MacAddr;

use super::cbor::{BodyError, Writer, array, read_map};
use crate::ddm::item::{Announcement, Cost, Item, Members, NodeId, RouteKey, Scope};

/// The most nodes of a path; what would be longer is told as withdrawn.
pub const MAX_PATH: usize = 64;

/// The most octets of one item.
pub const MAX_ITEM: usize = 512;

const KIND: u8 = 0;
const PREFIX: u8 = 1;
const ORIGIN: u8 = 2;
const SCOPE: u8 = 3;
const PATH: u8 = 4;
const COST: u8 = 5;
const MEMBERS: u8 = 6;

const ANNOUNCE: u64 = 0;
const WITHDRAW: u64 = 1;
const END_OF_RIB: u64 = 2;
const LET_IN: u64 = 3;

/// The octets of items, read one by one.
#[derive(Clone, Debug)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// Items as they came, or as [`emit_item`] wrote them.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Item, BodyError>;

    /// The next item of a kind that this release knows; others are passed over. Nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let mut decoder = Decoder::new(self.0);
            match parse(&mut decoder) {
                Ok(item) => {
                    self.0 = self.0.get(decoder.position()..).unwrap_or_default();
                    if let Some(item) = item {
                        return Some(Ok(item));
                    }
                }
                Err(error) => {
                    self.0 = &[];
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// Writes an item behind others.
///
/// An announcement whose path is longer than [`MAX_PATH`] is written as a withdrawal: too far is nowhere.
pub fn emit_item(bytes: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Announce(announcement) if announcement.path.len() <= MAX_PATH => {
            emit_announcement(bytes, announcement);
        }
        Item::Announce(Announcement { key, .. }) | Item::Withdraw(key) => {
            emit_key(&mut Writer::map(bytes, 3), WITHDRAW, key);
        }
        Item::EndOfRib => {
            Writer::map(bytes, 1).uint(KIND, END_OF_RIB);
        }
        Item::LetIn(prefix) => {
            let (octets, length) = prefix_octets(*prefix);
            let mut map = Writer::map(bytes, 2);
            map.uint(KIND, LET_IN).bytes(PREFIX, &octets[..length]);
        }
    }
}

fn emit_announcement(bytes: &mut Vec<u8>, announcement: &Announcement) {
    let mut path = [0; MAX_PATH * 6];
    for (slot, node) in path.chunks_exact_mut(6).zip(&announcement.path) {
        slot.copy_from_slice(&node.0.octets());
    }
    let path = path.get(..announcement.path.len() * 6).unwrap_or_default();
    let fields = 6 + usize::from(announcement.members.is_some());
    let mut map = Writer::map(bytes, fields);
    emit_key(&mut map, ANNOUNCE, &announcement.key);
    map.uint(SCOPE, scope_code(announcement.scope))
        .bytes(PATH, path)
        .uint(COST, u64::from(announcement.cost.0));
    if let Some(Members(words)) = announcement.members {
        let mut octets = [0; 32];
        for (slot, word) in octets.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        map.bytes(MEMBERS, &octets);
    }
}

fn emit_key(map: &mut Writer<'_>, kind: u64, key: &RouteKey) {
    let (prefix, length) = prefix_octets(key.prefix);
    map.uint(KIND, kind)
        .bytes(PREFIX, &prefix[..length])
        .bytes(ORIGIN, &key.origin.0.octets());
}

/// A prefix's length and octets, and how many of these are needed.
fn prefix_octets(prefix: Ipv6Net) -> ([u8; 17], usize) {
    let length = prefix.prefix_len();
    let mut octets = [0; 17];
    octets[0] = length;
    octets[1..].copy_from_slice(&prefix.network().octets());
    (octets, 1 + octets_of(length))
}

fn octets_of(length: u8) -> usize {
    usize::from(length.div_ceil(8)).min(16)
}

#[derive(Default)]
struct Fields {
    kind: Option<u64>,
    prefix: Option<Ipv6Net>,
    origin: Option<NodeId>,
    scope: Option<u64>,
    path: Vec<NodeId>,
    cost: Option<Cost>,
    members: Option<Members>,
}

/// One item, or none where it is of a kind that this release does not know.
fn parse(decoder: &mut Decoder<'_>) -> Result<Option<Item>, BodyError> {
    let mut fields = Fields::default();
    read_map(decoder, |key, decoder| {
        match u8::try_from(key) {
            Ok(KIND) => fields.kind = Some(decoder.u64()?),
            Ok(PREFIX) => fields.prefix = Some(prefix(decoder.bytes()?)?),
            Ok(ORIGIN) => fields.origin = Some(node(array(decoder, "origin")?)),
            Ok(SCOPE) => fields.scope = Some(decoder.u64()?),
            Ok(PATH) => fields.path = path(decoder.bytes()?)?,
            Ok(COST) => fields.cost = Some(Cost(decoder.u32()?)),
            Ok(MEMBERS) => fields.members = Some(members(array(decoder, "members")?)),
            _ => decoder.skip()?,
        }
        Ok(())
    })?;
    match fields.kind.ok_or(BodyError::Missing("kind of item"))? {
        ANNOUNCE => announced(fields).map(Some),
        WITHDRAW => Ok(Some(Item::Withdraw(fields.key()?))),
        END_OF_RIB => Ok(Some(Item::EndOfRib)),
        LET_IN => {
            let prefix = fields.prefix.ok_or(BodyError::Missing("prefix"))?;
            Ok(Some(Item::LetIn(prefix)))
        }
        _ => Ok(None),
    }
}

impl Fields {
    fn key(&self) -> Result<RouteKey, BodyError> {
        Ok(RouteKey {
            prefix: self.prefix.ok_or(BodyError::Missing("prefix"))?,
            origin: self.origin.ok_or(BodyError::Missing("origin"))?,
        })
    }
}

/// An announcement; one of a scope that this release does not know is no way to go, and taken as a withdrawal.
fn announced(fields: Fields) -> Result<Item, BodyError> {
    let key = fields.key()?;
    if fields.path.is_empty() {
        return Err(BodyError::Missing("path"));
    }
    let code = fields.scope.ok_or(BodyError::Missing("scope"))?;
    let cost = fields.cost.ok_or(BodyError::Missing("cost"))?;
    let known = SCOPES.into_iter().find(|scope| scope_code(*scope) == code);
    Ok(match known {
        None => Item::Withdraw(key),
        Some(scope) => Item::Announce(Announcement {
            key,
            scope,
            path: fields.path,
            cost,
            members: fields.members,
        }),
    })
}

const SCOPES: [Scope; 5] = [
    Scope::Bootstrap,
    Scope::Rack,
    Scope::Summary,
    Scope::Service,
    Scope::Site,
];

const fn scope_code(scope: Scope) -> u64 {
    match scope {
        Scope::Bootstrap => 0,
        Scope::Rack => 1,
        Scope::Summary => 2,
        Scope::Service => 3,
        Scope::Site => 4,
    }
}

fn node(octets: [u8; 6]) -> NodeId {
    NodeId(MacAddr::new(octets))
}

/// A length and the octets that it needs, no bit set behind it.
fn prefix(bytes: &[u8]) -> Result<Ipv6Net, BodyError> {
    let wrong = BodyError::Field("prefix");
    let (&length, significant) = bytes.split_first().ok_or(wrong)?;
    if significant.len() != octets_of(length) {
        return Err(wrong);
    }
    let mut octets = [0; 16];
    octets[..significant.len()].copy_from_slice(significant);
    let net = Ipv6Net::new(Ipv6Addr::from(octets), length).map_err(|_| wrong)?;
    if net.addr() == net.network() {
        Ok(net)
    } else {
        Err(wrong)
    }
}

fn path(bytes: &[u8]) -> Result<Vec<NodeId>, BodyError> {
    let (nodes, rest) = bytes.as_chunks::<6>();
    if rest.is_empty() && nodes.len() <= MAX_PATH {
        Ok(nodes.iter().map(|octets| node(*octets)).collect())
    } else {
        Err(BodyError::Field("path"))
    }
}

fn members(octets: [u8; 32]) -> Members {
    let mut words = [0; 4];
    let (chunks, _) = octets.as_chunks::<8>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_be_bytes(*chunk);
    }
    Members(words)
}
