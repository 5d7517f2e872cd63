use alloc::vec;

use super::*;
use crate::plan::{SP, ksz8463};

const ONE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const TWO: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);

fn frame(dst: MacAddr, src: MacAddr, tag: &[u8]) -> Vec<u8> {
    [
        &dst.octets()[..],
        &src.octets(),
        tag,
        &[0x86, 0xdd, 1, 2, 3],
    ]
    .concat()
}

/// A chip with three access ports in one VLAN.
fn hub(learning: bool) -> Switch {
    let vlan = Vlan::new(5).unwrap();
    let ports = [1, 2, 3].map(ChipPort);
    Switch::new(Tables {
        ports: ports.map(|port| (port, PortKind::Access(vlan))).into(),
        vlans: BTreeMap::from([(vlan, BTreeSet::from(ports))]),
        learning,
    })
}

#[test]
fn a_chip_that_learns_stops_flooding() {
    let ports = |out: Vec<Egress>| out.into_iter().map(|it| it.port.0).collect::<Vec<_>>();
    for (learning, answered) in [(true, vec![1]), (false, vec![1, 3])] {
        let mut hub = hub(learning);
        let asked = hub.forward(ChipPort(1), &frame(TWO, ONE, &[])).unwrap();
        assert_eq!(ports(asked), [2, 3]);
        let reply = hub.forward(ChipPort(2), &frame(ONE, TWO, &[])).unwrap();
        assert_eq!(ports(reply), answered);
        assert_eq!(hub.learned().count(), if learning { 2 } else { 0 });
    }
}

#[test]
fn a_frame_for_the_port_it_came_from_goes_nowhere() {
    let mut hub = hub(true);
    hub.forward(ChipPort(1), &frame(TWO, ONE, &[])).unwrap();
    assert_eq!(hub.forward(ChipPort(1), &frame(ONE, TWO, &[])), Ok(vec![]));
}

#[test]
fn what_is_learned_is_bounded_and_groups_are_not_learned() {
    let mut hub = hub(true);
    hub.forward(ChipPort(1), &frame(TWO, MacAddr::BROADCAST, &[]))
        .unwrap();
    assert_eq!(hub.learned().count(), 0);
    for number in 0..LEARNED_MAX + 9 {
        let [.., high, low] = number.to_be_bytes();
        let src = MacAddr::new([2, 0, 0, 1, high, low]);
        hub.forward(ChipPort(1), &frame(TWO, src, &[])).unwrap();
    }
    assert_eq!(hub.learned().count(), LEARNED_MAX);
}

#[test]
fn priority_stays_with_a_frame_that_keeps_its_tag_off_one_port_and_on_the_next() {
    let mut ksz = Switch::new(ksz8463(false));
    let tagged = frame(TWO, ONE, &[0x81, 0, 0xa3, 0x01]);
    let out = ksz.forward(SP, &tagged).unwrap();
    assert_eq!(
        out,
        [Egress {
            port: ChipPort(1),
            frame: frame(TWO, ONE, &[])
        }]
    );
}

#[test]
fn every_drop_is_counted_by_its_reason() {
    let mut ksz = Switch::new(ksz8463(false));
    let tag = |vid: u16| [&[0x81, 0][..], &vid.to_be_bytes()].concat();
    let cases = [
        (ChipPort(9), frame(TWO, ONE, &[]), DropReason::PortOff),
        (SP, vec![0; 13], DropReason::Truncated),
        (
            SP,
            frame(TWO, ONE, &tag(0x301))[..16].to_vec(),
            DropReason::Truncated,
        ),
        (
            ChipPort(1),
            frame(TWO, ONE, &tag(0x301)),
            DropReason::Tagged,
        ),
        (SP, frame(TWO, ONE, &[]), DropReason::Untagged),
        (
            SP,
            frame(TWO, ONE, &[tag(0x301), tag(0x302)].concat()),
            DropReason::NestedTag,
        ),
        (SP, frame(TWO, ONE, &tag(0x3ff)), DropReason::NotListed),
        (SP, frame(TWO, ONE, &tag(0)), DropReason::NotListed),
    ];
    for (port, bytes, reason) in cases {
        let before = ksz.counters(port).drops(reason);
        assert_eq!(ksz.forward(port, &bytes), Err(reason));
        assert_eq!(ksz.counters(port).drops(reason), before + 1, "{reason}");
    }
    assert_eq!(ksz.counters(SP).frames_in(), 0);
    ksz.forward(SP, &frame(TWO, ONE, &tag(0x302))).unwrap();
    assert_eq!(
        (
            ksz.counters(SP).frames_in(),
            ksz.counters(ChipPort(2)).frames_out()
        ),
        (1, 1)
    );
}
