use rackweave_mgmt::sp::exchange::Refusals;

use super::*;
use crate::gateway::Counters;
use crate::gateway::link::Found;
use crate::racks;
use crate::seen::LinkSeen;

fn rack() -> Rack {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/racks/rack-1.toml");
    racks::read(&dist).unwrap()
}

/// What the gateway of a switch sees where all is well.
fn seen(rack: &Rack, position: Position) -> Seen {
    let units = rack.units();
    let link = |(port, end): (SwitchPort, rackweave_mgmt::rack::End)| {
        let index = units.iter().position(|unit| *unit == end.unit).unwrap();
        let mac = MacAddr::new([0xa8, 0x40, 0x25, 0, u8::try_from(index).unwrap(), 0]);
        let unit = MacRange::new(mac).unwrap();
        LinkSeen {
            port,
            end: Some(end),
            found: Some(Found {
                serial: format!("S{index}"),
                kind: rackweave_mgmt::sp::message::Kind::Sled,
                unit,
                reached: end.sp_port,
                address: rackweave_mgmt::address::link_local(unit.management(end.sp_port)),
                boot: [0; 16],
                version: 1,
            }),
            heard: None,
            refusals: Refusals::default(),
            update: None,
        }
    };
    Seen {
        at: Instant::START,
        started: Instant::START,
        place: Some((rack.clone(), position)),
        in_doubt: Vec::new(),
        contradictions: Vec::new(),
        links: rack.ends(position).map(link).collect(),
        ignition: Some(u64::MAX),
        discovered: None,
        counters: Counters::default(),
        unsent: 0,
        uplink: true,
    }
}

/// A view as it crosses the wire.
fn told(seen: &Seen) -> View {
    let view = view(seen, &ports(seen, &BTreeMap::new()), Some(true));
    serde_json::from_str(&serde_json::to_string(&view).unwrap()).unwrap()
}

#[test]
fn two_views_of_a_sound_rack_are_joined_whole() {
    let rack = rack();
    for position in Position::ALL {
        let own = ports(&seen(&rack, position), &BTreeMap::new());
        let peer = told(&seen(&rack, position.other()));
        assert_eq!(
            peer.ports[0].serial.as_deref(),
            if position == Position::A {
                Some("S31")
            } else {
                Some("S0")
            }
        );
        let views = joined(&rack, position, &own, &peer).unwrap();
        assert_eq!((views.a.len(), views.b.len()), (36, 36));
        assert_eq!(cabling::verdict(&rack, &views, None), []);
        assert_eq!(cabling::baseline(&rack, &views).len(), 36);
    }
}

#[test]
fn a_cable_that_is_missing_at_the_other_switch_is_named() {
    let rack = rack();
    let own = ports(&seen(&rack, Position::A), &BTreeMap::new());
    let mut there = seen(&rack, Position::B);
    there.links[5].found = None;
    there.ignition = Some(!(1 << there.links[5].port.get()));
    let views = joined(&rack, Position::A, &own, &told(&there)).unwrap();
    let said: Vec<String> = cabling::verdict(&rack, &views, None)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        ["the cable of cubby 26 is missing at port 5 of switch B"]
    );
}

#[test]
fn a_switch_that_does_not_say_what_ignition_feels_is_no_fault_of_cables() {
    let rack = rack();
    let own = ports(&seen(&rack, Position::A), &BTreeMap::new());
    let mut there = seen(&rack, Position::B);
    there.ignition = None;
    let views = joined(&rack, Position::A, &own, &told(&there)).unwrap();
    assert_eq!(cabling::verdict(&rack, &views, None), []);
}

#[test]
fn views_that_cannot_be_joined_say_why() {
    let rack = rack();
    let own = ports(&seen(&rack, Position::A), &BTreeMap::new());
    let join = |peer: &View| joined(&rack, Position::A, &own, peer).map(drop);
    let mut peer = told(&seen(&rack, Position::A));
    assert_eq!(
        join(&peer),
        Err("both gateways find themselves on switch A: their uplinks, or all cables of one switch, are swapped".into())
    );
    peer.position = None;
    assert_eq!(
        join(&peer),
        Err("the gateway of switch B does not know yet where it sits".into())
    );
    peer.position = Some(api::Position::B);
    peer.rack = Some("rack-2".into());
    assert_eq!(
        join(&peer),
        Err(
            "the other gateway finds itself in a rack of type rack-2, this one of type rack-1"
                .into()
        )
    );
}

#[test]
fn names_of_units_are_read_as_they_are_written() {
    for unit in rack().units() {
        assert_eq!(unit_of(&crate::seen::name_of(unit)), Some(unit));
    }
    for name in ["cubby", "cubby-", "cubby-256", "switch-c", "psc-x", ""] {
        assert_eq!(unit_of(name), None, "{name}");
    }
}
