//! Cables that are pulled and crossed while everything runs.

use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::sp::Request;
use rackweave_mgmt::sp::message::{Port, Response};
use rackweave_rig::{SHORT, may_run, wait_until};

use crate::gateway::Gateway;
use crate::place::Place;

const FIVE: Unit = Unit::Cubby(5);
const SIX: Unit = Unit::Cubby(6);

/// Waits until this serial number answers at a unit's link.
fn wait_for(gateway: &mut Gateway, unit: Unit, serial: &str) {
    wait_until(SHORT, "the other end answers", || {
        let here = gateway.find(unit);
        Ok(here.is_some_and(|here| here.serial == serial))
    })
    .unwrap();
}

#[test]
fn crossed_cables_lead_to_the_other_unit_until_they_are_put_right() {
    if !may_run("crossed_cables_lead_to_the_other_unit_until_they_are_put_right") {
        return;
    }
    let place = Place::new(&[FIVE, SIX]);
    let mut gateway = Gateway::new(&place, Position::A);
    assert_eq!(gateway.discover(FIVE).serial, "S-c05");
    for link in ["a05", "a06"] {
        place.netlink.remove_link(link).unwrap();
    }
    place.cable("a05", "c06-1");
    place.cable("a06", "c05-1");
    wait_for(&mut gateway, FIVE, "S-c06");
    wait_for(&mut gateway, SIX, "S-c05");
    for link in ["a05", "a06"] {
        place.netlink.remove_link(link).unwrap();
    }
    place.cable("a05", "c05-1");
    place.cable("a06", "c06-1");
    wait_for(&mut gateway, FIVE, "S-c05");
    wait_for(&mut gateway, SIX, "S-c06");
}

#[test]
fn left_and_right_crossed_reach_the_other_port() {
    if !may_run("left_and_right_crossed_reach_the_other_port") {
        return;
    }
    let place = Place::new(&[FIVE]);
    let mut gateway = Gateway::new(&place, Position::A);
    assert_eq!(gateway.discover(FIVE).reached, Port::One);
    assert_eq!(
        gateway.discover(FIVE),
        match gateway.answer(FIVE, &Request::ReplyIfAt(Port::One)) {
            Response::Here(here) => here,
            other => panic!("{other:?}"),
        }
    );
    for link in ["a05", "b26"] {
        place.netlink.remove_link(link).unwrap();
    }
    place.cable("a05", "c05-2");
    place.cable("b26", "c05-1");
    wait_for(&mut gateway, FIVE, "S-c05");
    assert_eq!(gateway.discover(FIVE).reached, Port::Two);
}
