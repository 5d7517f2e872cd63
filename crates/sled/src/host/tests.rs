//! States of the testkit's scene, changed in one thing at a time.

mod manage;

use std::num::NonZeroU16;
use std::sync::Arc;

use rackweave_testkit::vpc::Scene;
use rackweave_types::state::{
    Attachment, Device, HostState, PortLimits, StateVersion, SystemState, TapDevice,
};
use rackweave_types::{Generation, Instant, PortId};

use super::compile::{Compiled, compile};
use super::steps::{Step, steps};

const WEB: PortId = PortId::new(2);
const DB: PortId = PortId::new(3);
const NOW: Instant = Instant::START;

/// Sled 2 of the scene: `web` with a TAP, `db` without.
fn state() -> HostState {
    let scene = Scene::new().unwrap();
    let tap = TapDevice {
        name: "tap-web".parse().unwrap(),
        netns: None,
    };
    HostState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        underlay: scene.sleds[1],
        boundary: scene.boundary,
        system: None,
        vpcs: vec![scene.vpc],
        mappings: vec![scene.mappings, scene.external],
        ports: vec![scene.web, scene.db],
        attachments: vec![Attachment {
            version: StateVersion::CURRENT,
            generation: Generation::new(1),
            port: WEB,
            queues: NonZeroU16::MIN,
            device: Device::Tap(tap),
        }],
        zones: Vec::new(),
        instances: Vec::new(),
    }
}

/// What the change of a state asks for.
fn after(change: impl FnOnce(&mut HostState)) -> (Compiled, Compiled, Vec<Step>) {
    let mut new = state();
    change(&mut new);
    let old = compile(state(), None, NOW).unwrap();
    let new = compile(new, Some(&old), NOW).unwrap();
    let steps = steps(Some(&old), &new);
    (old, new, steps)
}

/// The fields that are named as wrong.
fn faults(change: impl FnOnce(&mut HostState)) -> Vec<String> {
    let mut new = state();
    change(&mut new);
    let errors = compile(new, None, NOW).unwrap_err();
    errors.into_iter().map(|error| error.field).collect()
}

#[test]
fn from_nothing_everything_comes() {
    let new = compile(state(), None, NOW).unwrap();
    let all = [Step::Add(WEB), Step::Add(DB), Step::Attach(WEB)];
    assert_eq!(steps(None, &new), all);
}

#[test]
fn the_same_state_asks_for_nothing() {
    let (old, new, steps) = after(|state| state.generation = Generation::new(2));
    assert_eq!(steps, []);
    assert!(Arc::ptr_eq(
        &old.ports[&WEB].program,
        &new.ports[&WEB].program
    ));
}

#[test]
fn a_mapping_exchanges_tables_and_builds_no_rules() {
    let (old, new, steps) = after(|state| {
        state.mappings[0].entries.pop();
    });
    assert_eq!(steps, [Step::Install(WEB), Step::Install(DB)]);
    let external = |compiled: &Compiled| Arc::clone(compiled.ports[&WEB].program.table(1).unwrap());
    assert!(
        Arc::ptr_eq(&external(&old), &external(&new)),
        "the other table stays"
    );
}

#[test]
fn a_change_of_one_port_leaves_the_other() {
    let (_, _, steps) = after(|state| state.ports[1].rule_sets.clear());
    assert_eq!(steps, [Step::Install(DB)]);
    let (_, _, steps) = after(|state| {
        state.ports[1].limits = PortLimits {
            flows: Some(100),
            ..PortLimits::default()
        };
    });
    assert_eq!(steps, [Step::Rebuild(DB)]);
    let (_, _, steps) = after(|state| {
        state.ports.remove(1);
    });
    assert_eq!(steps, [Step::Remove(DB)]);
}

#[test]
fn another_device_is_opened_after_the_old_one_went() {
    let (_, _, steps) = after(|state| {
        if let Device::Tap(tap) = &mut state.attachments[0].device {
            tap.name = "tap-other".parse().unwrap();
        }
    });
    assert_eq!(steps, [Step::Detach(WEB), Step::Attach(WEB)]);
    let (_, _, steps) = after(|state| state.attachments.clear());
    assert_eq!(steps, [Step::Detach(WEB)]);
}

#[test]
fn what_is_wrong_is_found_where_it_is() {
    assert_eq!(faults(|state| state.ports[1].id = WEB), ["ports[1]"]);
    assert_eq!(
        faults(|state| state.ports[1].mac = state.ports[0].mac),
        ["ports[1].mac"]
    );
    assert_eq!(
        faults(|state| state.vpcs.clear()),
        ["ports[0].vni", "ports[1].vni"]
    );
    assert_eq!(
        faults(|state| state.attachments[0].port = PortId::new(9)),
        ["attachments[0].port"]
    );
    assert_eq!(
        faults(|state| {
            let mut twin = state.attachments[0].clone();
            twin.port = DB;
            state.attachments.push(twin);
        }),
        ["attachments[1].device.tap.name"]
    );
    assert_eq!(
        faults(|state| {
            state.system = Some(SystemState {
                version: StateVersion::CURRENT,
                generation: Generation::new(1),
                port: WEB,
                resolvers: Vec::new(),
            });
        }),
        ["system.port"]
    );
    assert_eq!(
        faults(|state| state.ports[0].addresses.clear()),
        ["ports[0].addresses"]
    );
}

#[test]
fn a_sled_does_not_become_another_one_while_it_runs() {
    let old = compile(state(), None, NOW).unwrap();
    let mut new = state();
    new.underlay = Scene::new().unwrap().sleds[0];
    let errors = compile(new, Some(&old), NOW).unwrap_err();
    assert_eq!(errors[0].field, "underlay.sled");
}

#[test]
fn a_state_reads_as_it_is_written_and_names_its_lines() {
    let text = serde_json::to_string_pretty(&state()).unwrap();
    assert_eq!(super::read::parse(&text).unwrap(), state());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("host.json");
    std::fs::write(
        &path,
        text.replace("\"router\": 1,", "\"router\": 1, \"rooter\": 1,"),
    )
    .unwrap();
    let errors = super::read::read(&path).unwrap_err();
    let line = text
        .lines()
        .position(|line| line.contains("\"router\": 1"))
        .unwrap();
    assert_eq!(
        errors.errors[0].line,
        Some(u32::try_from(line + 1).unwrap())
    );
    assert!(errors.to_string().contains("ports[0]"), "{errors}");
    assert!(errors.to_string().contains("rooter"), "{errors}");
}
