//! From frozen shards to a port: flows go to the shards that own them now, the rest is shared out.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use hashbrown::HashMap;
use rackweave_types::Instant;

use super::freeze::FLAGS;
use super::{Shard, compile, keep};
use crate::addr::Addr;
use crate::counters::side;
use crate::direction::Direction;
use crate::drop_reason::DropReason;
use crate::flow::{CompiledFlow, EndReason, FlowClass, FlowKey, Record, Side, TcpState};
use crate::fragment::{Datagram, Ports};
use crate::freeze::{Flow, Hits, Part, View, flag};
use crate::hash::{self, FlowHasher};
use crate::program::Program;
use crate::punt::Punt;

/// No counter is thawed beyond this, so that what is counted from then on does not overflow it.
const MOST: u64 = 1 << 62;

/// Keys of thawed connections that the hash would lead to another shard than theirs: source translation binds a
/// connection to the shard that its outside port names, whatever the hash says after a change of secret or of the
/// number of shards. Immutable and shared; what remains of an ended connection does no harm, for both directions of
/// the next one with its addresses and ports go to the same shard too.
pub(super) type Strays = HashMap<FlowKey, u16, FlowHasher>;

/// A connection on its way into a table.
#[derive(Clone, Copy, Debug)]
struct Thawed {
    record: Record,
    class: FlowClass,
    peer: Option<Addr>,
}

/// Gives the shards of a new port the state of a frozen one. Nothing here fails: what the bytes claim was checked,
/// and what the new limits have no room for is counted as evicted or dropped.
pub(crate) fn fill(shards: &mut [Shard], parts: Vec<Part>, now: Instant) {
    for shard in shards.iter_mut() {
        // Epoch 0 is before a change that asked to cut, 1 after it; neither is current.
        (shard.epoch, shard.cut_epoch) = (2, 1);
    }
    give_meters(shards, &parts, now);
    give_fragments(shards, &parts, now);
    give_flows(shards, &parts, now);
    if let Some(first) = shards.first_mut() {
        for part in &parts {
            first.take_counters(part);
            first.take_hits(part);
        }
    }
    give_punts(shards, parts);
}

fn give_flows(shards: &mut [Shard], parts: &[Part], now: Instant) {
    let Some(first) = shards.first() else { return };
    let mut shares: Vec<Vec<Thawed>> = vec![Vec::new(); shards.len()];
    let mut strays = Strays::with_hasher(first.hasher);
    for part in parts {
        let places = layer_places(&first.program, &part.header.layers);
        for flow in &part.flows {
            let thawed = thaw_flow(flow, &places, now);
            let home = first.home_of(&thawed.record.compiled, &mut strays);
            if let Some(share) = shares.get_mut(usize::from(home)) {
                share.push(thawed);
            }
        }
    }
    let strays = (!strays.is_empty()).then(|| Arc::new(strays));
    for (shard, share) in shards.iter_mut().zip(shares) {
        shard.strays.clone_from(&strays);
        shard.take_flows(share);
    }
}

/// For each frozen layer the bit of the layer with its name in the program of now; 0 where there is none.
fn layer_places(program: &Program, layers: &[String]) -> Vec<u16> {
    let bit = |name: &String| {
        let place = program.layer_names().position(|layer| layer == name)?;
        1_u16.checked_shl(u32::try_from(place).ok()?)
    };
    layers.iter().map(|name| bit(name).unwrap_or(0)).collect()
}

fn thaw_flow(frozen: &Flow, places: &[u16], now: Instant) -> Thawed {
    let before = |age: u64| now.nanos().saturating_sub(age);
    let mut flow = CompiledFlow::empty();
    flow.protocol = frozen.protocol;
    flow.guest = side_of(&frozen.guest);
    flow.wire = side_of(frozen.wire.as_ref().unwrap_or(&frozen.guest));
    for (bit, named) in FLAGS {
        flow.set_flag(bit, frozen.flags & named != 0);
    }
    flow.set_flag(CompiledFlow::FLAG_V4, frozen.guest.local.is_v4());
    if let Some(vni) = frozen.vni {
        let [_, a, b, c] = vni.to_be_bytes();
        flow.vni = [a, b, c];
    }
    let passed = places
        .iter()
        .enumerate()
        .filter(|(at, _)| frozen.stateful >> at & 1 == 1);
    flow.stateful_layers = passed.fold(0, |all, (_, bit)| all | bit);
    compile::set_deltas(&mut flow);
    flow.entropy = hash::entropy(&FlowKey::of(&flow, Direction::Out));
    let (class, tcp) = standing(frozen);
    let epoch = u32::from(frozen.flags & flag::BEFORE_CUT == 0);
    let record = Record {
        compiled: flow,
        epoch_out: epoch,
        epoch_in: epoch,
        packets: frozen.packets.map(|packets| packets.min(MOST)),
        bytes: frozen.bytes.map(|bytes| bytes.min(MOST)),
        start: before(frozen.age),
        last_use: before(frozen.idle),
        tcp: tcp.number(),
        ..Record::empty()
    };
    Thawed {
        record,
        class,
        peer: frozen.peer,
    }
}

/// How a connection stands. Of a TCP state that only the next version knows the class says how it is treated.
fn standing(frozen: &Flow) -> (FlowClass, TcpState) {
    let known = TcpState::ALL.get(usize::from(frozen.tcp)).copied();
    if frozen.protocol != crate::parse::protocol::TCP {
        let class = if frozen.class >= 2 {
            FlowClass::Answered
        } else {
            FlowClass::Opening
        };
        return (class, TcpState::None);
    }
    let state = known.unwrap_or(match frozen.class {
        1 => TcpState::Closing,
        3 => TcpState::Established,
        _ => TcpState::None,
    });
    (state.class(), state)
}

fn side_of(view: &View) -> Side {
    Side {
        local: view.local.octets(),
        remote: view.remote.octets(),
        local_port: view.local_port,
        remote_port: view.remote_port,
        local_mac: view.local_mac,
        remote_mac: view.remote_mac,
    }
}

/// Shares out how far meters are used up: shard by shard where there are as many as before, else the mean, which
/// stands for the same sum of octets and packets.
fn give_meters(shards: &mut [Shard], parts: &[Part], now: Instant) {
    let same = shards.len() == parts.len();
    let mut sums: BTreeMap<Option<u16>, [Option<u64>; 2]> = BTreeMap::new();
    let count = u64::try_from(parts.len()).unwrap_or(u64::MAX).max(1);
    for part in parts {
        let mut own = shards
            .get_mut(usize::from(part.header.index))
            .filter(|_| same);
        for meter in &part.meters {
            let ahead = [meter.bytes_ahead, meter.packets_ahead];
            if let Some(shard) = &mut own {
                shard.set_meter(meter.place, ahead, now);
                continue;
            }
            let sum = sums.entry(meter.place).or_insert([None; 2]);
            for (sum, ahead) in sum.iter_mut().zip(ahead) {
                *sum = ahead
                    .map(|ahead| sum.unwrap_or(0).saturating_add(ahead / count))
                    .or(*sum);
            }
        }
    }
    for shard in shards {
        for (place, ahead) in &sums {
            shard.set_meter(*place, *ahead, now);
        }
    }
}

fn give_fragments(shards: &mut [Shard], parts: &[Part], now: Instant) {
    let mut all: Vec<_> = parts.iter().flat_map(|part| &part.fragments).collect();
    // The oldest are put first, so that they make room.
    all.sort_by_key(|fragment| fragment.left);
    for fragment in all {
        let datagram = Datagram {
            direction: fragment.direction,
            src: fragment.src,
            dst: fragment.dst,
            protocol: fragment.protocol,
            id: fragment.id,
        };
        let ports = Ports {
            src_port: fragment.src_port,
            dst_port: fragment.dst_port,
            icmp_type: fragment.icmp_type,
            icmp_code: fragment.icmp_code,
        };
        let remote = match fragment.direction {
            Direction::Out => fragment.dst,
            Direction::In => fragment.src,
        };
        let home = shards
            .first()
            .map_or(0, |shard| shard.datagram_home(remote, fragment.protocol));
        if let Some(shard) = shards.get_mut(usize::from(home)) {
            let longest = now.after(shard.program.timeouts().fragments);
            let until = Instant::from_nanos(now.nanos().saturating_add(fragment.left)).min(longest);
            shard.fragments.put(datagram, ports, until);
        }
    }
}

/// Shares out the packets for the agent: to the first shard that has room.
fn give_punts(shards: &mut [Shard], parts: Vec<Part>) {
    for punted in parts.into_iter().flat_map(|part| part.punts) {
        let punt = Punt {
            queue: punted.queue,
            direction: punted.direction,
            bytes: punted.bytes,
        };
        let direction = punt.direction;
        match shards.iter_mut().find(|shard| !shard.punts.is_full()) {
            Some(shard) => {
                let room = shard.punts.push(punt);
                debug_assert!(room, "it is not full");
            }
            None => {
                if let Some(shard) = shards.first_mut() {
                    shard
                        .counters
                        .count_drop(direction, DropReason::PuntQueueFull);
                }
            }
        }
    }
}

impl Shard {
    /// The shard that is to have a connection; keys that the hash leads elsewhere are noted.
    fn home_of(&self, flow: &CompiledFlow, strays: &mut Strays) -> u16 {
        let keys = FlowKey::all(flow);
        let [out, inbound] = keys.map(|key| self.owner_of_key(&key));
        let home = if flow.flags & CompiledFlow::FLAG_SOURCE_NAT != 0 {
            inbound
        } else {
            out
        };
        for (key, owner) in keys.into_iter().zip([out, inbound]) {
            if owner != home {
                strays.insert(key, home);
            }
        }
        home
    }

    /// Puts connections into the empty table. Where there is not enough room, the least valuable stay outside.
    fn take_flows(&mut self, mut share: Vec<Thawed>) {
        let room = usize::try_from(self.table.capacity()).unwrap_or(usize::MAX);
        if share.len() > room {
            share.sort_by_key(|thawed| Reverse((thawed.class, thawed.record.last_use)));
            for _ in share.drain(room..) {
                self.counters.flows_evicted += 1;
            }
        }
        share.sort_by_key(|thawed| thawed.record.last_use);
        for thawed in share {
            self.take_flow(thawed);
        }
    }

    fn take_flow(
        &mut self,
        Thawed {
            mut record,
            class,
            peer,
        }: Thawed,
    ) {
        if let Some(peer) = peer {
            record.compiled.peer = self.peers.acquire(peer).unwrap_or(CompiledFlow::NONE);
        }
        // Who has one of its keys was put in before and is used longer ago: of two records of one connection, or of
        // two shards that each believed to have it, the later one is right.
        for holder in self.holders(&record.compiled) {
            keep::release(
                &mut self.templates,
                &mut self.peers,
                &self.table.get(holder).compiled,
            );
            self.table.remove(holder);
            self.counters.flows_evicted += 1;
        }
        let Self {
            table,
            templates,
            peers,
            counters,
            ..
        } = self;
        // At the time of its last use, so that this is what the table notes.
        let then = Instant::from_nanos(record.last_use);
        let inserted = table.insert(record, class, then, |ended| {
            keep::release(templates, peers, &ended.record.compiled);
            match ended.why {
                EndReason::Evicted => counters.flows_evicted += 1,
                EndReason::Expired => counters.flows_expired += 1,
            }
        });
        if inserted.is_err() {
            keep::release(templates, peers, &record.compiled);
            counters.flows_evicted += 1;
        }
    }

    /// The connections that have one of a connection's keys.
    fn holders(&self, flow: &CompiledFlow) -> Vec<u32> {
        let keys = FlowKey::all(flow);
        let mut holders: Vec<u32> = keys
            .iter()
            .filter_map(|key| self.table.lookup(key, self.hasher.hash(key)))
            .collect();
        holders.dedup();
        holders
    }

    fn set_meter(&mut self, place: Option<u16>, ahead: [Option<u64>; 2], now: Instant) {
        let meter = match place {
            None => Some(&mut self.replies),
            Some(place) => self.meters.get_mut(usize::from(place)),
        };
        if let Some(meter) = meter {
            meter.set_ahead(ahead, now);
        }
    }

    fn take_counters(&mut self, part: &Part) {
        let counters = &mut self.counters;
        let totals = &part.totals;
        let pairs = [
            (&mut counters.received, &totals.received),
            (&mut counters.forwarded, &totals.forwarded),
            (&mut counters.hairpinned, &totals.hairpinned),
            (&mut counters.punted, &totals.punted),
            (&mut counters.handed_over, &totals.handed_over),
        ];
        for (counter, more) in pairs {
            for (counter, more) in counter.iter_mut().zip(more) {
                add(counter, *more);
            }
        }
        add(&mut counters.refusals, totals.refusals);
        add(&mut counters.from_previous_host, totals.from_previous_host);
        add(&mut counters.flows_created, totals.flows_created);
        add(&mut counters.flows_expired, totals.flows_expired);
        add(&mut counters.flows_evicted, totals.flows_evicted);
        add(&mut counters.flows_cut, totals.flows_cut);
        for cell in &part.traffic {
            let traffic = &mut counters.traffic[side(cell.direction)];
            if let Some(tally) =
                traffic.kind_mut(cell.bound, [cell.cast, cell.network, cell.transport])
            {
                add(&mut tally.packets, cell.packets);
                add(&mut tally.bytes, cell.bytes);
            }
        }
        for drops in &part.drops {
            let reason = DropReason::ALL
                .iter()
                .find(|reason| reason.name() == drops.reason);
            let all = &mut counters.drops[side(drops.direction)];
            if let Some(counter) = reason.and_then(|reason| all.get_mut(reason.index())) {
                add(counter, drops.count);
            }
        }
    }

    /// Takes over the counters of rules that the program of now has too: same layer, direction and number.
    fn take_hits(&mut self, part: &Part) {
        let names: Vec<&str> = self.program.layer_names().collect();
        let places: BTreeMap<_, _> = self
            .program
            .counter_places()
            .filter_map(|(layer, direction, rule, place)| {
                let rule = rule.map(|rule| rule.0);
                Some((
                    (*names.get(layer)?, direction == Direction::In, rule),
                    place,
                ))
            })
            .collect();
        for Hits {
            layer,
            direction,
            rule,
            count,
        } in &part.hits
        {
            let name = part
                .header
                .layers
                .get(usize::from(*layer))
                .map(String::as_str);
            let place =
                name.and_then(|name| places.get(&(name, *direction == Direction::In, *rule)));
            if let Some(hits) = place.and_then(|place| self.rule_hits.get_mut(*place)) {
                add(hits, *count);
            }
        }
    }
}

/// Counters are claims: their sum stays where counting goes on.
fn add(counter: &mut u64, more: u64) {
    *counter = counter.saturating_add(more).min(MOST);
}
