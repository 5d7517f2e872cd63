use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

/// The description that is shipped.
pub(crate) fn description() -> Description {
    toml::from_str(include_str!("../../../../dist/racks/rack-1.toml")).unwrap()
}

pub(crate) fn rack() -> Rack {
    Rack::check(&description()).unwrap()
}

pub(crate) fn port(number: u8) -> SwitchPort {
    SwitchPort::new(number).unwrap()
}

/// What is said of the description with this change.
fn said(change: impl FnOnce(&mut Description)) -> Vec<String> {
    let mut description = description();
    change(&mut description);
    let faults = Rack::check(&description).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_rack_is_sound() {
    let rack = rack();
    assert_eq!(rack.name(), "rack-1");
    assert_eq!(rack.units().len(), 32 + 2 + 2);
    for position in Position::ALL {
        assert_eq!(rack.ends(position).count(), 36);
        let own = rack.end(position, port(36)).unwrap();
        assert_eq!(
            (own.unit, own.sp_port),
            (Unit::Switch(position), SpPort::One)
        );
        let peer = rack.end(position, port(37)).unwrap();
        assert_eq!(
            (peer.unit, peer.sp_port),
            (Unit::Switch(position.other()), SpPort::Two)
        );
    }
    assert_eq!(rack.port_of(Position::B, Unit::Cubby(0)), Some(port(31)));
}

#[test]
fn a_port_that_would_not_tell_the_switches_apart_is_refused() {
    // The seed's example: port 37 of A and of B end at port 1 of two sleds.
    let turned = said(|it| it.cubby[9].a_ends_at = SpPort::Two);
    assert_eq!(
        turned,
        [
            "cubby[9].b: port 22 ends at SP port 1 of cubby 22 on switch A and of cubby 9 on switch B: \
             an answer from there would not tell the switches apart (rule ambiguous)",
            "cubby[22].b: port 9 ends at SP port 2 of cubby 9 on switch A and of cubby 22 on switch B: \
             an answer from there would not tell the switches apart (rule ambiguous)",
        ]
    );
    // All cables of A on the right and all of B on the left is as good as the other way round.
    let mut mirrored = description();
    mirrored
        .cubby
        .iter_mut()
        .for_each(|it| it.a_ends_at = SpPort::Two);
    mirrored
        .psc
        .iter_mut()
        .for_each(|it| it.a_ends_at = SpPort::Two);
    assert!(Rack::check(&mirrored).is_ok());
}

#[test]
fn every_rule_names_its_field() {
    assert_eq!(
        said(|it| it.version = 2),
        ["version: version 2 is not known, 1 is (rule version)"]
    );
    assert_eq!(
        said(|it| it.name = " ".into()),
        ["name: a type of rack has a name (rule name)"]
    );
    assert_eq!(
        said(|it| it.cubby[3].number = 2),
        ["cubby[3].number: cubby 2 is there already (rule unit-once)"]
    );
    assert_eq!(
        said(|it| it.cubby[5].a = it.cubby[4].a),
        [
            "cubby[5].a: port 4 of switch A leads to cubby 4, and cannot lead to cubby 5 (rule port-once)"
        ]
    );
    assert_eq!(
        said(|it| it.switches.technicians[0] = it.switches.upstream),
        [
            "switches.technicians: port 49 of switch A leads to the gateway, and cannot lead to a technician (rule port-once)"
        ]
    );
    assert_eq!(
        said(|it| it.scrimlets.b = 99),
        ["scrimlets.b: there is no cubby 99 (rule scrimlet)"]
    );
    assert_eq!(
        said(|it| it.scrimlets.b = it.scrimlets.a),
        ["scrimlets.b: cubby 14 cannot be attached to both switches (rule scrimlet)"]
    );
    let third = Psc {
        number: 2,
        a: port(40),
        b: port(41),
        a_ends_at: SpPort::One,
    };
    assert_eq!(
        said(|it| it.psc.push(third)),
        ["psc: there are 3, and VLANs for 2 (rule count)"]
    );
}

#[test]
fn what_cannot_be_a_description_is_not_read() {
    let refused = |text: &str| toml::from_str::<Description>(text).unwrap_err().to_string();
    let shipped = include_str!("../../../../dist/racks/rack-1.toml");
    let no_port = refused(&shipped.replacen("upstream = 49", "upstream = 53", 1));
    assert!(no_port.contains("ports 0 to 52, not 53"), "{no_port}");
    let unknown = refused(&shipped.replacen("onboard", "onbord", 1));
    assert!(unknown.contains("unknown field `onbord`"), "{unknown}");
}
