//! Declarations: what is there takes no step, what is missing comes, what is left goes.

use rackweave_control::declare::{Declared, Step, export, steps};
use rackweave_control::model::Spec;
use rackweave_control::{Draw, Intent, Key, Kind, ProblemKind, decide_all};
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
pub(crate) fn shop() -> Vec<Declared> {
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

pub(crate) fn take(world: &mut World, declared: &[Declared], prune: bool) -> usize {
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
    let expected = Step::Update {
        at: 4,
        key: Key::new(Kind::Instance, id),
        declared: other[4].clone(),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn a_declaration_says_each_thing_once_and_where_it_stands() {
    let world = World::new();
    let refused = |declared: &[Declared]| {
        let refusal = steps(&world.intent, declared, false).unwrap_err();
        (refusal.field.clone(), refusal.problem.kind())
    };
    let twice = [shop(), shop()].concat();
    assert_eq!(refused(&twice), ("[12]".to_owned(), ProblemKind::Invalid));
    let vpc = declared("front", Kind::Vpc, json!({}));
    assert_eq!(
        refused(&[vpc]),
        ("[0].path".to_owned(), ProblemKind::Invalid)
    );
}

#[test]
fn a_whole_az_is_declared_at_once() {
    let grown = World::new();
    let mut all = export(&grown.intent, None);
    let theirs = shop().into_iter().filter(|one| one.path.len() > 1);
    all.extend(theirs.filter(|one| one.spec.kind() != Kind::PoolLink));
    all.reverse();
    let mut world = World::empty();
    let steps = steps(&world.intent, &all, true).unwrap();
    assert_eq!(steps.len(), all.len());
    let batches = decide_all(&mut world.intent, &steps, Draw::new([7; 32]), 1000).unwrap();
    assert_eq!(batches.len(), 1);
    world.plan.commit(&mut world.intent, &batches[0].commit);
    world.check();
    assert!(
        export(&world.intent, None).len() > all.len(),
        "what came with the vpcs is told too"
    );
    assert_eq!(take(&mut world, &all, false), 0);
}

/// A shop with a second instance, and, turned, with a third one that has the second one's address.
fn shops() -> [Vec<Declared>; 2] {
    let address = |at: &str| json!({"vpc": "front", "subnet": "web", "addresses": [at]});
    let nic = |path, at| declared(path, Kind::Nic, address(at));
    let instance = |path| declared(path, Kind::Instance, json!({}));
    let (mut before, mut turned) = (shop(), shop());
    before.extend([instance("shop/web-2"), nic("shop/web-2/eth0", "10.0.1.8")]);
    turned.extend([instance("shop/web-2"), nic("shop/web-2/eth0", "10.0.1.9")]);
    turned.extend([instance("shop/web-3"), nic("shop/web-3/eth0", "10.0.1.8")]);
    [before, turned]
}

#[test]
fn steps_that_are_taken_together_come_to_the_same() {
    let [shop, turned] = shops();
    for room in [24, 30, 1000] {
        let mut world = World::new();
        let before = world.clone();
        let first = steps(&world.intent, &shop, false).unwrap();
        let batches = decide_all(&mut world.intent, &first, Draw::new([1; 32]), room).unwrap();
        assert_eq!(world.intent.head(), before.intent.head());
        assert!(world.intent.objects().eq(before.intent.objects()));
        world.check();
        assert_eq!(batches.len() == 1, room == 1000, "{}", batches.len());
        let taken: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch.steps.clone())
            .collect();
        assert_eq!(taken, (0..first.len()).collect::<Vec<_>>());
        for batch in &batches {
            assert!(batch.commit.changes.len() + batch.steps.len() <= room);
            assert_eq!(batch.steps.len(), batch.subjects.len());
            world.plan.commit(&mut world.intent, &batch.commit);
            world.check();
        }
        assert_eq!(take(&mut world, &shop, false), 0);
        let next = steps(&world.intent, &turned, true).unwrap();
        let batches = decide_all(&mut world.intent, &next, Draw::new([2; 32]), room).unwrap();
        for batch in &batches {
            world.plan.commit(&mut world.intent, &batch.commit);
        }
        world.check();
        assert_eq!(take(&mut world, &turned, true), 0);
    }
}

#[test]
fn what_came_with_its_vpc_is_changed_in_the_same_breath() {
    let mut world = World::new();
    let mut closed = shop();
    let rule = json!({"enabled": false, "priority": 65533, "direction": "in", "action": "deny"});
    closed.push(declared("shop/front/allow-ssh", Kind::FirewallRule, rule));
    let steps = steps(&world.intent, &closed, false).unwrap();
    let batches = decide_all(&mut world.intent, &steps, Draw::new([1; 32]), 1000).unwrap();
    world.plan.commit(&mut world.intent, &batches[0].commit);
    world.check();
    assert_eq!(take(&mut world, &closed, false), 0);
}

#[test]
fn a_step_that_is_refused_stops_all() {
    let mut world = World::new();
    let before = world.clone();
    let mut bad = shop();
    bad[5] = declared(
        "shop/front/web",
        Kind::Subnet,
        json!({"ipv4": "10.9.0.0/24"}),
    );
    let steps = steps(&world.intent, &bad, false).unwrap();
    let decide = |world: &mut World, room| {
        decide_all(&mut world.intent, &steps, Draw::new([1; 32]), room).unwrap_err()
    };
    let stopped = decide(&mut world, 1000);
    assert_eq!(steps[stopped.step].at(), Some(5));
    assert_eq!(stopped.refusal.field, "ipv4");
    let stopped = decide(&mut world, 4);
    assert_eq!(stopped.refusal.problem.kind(), ProblemKind::Conflict);
    assert!(world.intent.objects().eq(before.intent.objects()));
    world.check();
}
