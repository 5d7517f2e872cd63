use super::*;
use crate::rack::tests::{description, port, rack};

fn answer(reached: SpPort) -> Answer {
    Answer {
        reached,
        kind: UnitKind::Sled,
    }
}

/// Everything that is answered to a gateway in this rack at this position.
fn all(locator: &mut Locator, rack: &Rack, position: Position) {
    for (port, end) in rack.ends(position) {
        let kind = UnitKind::at(end.unit);
        locator.answered(
            port,
            Answer {
                reached: end.sp_port,
                kind,
            },
        );
    }
}

#[test]
fn one_answer_of_a_sled_tells_the_switch() {
    for (reached, expected) in [(SpPort::One, Position::A), (SpPort::Two, Position::B)] {
        let mut locator = Locator::new([rack()].into());
        assert_eq!(locator.verdict(), Verdict::Unknown);
        locator.answered(locator.ask_first()[0], answer(reached));
        let Verdict::Located {
            position,
            contradictions,
            ..
        } = locator.verdict()
        else {
            panic!("{:?}", locator.verdict());
        };
        assert_eq!((position, contradictions), (expected, [].into()));
    }
}

#[test]
fn the_switches_own_service_processors_tell_nothing() {
    let mut locator = Locator::new([rack()].into());
    let kind = UnitKind::Switch;
    locator.answered(
        port(36),
        Answer {
            reached: SpPort::One,
            kind,
        },
    );
    locator.answered(
        port(37),
        Answer {
            reached: SpPort::Two,
            kind,
        },
    );
    let both = Position::ALL.map(|position| ("rack-1".into(), position));
    assert_eq!(locator.verdict(), Verdict::InDoubt(both.into()));
}

#[test]
fn a_sled_that_contradicts_is_named_and_the_verdict_stands() {
    let rack = rack();
    let mut locator = Locator::new([rack.clone()].into());
    all(&mut locator, &rack, Position::B);
    locator.answered(port(4), answer(SpPort::One));
    locator.answered(port(40), answer(SpPort::One));
    locator.answered(port(32), answer(SpPort::Two));
    let Verdict::Located {
        position,
        contradictions,
        ..
    } = locator.verdict()
    else {
        panic!("{:?}", locator.verdict());
    };
    assert_eq!(position, Position::B);
    let what: Vec<_> = contradictions.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "port 4 of switch B leads to SP port 2 of cubby 27, and was reached at SP port 1: its two cables look swapped",
            "port 32 of switch B leads to PSC 1, and the service processor of a sled answers there",
            "port 40 of switch B leads nowhere, and a service processor answers there",
        ]
    );
}

#[test]
fn later_answers_move_the_verdict() {
    let rack = rack();
    let mut locator = Locator::new([rack.clone()].into());
    locator.answered(port(0), answer(SpPort::One));
    let located = |locator: &Locator| match locator.verdict() {
        Verdict::Located { position, .. } => Some(position),
        _ => None,
    };
    assert_eq!(located(&locator), Some(Position::A));
    all(&mut locator, &rack, Position::B);
    assert_eq!(located(&locator), Some(Position::B));
    for (port, _) in rack.ends(Position::B) {
        locator.silent(port);
    }
    assert_eq!(locator.verdict(), Verdict::Unknown);
}

#[test]
fn the_type_of_rack_follows_from_what_answers_where() {
    let mut network = description();
    network.name = "network-rack".into();
    network.cubby.truncate(20);
    for cubby in &mut network.cubby {
        // Four power shelves' worth of ports lie between.
        cubby.a = port(cubby.number + 38 - if cubby.number > 10 { 38 } else { 0 });
        cubby.b = cubby.a;
    }
    let network = Rack::check(&network).unwrap();
    for (index, rack) in [rack(), network.clone()].iter().enumerate() {
        for expected in Position::ALL {
            let mut locator = Locator::new([self::rack(), network.clone()].into());
            all(&mut locator, rack, expected);
            let Verdict::Located {
                rack,
                position,
                contradictions,
            } = locator.verdict()
            else {
                panic!("{:?}", locator.verdict());
            };
            assert_eq!((rack, position), (index, expected));
            assert_eq!(contradictions, []);
        }
    }
}
