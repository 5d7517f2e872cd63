//! The whole agent in memory: frames of guests in, frames to guests out.

mod connections;
mod dns;
mod engine;
mod guests;

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
        // All is done that was due: the task may sleep.
        let deadline = self.machine.deadline(self.now);
        assert!(deadline.is_none_or(|deadline| deadline > self.now));
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
