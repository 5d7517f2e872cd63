use std::time::Duration;

use proptest::collection::vec as list_of;
use proptest::prelude::*;
use rackweave_types::{Instant, MacAddr};

use crate::fabric::LinkId;
use crate::lldp::{
    Capabilities, Capability, ChassisId, Happening, Input, Limits, Lldp, Message, Output, Port,
    PortId, System,
};

const LINK: LinkId = LinkId(2);
const OTHER: LinkId = LinkId(3);

fn mac(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, high, low])
}

fn system() -> System {
    System {
        chassis: mac(0xffff),
        name: "sled-01".into(),
        description: "Rackweave sled".into(),
        capabilities: Capabilities::only(Capability::Station),
        management: vec!["fdb0::1".parse().unwrap()],
    }
}

fn port(link: LinkId, up: bool) -> Port {
    Port {
        link,
        name: format!("t{}", link.0),
        description: String::new(),
        up,
        mac_phy: None,
        max_frame: None,
    }
}

fn at(seconds: u64) -> Instant {
    Instant::START.after(Duration::from_secs(seconds))
}

/// A machine, the links of which are up since zero.
struct Rig {
    lldp: Lldp,
    out: Vec<Output>,
}

impl Rig {
    fn new(limits: Limits, links: &[LinkId]) -> Self {
        let mut rig = Self {
            lldp: Lldp::new(system(), limits),
            out: Vec::new(),
        };
        for link in links {
            rig.tell(0, Input::Port(port(*link, true)));
        }
        rig
    }

    fn tell(&mut self, seconds: u64, input: Input) {
        self.lldp.handle(at(seconds), input, &mut self.out);
    }

    fn hear(&mut self, seconds: u64, link: LinkId, neighbor: u16, ttl: u16) {
        self.hear_from(seconds, link, mac(neighbor), neighbor, ttl);
    }

    fn hear_from(&mut self, seconds: u64, link: LinkId, from: MacAddr, chassis: u16, ttl: u16) {
        let port = PortId::interface("p1").unwrap();
        let bytes = Message::new(ChassisId::mac(mac(chassis)), port, ttl).emit();
        self.tell(seconds, Input::Frame { link, from, bytes });
    }

    /// Lets time pass up to then, and says when frames were sent.
    fn sent_until(&mut self, seconds: u64) -> Vec<u64> {
        let mut times = Vec::new();
        self.out.clear();
        while let Some(deadline) = self.lldp.deadline().filter(|due| *due <= at(seconds)) {
            self.lldp.handle(deadline, Input::Tick, &mut self.out);
            let sent = self
                .out
                .drain(..)
                .filter(|one| matches!(one, Output::Send { .. }));
            times.extend(sent.map(|_| deadline.nanos() / 1_000_000_000));
        }
        times
    }

    fn knows(&self, link: LinkId, neighbor: u16) -> bool {
        let id = ChassisId::mac(mac(neighbor));
        let mut all = self.lldp.neighbors();
        all.any(|(port, one)| port.link == link && one.message.chassis == id)
    }

    fn told(&mut self) -> Vec<Happening> {
        let told = self.out.drain(..).filter_map(|one| match one {
            Output::Told { happening, .. } => Some(happening),
            Output::Send { .. } => None,
        });
        told.collect()
    }
}

#[test]
fn speaks_fast_at_first_and_every_half_minute_then() {
    let mut rig = Rig::new(Limits::default(), &[LINK]);
    assert!(matches!(rig.out[..], [Output::Send { link: LINK, .. }]));
    assert_eq!(rig.sent_until(100), [1, 2, 3, 33, 63, 93]);
    // A neighbour that comes is told at once who we are; one that stays is not.
    rig.hear(100, LINK, 1, 1_000);
    assert_eq!(rig.sent_until(140), [101, 102, 103, 133]);
    rig.hear(140, LINK, 1, 1_000);
    assert_eq!(rig.sent_until(170), [163]);
    let changed = System {
        name: "sled-02".into(),
        ..system()
    };
    rig.tell(170, Input::System(changed));
    let name = rig.out.iter().find_map(|one| match one {
        Output::Send { bytes, .. } => Message::parse(bytes).unwrap().message.system_name,
        Output::Told { .. } => None,
    });
    assert_eq!(name.as_deref(), Some("sled-02"));
    assert_eq!(rig.sent_until(210), [200]);
}

#[test]
fn says_nothing_where_nobody_can_hear() {
    let mut rig = Rig::new(Limits::default(), &[]);
    rig.tell(0, Input::Port(port(LINK, false)));
    assert!(rig.sent_until(100).is_empty());
    rig.tell(100, Input::Port(port(LINK, true)));
    assert_eq!(rig.sent_until(102), [101, 102]);
    rig.tell(102, Input::Port(port(LINK, false)));
    assert!(rig.sent_until(200).is_empty());
    rig.tell(200, Input::PortGone(LINK));
    assert_eq!(rig.lldp.deadline(), None);
}

#[test]
fn takes_back_what_it_said_when_it_stops() {
    let mut rig = Rig::new(Limits::default(), &[LINK, OTHER]);
    rig.tell(5, Input::Port(port(OTHER, false)));
    rig.out.clear();
    rig.tell(6, Input::Stop);
    let [Output::Send { link: LINK, bytes }] = &rig.out[..] else {
        panic!("{:?}", rig.out);
    };
    let said = Message::parse(bytes).unwrap().message;
    let port = PortId::interface("t2").unwrap();
    assert_eq!(said, Message::new(ChassisId::mac(mac(0xffff)), port, 0));
    rig.hear(7, LINK, 1, 120);
    assert_eq!((rig.lldp.deadline(), rig.out.len()), (None, 1));
}

#[test]
fn neighbours_come_and_grow_old_and_leave() {
    let mut rig = Rig::new(Limits::default(), &[LINK]);
    rig.hear(10, LINK, 1, 20);
    rig.hear(10, LINK, 2, 20);
    rig.hear(20, LINK, 2, 20);
    assert_eq!(rig.told(), [Happening::Appeared; 2]);
    rig.tell(29, Input::Tick);
    assert!(rig.knows(LINK, 1) && rig.knows(LINK, 2));
    rig.tell(30, Input::Tick);
    assert!(!rig.knows(LINK, 1) && rig.knows(LINK, 2));
    assert_eq!(rig.told(), [Happening::Gone]);
    rig.hear(31, LINK, 2, 0);
    assert!(!rig.knows(LINK, 2));
    assert_eq!(rig.told(), [Happening::Gone]);
    // One that was never heard of takes nothing back.
    rig.hear(32, LINK, 3, 0);
    assert_eq!(rig.told(), []);
    let (_, counters, _) = rig.lldp.ports().next().unwrap();
    assert_eq!((counters.received, counters.aged), (5, 1));
}

#[test]
fn our_own_frame_is_no_neighbour() {
    let mut rig = Rig::new(Limits::default(), &[LINK, OTHER]);
    let own = rig.out.iter().find_map(|one| match one {
        Output::Send { link: LINK, bytes } => Some(bytes.clone()),
        _ => None,
    });
    let frame = |link, bytes| Input::Frame {
        link,
        from: mac(0xffff),
        bytes,
    };
    let own = own.unwrap();
    rig.tell(1, frame(LINK, own.clone()));
    assert_eq!(rig.lldp.neighbors().count(), 0);
    // Two ports of ours on one cable are neighbours of each other.
    rig.tell(1, frame(OTHER, own));
    assert!(rig.knows(OTHER, 0xffff));
}

#[test]
fn a_refused_frame_is_counted_and_named() {
    let mut rig = Rig::new(Limits::default(), &[LINK]);
    rig.out.clear();
    let frame = |link| Input::Frame {
        link,
        from: mac(7),
        bytes: vec![0x04, 0x00],
    };
    rig.tell(1, frame(LINK));
    let Some(Output::Told { what, .. }) = rig
        .out
        .iter()
        .find(|one| matches!(one, Output::Told { .. }))
    else {
        panic!("{:?}", rig.out);
    };
    assert_eq!(
        what,
        "t2: lldp frame from 02:00:00:00:00:07 refused: port id element where the message must have its chassis id"
    );
    let (_, counters, error) = rig.lldp.ports().next().unwrap();
    assert_eq!((counters.refused, error.is_some()), (1, true));
    // Who floods us with such frames fills no history.
    for _ in 0..1_000 {
        rig.tell(2, frame(LINK));
    }
    assert!(rig.told().len() < 20);
}

#[test]
fn a_thousand_neighbours_are_seen() {
    let mut rig = Rig::new(Limits::default(), &[LINK]);
    for round in 0..3 {
        for neighbor in 0..1_000 {
            rig.hear(round * 30, LINK, neighbor, 121);
        }
    }
    assert!((0..1_000).all(|neighbor| rig.knows(LINK, neighbor)));
    let (_, counters, _) = rig.lldp.ports().next().unwrap();
    assert_eq!(counters.crowded, 0);
    // They are told at once who we are, but not a thousand times.
    assert!(counters.sent < 20, "{counters:?}");
    rig.tell(60 + 121, Input::Tick);
    assert_eq!(rig.lldp.neighbors().count(), 0);
}

#[test]
fn who_invents_neighbours_hides_none() {
    let limits = Limits {
        per_sender: 4,
        per_link: 16,
        total: 40,
    };
    let mut rig = Rig::new(limits, &[LINK, OTHER]);
    for seconds in [0, 30] {
        rig.hear(seconds, LINK, 1, 121);
        rig.hear(seconds, OTHER, 2, 121);
    }
    for invented in 100..1_000 {
        rig.hear_from(31, LINK, mac(9), invented, 65_535);
    }
    let of_sender = rig.lldp.neighbors().filter(|(_, one)| one.from == mac(9));
    assert_eq!(of_sender.count(), 4);
    for invented in 100..1_000 {
        rig.hear(32, LINK, invented, 65_535);
    }
    assert!(rig.knows(LINK, 1) && rig.knows(OTHER, 2));
    let on_link = |rig: &Rig, link| {
        rig.lldp
            .neighbors()
            .filter(|(port, _)| port.link == link)
            .count()
    };
    assert_eq!(on_link(&rig, LINK), 16);
    // A new one is seen also now, and stays when it is heard again.
    rig.hear(33, LINK, 3, 121);
    rig.hear(34, LINK, 3, 121);
    rig.hear(35, LINK, 2_000, 121);
    assert!(rig.knows(LINK, 3) && rig.knows(LINK, 1));
}

#[test]
fn a_full_table_has_room_on_a_quiet_link() {
    let limits = Limits {
        per_sender: 4,
        per_link: 16,
        total: 16,
    };
    let mut rig = Rig::new(limits, &[LINK, OTHER]);
    for seconds in [0, 1] {
        for neighbor in 0..16 {
            rig.hear(seconds, LINK, neighbor, 121);
        }
    }
    rig.hear(2, LINK, 20, 121);
    assert!(!rig.knows(LINK, 20), "all were heard again");
    rig.hear(2, OTHER, 21, 121);
    assert!(rig.knows(OTHER, 21));
    assert_eq!(rig.lldp.neighbors().count(), 16);
}

/// A sender that says what others said takes that over, and no more of it than it may say itself.
#[test]
fn taking_over_is_limited_too() {
    let limits = Limits {
        per_sender: 2,
        per_link: 8,
        total: 8,
    };
    let mut rig = Rig::new(limits, &[LINK]);
    for chassis in 0..4 {
        let from = mac(u16::from(chassis >= 2));
        rig.hear_from(0, LINK, from, chassis, 121);
    }
    rig.hear_from(1, LINK, mac(0), 2, 121);
    let of = |sender: u16| {
        let all = rig.lldp.neighbors();
        all.filter(|(_, one)| one.from == mac(sender)).count()
    };
    assert_eq!((of(0), of(1)), (2, 1));
    assert!(rig.knows(LINK, 2));
}

proptest! {
    #[test]
    fn never_more_than_the_limits(
        frames in list_of((0..3_u32, 0..6_u16, 0..30_u16, 0..40_u16, 0..20_u64), 0..200),
    ) {
        let limits = Limits { per_sender: 3, per_link: 6, total: 10 };
        let links = [LinkId(0), LinkId(1), LinkId(2)];
        let mut rig = Rig::new(limits, &links);
        let mut now = 0;
        for (link, from, chassis, ttl, pause) in frames {
            now += pause;
            rig.hear_from(now, LinkId(link), mac(from), chassis, ttl);
            let all: Vec<_> = rig.lldp.neighbors().collect();
            prop_assert!(all.len() <= limits.total);
            prop_assert!(all.iter().all(|(_, one)| one.expires > at(now)));
            for id in links {
                let here = || all.iter().filter(|(port, _)| port.link == id);
                prop_assert!(here().count() <= limits.per_link);
                for sender in 0..6 {
                    let same = here().filter(|(_, one)| one.from == mac(sender));
                    prop_assert!(same.count() <= limits.per_sender);
                }
            }
            let deadline = rig.lldp.deadline().unwrap();
            prop_assert!(deadline > at(now));
        }
    }
}
