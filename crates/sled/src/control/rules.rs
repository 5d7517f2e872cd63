//! The rules of a port, with how often each was met.

use std::collections::BTreeMap;

use rackweave_api::local::{ApiError, Code};
use rackweave_api::sled::{Rule, Rules};
use rackweave_engine::RuleHits;
use rackweave_engine::program::{Layer, RuleId, RuleSet};
use rackweave_types::Direction;
use rackweave_types::state::{HostState, PortConfig};
use rackweave_vpc::{RuleKind, RuleName};

use super::describe;

/// Hits by layer, direction and rule, summed over workers.
type Hits = BTreeMap<(String, bool, Option<RuleId>), u64>;

/// Sums up what workers counted.
fn sum(hits: Vec<RuleHits>) -> Hits {
    let mut sum = Hits::new();
    for RuleHits {
        layer,
        direction,
        rule,
        hits,
    } in hits
    {
        *sum.entry((layer, direction == Direction::In, rule))
            .or_default() += hits;
    }
    sum
}

/// The rules of a port: what the host state says, with what all workers counted.
pub(crate) fn rules(
    state: &HostState,
    port: &PortConfig,
    hits: Vec<RuleHits>,
) -> Result<Rules, ApiError> {
    let failed = |cause: String| {
        ApiError::new(Code::Failed, format!("port {} has no rules", port.id)).cause(cause)
    };
    let vpc = state.vpcs.iter().find(|vpc| vpc.vni == port.vni);
    let vpc = vpc.ok_or_else(|| failed(format!("vpc {} is not in the host state", port.vni)))?;
    let program = rackweave_vpc::program(port, vpc, &state.boundary, &state.underlay)
        .map_err(|error| failed(error.to_string()))?;
    let hits = sum(hits);
    let mut rules = Vec::new();
    for layer in &program.spec.layers {
        list(state, port, layer, Direction::Out, &hits, &mut rules);
    }
    for layer in program.spec.layers.iter().rev() {
        list(state, port, layer, Direction::In, &hits, &mut rules);
    }
    Ok(Rules {
        port: port.id,
        rules,
    })
}

/// The rules of a layer for one direction, those made from one item together.
fn list(
    state: &HostState,
    port: &PortConfig,
    layer: &Layer,
    direction: Direction,
    hits: &Hits,
    rules: &mut Vec<Rule>,
) {
    let set: &RuleSet = match direction {
        Direction::Out => &layer.outbound,
        Direction::In => &layer.inbound,
    };
    let hit = |rule| {
        let key = (layer.name.clone(), direction == Direction::In, rule);
        hits.get(&key).copied().unwrap_or(0)
    };
    let mut ordered: Vec<_> = set.rules.iter().collect();
    ordered.sort_by_key(|rule| rule.priority);
    let mut places: BTreeMap<(RuleKind, u32), usize> = BTreeMap::new();
    for rule in ordered {
        let Some(name) = RuleName::of(rule.id) else {
            continue;
        };
        let hits = hit(Some(rule.id));
        if let Some(place) = places.get(&(name.kind, name.item)) {
            let known = &mut rules[*place];
            known.parts += 1;
            known.hits += hits;
            continue;
        }
        places.insert((name.kind, name.item), rules.len());
        rules.push(Rule {
            layer: layer.name.clone(),
            direction,
            name: short(name),
            item: (name.item != 0).then_some(name.item),
            priority: Some(rule.priority),
            text: describe::rule(state, port, direction, name),
            parts: 1,
            hits,
        });
    }
    rules.push(Rule {
        layer: layer.name.clone(),
        direction,
        name: "default".to_owned(),
        item: None,
        priority: None,
        text: default(set).to_owned(),
        parts: 1,
        hits: hit(None),
    });
}

/// What is done to packets that no rule matches.
fn default(set: &RuleSet) -> &'static str {
    use rackweave_engine::program::Action;
    match set.default.last() {
        Some(Action::Deny { .. }) => "deny",
        _ => "pass",
    }
}

/// A rule's name without its layer.
pub(crate) fn short(name: RuleName) -> String {
    let text = name.to_string();
    let prefix = format!("{}: ", name.kind.layer().name());
    text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::state;

    #[test]
    fn rules_stand_in_order_with_their_hits_summed_over_parts_and_workers() {
        let state = state();
        let id = |kind, item, part| RuleName { kind, item, part }.id();
        let hits = |direction, kind: RuleKind, rule, hits| RuleHits {
            layer: kind.layer().name().to_owned(),
            direction,
            rule,
            hits,
        };
        let icmp = |part, count| {
            hits(
                Direction::In,
                RuleKind::Firewall,
                Some(id(RuleKind::Firewall, 3, part)),
                count,
            )
        };
        let counted = vec![
            icmp(0, 1),
            icmp(1, 2),
            icmp(0, 4),
            hits(Direction::In, RuleKind::Firewall, None, 9),
        ];
        let rules = rules(&state, &state.ports[1], counted).unwrap().rules;
        let inbound: Vec<_> = rules
            .iter()
            .filter(|rule| rule.layer == "firewall" && rule.direction == Direction::In)
            .map(|rule| (rule.name.as_str(), rule.hits))
            .collect();
        let expected = [
            ("rule 5", 0),
            ("rule 2", 0),
            ("rule 3", 7),
            ("rule 4", 0),
            ("default", 9),
        ];
        assert_eq!(inbound, expected);
        let layers: Vec<_> = rules.iter().map(|rule| rule.layer.as_str()).collect();
        assert_eq!(layers.first(), Some(&"guard"));
        assert_eq!(layers.last(), Some(&"guard"));
    }
}
