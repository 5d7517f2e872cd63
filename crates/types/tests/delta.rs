//! Changes of node states: their bytes, and that they come to what they say.
//!
//! The bytes are frozen as those of the states are: do not change the file, make a new version beside it.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

use core::fmt::Debug;

use rackweave_types::state::{
    DeltaError, HostState, MappingState, NatState, ObjectChange, ObjectName, StateDelta,
    StateDigest, StateObject, SwitchState, ZoneState, from_file,
};
use rackweave_types::{Generation, PortId, Vni};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value, json};

/// Frozen bytes are read, and written again to the same bytes.
fn frozen<T: Serialize + DeserializeOwned + Debug>(golden: &str) -> T {
    let read: T = from_file(&mut Deserializer::from_str(golden)).unwrap();
    assert_eq!(serde_json::to_string_pretty(&read).unwrap() + "\n", golden);
    read
}

fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A state with an object of every list.
fn host() -> HostState {
    let sled = "fd52:7761:6b65:101::/64";
    of(json!({
        "version": 1, "generation": 8,
        "underlay": {
            "version": 1, "sled": sled, "src_mac": "a8:40:25:00:00:01",
            "dst_mac": "a8:40:25:00:00:02", "mtu": 9000,
        },
        "boundary": {"version": 1, "generation": 1, "vni": 99, "mtu": 1500},
        "system": {"version": 1, "generation": 1, "port": "00000000000002f1"},
        "vpcs": [{
            "version": 1, "generation": 3, "vni": 4096,
            "rule_sets": [{"id": 1, "rules": []}, {"id": 3, "rules": []}],
        }],
        "mappings": [{
            "version": 1, "generation": 12, "vni": 4096, "entries": [
                {"prefix": "10.0.1.5/32", "sled": sled, "mac": "02:72:77:00:00:05"},
                {"prefix": "10.0.1.9/32", "sled": sled, "mac": "02:72:77:00:00:09"},
            ],
        }],
        "ports": [{
            "version": 1, "generation": 1, "id": "00000000000002f1", "mac": "02:72:77:00:00:01",
            "slot": 0, "vni": 4096, "router": 1, "mtu": 1500,
            "addresses": [{"address": "10.0.1.5", "subnet": 1}],
        }],
        "zones": [
            {"version": 1, "generation": 1, "vni": 4096, "origin": "back.shop.internal"},
            {
                "version": 1, "generation": 1, "vni": 4096, "origin": "front.shop.internal",
                "records": [
                    {"data": {"text": "old"}},
                    {"name": "db", "data": {"addresses": ["10.0.1.9"]}},
                    {"name": "web", "data": {"addresses": ["10.0.1.5"]}},
                ],
            },
        ],
    }))
}

fn delta() -> StateDelta {
    frozen(include_str!("golden/delta-v1.json"))
}

/// The golden change, but for what only switches have.
fn of_a_sled() -> StateDelta {
    let mut delta = delta();
    delta
        .changes
        .retain(|change| !matches!(change, ObjectChange::Nat(_)));
    delta
}

#[test]
fn version_1_is_frozen() {
    assert_eq!(delta().changes.len(), 8);
    let switch: SwitchState = frozen(include_str!("golden/switch-v1.json"));
    assert_eq!(switch.config.peers[0].name, "customer");
}

#[test]
fn a_change_comes_to_what_it_says() {
    let mut host = host();
    host.apply(of_a_sled()).unwrap();
    assert_eq!(host.generation, Generation::new(9));
    assert_eq!((host.system, host.ports.len()), (None, 0));
    let sets: Vec<_> = host.vpcs[0]
        .rule_sets
        .iter()
        .map(|set| set.id.get())
        .collect();
    assert_eq!(sets, [1, 2]);
    let MappingState {
        generation,
        entries,
        ..
    } = &host.mappings[0];
    let held: Vec<_> = entries
        .iter()
        .map(|entry| entry.prefix.to_string())
        .collect();
    assert_eq!(held, ["10.0.1.7/32", "10.0.1.9/32"]);
    assert_eq!(*generation, Generation::new(13));
    let ZoneState { records, .. } = &host.zones[0];
    let names: Vec<_> = records
        .iter()
        .map(|record| record.name.as_ref().unwrap().as_str())
        .collect();
    assert_eq!((host.zones.len(), names), (1, vec!["db", "web"]));
}

#[test]
fn a_vpc_keeps_its_rule_sets_when_it_changes() {
    let mut host = host();
    let mut vpc = host.vpcs[0].clone();
    vpc.generation = Generation::new(4);
    vpc.rule_sets.clear();
    let sets = host.vpcs[0].rule_sets.clone();
    let change = ObjectChange::Put(StateObject::Vpc(vpc));
    let changes = vec![change];
    host.apply(StateDelta { changes, ..delta() }).unwrap();
    assert_eq!(host.vpcs[0].generation, Generation::new(4));
    assert_eq!(host.vpcs[0].rule_sets, sets);
}

#[test]
fn a_change_that_does_not_fit_is_refused() {
    let with = |change: Value| StateDelta {
        changes: vec![of(change)],
        ..delta()
    };
    let refused = |change| host().apply(with(change)).unwrap_err();
    let stale = json!({"mapping": {"vni": 4096, "from": 11, "generation": 13}});
    let expected = DeltaError::Generation {
        name: ObjectName::Mapping(Vni::new(4096).unwrap()),
        found: Generation::new(12),
        expected: Generation::new(11),
    };
    assert_eq!(refused(stale), expected);
    let missing = json!({"mapping": {"vni": 5000, "from": 11, "generation": 13}});
    let name = ObjectName::Mapping(Vni::new(5000).unwrap());
    assert_eq!(refused(missing), DeltaError::NotThere(name));
    let needed = DeltaError::Needed(ObjectName::Boundary);
    assert_eq!(refused(json!({"remove": "boundary"})), needed);
    let foreign = DeltaError::Foreign(ObjectName::Switch);
    assert_eq!(refused(json!({"remove": "switch"})), foreign);
}

#[test]
fn a_switch_changes_as_it_is_told() {
    let mut switch: SwitchState = frozen(include_str!("golden/switch-v1.json"));
    let nat = delta().changes.pop().unwrap();
    let before = switch.digest();
    let changes = vec![nat];
    switch.apply(StateDelta { changes, ..delta() }).unwrap();
    let NatState { entries, .. } = switch.nat.as_ref().unwrap();
    assert_eq!(entries[0].mac.to_string(), "02:72:77:00:00:07");
    assert_ne!(switch.digest(), before);
    let port = ObjectName::Port(PortId::new(1));
    let changes = vec![ObjectChange::Remove(port.clone())];
    let refused = switch.apply(StateDelta { changes, ..delta() });
    assert_eq!(refused, Err(DeltaError::Foreign(port)));
}

#[test]
fn the_digest_follows_every_object() {
    let (host, mut other) = (host(), host());
    assert_eq!(host.digest(), other.digest());
    other.zones[1].generation = Generation::new(2);
    assert_ne!(host.digest(), other.digest());
    other.zones[1].generation = Generation::new(1);
    other.ports.clear();
    let port = ObjectName::Port(PortId::new(0x2f1));
    assert_eq!(
        host.digest().without(&port, Generation::new(1)),
        other.digest()
    );
    assert_ne!(StateDigest::EMPTY, other.digest());
}
