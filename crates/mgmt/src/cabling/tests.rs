use alloc::format;
use alloc::string::ToString;

use rackweave_types::MacAddr;

use super::*;
use crate::rack::tests::rack;

/// The addresses of the unit that belongs at a place.
fn owner(unit: Unit) -> MacRange {
    let (kind, number) = match unit {
        Unit::Cubby(number) => (1, number),
        Unit::Psc(number) => (2, number),
        Unit::Switch(position) => (3, u8::from(position == Position::B)),
    };
    MacRange::new(MacAddr::new([0xa8, 0x40, 0x25, kind, number, 0])).unwrap()
}

/// What is seen where every cable is as described.
fn sound(rack: &Rack) -> Views {
    let view = |position| {
        let seen = |end: End| Seen {
            sp: Some((owner(end.unit), end.sp_port)),
            data: matches!(end.unit, Unit::Cubby(_)).then(|| owner(end.unit)),
            ignition: true,
        };
        rack.ends(position)
            .map(|(port, end)| (port, seen(end)))
            .collect()
    };
    Views {
        a: view(Position::A),
        b: view(Position::B),
    }
}

fn view(views: &mut Views, position: Position) -> &mut View {
    match position {
        Position::A => &mut views.a,
        Position::B => &mut views.b,
    }
}

fn backplane(rack: &Rack) -> Vec<Unit> {
    let mut units = rack.units();
    units.retain(|unit| !matches!(unit, Unit::Switch(_)));
    units
}

/// Swaps two cables at one switch.
fn swap(views: &mut Views, rack: &Rack, position: Position, one: Unit, two: Unit) {
    let [first, second] = [one, two].map(|unit| rack.port_of(position, unit).unwrap());
    let view = view(views, position);
    let (was, is) = (view[&first], view[&second]);
    view.insert(first, is);
    view.insert(second, was);
}

#[test]
fn nothing_is_wrong_where_all_is_as_described() {
    let rack = rack();
    let views = sound(&rack);
    assert_eq!(verdict(&rack, &views, None), []);
    let before = baseline(&rack, &views);
    assert_eq!(before.len(), 36);
    assert!(before.iter().all(|(unit, found)| *found == owner(*unit)));
}

#[test]
fn every_swap_of_two_cables_at_one_switch_is_named() {
    let rack = rack();
    let before = baseline(&rack, &sound(&rack));
    let units = backplane(&rack);
    for position in Position::ALL {
        for (index, one) in units.iter().enumerate() {
            for two in &units[index + 1..] {
                let mut views = sound(&rack);
                swap(&mut views, &rack, position, *one, *two);
                let units = [*one, *two];
                let ports = units.map(|unit| rack.port_of(position, unit));
                let expected = Finding::Swapped {
                    position,
                    units,
                    ports,
                };
                assert_eq!(verdict(&rack, &views, Some(&before)), [expected]);
                let expected = Finding::SwappedSomewhere { units };
                assert_eq!(verdict(&rack, &views, None), [expected]);
            }
        }
    }
}

#[test]
fn every_unit_whose_cables_are_in_each_others_connectors_is_named() {
    let rack = rack();
    for unit in backplane(&rack) {
        let mut views = sound(&rack);
        for position in Position::ALL {
            let port = rack.port_of(position, unit).unwrap();
            let seen = view(&mut views, position).get_mut(&port).unwrap();
            seen.sp = seen.sp.map(|(owner, reached)| (owner, reached.other()));
        }
        assert_eq!(verdict(&rack, &views, None), [Finding::Turned { unit }]);
    }
}

#[test]
fn every_missing_cable_is_named() {
    let rack = rack();
    for unit in backplane(&rack) {
        for position in Position::ALL {
            let mut views = sound(&rack);
            let port = rack.port_of(position, unit).unwrap();
            view(&mut views, position).insert(port, Seen::default());
            let expected = Finding::Missing {
                position,
                unit,
                port,
            };
            assert_eq!(verdict(&rack, &views, None), [expected]);
        }
    }
}

#[test]
fn an_empty_cubby_is_no_fault() {
    let rack = rack();
    let mut views = sound(&rack);
    for position in Position::ALL {
        let port = rack.port_of(position, Unit::Cubby(5)).unwrap();
        view(&mut views, position).remove(&port);
    }
    assert_eq!(verdict(&rack, &views, None), []);
}

#[test]
fn what_is_dead_is_told_from_what_is_missing() {
    let rack = rack();
    let unit = Unit::Cubby(5);
    let position = Position::B;
    let port = rack.port_of(position, unit).unwrap();
    let with = |change: &dyn Fn(&mut Seen)| {
        let mut views = sound(&rack);
        change(view(&mut views, position).get_mut(&port).unwrap());
        verdict(&rack, &views, None)
    };
    let dead = |what| {
        [Finding::Dead {
            position,
            unit,
            port,
            what,
        }]
    };
    assert_eq!(with(&|seen| seen.sp = None), dead(Dead::Management));
    assert_eq!(with(&|seen| seen.data = None), dead(Dead::Data));
    assert_eq!(with(&|seen| seen.ignition = false), dead(Dead::Ignition));
    let mixed = with(&|seen| seen.data = Some(owner(Unit::Cubby(6))));
    assert_eq!(
        mixed,
        [Finding::Mixed {
            position,
            unit,
            port
        }]
    );
    let mut views = sound(&rack);
    for position in Position::ALL {
        let port = rack.port_of(position, unit).unwrap();
        view(&mut views, position).get_mut(&port).unwrap().sp = None;
    }
    let both = verdict(&rack, &views, None);
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|it| matches!(
        it,
        Finding::Dead {
            what: Dead::ServiceProcessor,
            ..
        }
    )));
}

#[test]
fn three_cables_in_a_ring_are_three_strangers() {
    let rack = rack();
    let before = baseline(&rack, &sound(&rack));
    let mut views = sound(&rack);
    let [one, two, three] = [1, 2, 3].map(Unit::Cubby);
    swap(&mut views, &rack, Position::A, one, two);
    swap(&mut views, &rack, Position::A, two, three);
    let found = verdict(&rack, &views, Some(&before));
    let expected =
        [(one, two), (two, three), (three, one)].map(|(unit, found)| Finding::Stranger {
            position: Position::A,
            unit,
            found: owner(found),
        });
    assert_eq!(found, expected);
}

#[test]
fn findings_say_what_to_look_at() {
    let rack = rack();
    let before = baseline(&rack, &sound(&rack));
    let mut views = sound(&rack);
    swap(
        &mut views,
        &rack,
        Position::B,
        Unit::Cubby(3),
        Unit::Cubby(7),
    );
    let [finding] = &verdict(&rack, &views, Some(&before))[..] else {
        panic!("one finding");
    };
    assert_eq!(
        finding.to_string(),
        "the cables of cubby 3 and cubby 7 are swapped at switch B: cubby 3 belongs at port 28, cubby 7 at port 24"
    );
    assert_eq!(
        format!("{}", Finding::Turned { unit: Unit::Psc(1) }),
        "the two cables of PSC 1 are in each other's connectors"
    );
}
