//! The zones of a VPC, forwards and backwards.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use ipnet::IpNet;
use rackweave_types::state::{DomainName, RecordData, ZoneState};

/// How long a zone may go without news for other name servers, of which there are none (RFC 1912, section 2.2).
const REFRESH: i32 = 3600;
const RETRY: i32 = 600;
const EXPIRE: i32 = 86_400;
/// How long the name of an address that has none may be taken to have none, in seconds.
const NO_NAME_TTL: u32 = 5;
/// The longest character string of a TXT record (RFC 1035, section 3.3).
const TEXT_MAX: usize = 255;
/// A lifetime beyond this counts as none (RFC 2181, section 8).
const TTL_MAX: u32 = 0x7fff_ffff;

/// The zones that guests of one VPC see.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    zones: BTreeMap<Name, Zone>,
    names: BTreeMap<IpAddr, Vec<Record>>,
    blocks: Vec<IpNet>,
    serial: u32,
}

/// One zone.
#[derive(Clone, Debug)]
struct Zone {
    origin: Name,
    ttl: u32,
    serial: u32,
    /// Data by name; a name without data has names below it.
    sets: BTreeMap<Name, Vec<RData>>,
}

/// What the zones say of a name and a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: the name is in no zone.
    NotOurs,
    /// These records.
    Records(Vec<Record>),
    /// The name is an alias of another.
    Alias(Box<Record>, Name),
    /// The name is there and has nothing of this type; the zone's SOA (RFC 2308, section 2.2).
    NoData(Box<Record>),
    /// The name is not there; the zone's SOA (RFC 2308, section 2.1).
    NoName(Box<Record>),
}

impl Zones {
    /// The zones of a VPC that has these blocks. A record whose name would be too long is left out: nobody can ask
    /// for it.
    pub(crate) fn new<'a>(states: impl Iterator<Item = &'a ZoneState>, blocks: Vec<IpNet>) -> Self {
        let mut all = Self {
            blocks,
            ..Self::default()
        };
        for state in states {
            if let Some(origin) = name_of(&state.origin) {
                all.add(state, origin);
            }
        }
        all
    }

    fn add(&mut self, state: &ZoneState, origin: Name) {
        let mut zone = Zone {
            ttl: state.ttl.min(TTL_MAX),
            serial: serial(state.generation.get()),
            sets: BTreeMap::from([(origin.clone(), Vec::new())]),
            origin,
        };
        self.serial = self.serial.max(zone.serial);
        for record in &state.records {
            let name = match &record.name {
                None => Some(zone.origin.clone()),
                Some(name) => name_of(name).and_then(|name| {
                    let mut relative = name;
                    relative.set_fqdn(false);
                    relative.append_domain(&zone.origin).ok()
                }),
            };
            let Some(name) = name else { continue };
            if let RecordData::Addresses(addresses) = &record.data {
                for addr in addresses {
                    let back = Record::from_rdata(
                        reverse_name(*addr),
                        zone.ttl,
                        RData::PTR(PTR(name.clone())),
                    );
                    let known = self.names.entry(*addr).or_default();
                    if !known.contains(&back) {
                        known.push(back);
                    }
                }
            }
            zone.put(&name, rdata(&record.data));
        }
        self.zones.insert(zone.origin.clone(), zone);
    }

    /// What is known of a name. `servers` are the addresses under which the asker knows its DNS server: they are
    /// those of each zone's name server.
    pub(super) fn look(&self, name: &Name, query_type: RecordType, servers: &[IpAddr]) -> Said {
        let mut ancestor = name.clone();
        loop {
            if let Some(zone) = self.zones.get(&ancestor) {
                return zone.look(name, query_type, servers);
            }
            if ancestor.is_root() {
                return self.look_back(name, query_type);
            }
            ancestor = ancestor.base_name();
        }
    }

    /// The names of addresses: of those that a zone names, and of the VPC's own that none does.
    fn look_back(&self, name: &Name, query_type: RecordType) -> Said {
        let Ok(net) = name.parse_arpa_name() else {
            return Said::NotOurs;
        };
        let whole = net.prefix_len() == net.max_prefix_len();
        let names = self.names.get(&net.addr()).filter(|_| whole);
        let block = self.blocks.iter().find(|block| block.contains(&net));
        if names.is_none() && block.is_none() {
            return Said::NotOurs;
        }
        let apex = block.map_or_else(|| name.clone(), |block| apex(name, block));
        let soa = || Box::new(soa(&apex, self.serial, NO_NAME_TTL));
        match names {
            Some(records) if matches!(query_type, RecordType::PTR | RecordType::ANY) => {
                let named = |record: &Record| {
                    Record::from_rdata(name.clone(), record.ttl, record.data.clone())
                };
                Said::Records(records.iter().map(named).collect())
            }
            Some(_) => Said::NoData(soa()),
            None if apex == *name && query_type == RecordType::SOA => Said::Records(vec![*soa()]),
            None if whole => Said::NoName(soa()),
            None => Said::NoData(soa()),
        }
    }
}

impl Zone {
    /// Adds data, and the names between it and the origin.
    fn put(&mut self, name: &Name, data: Vec<RData>) {
        let mut ancestor = name.base_name();
        while ancestor.num_labels() > self.origin.num_labels() {
            self.sets.entry(ancestor.clone()).or_default();
            ancestor = ancestor.base_name();
        }
        let set = self.sets.entry(name.clone()).or_default();
        for one in data {
            if !set.contains(&one) {
                set.push(one);
            }
        }
    }

    fn look(&self, name: &Name, query_type: RecordType, servers: &[IpAddr]) -> Said {
        let record = |data: RData| Record::from_rdata(name.clone(), self.ttl, data);
        let soa = || Box::new(soa(&self.origin, self.serial, self.ttl));
        let mut data: Vec<RData> = match self.sets.get(name) {
            Some(set) => set.clone(),
            // Unless the zone says otherwise, its name server is the asker's own.
            None if server_name(&self.origin).as_ref() == Some(name) => {
                servers.iter().copied().map(address).collect()
            }
            None => return Said::NoName(soa()),
        };
        if name == &self.origin {
            data.push(soa().data);
            data.extend(server_name(name).map(|server| RData::NS(NS(server))));
        }
        // RFC 1034, section 3.6.2: "If a CNAME RR is present at a node, no other data should be present".
        let alias = data.iter().find_map(|data| match data {
            RData::CNAME(CNAME(target)) => Some(target.clone()),
            _ => None,
        });
        if let Some(target) = alias {
            let alias = record(RData::CNAME(CNAME(target.clone())));
            return match query_type {
                RecordType::CNAME | RecordType::ANY => Said::Records(vec![alias]),
                _ => Said::Alias(Box::new(alias), target),
            };
        }
        let wanted =
            |data: &RData| query_type == RecordType::ANY || data.record_type() == query_type;
        let records: Vec<_> = data.into_iter().filter(wanted).map(record).collect();
        if records.is_empty() {
            Said::NoData(soa())
        } else {
            Said::Records(records)
        }
    }
}

/// The serial number of a generation: what fits in 32 bits (RFC 1982).
fn serial(generation: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = generation.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The SOA record of a zone; its TTL is how long an absence may be taken for granted (RFC 2308, section 3).
fn soa(origin: &Name, serial: u32, ttl: u32) -> Record {
    let server = server_name(origin).unwrap_or_else(|| origin.clone());
    let person = origin
        .prepend_label("hostmaster")
        .unwrap_or_else(|_| origin.clone());
    let data = SOA::new(server, person, serial, REFRESH, RETRY, EXPIRE, ttl);
    Record::from_rdata(origin.clone(), ttl, RData::SOA(data))
}

/// The name of a zone's name server; `None` where it would be too long.
fn server_name(origin: &Name) -> Option<Name> {
    origin.prepend_label("ns").ok()
}

fn name_of(name: &DomainName) -> Option<Name> {
    let mut name = Name::from_ascii(name.as_str()).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn address(addr: IpAddr) -> RData {
    match addr {
        IpAddr::V4(addr) => RData::A(A(addr)),
        IpAddr::V6(addr) => RData::AAAA(AAAA(addr)),
    }
}

fn rdata(data: &RecordData) -> Vec<RData> {
    match data {
        RecordData::Addresses(addresses) => addresses.iter().copied().map(address).collect(),
        RecordData::Alias(target) => name_of(target)
            .map(|target| RData::CNAME(CNAME(target)))
            .into_iter()
            .collect(),
        RecordData::Text(text) => {
            let parts: Vec<&[u8]> = text.as_bytes().chunks(TEXT_MAX).collect();
            // RFC 1035, section 3.3.14: one or more strings.
            let parts = if parts.is_empty() {
                vec![&[][..]]
            } else {
                parts
            };
            vec![RData::TXT(TXT::from_bytes(parts))]
        }
        RecordData::Service {
            priority,
            weight,
            port,
            target,
        } => name_of(target)
            .map(|target| RData::SRV(SRV::new(*priority, *weight, *port, target)))
            .into_iter()
            .collect(),
    }
}

/// The name under which an address's names are asked (RFC 1035, section 3.5; RFC 3596, section 2.5).
fn reverse_name(addr: IpAddr) -> Name {
    Name::from(addr)
}

/// The zone of reverse names in which a block lies: cut at the last octet or digit that the block shares, or the name
/// itself where the block is smaller.
fn apex(name: &Name, block: &IpNet) -> Name {
    let bits = if block.max_prefix_len() == 32 { 8 } else { 4 };
    let labels = block.prefix_len().div_ceil(bits) + 2;
    name.trim_to(labels.into())
}
