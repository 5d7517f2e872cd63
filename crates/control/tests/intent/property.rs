//! Whatever is asked for, in whatever order: planned step by step and planned whole are the same to the
//! byte, and nodes that follow their deltas have what the plan says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rackweave_control::model::{RuleFilters, RuleHost, RuleTarget, Spec};
use rackweave_control::{Draw, Id, Key, Kind, Request, decide};
use rackweave_types::NodePrefix;
use rackweave_types::state::{HostState, StateDelta, SwitchState};
use serde_json::json;

use crate::world::{World, allow, name, nic, pool, sled, spec};

/// A step: which, and three numbers that say about what.
type Step = (u8, u8, u8, u8);

fn pick(world: &World, kind: Kind, at: u8) -> Option<Id> {
    let all: Vec<_> = world
        .intent
        .objects()
        .filter(|object| object.kind() == kind)
        .map(|object| object.meta().id)
        .collect();
    all.get(usize::from(at) % all.len().max(1)).copied()
}

/// What a step asks for; many of them are refused, and that is part of it.
fn request(world: &World, (which, a, b, c): Step) -> Option<Request> {
    let create = |parent, text: String, spec| {
        Some(Request::Create {
            parent,
            name: name(&text),
            description: String::new(),
            spec,
        })
    };
    let update = |kind, id, spec| {
        Some(Request::Update {
            key: Key::new(kind, id),
            if_match: None,
            description: None,
            spec,
        })
    };
    let delete = |kind, id| {
        Some(Request::Delete {
            key: Key::new(kind, id),
            if_match: None,
        })
    };
    let project = world.project("shop");
    let tag = |n: u8| name(&format!("tag-{}", n % 3));
    match which % 18 {
        0 => {
            let vpc = spec(Kind::Vpc, json!({"ipv4": [format!("10.{}.0.0/16", b % 3)]}));
            create(Some(project), format!("vpc-{}", a % 4), vpc)
        }
        1 => {
            let vpc = pick(world, Kind::Vpc, a)?;
            let block = world.intent.vpc(vpc)?.spec.ipv4.first()?.network().octets()[1];
            let net = json!({"ipv4": format!("10.{block}.{}.0/24", b % 3)});
            create(
                Some(vpc),
                format!("subnet-{}", b % 3),
                spec(Kind::Subnet, net),
            )
        }
        2 => {
            let json = json!({
                "sled": format!("sled-{}", 1 + b % 5), "tags": [tag(c)],
            });
            create(
                Some(project),
                format!("i-{}", a % 6),
                spec(Kind::Instance, json),
            )
        }
        3..=5 => {
            let instance = pick(world, Kind::Instance, a)?;
            let vpc = format!("vpc-{}", b % 4);
            let mut asked = nic(&vpc, &format!("subnet-{}", c % 3));
            if let Spec::Nic(nic) = &mut asked {
                if a % 5 == 0 {
                    nic.transit = vec!["192.168.0.0/16".parse().ok()?];
                }
                if b % 3 == 0 {
                    nic.ephemeral = vec![rackweave_control::model::EphemeralSpec::default()];
                }
            }
            create(Some(instance), format!("eth{}", c % 2), asked)
        }
        6 => delete(Kind::Nic, pick(world, Kind::Nic, a)?),
        7 => delete(Kind::Instance, pick(world, Kind::Instance, a)?),
        8 => {
            let json = json!({"sled": format!("sled-{}", 1 + b % 5), "tags": [tag(c)]});
            let id = pick(world, Kind::Instance, a)?;
            update(Kind::Instance, id, spec(Kind::Instance, json))
        }
        9 => {
            let filters = RuleFilters {
                hosts: vec![RuleHost::Tag(tag(b))],
                ..RuleFilters::default()
            };
            let targets = if c % 2 == 0 {
                Vec::new()
            } else {
                vec![RuleTarget::Tag(tag(c))]
            };
            let vpc = pick(world, Kind::Vpc, a)?;
            let rule = Spec::FirewallRule(allow(targets, filters));
            create(Some(vpc), format!("rule-{}", b % 4), rule)
        }
        10 => delete(Kind::FirewallRule, pick(world, Kind::FirewallRule, a)?),
        11 => {
            let vpc = pick(world, Kind::Vpc, a)?;
            let wish = spec(Kind::Peering, json!({"vpc": format!("vpc-{}", b % 4)}));
            create(Some(vpc), format!("to-{}", b % 4), wish)
        }
        12 => delete(Kind::Peering, pick(world, Kind::Peering, a)?),
        13 => {
            let target = json!({"target": {"instance": format!("i-{}", b % 6)}});
            create(
                Some(project),
                format!("ip-{}", a % 3),
                spec(Kind::FloatingIp, target),
            )
        }
        14 => {
            let json = match c % 3 {
                0 => json!({}),
                _ => json!({"target": {"instance": format!("i-{}", b % 6)}}),
            };
            let id = pick(world, Kind::FloatingIp, a)?;
            update(Kind::FloatingIp, id, spec(Kind::FloatingIp, json))
        }
        15 => {
            let router = pick(world, Kind::Router, a)?;
            let json = json!({
                "destination": format!("172.16.{}.0/24", b % 3),
                "target": {"instance": format!("i-{}", c % 6)},
            });
            create(
                Some(router),
                format!("route-{}", b % 3),
                spec(Kind::Route, json),
            )
        }
        16 => match b % 3 {
            0 => delete(Kind::Vpc, pick(world, Kind::Vpc, a)?),
            1 => delete(Kind::Sled, pick(world, Kind::Sled, a)?),
            _ => {
                let Spec::Sled(mut sled) = sled(1, 1 + a % 5) else {
                    return None;
                };
                sled.api = c % 2 == 0;
                create(None, format!("sled-{}", 1 + a % 5), Spec::Sled(sled))
            }
        },
        _ => {
            let vpc = pick(world, Kind::Vpc, a)?;
            let json = json!({
                "record": format!("i-{}", b % 6), "data": {"text": format!("{c}")},
            });
            create(
                Some(vpc),
                format!("record-{}", b % 3),
                spec(Kind::DnsRecord, json),
            )
        }
    }
}

/// Nodes that keep what they are told: sleds, and switches.
#[derive(Default)]
struct Nodes(
    BTreeMap<NodePrefix, HostState>,
    BTreeMap<NodePrefix, SwitchState>,
);

impl Nodes {
    fn follow(&mut self, world: &World, delta: &rackweave_control::PlanDelta) {
        for gone in &delta.gone {
            self.0.remove(gone);
        }
        for come in &delta.come {
            self.0.insert(*come, world.plan.host(*come).unwrap());
        }
        for (node, delta) in &delta.nodes {
            let read: StateDelta = serde_json::from_slice(&delta.encode()).unwrap();
            match self.0.get_mut(node) {
                Some(sled) => sled.apply(read).unwrap(),
                None => self.1.get_mut(node).unwrap().apply(read).unwrap(),
            }
        }
        for (node, state) in &mut self.1 {
            state.generation = world.intent.head();
            assert_eq!(Some(state.clone()), world.plan.switch(*node), "{node}");
            assert_eq!(Some(state.digest()), world.plan.digest(*node), "{node}");
        }
        for (node, state) in &mut self.0 {
            // Who is told nothing is at the new generation too.
            state.generation = world.intent.head();
            assert_eq!(Some(state.clone()), world.plan.host(*node), "{node}");
            assert_eq!(Some(state.digest()), world.plan.digest(*node), "{node}");
        }
        assert!(self.0.keys().copied().eq(world.plan.sleds()));
    }
}

/// What is only looked at changes nothing, and says what the commit itself says.
fn previewed(world: &World, request: &Request) {
    let (mut look, mut real) = (world.clone(), world.clone());
    let draw = Draw::new([0xee; 32]);
    let Ok(decision) = decide(&world.intent, request, draw) else {
        return;
    };
    let seen = look
        .plan
        .preview(&mut look.intent, std::slice::from_ref(&decision.commit))
        .remove(0);
    assert_eq!(look.plan, world.plan);
    assert!(look.intent.objects().eq(world.intent.objects()));
    assert_eq!(look.intent.head(), world.intent.head());
    let done = real.plan.commit(&mut real.intent, &decision.commit);
    assert_eq!(seen, done);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn step_by_step_is_the_same_as_whole(
        steps in proptest::collection::vec(any::<Step>(), 1..80),
    ) {
        let mut world = World::new();
        let controllers = pool(&["198.51.100.0/31", "2001:db8:1::/127"], &[], true);
        world.create(None, "controllers", controllers);
        let mut nodes = Nodes::default();
        for sled in world.plan.sleds() {
            nodes.0.insert(sled, world.plan.host(sled).unwrap());
        }
        for switch in world.plan.switches() {
            nodes.1.insert(switch, world.plan.switch(switch).unwrap());
        }
        let mut done = 0;
        for step in steps {
            let Some(request) = request(&world, step) else { continue };
            let before = world.intent.head();
            if done % 4 == 0 {
                previewed(&world, &request);
            }
            if let Ok((decision, delta)) = world.ask(&request) {
                prop_assert_eq!(decision.commit.base, before);
                nodes.follow(&world, &delta);
                done += 1;
            } else { prop_assert_eq!(world.intent.head(), before) }
            if done % 8 == 0 {
                world.check();
            }
        }
        world.check();
    }
}
