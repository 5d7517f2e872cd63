//! What is done around service processors shows in what a gateway is told.

use std::fmt::Write;

use rackweave_api::sp_sim::{
    FloodRequest, InjectRequest, Request as Tell, SetPresenceRequest, SetSensorRequest,
};
use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::sp::Request;
use rackweave_mgmt::sp::message::Response;
use rackweave_mgmt::sp::probe;
use rackweave_rig::{SHORT, may_run, wait_until};
use rackweave_types::MacAddr;

use crate::gateway::Gateway;
use crate::place::Place;

const SWITCH: Unit = Unit::Switch(Position::A);

#[test]
fn sensors_presence_and_frames_are_as_they_were_set() {
    if !may_run("sensors_presence_and_frames_are_as_they_were_set") {
        return;
    }
    let place = Place::new(&[SWITCH]);
    let mut gateway = Gateway::new(&place, Position::A);
    gateway.discover(SWITCH);
    let unit = || "swa".to_owned();
    place.tell_sps(&Tell::SetSensor(SetSensorRequest {
        unit: unit(),
        sensor: "asic".into(),
        milli: -1_500,
    }));
    let Response::Sensors(readings, 2) = gateway.answer(SWITCH, &Request::Sensors(0)) else {
        panic!("two sensors");
    };
    let asic = readings.iter().find(|it| it.name == "asic").unwrap();
    assert_eq!(asic.milli, -1_500);
    let felt = gateway.answer(SWITCH, &Request::Ignition);
    assert_eq!(felt, Response::Ignition(1 << 5));
    for (port, present) in [(5, false), (7, true)] {
        place.tell_sps(&Tell::SetPresence(SetPresenceRequest {
            unit: unit(),
            port,
            present,
        }));
    }
    let felt = gateway.answer(SWITCH, &Request::Ignition);
    assert_eq!(felt, Response::Ignition(1 << 7));
    let frame = probe::write(MacAddr::BROADCAST, MacAddr::ZERO, &[0x301], 77);
    let frame = frame.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    });
    place.tell_sps(&Tell::Inject(InjectRequest {
        unit: unit(),
        frame,
    }));
    wait_until(SHORT, "the frame comes up", || {
        gateway.turn();
        Ok(gateway.seen.iter().any(|seen| seen.marker == 77))
    })
    .unwrap();
}

#[test]
fn what_cannot_be_is_refused_with_what_there_is() {
    if !may_run("what_cannot_be_is_refused_with_what_there_is") {
        return;
    }
    let place = Place::new(&[Unit::Psc(0), Unit::Cubby(3)]);
    let sensor = |unit: &str| {
        Tell::SetSensor(SetSensorRequest {
            unit: unit.into(),
            sensor: "warp".into(),
            milli: 0,
        })
    };
    let flood = Tell::Flood(FloodRequest {
        unit: "c03".into(),
        octets: 9,
    });
    let presence = Tell::SetPresence(SetPresenceRequest {
        unit: "c03".into(),
        port: 1,
        present: true,
    });
    let inject = Tell::Inject(InjectRequest {
        unit: "c03".into(),
        frame: "0g".into(),
    });
    for (request, why) in [
        (sensor("c99"), "there are psc0, c03"),
        (sensor("psc0"), "there are inlet, output, load"),
        (flood, "the host is off"),
        (presence, "only a switch has an ignition controller"),
        (inject, "hexadecimal digits"),
    ] {
        let refused = place.try_sps(&request).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
