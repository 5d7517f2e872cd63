//! What a shard tells of itself: flows and rule counters.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use rackweave_types::Instant;

use super::Shard;
use crate::direction::Direction;
use crate::flow::{CompiledFlow, FlowClass, FlowHandle, FlowKey, Record, TcpState};
use crate::parse::protocol;
use crate::program::{Program, RuleId};

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// The connection as the guest sees it.
    pub guest: FlowKey,
    /// The connection as it is inside the tunnel.
    pub wire: FlowKey,
    /// The direction of its first packet.
    pub began: Direction,
    /// How it stands.
    pub class: FlowClass,
    /// How far TCP is; `None` for other protocols.
    pub tcp: Option<TcpState>,
    /// Packets out and in.
    pub packets: [u64; 2],
    /// Octets of IP packets, out and in.
    pub bytes: [u64; 2],
    /// When the first packet came.
    pub start: Instant,
    /// When the last packet came.
    pub last_use: Instant,
    /// Whether the rules of now would not let it begin.
    pub kept: bool,
}

/// One connection, and how it stands in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedFlow {
    /// The connection.
    pub info: FlowInfo,
    /// The programs, by their [epoch](Shard::epoch), that last admitted packets out and in; 0 where none did.
    pub epochs: [u32; 2],
    /// Whether another executor has it.
    pub offloaded: bool,
}

/// How often a rule was met by a packet that the layers judged: first packets of connections, and all that no
/// connection's record serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHits {
    /// The layer's name.
    pub layer: String,
    /// The packets' direction.
    pub direction: Direction,
    /// The rule; `None` is the default of its set.
    pub rule: Option<RuleId>,
    /// How often.
    pub hits: u64,
}

impl FlowInfo {
    fn of(record: &Record) -> Self {
        let [guest, wire] = FlowKey::all(&record.compiled);
        Self {
            guest,
            wire,
            began: record.compiled.direction(),
            class: record.class(),
            tcp: (record.compiled.protocol == protocol::TCP).then(|| record.tcp_state()),
            packets: record.packets,
            bytes: record.bytes,
            start: Instant::from_nanos(record.start),
            last_use: Instant::from_nanos(record.last_use),
            kept: record.compiled.flags & CompiledFlow::FLAG_KEPT != 0,
        }
    }
}

impl Shard {
    /// The connections among the next `places` of the table from `cursor` (0 to begin with), and where to go on;
    /// `None` at the end. Packets may be processed between the calls: a connection that is there all the time is met
    /// exactly once.
    pub fn flows(&self, cursor: u32, places: u32) -> (Vec<FlowInfo>, Option<u32>) {
        let (listed, next) = self.list_flows(cursor, places);
        (listed.into_iter().map(|flow| flow.info).collect(), next)
    }

    /// As [`flows`](Self::flows), with how each stands in this shard.
    pub fn list_flows(&self, cursor: u32, places: u32) -> (Vec<ListedFlow>, Option<u32>) {
        let page = self.table.flows_from(cursor, places);
        let next = page.next_cursor();
        let listed = |(flow, record): (FlowHandle, &Record)| {
            let mut info = FlowInfo::of(record);
            let last_use = record.last_use.saturating_sub(self.set_ahead(flow.number));
            info.last_use = Instant::from_nanos(last_use);
            ListedFlow {
                info,
                epochs: [record.epoch_out, record.epoch_in].map(|epoch| epoch & !Record::STALE),
                offloaded: self.is_offloaded(flow.number),
            }
        };
        (page.map(listed).collect(), next)
    }

    /// One connection, by its number.
    pub(super) fn flow_info(&self, number: u32) -> FlowInfo {
        FlowInfo::of(self.table.get(number))
    }

    /// The counters of every rule and default of the program.
    pub fn rule_hits(&self) -> Vec<RuleHits> {
        let names: Vec<&str> = self.program.layer_names().collect();
        let hits = |place: usize| self.rule_hits.get(place).copied().unwrap_or(0);
        self.program
            .counter_places()
            .map(|(layer, direction, rule, place)| RuleHits {
                layer: names.get(layer).copied().unwrap_or_default().into(),
                direction,
                rule,
                hits: hits(place),
            })
            .collect()
    }

    /// Octets of memory for each connection, both directions, the index included.
    #[must_use]
    pub fn bytes_per_flow(&self) -> usize {
        self.table.bytes_per_flow()
    }
}

/// The counters of a new program: those of rules that the old one had too go on.
pub(super) fn carry_over(old: &Program, hits: &[u64], new: &Program) -> Vec<u64> {
    let places = |program: &Program| {
        let names: Vec<String> = program.layer_names().map(String::from).collect();
        let places: Vec<_> = program.counter_places().collect();
        places
            .into_iter()
            .map(move |(layer, direction, rule, place)| {
                let name = names.get(layer).cloned().unwrap_or_default();
                ((name, direction == Direction::In, rule), place)
            })
    };
    let before: BTreeMap<_, _> = places(old).collect();
    let mut carried = vec![0; new.counters()];
    for (rule, place) in places(new) {
        let hits = before
            .get(&rule)
            .and_then(|place| hits.get(*place))
            .copied()
            .unwrap_or(0);
        if let Some(counter) = carried.get_mut(place) {
            *counter = hits;
        }
    }
    carried
}
