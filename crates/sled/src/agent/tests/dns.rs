//! Names, from the zones and from resolvers outside.

use super::connections::Client;
use super::*;

#[test]
fn a_guest_finds_names_of_its_vpc_over_either_family() {
    let mut rack = Rack::new();
    let asked = query("WEB.rack.internal.", RecordType::A);
    let output = rack.ask(WEB, ("10.0.1.6:40000", DNS), &asked);
    let (from, to, message) = reply(&output, WEB);
    assert_eq!((from.0.to_string(), from.1), ("10.0.1.2".into(), 53));
    assert_eq!((to.0.to_string(), to.1), ("10.0.1.6".into(), 40_000));
    assert_eq!(message.answers[0].data, RData::A(A([10, 0, 1, 6].into())));
    let ends = ("[fd12:3456:789a:1::6]:40001", DNS_V6);
    let (_, to, message) = reply(
        &rack.ask(WEB, ends, &query("web.rack.internal.", RecordType::AAAA)),
        WEB,
    );
    assert_eq!((to.1, message.answers.len()), (40_001, 1));
    // What another VPC calls its own is nothing to this one.
    let output = rack.ask(
        WEB,
        ("10.0.1.6:40000", DNS),
        &query("web.secret.internal.", RecordType::A),
    );
    assert!(output.guests.is_empty() && output.system.len() == 1);
}

#[test]
fn other_names_go_out_through_the_system_port_and_come_back() {
    let mut rack = Rack::new();
    let ends = ("10.0.1.6:40000", DNS);
    let output = rack.ask(WEB, ends, &query("out.rack.internal.", RecordType::A));
    assert!(output.guests.is_empty());
    let (from, to, asked) = datagram(&output.system[0]);
    assert_eq!(from.0.to_string(), "10.0.1.5");
    assert_eq!(to, (IpAddr::from(RESOLVER), 53));
    assert_eq!(asked.queries[0].name.to_ascii(), "www.example.com.");
    let answer = resolve(&output.system[0], |_| {});
    rack.machine.system_frame(&answer, rack.now);
    let (_, _, message) = reply(&rack.run(), WEB);
    assert_eq!((message.metadata.id, message.answers.len()), (77, 2));
    assert_eq!(message.answers[0].record_type(), RecordType::CNAME);
    // Another guest's question is answered from the cache.
    let output = rack.ask(
        DB,
        ("10.0.2.5:41000", "10.0.2.2:53"),
        &query("www.example.com.", RecordType::A),
    );
    assert!(output.system.is_empty());
    assert_eq!(reply(&output, DB).2.answers.len(), 1);
}

#[test]
fn nobody_outside_answers_and_the_guest_hears_so() {
    let mut rack = Rack::new();
    rack.ask(
        WEB,
        ("10.0.1.6:40000", DNS),
        &query("www.example.com.", RecordType::A),
    );
    let mut sent = 0;
    let message = loop {
        let deadline = rack.machine.deadline(rack.now).unwrap();
        let output = rack.pass(deadline.since(rack.now));
        sent += output.system.len();
        let mut replies = output.guests.get(&WEB).into_iter().flatten();
        // Advertisements are no datagrams.
        if let Some(frame) = replies.find(|frame| Packet::parse(frame).is_ok()) {
            break datagram(frame).2;
        }
    };
    assert_eq!(sent, 2);
    assert_eq!(message.metadata.response_code, ResponseCode::ServFail);
}

#[test]
fn what_is_too_long_for_a_datagram_is_fetched_over_tcp() {
    let mut rack = Rack::new();
    let output = rack.ask(
        WEB,
        ("10.0.1.6:40000", DNS),
        &query("www.example.com.", RecordType::TXT),
    );
    let cut = resolve(&output.system[0], |message| {
        message.answers.clear();
        message.metadata.truncation = true;
    });
    rack.machine.system_frame(&cut, rack.now);
    // The resolver is a stack like that towards guests.
    let mut resolver = Stack::new(1500, 5, rack.now);
    let link = Link {
        src: reserved::GATEWAY_MAC,
        dst: MacAddr::ZERO,
    };
    for turn in 0..50 {
        for frame in rack.pass(Duration::from_millis(1)).system {
            let packet = Packet::parse(&frame).unwrap();
            let Transport::Tcp {
                src_port,
                dst_port,
                opens,
            } = packet.transport
            else {
                panic!("{packet:?}");
            };
            let ends = ((packet.src, src_port), (packet.dst, dst_port));
            resolver
                .receive(packet.ip, ends, opens.then_some(turn), rack.now)
                .unwrap();
        }
        for connection in resolver
            .connections
            .values_mut()
            .filter(|one| one.input.len() > 2)
        {
            let mut message = answer_to(&Message::from_vec(&connection.input[2..]).unwrap());
            message.answers[0].data = RData::TXT(TXT::from_bytes(vec![&[b'x'; 250]; 20]));
            let octets = message.to_vec().unwrap();
            let len = u16::try_from(octets.len()).unwrap().to_be_bytes();
            connection.output = [len.as_slice(), &octets].concat();
            connection.input.clear();
        }
        resolver.flush(rack.now);
        while let Some(packet) = resolver.pop() {
            rack.machine
                .system_frame(&link.frame(&packet).unwrap(), rack.now);
        }
        rack.machine.run(rack.now);
        if rack.machine.counters().resolver_answers == 1 {
            break;
        }
    }
    let counters = rack.machine.counters();
    assert_eq!(
        (counters.resolver_queries_tcp, counters.resolver_answers),
        (1, 1)
    );
    // The guest did not say that it takes so much in a datagram either, but may ask again over TCP.
    let output = rack.run();
    let frames = output.guests[&WEB].iter();
    let message = frames
        .filter(|frame| Packet::parse(frame).is_ok())
        .map(|frame| datagram(frame).2);
    assert_eq!(
        message
            .map(|message| message.metadata.truncation)
            .collect::<Vec<_>>(),
        [true]
    );
    let mut client = Client::new(&rack, WEB, "10.0.1.6");
    let octets = query("www.example.com.", RecordType::TXT).to_vec().unwrap();
    let len = u16::try_from(octets.len()).unwrap().to_be_bytes();
    let connection = client.open(&rack, DNS, 50_000);
    let got = client.exchange(
        &mut rack,
        connection,
        &[&len[..], &octets].concat(),
        |got| got.len() > 5000,
    );
    let message = Message::from_vec(&got[2..]).unwrap();
    assert_eq!((message.answers.len(), got.len() > 5000), (1, true));
}
