//! What a gateway orders over real frames: power, firmware, console.

use std::collections::VecDeque;

use rackweave_api::sp_sim::{FloodRequest, Request as Tell, SetPowerRequest};
use rackweave_mgmt::port::{Position, Unit};
use rackweave_mgmt::sp::message::{Failure, Image, Power, Response, State};
use rackweave_mgmt::sp::{Outcome, Request};
use rackweave_rig::{SHORT, may_run, wait_until};

use crate::gateway::Gateway;
use crate::place::Place;

const UNIT: Unit = Unit::Cubby(7);
/// Octets of a piece of an image.
const PIECE: usize = 1_024;
/// Octets that a host floods its console with.
const FLOOD: usize = 10_000_000;
/// Requests that are under way at once.
const AHEAD: usize = 32;

fn state(gateway: &mut Gateway) -> State {
    match gateway.answer(UNIT, &Request::State) {
        Response::State(state) => state,
        other => panic!("{other:?}"),
    }
}

/// Starts the service processor anew, and waits until it answers again.
fn restart(place: &Place, gateway: &mut Gateway) {
    let starts = place.unit(UNIT).starts;
    assert_eq!(gateway.answer(UNIT, &Request::Reset), Response::Done);
    wait_until(SHORT, "it starts anew", || {
        Ok(place.unit(UNIT).starts > starts)
    })
    .unwrap();
    gateway.discover(UNIT);
}

fn update(gateway: &mut Gateway, name: &str, octets: &[u8]) {
    let image = Image {
        name: name.into(),
        len: u32::try_from(octets.len()).unwrap(),
        hash: *blake3::hash(octets).as_bytes(),
    };
    gateway.answer(UNIT, &Request::UpdateBegin(image));
    for (number, piece) in octets.chunks(PIECE).enumerate() {
        let at = u32::try_from(number * PIECE).unwrap();
        let response = gateway.answer(UNIT, &Request::UpdateChunk(at, piece.into()));
        assert!(matches!(response, Response::Update(_)), "{response:?}");
    }
    assert_eq!(gateway.answer(UNIT, &Request::UpdateFinish), Response::Done);
}

#[test]
fn a_bad_image_is_rolled_back_and_a_good_one_stays_if_it_is_kept() {
    if !may_run("a_bad_image_is_rolled_back_and_a_good_one_stays_if_it_is_kept") {
        return;
    }
    let place = Place::new(&[UNIT]);
    let mut gateway = Gateway::new(&place, Position::B);
    gateway.discover(UNIT);
    let firmware = |gateway: &mut Gateway| {
        let state = state(gateway);
        (state.firmware, state.on_trial)
    };
    let good: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let bad = [&b"broken"[..], &good].concat();
    update(&mut gateway, "bad", &bad);
    restart(&place, &mut gateway);
    assert_eq!(firmware(&mut gateway), ("factory".into(), false));
    update(&mut gateway, "two", &good);
    restart(&place, &mut gateway);
    assert_eq!(firmware(&mut gateway), ("two".into(), true));
    restart(&place, &mut gateway);
    assert_eq!(
        firmware(&mut gateway),
        ("factory".into(), false),
        "nobody kept it"
    );
    update(&mut gateway, "two", &good);
    restart(&place, &mut gateway);
    assert_eq!(gateway.answer(UNIT, &Request::UpdateKeep), Response::Done);
    restart(&place, &mut gateway);
    assert_eq!(firmware(&mut gateway), ("two".into(), false));
}

#[test]
fn an_order_is_carried_out_once_and_the_hand_at_the_button_is_seen() {
    if !may_run("an_order_is_carried_out_once_and_the_hand_at_the_button_is_seen") {
        return;
    }
    let place = Place::new(&[UNIT]);
    let mut gateway = Gateway::new(&place, Position::A);
    gateway.discover(UNIT);
    assert_eq!(state(&mut gateway).power, Power::Off);
    let order = Request::SetPower(Power::On);
    assert_eq!(gateway.answer(UNIT, &order), Response::Done);
    assert_eq!(state(&mut gateway).power, Power::On);
    assert_eq!(place.unit(UNIT).switched, 1);
    let unit = "c07".to_owned();
    place.tell_sps(&Tell::SetPower(SetPowerRequest { unit, on: false }));
    assert_eq!(state(&mut gateway).power, Power::Off);
}

/// Reads so many octets of the console, many requests ahead, each piece once and in order.
fn read(gateway: &mut Gateway, from: u64, count: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(count);
    let piece = u64::try_from(PIECE).unwrap();
    let (mut at, mut next) = (from, from);
    let mut waiting: VecDeque<(u32, u64)> = VecDeque::new();
    while octets.len() < count {
        while waiting.len() < AHEAD {
            let id = gateway.begin(UNIT, Request::ConsoleRead(next, at));
            waiting.push_back((id, next));
            next += piece;
        }
        gateway.turn();
        while let Some((id, asked)) = waiting.front().copied() {
            let Some(outcome) = gateway.take(UNIT, id) else {
                break;
            };
            waiting.pop_front();
            let Outcome::Answered(Response::Console(start, some)) = outcome else {
                panic!("{outcome:?}");
            };
            if asked != at {
                // Behind a short piece: it was asked for again.
                continue;
            }
            assert_eq!(start, at, "nothing is lost");
            at += u64::try_from(some.len()).unwrap();
            octets.extend(&some);
            if some.len() < PIECE {
                next = at;
                waiting.retain(|(_, asked)| *asked < at);
            }
        }
    }
    octets.truncate(count);
    octets
}

#[test]
fn ten_megabytes_of_console_arrive_whole_and_two_operators_are_kept_apart() {
    if !may_run("ten_megabytes_of_console_arrive_whole_and_two_operators_are_kept_apart") {
        return;
    }
    let place = Place::new(&[UNIT]);
    let [mut ada, mut bob] = Position::ALL.map(|position| Gateway::new(&place, position));
    ada.discover(UNIT);
    bob.discover(UNIT);
    let attached = ada.answer(UNIT, &Request::ConsoleAttach("ada".into()));
    let Response::Console(from, _) = attached else {
        panic!("{attached:?}");
    };
    let refused = bob.answer(UNIT, &Request::ConsoleAttach("bob".into()));
    assert_eq!(refused, Response::Failed(Failure::Held("ada".into())));
    let unit = "c07".to_owned();
    place.tell_sps(&Tell::SetPower(SetPowerRequest {
        unit: unit.clone(),
        on: true,
    }));
    let hello = read(&mut ada, from, 18);
    assert_eq!(
        String::from_utf8(hello).unwrap(),
        "\r\nc07 is up\r\nc07# ".get(..18).unwrap()
    );
    let octets = u64::try_from(FLOOD).unwrap();
    place.tell_sps(&Tell::Flood(FloodRequest { unit, octets }));
    let flood = read(&mut ada, from + 18, FLOOD);
    for (number, line) in flood.chunks(16).enumerate() {
        assert_eq!(line, format!("{number:015x}\n").as_bytes());
    }
    assert_eq!(
        ada.answer(UNIT, &Request::ConsoleWrite(0, b"unit\r".into())),
        Response::Typed(5)
    );
    let at = from + 18 + octets;
    let said = read(&mut ada, at, 11);
    assert_eq!(String::from_utf8(said).unwrap(), "unit\r\nc07\r\n");
    assert_eq!(ada.answer(UNIT, &Request::ConsoleDetach), Response::Done);
    let attached = bob.answer(UNIT, &Request::ConsoleAttach("bob".into()));
    assert!(matches!(attached, Response::Console(..)), "{attached:?}");
}
