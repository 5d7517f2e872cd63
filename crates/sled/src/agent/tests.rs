//! The whole agent in memory: frames of guests in, frames to guests out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;
use rackweave_testkit::packet::FrameBuilder;
use rackweave_testkit::verify;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::{HostState, StateVersion, SystemState};
use rackweave_types::{Generation, Instant, MacAddr, PortId, Vni, reserved};
use rackweave_vpc::punt;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::wire::{HardwareAddress, IpCidr};

use super::device::{IpLink, open_routes, stack_time};
use super::packet::{Link, Packet, Transport};
use super::stack::{MAX_CONNECTIONS, Stack};
use super::{AgentState, Machine, Output, Random};
use crate::workers::Punted;

const WEB: PortId = PortId::new(2);
const DB: PortId = PortId::new(3);
const DNS: &str = "10.0.1.2:53";
const DNS_V6: &str = "[fd12:3456:789a:1::2]:53";
const RESOLVER: [u8; 4] = [192, 0, 2, 53];

/// Sled 2 of the scene, with `test` as its system port, a zone of the VPC's, and `web` as an instance.
fn host() -> HostState {
    let scene = Scene::new().unwrap();
    let zone = r#"{"version": 1, "generation": 1, "vni": 4096, "origin": "rack.internal", "records": [
        {"name": "web", "data": {"addresses": ["10.0.1.6", "fd12:3456:789a:1::6"]}},
        {"name": "out", "data": {"alias": "www.example.com"}}]}"#;
    let other = r#"{"version": 1, "generation": 1, "vni": 5000, "origin": "secret.internal", "records": [
        {"name": "web", "data": {"addresses": ["10.0.1.6"]}}]}"#;
    let instance = r##"{"version": 1, "generation": 1, "id": "i-0000000000000002", "hostname": "web",
        "ports": [2], "user_data": "#cloud-config\n"}"##;
    let instance = instance.replace(
        "[2]",
        &format!("[{}]", serde_json::to_string(&WEB).unwrap()),
    );
    let mut vpc2 = scene.vpc.clone();
    vpc2.vni = Vni::new(5000).unwrap();
    HostState {
        version: StateVersion::CURRENT,
        generation: Generation::new(1),
        underlay: scene.sleds[1],
        boundary: scene.boundary,
        system: Some(SystemState {
            version: StateVersion::CURRENT,
            generation: Generation::new(1),
            port: scene.test.id,
            resolvers: vec![RESOLVER.into()],
        }),
        vpcs: vec![scene.vpc, vpc2],
        mappings: Vec::new(),
        ports: vec![scene.test, scene.web, scene.db],
        attachments: Vec::new(),
        zones: vec![
            serde_json::from_str(zone).unwrap(),
            serde_json::from_str(other).unwrap(),
        ],
        instances: vec![serde_json::from_str(&instance).unwrap()],
    }
}

/// An agent, and the time.
struct Rack {
    machine: Machine,
    state: Arc<AgentState>,
    now: Instant,
}

impl Rack {
    fn new() -> Self {
        let state = Arc::new(AgentState::of(&host()));
        let mut machine = Machine::new(Random::from_seed(&[1; 32]));
        let now = Instant::from_nanos(1_000_000_000);
        machine.set_state(Arc::clone(&state), now);
        Self {
            machine,
            state,
            now,
        }
    }

    fn mac(&self, port: PortId) -> MacAddr {
        self.state.ports[&port].mac
    }

    /// Gives the agent a frame of a guest's.
    fn punt(&mut self, port: PortId, queue: u8, frame: &[u8]) {
        let punted = Punted {
            port,
            queue,
            frame: frame.into(),
        };
        self.machine.punted(punted, self.now);
    }

    fn run(&mut self) -> Output {
        while self.machine.run(self.now) {}
        let output = self.machine.take_output();
        for frame in output.guests.values().flatten().chain(&output.system) {
            verify::verify(frame).unwrap();
        }
        output
    }

    /// Lets time pass until nothing but adverts is due.
    fn pass(&mut self, time: Duration) -> Output {
        self.now = self.now.after(time);
        self.run()
    }

    /// Asks over UDP: what came at once.
    fn ask(&mut self, port: PortId, (from, to): (&str, &str), query: &Message) -> Output {
        let octets = query.to_vec().unwrap();
        let frame = FrameBuilder::udp(from, to)
            .macs(self.mac(port), reserved::GATEWAY_MAC)
            .payload(&octets)
            .build();
        self.punt(port, punt::DNS, &frame);
        self.run()
    }
}

fn query(name: &str, query_type: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), query_type));
    message
}

/// The one message for a port, from whom to whom.
fn reply(output: &Output, port: PortId) -> ((IpAddr, u16), (IpAddr, u16), Message) {
    let frames = &output.guests[&port];
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0][6..12], reserved::GATEWAY_MAC.octets());
    datagram(&frames[0])
}

fn datagram(frame: &[u8]) -> ((IpAddr, u16), (IpAddr, u16), Message) {
    let packet = Packet::parse(frame).unwrap();
    let Transport::Udp {
        src_port,
        dst_port,
        payload,
    } = packet.transport
    else {
        panic!("{packet:?}");
    };
    let message = Message::from_vec(payload).unwrap();
    ((packet.src, src_port), (packet.dst, dst_port), message)
}

/// A resolver's answer to the query in a frame of the system port's.
fn resolve(frame: &[u8], change: impl FnOnce(&mut Message)) -> Box<[u8]> {
    let (from, to, asked) = datagram(frame);
    let link = Link {
        src: reserved::GATEWAY_MAC,
        dst: MacAddr::ZERO,
    };
    let mut message = answer_to(&asked);
    change(&mut message);
    link.udp(to, from, &message.to_vec().unwrap()).unwrap()
}

fn answer_to(asked: &Message) -> Message {
    let mut message = Message::response(asked.metadata.id, OpCode::Query);
    message.add_queries(asked.queries.clone());
    let name = asked.queries[0].name.clone();
    message.add_answer(Record::from_rdata(
        name,
        60,
        RData::A(A([203, 0, 113, 5].into())),
    ));
    message
}

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

/// A guest's TCP.
struct Client {
    port: PortId,
    mac: MacAddr,
    interface: Interface,
    sockets: SocketSet<'static>,
    link: IpLink,
}

impl Client {
    fn new(rack: &Rack, port: PortId, addr: &str) -> Self {
        let mut link = IpLink::new(1500);
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut link, stack_time(rack.now));
        let addr: IpAddr = addr.parse().unwrap();
        let len = if addr.is_ipv4() { 32 } else { 128 };
        interface.update_ip_addrs(|own| own.push(IpCidr::new(addr.into(), len)).unwrap());
        open_routes(&mut interface);
        Self {
            port,
            mac: rack.mac(port),
            interface,
            sockets: SocketSet::new(Vec::new()),
            link,
        }
    }

    fn open(&mut self, rack: &Rack, to: &str, from: u16) -> SocketHandle {
        let to: std::net::SocketAddr = to.parse().unwrap();
        let buffer = || SocketBuffer::new(vec![0; 65_536]);
        let mut socket = Socket::new(buffer(), buffer());
        self.interface
            .poll(stack_time(rack.now), &mut self.link, &mut self.sockets);
        socket.connect(self.interface.context(), to, from).unwrap();
        self.sockets.add(socket)
    }

    /// One millisecond: what waits goes to the agent, and its answers come.
    fn step(&mut self, rack: &mut Rack) {
        rack.now = rack.now.after(Duration::from_millis(1));
        self.interface
            .poll(stack_time(rack.now), &mut self.link, &mut self.sockets);
        let link = Link {
            src: self.mac,
            dst: reserved::GATEWAY_MAC,
        };
        while let Some(packet) = self.link.pop() {
            let frame = link.frame(&packet).unwrap();
            let Ok(Packet {
                transport: Transport::Tcp { dst_port, .. },
                ..
            }) = Packet::parse(&frame)
            else {
                continue;
            };
            let queue = if dst_port == 53 {
                punt::DNS
            } else {
                punt::METADATA
            };
            rack.punt(self.port, queue, &frame);
        }
        for frame in rack.run().guests.remove(&self.port).unwrap_or_default() {
            assert_eq!(frame[..6].len(), 6);
            if let Ok(packet) = Packet::parse(&frame) {
                self.link.push(packet.ip);
            }
        }
        self.interface
            .poll(stack_time(rack.now), &mut self.link, &mut self.sockets);
    }

    /// Sends, and reads until `enough` or for ten seconds.
    fn exchange(
        &mut self,
        rack: &mut Rack,
        handle: SocketHandle,
        mut octets: &[u8],
        enough: impl Fn(&[u8]) -> bool,
    ) -> Vec<u8> {
        let mut got = Vec::new();
        for _ in 0..10_000 {
            self.step(rack);
            let socket = self.sockets.get_mut::<Socket<'_>>(handle);
            if socket.can_send() && !octets.is_empty() {
                let sent = socket.send_slice(octets).unwrap();
                octets = &octets[sent..];
            }
            if socket.can_recv() {
                socket
                    .recv(|octets| {
                        got.extend_from_slice(octets);
                        (octets.len(), ())
                    })
                    .unwrap();
            }
            if enough(&got) {
                break;
            }
        }
        got
    }
}

fn whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let len = head
            .split_once("Content-Length: ")
            .map_or("", |(_, rest)| rest);
        let len: usize = len.lines().next().unwrap_or_default().parse().unwrap();
        body.len() >= len
    })
}

fn fetch(rack: &mut Rack, port: PortId, addr: &str, service: &str) -> String {
    let mut client = Client::new(rack, port, addr);
    let handle = client.open(rack, service, 50_000);
    let put = b"PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";
    let got = client.exchange(rack, handle, put, whole);
    let text = String::from_utf8(got).unwrap();
    let token = text.split_once("\r\n\r\n").unwrap().1;
    // On the same connection.
    let get = format!(
        "GET /latest/meta-data/instance-id HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n\r\n"
    );
    let got = client.exchange(rack, handle, get.as_bytes(), whole);
    String::from_utf8(got).unwrap()
}

#[test]
fn a_guest_reads_its_own_metadata_over_either_family() {
    let mut rack = Rack::new();
    let answer = fetch(&mut rack, WEB, "10.0.1.6", "169.254.169.254:80");
    assert!(answer.ends_with("\r\n\r\ni-0000000000000002"), "{answer}");
    let answer = fetch(&mut rack, WEB, "fd12:3456:789a:1::6", "[fd00:ec2::254]:80");
    assert!(answer.ends_with("\r\n\r\ni-0000000000000002"), "{answer}");
    // db belongs to no instance, whatever address it claims.
    let answer = fetch(&mut rack, DB, "10.0.1.6", "169.254.169.254:80");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(rack.machine.counters().metadata_answered, 5);
}

#[test]
fn queries_over_tcp_share_a_connection() {
    let mut rack = Rack::new();
    let mut client = Client::new(&rack, WEB, "10.0.1.6");
    let handle = client.open(&rack, DNS, 50_000);
    let one = query("web.rack.internal.", RecordType::A).to_vec().unwrap();
    let len = u16::try_from(one.len()).unwrap().to_be_bytes();
    let three = [&len[..], &one].concat().repeat(3);
    let got = client.exchange(&mut rack, handle, &three, |got| got.len() >= 3 * 67);
    let len = usize::from(u16::from_be_bytes([got[0], got[1]]));
    assert_eq!(got.len(), 3 * (len + 2));
    assert_eq!(Message::from_vec(&got[2..]).unwrap().answers.len(), 1);
    // The guest closes, and nothing is left.
    client.sockets.get_mut::<Socket<'_>>(handle).close();
    for _ in 0..50 {
        client.step(&mut rack);
    }
    rack.pass(Duration::from_secs(30));
    assert_eq!(rack.machine.counters().connections, 1);
    assert_eq!(rack.machine.counters().connections_timed_out, 0);
}

#[test]
fn connections_are_few_and_end_when_they_are_of_no_use() {
    let mut rack = Rack::new();
    let mut client = Client::new(&rack, WEB, "10.0.1.6");
    for port in 0..20 {
        client.open(&rack, "169.254.169.254:80", 50_000 + port);
    }
    for _ in 0..5 {
        client.step(&mut rack);
    }
    let counters = rack.machine.counters();
    assert_eq!(
        counters.connections,
        u64::try_from(MAX_CONNECTIONS).unwrap()
    );
    assert!(counters.dropped_connection_limit >= 4);
    rack.pass(Duration::from_secs(21));
    assert_eq!(
        rack.machine.counters().connections_timed_out,
        counters.connections
    );
    // There is room again for those that went on asking.
    for _ in 0..3000 {
        client.step(&mut rack);
    }
    assert!(rack.machine.counters().connections > counters.connections);
}

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
