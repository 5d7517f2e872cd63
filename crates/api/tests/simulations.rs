//! The sockets of the simulated management network: frozen lines.
//!
//! A test that fails here says that a program and a simulation of another release no longer understand each other: do
//! not change a line, add new ones.
#![expect(clippy::unwrap_used, reason = "literals of the tests")]

use std::collections::{BTreeMap, BTreeSet};

use rackweave_api::sp_sim::{
    self, FloodRequest, InjectRequest, ListRequest, SetPowerRequest, SetPresenceRequest,
    SetSensorRequest, SubvertRequest, Unit, UnitRequest, Units,
};
use rackweave_api::switch_sim::{
    self, Chip, ChipRequest, Chips, ChipsRequest, Counters, Learned, PortCounters, PortKind,
    ProgramRequest, Tables,
};
use rackweave_types::{MacAddr, Vlan};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn frozen<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, line: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), line);
    assert_eq!(&serde_json::from_str::<T>(line).unwrap(), value);
}

/// The name of a request, as it stands on the socket.
fn name<T: Serialize>(request: &T) -> String {
    let value = serde_json::to_value(request).unwrap();
    value.as_object().unwrap().keys().next().unwrap().clone()
}

#[test]
fn requests_to_service_processors_are_frozen() {
    use sp_sim::Request;
    let unit = || "c05".to_owned();
    let cases = [
        (Request::List(ListRequest { unit: None }), r#"{"list":{}}"#),
        (
            Request::SetPower(SetPowerRequest {
                unit: unit(),
                on: true,
            }),
            r#"{"set_power":{"unit":"c05","on":true}}"#,
        ),
        (
            Request::SetPresence(SetPresenceRequest {
                unit: "swa".to_owned(),
                port: 5,
                present: false,
            }),
            r#"{"set_presence":{"unit":"swa","port":5,"present":false}}"#,
        ),
        (
            Request::SetSensor(SetSensorRequest {
                unit: unit(),
                sensor: "inlet".to_owned(),
                milli: -4500,
            }),
            r#"{"set_sensor":{"unit":"c05","sensor":"inlet","milli":-4500}}"#,
        ),
        (
            Request::Flood(FloodRequest {
                unit: unit(),
                octets: 10,
            }),
            r#"{"flood":{"unit":"c05","octets":10}}"#,
        ),
        (
            Request::Inject(InjectRequest {
                unit: unit(),
                frame: "ff".to_owned(),
            }),
            r#"{"inject":{"unit":"c05","frame":"ff"}}"#,
        ),
        (
            Request::Subvert(SubvertRequest {
                unit: unit(),
                subverted: true,
            }),
            r#"{"subvert":{"unit":"c05","subverted":true}}"#,
        ),
        (
            Request::Reset(UnitRequest { unit: unit() }),
            r#"{"reset":{"unit":"c05"}}"#,
        ),
        (Request::Stop(sp_sim::StopRequest {}), r#"{"stop":{}}"#),
    ];
    for (request, line) in &cases {
        frozen(request, line);
    }
    assert_eq!(
        cases.each_ref().map(|(request, _)| name(request)),
        Request::NAMES
    );
}

#[test]
fn replies_of_service_processors_are_frozen() {
    let unit = Unit {
        unit: "c05".to_owned(),
        kind: "sled".to_owned(),
        serial: "BRM5".to_owned(),
        up: true,
        powered: false,
        switched: 2,
        firmware: "factory".to_owned(),
        on_trial: false,
        starts: 1,
        resets: 0,
        console: Some("ada".to_owned()),
        to_write: 3,
        answered: 4,
        unreadable: 5,
        refused: 6,
        witnessed: 7,
        told: [Some("cubby 5".to_owned()), None],
        subverted: false,
        overheard: 0,
    };
    frozen(
        &Units { units: vec![unit] },
        concat!(
            r#"{"units":[{"unit":"c05","kind":"sled","serial":"BRM5","up":true,"powered":false,"switched":2,"#,
            r#""firmware":"factory","on_trial":false,"starts":1,"resets":0,"console":"ada","to_write":3,"#,
            r#""answered":4,"unreadable":5,"refused":6,"witnessed":7,"told":["cubby 5",null],"#,
            r#""subverted":false,"overheard":0}]}"#
        ),
    );
    frozen(&sp_sim::Done {}, "{}");
}

fn tables() -> Tables {
    let vlan = Vlan::new(0x105).unwrap();
    Tables {
        ports: BTreeMap::from([(5, PortKind::Access(vlan)), (49, PortKind::Trunk)]),
        vlans: BTreeMap::from([(vlan, BTreeSet::from([5, 49]))]),
        learning: true,
    }
}

const TABLES: &str =
    r#"{"ports":{"5":{"access":261},"49":"trunk"},"vlans":{"261":[5,49]},"learning":true}"#;

#[test]
fn requests_to_switches_are_frozen() {
    use switch_sim::Request;
    let chip = || "sw-a".to_owned();
    let program = format!(r#"{{"program":{{"chip":"sw-a","tables":{TABLES}}}}}"#);
    let cases = [
        (
            Request::Tables(ChipsRequest { chip: None }),
            r#"{"tables":{}}"#,
        ),
        (
            Request::Counters(ChipsRequest { chip: Some(chip()) }),
            r#"{"counters":{"chip":"sw-a"}}"#,
        ),
        (
            Request::Program(ProgramRequest {
                chip: chip(),
                tables: tables(),
            }),
            &program,
        ),
        (
            Request::Subvert(ChipRequest { chip: chip() }),
            r#"{"subvert":{"chip":"sw-a"}}"#,
        ),
        (
            Request::Restore(ChipRequest { chip: chip() }),
            r#"{"restore":{"chip":"sw-a"}}"#,
        ),
        (Request::Stop(switch_sim::StopRequest {}), r#"{"stop":{}}"#),
    ];
    for (request, line) in &cases {
        frozen(request, line);
    }
    assert_eq!(
        cases.each_ref().map(|(request, _)| name(request)),
        Request::NAMES
    );
}

#[test]
fn replies_of_switches_are_frozen() {
    let learned = Learned {
        vlan: Vlan::new(0x105).unwrap(),
        mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
        port: 5,
    };
    let chip = Chip {
        name: "sw-a".to_owned(),
        tables: tables(),
        learned: vec![learned],
    };
    let line = format!(
        r#"{{"chips":[{{"name":"sw-a","tables":{TABLES},"learned":[{{"vlan":261,"mac":"02:00:00:00:00:01","port":5}}]}}]}}"#
    );
    frozen(&Chips { chips: vec![chip] }, &line);
    let port = PortCounters {
        chip: "c05".to_owned(),
        port: 3,
        link: "c05-3".to_owned(),
        up: true,
        frames_in: 1,
        frames_out: 2,
        drops: BTreeMap::from([("untagged".to_owned(), 3)]),
    };
    frozen(
        &Counters { ports: vec![port] },
        concat!(
            r#"{"ports":[{"chip":"c05","port":3,"link":"c05-3","up":true,"frames_in":1,"frames_out":2,"#,
            r#""drops":{"untagged":3}}]}"#
        ),
    );
}
