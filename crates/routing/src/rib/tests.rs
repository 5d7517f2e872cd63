use super::*;

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn rack() -> Ipv6Net {
    net("fd00:1122:3344:100::/56")
}

fn hop(link: u32, weight: u8) -> Hop {
    Hop {
        link: LinkId(link),
        via: "fe80::1".parse().unwrap(),
        weight,
    }
}

fn held(prefix: Ipv6Net, hops: &[Hop]) -> KernelRoute {
    KernelRoute {
        prefix,
        source: None,
        hops: hops.to_vec(),
    }
}

fn install(prefix: Ipv6Net, hops: &[Hop]) -> Change {
    Change::Install(prefix, hops.into())
}

#[test]
fn a_route_is_forwarded_when_the_kernel_says_so() {
    let mut rib = Rib::default();
    let ways = vec![hop(1, 1)];
    let change = rib.offer(rack(), Protocol::Interior, Some(ways.clone()));
    assert_eq!(change, Some(install(rack(), &ways)));
    assert!(!rib.is_forwarded(rack()) && rib.is_pending(rack()));
    assert_eq!(rib.offer(rack(), Protocol::Interior, Some(ways)), None);
    assert_eq!(rib.answer(rack(), &FibAnswer::Done), Answered::Done);
    assert!(rib.is_forwarded(rack()) && !rib.is_pending(rack()));
    let change = rib.offer(rack(), Protocol::Interior, None);
    assert_eq!(change, Some(Change::Remove(rack())));
    // The kernel had dropped it by itself: as good as done.
    let gone = FibAnswer::Refused(NO_SUCH_ROUTE, "no such process".to_owned());
    assert_eq!(rib.answer(rack(), &gone), Answered::Done);
    assert!(!rib.is_forwarded(rack()));
    assert!(rib.kernel.is_empty() && rib.is_empty());
}

#[test]
fn answers_that_are_overtaken_do_not_count() {
    let mut rib = Rib::default();
    rib.offer(rack(), Protocol::Interior, Some(vec![hop(1, 1)]));
    rib.offer(rack(), Protocol::Interior, Some(vec![hop(2, 1)]));
    assert_eq!(rib.answer(rack(), &FibAnswer::Done), Answered::Waiting);
    assert!(!rib.is_forwarded(rack()));
    assert_eq!(rib.answer(rack(), &FibAnswer::Done), Answered::Done);
    assert_eq!(rib.held(rack()).map(|ways| &**ways), Some(&[hop(2, 1)][..]));
    let other = net("fd00:1122:3344:200::/56");
    assert_eq!(rib.answer(other, &FibAnswer::Done), Answered::Waiting);
}

#[test]
fn the_nodes_own_word_is_preferred() {
    let mut rib = Rib::default();
    rib.offer(rack(), Protocol::Interior, Some(vec![hop(1, 1)]));
    let change = rib.offer(rack(), Protocol::Own, Some(Vec::new()));
    assert_eq!(change, Some(install(rack(), &[])));
    assert_eq!(rib.iter().count(), 1);
    let change = rib.offer(rack(), Protocol::Own, None);
    assert_eq!(change, Some(install(rack(), &[hop(1, 1)])));
}

#[test]
fn what_was_refused_is_asked_again_at_the_next_comparison() {
    let mut rib = Rib::default();
    rib.offer(rack(), Protocol::Interior, Some(vec![hop(1, 1)]));
    let refused = FibAnswer::Refused(12, "out of memory".to_owned());
    assert_eq!(rib.answer(rack(), &refused), Answered::Refused);
    assert_eq!(rib.refused(rack()), Some("out of memory (error 12)"));
    assert!(!rib.is_forwarded(rack()));
    assert_eq!(rib.compare(&[]), [install(rack(), &[hop(1, 1)])]);
    assert_eq!(rib.answer(rack(), &FibAnswer::Done), Answered::Done);
    assert_eq!(rib.refused(rack()), None);
    // Refused and then not wanted any more: nothing is left of it.
    rib.offer(rack(), Protocol::Interior, Some(vec![hop(2, 1)]));
    rib.answer(rack(), &refused);
    assert_eq!(rib.offer(rack(), Protocol::Interior, None), None);
    assert_eq!(rib.compare(&[]), []);
    assert!(rib.kernel.is_empty() && rib.refused.is_empty());
}

#[test]
fn a_comparison_mends_what_is_missing_what_differs_and_what_is_too_much() {
    let mut rib = Rib::default();
    let prefixes = [1, 2, 3, 4].map(|n| net(&format!("fd00:1122:3344:{n}00::/56")));
    for prefix in &prefixes[..3] {
        rib.offer(
            *prefix,
            Protocol::Interior,
            Some(vec![hop(1, 1), hop(2, 1)]),
        );
    }
    for prefix in &prefixes[..2] {
        rib.answer(*prefix, &FibAnswer::Done);
    }
    let both = [hop(1, 1), hop(2, 1)];
    let turned = [hop(2, 1), hop(1, 1)];
    // The third is still to be answered.
    assert_eq!(
        rib.compare(&[held(prefixes[0], &both), held(prefixes[1], &turned)]),
        []
    );
    let changes = rib.compare(&[held(prefixes[0], &[hop(1, 1)]), held(prefixes[3], &both)]);
    let wanted = [
        install(prefixes[0], &both),
        install(prefixes[1], &both),
        Change::Remove(prefixes[3]),
    ];
    assert_eq!(changes, wanted);
}

#[test]
fn what_was_adopted_stays_until_it_is_thawed() {
    let mut rib = Rib::default();
    let (kept, swept) = (rack(), net("fd00:1122:3344:200::/56"));
    let via = "fe80::1".parse().unwrap();
    rib.adopt(kept, vec![hop(1, 1), hop(2, 1)]);
    rib.adopt(swept, vec![hop(1, 1)]);
    rib.freeze();
    assert!(rib.is_forwarded(kept));
    assert_eq!(
        rib.offer(kept, Protocol::Interior, Some(vec![hop(2, 1)])),
        None
    );
    let fresh = net("fd00:1122:3344:300::/56");
    assert!(
        rib.offer(fresh, Protocol::Interior, Some(vec![hop(2, 1)]))
            .is_some()
    );
    // A way that dies is taken out; the last one is left.
    assert_eq!(rib.shed(LinkId(1), via), [install(kept, &[hop(2, 1)])]);
    rib.answer(kept, &FibAnswer::Done);
    assert_eq!(rib.thaw(), [Change::Remove(swept)]);
}
