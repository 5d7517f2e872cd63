//! Guests beside each other, and what is no request.

use super::*;

#[test]
fn one_guest_does_not_take_the_time_of_another() {
    let mut rack = Rack::new();
    let octets = query("web.rack.internal.", RecordType::A).to_vec().unwrap();
    let frame = |from, to| FrameBuilder::udp(from, to).payload(&octets).build();
    let flood = frame("10.0.1.6:40000", DNS);
    for _ in 0..1000 {
        rack.punt(WEB, punt::DNS, &flood);
    }
    rack.punt(DB, punt::DNS, &frame("10.0.2.5:40000", "10.0.2.2:53"));
    let output = rack.run();
    assert_eq!(
        (output.guests[&WEB].len(), output.guests[&DB].len()),
        (128, 1)
    );
    assert_eq!(rack.machine.counters().dropped_queue_full, 872);
    for _ in 0..20 {
        for _ in 0..100 {
            rack.punt(WEB, punt::DNS, &flood);
        }
        rack.run();
    }
    assert!(rack.machine.counters().dropped_rate_limited > 900);
}

#[test]
fn adverts_go_to_guests_with_ipv6_in_time() {
    let mut rack = Rack::new();
    let output = rack.pass(Duration::from_secs(1));
    for port in [WEB, DB] {
        let frame = &output.guests[&port][0];
        // To all nodes, from the gateway (RFC 4861, section 4.2).
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!((frame[54], frame[21]), (134, 255));
    }
    assert!(rack.machine.deadline(rack.now).unwrap().since(rack.now) <= Duration::from_secs(16));
    assert_eq!(rack.machine.counters().adverts, 2);
}

#[test]
fn what_is_no_request_is_counted() {
    let mut rack = Rack::new();
    rack.punt(PortId::new(99), punt::DNS, &[0; 60]);
    rack.punt(WEB, punt::DNS, &[0; 60]);
    let octets = query("web.rack.internal.", RecordType::A).to_vec().unwrap();
    // To the DNS server of a subnet that is not the guest's.
    let frame = FrameBuilder::udp("10.0.1.6:4000", "10.0.2.2:53")
        .payload(&octets)
        .build();
    rack.punt(WEB, punt::DNS, &frame);
    let long = vec![0; 3000];
    for frame in FrameBuilder::udp("10.0.1.6:4000", DNS)
        .payload(&long)
        .fragments(1500)
    {
        rack.punt(WEB, punt::DNS, &frame);
    }
    assert!(rack.run().is_empty());
    let counters = rack.machine.counters();
    assert_eq!(
        (counters.dropped_unknown_port, counters.dropped_malformed),
        (1, 2)
    );
    assert!(counters.dropped_fragment >= 2);
    // A guest that is gone is nobody.
    rack.machine.set_state(Arc::default(), rack.now);
    rack.punt(WEB, punt::DNS, &frame);
    assert_eq!(rack.machine.counters().dropped_unknown_port, 2);
    assert_eq!(rack.machine.deadline(rack.now), None);
}

proptest! {
    #[test]
    fn no_frame_panics(octets in proptest::collection::vec(any::<u8>(), 0..200), dns in any::<bool>()) {
        let mut rack = Rack::new();
        rack.punt(WEB, if dns { punt::DNS } else { punt::METADATA }, &octets);
        rack.machine.system_frame(&octets, rack.now);
        rack.run();
    }

    #[test]
    fn no_payload_panics(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut rack = Rack::new();
        let frame = FrameBuilder::udp("10.0.1.6:4000", DNS).payload(&octets).build();
        rack.punt(WEB, punt::DNS, &frame);
        rack.run();
    }

    #[test]
    fn no_segment_panics(
        flags in any::<u8>(), numbers in any::<(u32, u32)>(),
        octets in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut rack = Rack::new();
        let syn = FrameBuilder::tcp("10.0.1.6:4000", "169.254.169.254:80").syn();
        rack.punt(WEB, punt::METADATA, &syn.build());
        let segment = FrameBuilder::tcp("10.0.1.6:4000", "169.254.169.254:80")
            .flags(flags)
            .numbers(numbers.0, numbers.1)
            .payload(&octets);
        rack.punt(WEB, punt::METADATA, &segment.build());
        rack.run();
    }
}
