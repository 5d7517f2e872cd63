//! What is kept, as version 1 wrote it. These bytes are read for ever: add lines for what is new, change none.

use rackweave_control::model::Object;
use rackweave_control::{Intent, Key, Kind, Plan};
use rackweave_types::Generation;
use serde_json::Value;

/// A line for each object: key and value, with a blank between.
const V1: &str = include_str!("frozen-v1.txt");

fn lines() -> impl Iterator<Item = (Key, &'static str)> {
    V1.lines().map(|line| {
        let (key, value) = line.split_once(' ').unwrap();
        (key.parse().unwrap(), value)
    })
}

#[test]
fn what_version_1_wrote_is_read_and_written_the_same() {
    for (key, value) in lines() {
        let object = Object::decode(key.kind, value.as_bytes()).unwrap();
        assert_eq!(object.key(), key);
        assert_eq!(String::from_utf8(object.encode()).unwrap(), value);
    }
    for kind in Kind::ALL {
        assert!(lines().any(|(key, _)| key.kind == *kind), "no {kind}");
    }
}

#[test]
fn it_is_planned_still() {
    let objects = lines().map(|(key, value)| Object::decode(key.kind, value.as_bytes()).unwrap());
    let plan = Plan::new(&Intent::load(Generation::new(99), objects));
    assert!(
        plan.sleds()
            .any(|sled| !plan.host(sled).unwrap().ports.is_empty())
    );
}

/// An object whose writer knew more than this release does.
fn newer(value: &str) -> Value {
    let mut value: Value = serde_json::from_str(value).unwrap();
    value["version"] = 2.into();
    for part in ["meta", "spec", "given"] {
        if let Some(fields) = value[part].as_object_mut() {
            fields.insert("colour".to_owned(), "red".into());
        }
    }
    value["more"] = Value::Array(Vec::new());
    value
}

#[test]
fn what_the_next_version_adds_is_left_out_and_later_ones_are_refused() {
    for (key, value) in lines() {
        let next = newer(value);
        let read = Object::decode(key.kind, next.to_string().as_bytes()).unwrap();
        assert_eq!(String::from_utf8(read.encode()).unwrap(), value);
        let mut later = next;
        later["version"] = 3.into();
        assert!(Object::decode(key.kind, later.to_string().as_bytes()).is_err());
    }
}
