use super::*;
use crate::port::SpPort;

const MACS: [MacAddr; 2] = [
    MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 0x10]),
    MacAddr::new([0xa8, 0x40, 0x25, 0, 1, 0x10]),
];

fn stack(index: usize, port: u16) -> Stack {
    let config = StackConfig {
        mac: MACS[index],
        vlan: SpPort::One.vlan(),
        port,
        seed: 7,
    };
    Stack::new(config, Instant::START)
}

/// Carries frames both ways until none is left.
fn carry(one: &mut Stack, two: &mut Stack, now: Instant) {
    loop {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        one.poll(now, &mut there);
        two.poll(now, &mut back);
        if there.is_empty() && back.is_empty() {
            return;
        }
        assert!(there.iter().all(|frame| two.receive(frame)));
        assert!(back.iter().all(|frame| one.receive(frame)));
    }
}

#[test]
fn a_question_to_all_is_answered_to_one() {
    let (mut mgs, mut sp) = (stack(0, 22_222), stack(1, 11_111));
    mgs.send(ALL_NODES, 11_111, b"who").unwrap();
    carry(&mut mgs, &mut sp, Instant::START);
    let asked = sp.next_datagram().unwrap();
    assert_eq!((asked.from, asked.from_port), (mgs.address(), 22_222));
    assert_eq!(asked.payload, b"who");
    sp.send(asked.from, asked.from_port, b"me").unwrap();
    carry(&mut mgs, &mut sp, Instant::START);
    let answer = mgs.next_datagram().unwrap();
    assert_eq!(
        (answer.from, &answer.payload[..]),
        (sp.address(), &b"me"[..])
    );
    assert_eq!(mgs.deadline(Instant::START), None);
}

#[test]
fn frames_of_other_vlans_are_not_taken() {
    let (mut mgs, mut sp) = (stack(0, 22_222), stack(1, 11_111));
    mgs.send(ALL_NODES, 11_111, b"who").unwrap();
    let mut out = Vec::new();
    mgs.poll(Instant::START, &mut out);
    let [frame] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(frame[12..18], [0x81, 0, 0x03, 0x01, 0x86, 0xdd]);
    let untagged = [&frame[..12], &frame[16..]].concat();
    let mut other = frame.clone();
    other[15] = 2;
    let nested = [&frame[..16], &frame[12..]].concat();
    for wrong in [&untagged, &other, &nested, &frame[..13].to_vec()] {
        assert!(!sp.receive(wrong));
    }
    assert!(sp.receive(frame));
}

#[test]
fn who_never_says_its_address_holds_up_nobody_for_ever() {
    let (mut mgs, mut sp) = (stack(0, 22_222), stack(1, 11_111));
    let nobody = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);
    let mut now = Instant::START;
    while mgs.send(nobody, 11_111, b"lost").is_ok() {}
    assert_eq!(mgs.send(nobody, 1, b"lost"), Err(NotSent::Full));
    mgs.send(nobody, 0, b"x").unwrap_err();
    assert_eq!(
        mgs.send(nobody, 1, &[0; DATAGRAM_MAX + 1]),
        Err(NotSent::Unsendable)
    );
    while let Some(due) = mgs
        .deadline(now)
        .filter(|_| now < Instant::START.after(2 * PATIENCE))
    {
        now = due.max(now.after(Duration::from_millis(1)));
        carry(&mut mgs, &mut sp, now);
    }
    // What waited is lost, and who speaks itself is answered.
    sp.send(ALL_NODES, 22_222, b"who").unwrap();
    carry(&mut mgs, &mut sp, now);
    let asked = mgs.next_datagram().unwrap();
    mgs.send(asked.from, asked.from_port, b"me").unwrap();
    carry(&mut mgs, &mut sp, now);
    assert_eq!(
        sp.next_datagram().map(|it| it.payload),
        Some(b"me".to_vec())
    );
}

#[test]
fn nobody_is_held_up_by_those_who_ask_in_the_name_of_others() {
    let (mut mgs, mut sp) = (stack(0, 22_222), stack(1, 11_111));
    let now = Instant::START;
    for number in 0..100 {
        let mut config = *mgs.config();
        config.mac = MacAddr::new([0xa8, 0x40, 0x25, 9, 9, number]);
        let mut other = Stack::new(config, now);
        let mut frames = Vec::new();
        for stack in [&mut other, &mut mgs] {
            stack.send(ALL_NODES, 11_111, b"who").unwrap();
            stack.poll(now, &mut frames);
        }
        assert!(frames.iter().all(|frame| sp.receive(frame)));
        sp.poll(now, &mut Vec::new());
        while let Some(asked) = sp.next_datagram() {
            sp.send(asked.from, asked.from_port, b"me").unwrap();
        }
        let mut answers = Vec::new();
        sp.poll(now, &mut answers);
        assert_eq!(answers.len(), 2, "both, without a solicitation");
        assert!(answers.iter().all(|frame| mgs.receive(frame)));
        mgs.poll(now, &mut Vec::new());
        assert_eq!(mgs.next_datagram().map(|it| it.from), Some(sp.address()));
        assert_eq!(mgs.next_datagram(), None);
    }
}
