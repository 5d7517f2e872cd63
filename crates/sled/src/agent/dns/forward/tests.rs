use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;
use rackweave_types::{Instant, PortId};

use super::{Client, Forwarder, MAX_PER_GUEST, Outgoing, SubmitError};
use crate::agent::counters::AgentCounters;
use crate::agent::dns::message::{Answer, read};
use crate::agent::random::Random;
use crate::agent::turn::Turn;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn query(text: &str, query_type: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(text), query_type));
    message
}

/// A forwarder with its chance and its counters.
struct Bench {
    forwarder: Forwarder,
    random: Random,
    counters: AgentCounters,
    now: Instant,
}

const GUEST: PortId = PortId::new(1);

fn resolver(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

impl Bench {
    fn new() -> Self {
        let mut forwarder = Forwarder::default();
        forwarder.set_resolvers(vec![resolver(1), resolver(2)]);
        Self {
            forwarder,
            random: Random::from_seed(&[1; 32]),
            counters: AgentCounters::default(),
            now: Instant::from_nanos(1),
        }
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Forwarder, &mut Turn<'_>) -> T) -> T {
        let mut turn = Turn {
            now: self.now,
            random: &mut self.random,
            counters: &mut self.counters,
        };
        step(&mut self.forwarder, &mut turn)
    }

    fn submit(&mut self, port: PortId, text: &str) -> Result<(), SubmitError> {
        let message = query(text, RecordType::A);
        let request = read(&message.to_vec().unwrap()).unwrap();
        let asked = (request.question.name.clone(), Vec::new());
        self.step(|forwarder, turn| forwarder.submit((port, Client::Tcp(3)), request, asked, turn))
    }

    /// The datagram that went out: its port, resolver and message.
    fn sent(&mut self) -> (u16, IpAddr, Message) {
        match self.forwarder.outgoing() {
            Some(Outgoing::Udp { from, to, payload }) => {
                (from, to, Message::from_vec(&payload).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, from: IpAddr, to_port: u16, message: &Message) {
        let octets = message.to_vec().unwrap();
        self.step(|forwarder, turn| forwarder.udp((from, 53), to_port, &octets, turn));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        self.step(Forwarder::expire);
    }

    fn done(&mut self) -> Option<Answer> {
        self.forwarder.done().map(|done| done.answer)
    }
}

fn respond(query: &Message, code: ResponseCode) -> Message {
    let mut message = Message::response(query.metadata.id, OpCode::Query);
    message.metadata.response_code = code;
    message.add_queries(query.queries.clone());
    if code == ResponseCode::NoError {
        let data = RData::A(A([203, 0, 113, 5].into()));
        message.add_answer(Record::from_rdata(query.queries[0].name.clone(), 60, data));
    }
    message
}

#[test]
fn an_answer_reaches_all_who_ask_and_is_kept() {
    let mut bench = Bench::new();
    bench.submit(GUEST, "www.example.com.").unwrap();
    bench.submit(PortId::new(2), "WWW.example.com.").unwrap();
    let (port, to, query) = bench.sent();
    assert_eq!((to, bench.forwarder.outgoing()), (resolver(1), None));
    bench.receive(to, port, &respond(&query, ResponseCode::NoError));
    let names: Vec<_> = std::iter::from_fn(|| bench.done())
        .map(|answer| answer.answers[0].name.to_ascii())
        .collect();
    assert_eq!(names, ["www.example.com.", "WWW.example.com."]);
    bench.now = bench.now.after(Duration::from_secs(10));
    bench.submit(GUEST, "www.example.com.").unwrap();
    assert_eq!(bench.done().unwrap().answers[0].ttl, 50);
    assert_eq!(
        (bench.counters.dns_cached, bench.counters.resolver_queries),
        (1, 1)
    );
    assert_eq!(bench.forwarder.deadline(), None);
}

#[test]
fn only_the_answer_to_the_query_counts() {
    let mut bench = Bench::new();
    bench.submit(GUEST, "www.example.com.").unwrap();
    let (port, to, query) = bench.sent();
    let good = respond(&query, ResponseCode::NoError);
    let mut number = good.clone();
    number.metadata.id ^= 1;
    let mut question = good.clone();
    question.queries[0].name = name("www.example.org.");
    bench.receive(to, port, &number);
    bench.receive(to, port, &question);
    bench.receive(resolver(2), port, &good);
    bench.receive(to, port ^ 1, &good);
    bench.receive(to, port, &query);
    assert_eq!((bench.done(), bench.counters.resolver_stray), (None, 5));
    bench.receive(to, port, &good);
    assert!(bench.done().is_some());
}

#[test]
fn silence_and_failure_lead_to_the_next_resolver() {
    let mut bench = Bench::new();
    bench.submit(GUEST, "www.example.com.").unwrap();
    let (first_port, _, first) = bench.sent();
    bench.pass(Duration::from_millis(1300));
    let (port, to, second) = bench.sent();
    assert_eq!(to, resolver(2));
    assert!(first.metadata.id != second.metadata.id || first_port != port);
    // What comes too late does not count: its port is closed.
    bench.receive(
        resolver(1),
        first_port,
        &respond(&first, ResponseCode::NoError),
    );
    assert_eq!(bench.done(), None);
    bench.receive(to, port, &respond(&second, ResponseCode::Refused));
    let (port, to, third) = bench.sent();
    bench.receive(to, port, &respond(&third, ResponseCode::ServFail));
    assert_eq!(
        bench.done().map(|answer| answer.code),
        Some(ResponseCode::ServFail)
    );
    assert_eq!(bench.counters.dns_failed, 1);
    // The resolver that answered last is asked first.
    bench.submit(GUEST, "a.example.com.").unwrap();
    bench.sent();
    bench.pass(Duration::from_millis(1300));
    let (port, to, query) = bench.sent();
    bench.receive(to, port, &respond(&query, ResponseCode::NoError));
    bench.submit(GUEST, "b.example.com.").unwrap();
    assert_eq!(bench.sent().1, to);
}

#[test]
fn nobody_answers_and_that_is_said() {
    let mut bench = Bench::new();
    bench.submit(GUEST, "www.example.com.").unwrap();
    for _ in 0..3 {
        assert_eq!(bench.done(), None);
        bench.pass(Duration::from_millis(1300));
    }
    assert_eq!(
        bench.done().map(|answer| answer.code),
        Some(ResponseCode::ServFail)
    );
    assert_eq!(
        (
            bench.counters.resolver_timeouts,
            bench.counters.resolver_queries
        ),
        (3, 3)
    );
    assert_eq!(bench.forwarder.deadline(), None);
    let mut bench = Bench::new();
    bench.forwarder.set_resolvers(Vec::new());
    bench.submit(GUEST, "www.example.com.").unwrap();
    assert_eq!(
        bench.done().map(|answer| answer.code),
        Some(ResponseCode::ServFail)
    );
}

#[test]
fn what_is_cut_is_asked_again_over_tcp() {
    let mut bench = Bench::new();
    bench.submit(GUEST, "www.example.com.").unwrap();
    let (port, to, query) = bench.sent();
    let mut cut = respond(&query, ResponseCode::NoError);
    cut.metadata.truncation = true;
    bench.receive(to, port, &cut);
    let Some(Outgoing::Tcp {
        question,
        to,
        payload,
    }) = bench.forwarder.outgoing()
    else {
        panic!("a connection is wanted");
    };
    assert_eq!(to, resolver(1));
    let again = Message::from_vec(&payload).unwrap();
    let octets = respond(&again, ResponseCode::NoError).to_vec().unwrap();
    bench.step(|forwarder, turn| forwarder.tcp(question, Some(&octets), turn));
    assert!(bench.done().is_some());
    assert_eq!(bench.forwarder.outgoing(), Some(Outgoing::Close(question)));
    // A connection that fails leads to the next resolver.
    bench.submit(GUEST, "b.example.com.").unwrap();
    let (port, to, query) = bench.sent();
    let mut cut = respond(&query, ResponseCode::NoError);
    cut.metadata.truncation = true;
    bench.receive(to, port, &cut);
    let Some(Outgoing::Tcp { question, .. }) = bench.forwarder.outgoing() else {
        panic!("a connection is wanted");
    };
    bench.step(|forwarder, turn| forwarder.tcp(question, None, turn));
    assert_eq!(bench.forwarder.outgoing(), Some(Outgoing::Close(question)));
    assert_eq!(bench.sent().1, resolver(2));
}

#[test]
fn one_guest_does_not_take_all_the_room() {
    let mut bench = Bench::new();
    for number in 0..MAX_PER_GUEST {
        bench
            .submit(GUEST, &format!("n{number}.example.com."))
            .unwrap();
    }
    assert_eq!(bench.submit(GUEST, "more.example.com."), Err(SubmitError));
    assert_eq!(bench.submit(PortId::new(2), "more.example.com."), Ok(()));
    for _ in 0..3 {
        bench.pass(Duration::from_millis(1300));
    }
    while bench.done().is_some() {}
    assert_eq!(bench.submit(GUEST, "more.example.com."), Ok(()));
}

proptest! {
    #[test]
    fn no_answer_of_a_resolver_panics(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::new();
        bench.submit(GUEST, "www.example.com.").unwrap();
        let (port, to, query) = bench.sent();
        let mut octets = octets;
        if let Some(id) = octets.first_chunk_mut::<2>() {
            *id = query.metadata.id.to_be_bytes();
        }
        bench.step(|forwarder, turn| forwarder.udp((to, 53), port, &octets, turn));
    }
}
