//! Declarations: what is there takes no step, what is missing comes, what is left goes.

use rackweave_control::declare::{Declared, Step, export, steps};
use rackweave_control::model::Spec;
use rackweave_control::{Intent, Key, Kind, ProblemKind};
use serde_json::{Value, json};

use crate::world::{World, name, spec};

fn declared(path: &str, kind: Kind, json: Value) -> Declared {
    Declared {
        path: path.split('/').map(name).collect(),
        description: String::new(),
        spec: spec(kind, json),
    }
}

/// Two VPCs and what stands in them, in no good order.
fn shop() -> Vec<Declared> {
    let rule = json!({
        "priority": 10, "direction": "in", "action": "allow",
        "targets": [{"instance": "web-1"}],
        "filters": {"protocols": ["tcp"], "ports": [[443, 443]]},
    });
    let route = json!({"destination": "172.16.0.0/12", "target": {"instance": "web-1"}});
    let nic = json!({"vpc": "front", "subnet": "web"});
    let floating = json!({"target": {"instance": "web-1"}});
    vec![
        declared("shop/front/https", Kind::FirewallRule, rule),
        declared("shop/front/own/away", Kind::Route, route),
        declared("shop/www", Kind::FloatingIp, floating),
        declared("shop/web-1/eth0", Kind::Nic, nic),
        declared("shop/web-1", Kind::Instance, json!({"tags": ["web"]})),
        declared(
            "shop/front/web",
            Kind::Subnet,
            json!({"ipv4": "10.0.1.0/24", "router": "own"}),
        ),
        declared("shop/front/own", Kind::Router, json!({})),
        declared("shop/front", Kind::Vpc, json!({"ipv4": ["10.0.0.0/16"]})),
        declared("shop/back", Kind::Vpc, json!({"ipv4": ["10.1.0.0/16"]})),
        declared("shop/front/to-back", Kind::Peering, json!({"vpc": "back"})),
        declared("shop/world", Kind::PoolLink, json!({"default": true})),
        declared("shop", Kind::Project, json!({})),
    ]
}

fn take(world: &mut World, declared: &[Declared], prune: bool) -> usize {
    let steps = steps(&world.intent, declared, prune).unwrap();
    for step in &steps {
        let request = step.request(&world.intent).unwrap();
        world.ask(&request).unwrap();
    }
    world.check();
    steps.len()
}

fn pick(intent: &Intent, kind: Kind) -> usize {
    intent
        .objects()
        .filter(|object| object.kind() == kind)
        .count()
}

#[test]
fn declaring_twice_is_declaring_once() {
    let mut world = World::new();
    assert_eq!(
        take(&mut world, &shop(), false),
        10,
        "project and link are there"
    );
    assert_eq!(take(&mut world, &shop(), false), 0);
    assert_eq!(take(&mut world, &shop(), true), 0);
    let all = export(&world.intent, None);
    assert!(
        all.len() > shop().len(),
        "what came with the vpcs is told too"
    );
    assert_eq!(take(&mut world, &all, true), 0);
    let read = Spec::read(Kind::Nic, all_of(&all, Kind::Nic).to_json()).unwrap();
    assert_eq!(&read, all_of(&all, Kind::Nic));
}

fn all_of(all: &[Declared], kind: Kind) -> &Spec {
    &all.iter().find(|one| one.spec.kind() == kind).unwrap().spec
}

#[test]
fn what_is_not_declared_goes_where_that_is_asked() {
    let mut world = World::new();
    take(&mut world, &shop(), false);
    let rest: Vec<_> = shop()
        .into_iter()
        .filter(|one| one.path.len() == 1 || one.path[1] == name("world"))
        .collect();
    assert_eq!(take(&mut world, &rest, false), 0);
    let gone = take(&mut world, &rest, true);
    assert_eq!(
        gone, 4,
        "instance, floating address and two vpcs with all in them"
    );
    let kinds = [Kind::Vpc, Kind::Instance, Kind::FirewallRule, Kind::Nic];
    assert_eq!(kinds.map(|kind| pick(&world.intent, kind)), [0; 4]);
    assert_eq!(pick(&world.intent, Kind::Project), 1);
}

#[test]
fn a_change_is_one_step() {
    let mut world = World::new();
    take(&mut world, &shop(), false);
    let mut other = shop();
    other[4] = declared(
        "shop/web-1",
        Kind::Instance,
        json!({"tags": ["web", "new"]}),
    );
    let found = steps(&world.intent, &other, true).unwrap();
    let project = world.project("shop");
    let id = world.find(Kind::Instance, Some(project), "web-1");
    let expected = Step::Update(Key::new(Kind::Instance, id), other[4].clone());
    assert_eq!(found, [expected]);
}

#[test]
fn a_declaration_is_of_users_and_says_each_thing_once() {
    let world = World::new();
    let refused = |declared: &[Declared]| {
        let refusal = steps(&world.intent, declared, false).unwrap_err();
        (refusal.field.clone(), refusal.problem.kind())
    };
    let twice = [shop(), shop()].concat();
    assert_eq!(refused(&twice), ("[12]".to_owned(), ProblemKind::Invalid));
    let rack = declared("r", Kind::Rack, json!({"number": "01"}));
    assert_eq!(refused(&[rack]), ("[0]".to_owned(), ProblemKind::Invalid));
    let vpc = declared("front", Kind::Vpc, json!({}));
    assert_eq!(
        refused(&[vpc]),
        ("[0].path".to_owned(), ProblemKind::Invalid)
    );
}
