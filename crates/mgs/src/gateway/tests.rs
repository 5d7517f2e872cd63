//! The machine against a whole management network in virtual time: both switches, a chip and a service processor for
//! each unit, frames that are lost and come late.

mod body;
mod network;

use std::time::Duration;

use rackweave_mgmt::port::{Position, SpPort, Unit};
use rackweave_mgmt::sp::Key;
use rackweave_mgmt::sp::message::{Power, Request, Response};

use super::{Answer, Event};
use crate::gateway::console::ConsoleEvent;
use crate::keys::Keys;
use network::{Losses, Network};

const WITHIN: Duration = Duration::from_secs(3);

/// All 36 are found at their places.
fn all_found(network: &Network, position: Position) -> bool {
    let gateway = network.gateway(position);
    gateway.place().is_some()
        && gateway.links().all(|link| {
            let end = gateway.end(link.port());
            let there = link
                .found()
                .map(|found| (found.serial.clone(), found.reached));
            end.map(|end| (Network::serial(end.unit), end.sp_port)) == there
        })
}

#[test]
fn a_cold_rack_is_found_and_located_within_two_seconds() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    for position in Position::ALL {
        let took = network.until(Duration::from_secs(2), |it| all_found(it, position));
        assert!(took.is_some(), "{position}");
        let (_, located) = network.gateway(position).place().unwrap();
        assert_eq!(located, position);
    }
    network.restart(Position::A);
    let again = network.until(Duration::from_secs(1), |it| all_found(it, Position::A));
    assert!(again.is_some());
}

#[test]
fn losses_and_reordering_change_the_time_and_not_the_result() {
    for seed in 0..5 {
        let losses = Losses {
            percent: 20,
            late: Duration::from_millis(20),
            seed,
        };
        let mut network = Network::new(losses, &Keys::default());
        let found = network.until(Duration::from_secs(20), |it| {
            Position::ALL
                .into_iter()
                .all(|position| all_found(it, position))
        });
        assert!(found.is_some(), "seed {seed}");
        let located = Position::ALL.map(|position| network.gateway(position).place().unwrap().1);
        assert_eq!(located, Position::ALL);
    }
}

#[test]
fn orders_are_carried_out_and_answered() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    let unit = Unit::Cubby(5);
    let answer = network.ask(Position::B, unit, Request::SetPower(Power::On), WITHIN);
    assert_eq!(answer, Answer::Response(Response::Done));
    let Answer::Response(Response::State(state)) =
        network.ask(Position::A, unit, Request::State, WITHIN)
    else {
        panic!("no state");
    };
    assert_eq!(state.power, Power::On);
}

#[test]
fn a_unit_that_is_gone_is_silent_and_found_again() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    assert!(
        network
            .until(WITHIN, |it| all_found(it, Position::A))
            .is_some()
    );
    let unit = Unit::Psc(1);
    network.cut(Position::A, unit);
    let port = network.port(Position::A, unit);
    let gone = |it: &Network| {
        let link = it.gateway(Position::A).links().find(|it| it.port() == port);
        link.is_some_and(|link| link.found().is_none())
    };
    assert!(network.until(Duration::from_secs(4), gone).is_some());
    assert_eq!(
        network.ask(Position::A, unit, Request::State, WITHIN),
        Answer::Absent
    );
    network.heal(Position::A, unit);
    assert!(
        network
            .until(WITHIN, |it| all_found(it, Position::A))
            .is_some()
    );
}

#[test]
fn swapped_cables_are_seen_within_three_seconds() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    assert!(
        network
            .until(WITHIN, |it| all_found(it, Position::A))
            .is_some()
    );
    let (one, two) = (Unit::Cubby(3), Unit::Cubby(7));
    let [first, second] = [one, two].map(|unit| network.port(Position::A, unit));
    network.swap(Position::A, one, two);
    let seen = network.until(WITHIN, |it| {
        let serial = |port| {
            let link = it.gateway(Position::A).links().find(|it| it.port() == port);
            link.and_then(|link| link.found().map(|found| found.serial.clone()))
        };
        serial(first) == Some(Network::serial(two)) && serial(second) == Some(Network::serial(one))
    });
    assert!(seen.is_some());
    network.turn(Unit::Cubby(9));
    let turned = network.until(WITHIN, |it| {
        let located = it.gateway(Position::A).located();
        located.is_some_and(|it| {
            it.contradictions
                .iter()
                .any(|it| it.unit == Some(Unit::Cubby(9)))
        })
    });
    assert!(turned.is_some());
}

#[test]
fn service_processors_learn_where_they_are() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    assert!(
        network
            .until(WITHIN, |it| all_found(it, Position::B))
            .is_some()
    );
    let port = network.port_of_sp(Position::B, Unit::Cubby(5));
    assert_eq!(port, SpPort::Two);
    let said = network.sp_asks(Unit::Cubby(5), port, Request::WhereAmI);
    assert_eq!(said, Some(Response::YouAreAt("cubby 5".into())));
    let said = network.sp_asks(Unit::Cubby(5), port, Request::Discover);
    assert_eq!(said, Some(Response::Done));
}

#[test]
fn keys_are_asked_for_and_used() {
    let keys: Keys = [(Network::serial(Unit::Cubby(5)), Key::new(&[5; 32]))]
        .into_iter()
        .collect();
    let mut network = Network::new(Losses::default(), &keys);
    let asked = network.ask(Position::A, Unit::Cubby(5), Request::State, WITHIN);
    assert!(
        matches!(asked, Answer::Response(Response::State(_))),
        "{asked:?}"
    );
    let reset = network.ask(Position::A, Unit::Cubby(5), Request::Reset, WITHIN);
    assert_eq!(reset, Answer::Response(Response::Done));
    for position in Position::ALL {
        let after = network.ask(position, Unit::Cubby(5), Request::State, WITHIN);
        assert!(
            matches!(after, Answer::Response(Response::State(_))),
            "{position}: {after:?}"
        );
    }
    let serial = Network::serial(Unit::Cubby(6));
    assert_eq!(
        network.ask(Position::A, Unit::Cubby(6), Request::State, WITHIN),
        Answer::NoKey(serial)
    );
    network.restart(Position::A);
    let again = network.ask(Position::A, Unit::Cubby(5), Request::State, WITHIN);
    assert!(
        matches!(again, Answer::Response(Response::State(_))),
        "{again:?}"
    );
}

#[test]
fn a_console_loses_nothing_and_two_operators_are_kept_apart() {
    let losses = Losses {
        percent: 5,
        late: Duration::from_millis(2),
        seed: 7,
    };
    let mut network = Network::new(losses, &Keys::default());
    assert!(
        network
            .until(Duration::from_secs(10), |it| all_found(it, Position::A))
            .is_some()
    );
    let unit = Unit::Cubby(2);
    let port = network.port(Position::A, unit);
    let ada = network.gateway_mut(Position::A, |gateway, now| {
        gateway.console_open(now, port, "ada", false)
    });
    let told = |network: &mut Network, ticket| -> Vec<ConsoleEvent> {
        let events = network.events(Position::A).into_iter();
        events
            .filter_map(|event| match event {
                Event::Console(of, event) if of == ticket => Some(event),
                _ => None,
            })
            .collect()
    };
    network.run(Duration::from_secs(1));
    assert_eq!(told(&mut network, ada), [ConsoleEvent::Attached]);
    let all: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
    let mut came = Vec::new();
    let mut rest = &all[..];
    for _ in 0..4000 {
        let taken = network.produce(unit, rest);
        rest = &rest[taken..];
        network.run(Duration::from_millis(10));
        for event in told(&mut network, ada) {
            match event {
                ConsoleEvent::Output(octets) => came.extend(octets),
                other => panic!("{other:?}"),
            }
        }
        if came.len() == all.len() {
            break;
        }
    }
    assert_eq!(came.len(), all.len());
    assert!(came == all, "octets are as they came out");
    let bob = network.gateway_mut(Position::A, |gateway, now| {
        gateway.console_open(now, port, "bob", false)
    });
    let [ConsoleEvent::Ended(Answer::Failed(failure))] = &told(&mut network, bob)[..] else {
        panic!("two hold it");
    };
    assert_eq!(
        failure.to_string(),
        "the console is held by ada: ask them to detach"
    );
}

#[test]
fn an_update_goes_on_after_the_gateway_was_killed() {
    let losses = Losses {
        percent: 2,
        late: Duration::from_millis(1),
        seed: 3,
    };
    let mut network = Network::new(losses, &Keys::default());
    let octets: Vec<u8> = (0..300_000_u32).map(|it| it.to_be_bytes()[2]).collect();
    let unit = Unit::Cubby(8);
    assert!(
        network
            .until(Duration::from_secs(10), |it| all_found(it, Position::A))
            .is_some()
    );
    network.update(Position::A, unit, "sled-2", &octets);
    let sent = |network: &Network| {
        let port = network.port(Position::A, unit);
        let link = network
            .gateway(Position::A)
            .links()
            .find(|it| it.port() == port);
        link.and_then(super::link::Link::update)
            .map_or(0, |it| it.sent)
    };
    assert!(
        network
            .until(Duration::from_mins(1), |it| sent(it) > 100_000)
            .is_some()
    );
    network.restart(Position::A);
    assert!(
        network
            .until(Duration::from_secs(10), |it| all_found(it, Position::A))
            .is_some()
    );
    network.update(Position::A, unit, "sled-2", &octets);
    network.run(Duration::from_millis(200));
    assert!(sent(&network) > 100_000, "it goes on where it was");
    let done = network.until(Duration::from_mins(2), |it| {
        it.firmware(unit) == ("sled-2".to_owned(), false)
    });
    assert!(done.is_some());
}

#[test]
fn a_sound_network_leaks_nothing_and_all_that_must_arrive_arrives() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    assert!(
        network
            .until(WITHIN, |it| all_found(it, Position::A))
            .is_some()
    );
    let report = network.selftest(Position::A);
    assert_eq!((report.leaks.len(), report.leaks_total), (0, 0));
    assert_eq!((report.took_part, report.silent.len()), (36, 0));
    assert_eq!(report.controls, 36 * 3 + 36 * 2);
    assert_eq!(report.controls_arrived, report.controls);
}

#[test]
fn a_switch_that_was_programmed_otherwise_is_found_out() {
    let mut network = Network::new(Losses::default(), &Keys::default());
    assert!(
        network
            .until(WITHIN, |it| all_found(it, Position::A))
            .is_some()
    );
    let [one, two] = [Unit::Cubby(1), Unit::Cubby(2)].map(|unit| network.port(Position::A, unit));
    network.program(Position::A, |switch| {
        let mut tables = switch.tables().clone();
        let members = tables.vlans.get_mut(&one.vlan()).unwrap();
        members.insert(rackweave_mgmt::plan::chip(two));
        switch.program(tables);
    });
    let report = network.selftest(Position::A);
    assert!(!report.leaks.is_empty());
    let reached = |leak: &super::selftest::Leak| leak.from == Some(one) && leak.at == Some(two);
    assert!(report.leaks.iter().any(reached), "{:?}", report.leaks);
}
