use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use proptest::prelude::*;
use rackweave_types::state::ZoneState;
use rackweave_types::{Instant, PortId};

use super::forward::MAX_PER_GUEST;
use super::message::{EDNS_MAX, TCP_MAX};
use super::{
    Answer, Client, Forwarder, Outcome, Outgoing, SubmitError, Unreadable, Zones, answer, compose,
    encode, read,
};
use crate::agent::counters::AgentCounters;
use crate::agent::random::Random;
use crate::agent::turn::Turn;

fn zones() -> Zones {
    let web = r#"{
        "version": 1, "generation": 7, "vni": 2000, "origin": "web.internal", "ttl": 9,
        "records": [
            {"data": {"text": "the zone"}},
            {"name": "db", "data": {"addresses": ["10.1.0.9", "fd12::9"]}},
            {"name": "a.b", "data": {"addresses": ["10.1.0.10"]}},
            {"name": "www", "data": {"alias": "db.web.internal"}},
            {"name": "far", "data": {"alias": "www.example.com"}},
            {"name": "lost", "data": {"alias": "none.web.internal"}},
            {"name": "loop", "data": {"alias": "loop2.web.internal"}},
            {"name": "loop2", "data": {"alias": "loop.web.internal"}},
            {"name": "_sql._tcp", "data":
                {"service": {"priority": 1, "weight": 2, "port": 5432, "target": "db.web.internal"}}},
            {"name": "long", "data": {"text": "LONG"}}
        ]}"#;
    let long = "x".repeat(1500);
    let zone: ZoneState = serde_json::from_str(&web.replace("LONG", &long)).unwrap();
    let blocks = vec!["10.1.0.0/20".parse().unwrap(), "fd12::/48".parse().unwrap()];
    Zones::new([&zone].into_iter(), blocks)
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn query(text: &str, query_type: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name(text), query_type));
    message
}

/// What a query gets, as hickory reads it; `None` where it is forwarded.
fn ask_with(message: &Message) -> Option<Message> {
    let servers: [IpAddr; 2] = ["10.1.2.2".parse().unwrap(), "fd12::2".parse().unwrap()];
    let octets = message.to_vec().unwrap();
    let answered = match read(&octets) {
        Err(Unreadable::Say(message)) => *message,
        Err(Unreadable::Silent) => panic!("nothing is said"),
        Ok(request) => match answer(Some(&zones()), &servers, &request) {
            Outcome::Reply(answer) => compose(&request, answer),
            Outcome::Forward { .. } => return None,
        },
    };
    let (octets, _) = encode(&answered, TCP_MAX);
    Some(Message::from_vec(&octets).unwrap())
}

fn ask(text: &str, query_type: RecordType) -> Option<Message> {
    ask_with(&query(text, query_type))
}

/// Code, answers and authorities as text, without class.
type Said = (ResponseCode, Vec<String>, Vec<String>);

fn said(text: &str, query_type: RecordType) -> Said {
    let message = ask(text, query_type).unwrap();
    assert_eq!(
        (message.metadata.id, message.queries[0].name.to_ascii()),
        (77, text.to_owned())
    );
    assert!(message.metadata.authoritative && message.metadata.recursion_available);
    let show = |records: &[Record]| {
        let one = |record: &Record| {
            format!(
                "{} {} {} {}",
                record.name,
                record.ttl,
                record.record_type(),
                record.data
            )
        };
        records.iter().map(one).collect()
    };
    let code = message.metadata.response_code;
    (code, show(&message.answers), show(&message.authorities))
}

const SOA: &str =
    "web.internal. 9 SOA ns.web.internal. hostmaster.web.internal. 7 3600 600 86400 9";

fn found(answers: &[&str]) -> Said {
    let answers = answers.iter().map(|text| (*text).to_owned()).collect();
    (ResponseCode::NoError, answers, Vec::new())
}

fn absent(code: ResponseCode, answers: &[&str]) -> Said {
    let answers = answers.iter().map(|text| (*text).to_owned()).collect();
    (code, answers, vec![SOA.to_owned()])
}

#[test]
fn records_of_each_type_are_found() {
    use RecordType as T;
    assert_eq!(
        said("db.web.internal.", T::A),
        found(&["db.web.internal. 9 A 10.1.0.9"])
    );
    assert_eq!(
        said("db.web.internal.", T::AAAA),
        found(&["db.web.internal. 9 AAAA fd12::9"])
    );
    assert_eq!(
        said("web.internal.", T::TXT),
        found(&["web.internal. 9 TXT the zone"])
    );
    assert_eq!(said("web.internal.", T::SOA), found(&[SOA]));
    assert_eq!(
        said("web.internal.", T::NS),
        found(&["web.internal. 9 NS ns.web.internal."])
    );
    assert_eq!(
        said("ns.web.internal.", T::A),
        found(&["ns.web.internal. 9 A 10.1.2.2"])
    );
    assert_eq!(
        said("_sql._tcp.web.internal.", T::SRV),
        found(&["_sql._tcp.web.internal. 9 SRV 1 2 5432 db.web.internal."])
    );
    assert_eq!(
        said("db.web.internal.", T::ANY),
        found(&[
            "db.web.internal. 9 A 10.1.0.9",
            "db.web.internal. 9 AAAA fd12::9"
        ])
    );
}

#[test]
fn aliases_are_followed() {
    use RecordType as T;
    let www = "www.web.internal. 9 CNAME db.web.internal.";
    assert_eq!(
        said("www.web.internal.", T::A),
        found(&[www, "db.web.internal. 9 A 10.1.0.9"])
    );
    assert_eq!(said("www.web.internal.", T::CNAME), found(&[www]));
    let lost = "lost.web.internal. 9 CNAME none.web.internal.";
    assert_eq!(
        said("lost.web.internal.", T::A),
        absent(ResponseCode::NXDomain, &[lost])
    );
    assert_eq!(
        said("www.web.internal.", T::TXT),
        absent(ResponseCode::NoError, &[www])
    );
    let looped = ask("loop.web.internal.", T::A).unwrap();
    assert_eq!(looped.metadata.response_code, ResponseCode::ServFail);
    let request = read(&query("far.web.internal.", T::A).to_vec().unwrap()).unwrap();
    match answer(Some(&zones()), &[], &request) {
        Outcome::Forward { name, chain } => {
            assert_eq!(name.to_ascii(), "www.example.com.");
            assert_eq!(chain.len(), 1);
        }
        other @ Outcome::Reply(_) => panic!("{other:?}"),
    }
}

#[test]
fn an_absent_name_is_not_an_absent_type() {
    use RecordType as T;
    assert_eq!(
        said("none.web.internal.", T::A),
        absent(ResponseCode::NXDomain, &[])
    );
    assert_eq!(
        said("db.web.internal.", T::TXT),
        absent(ResponseCode::NoError, &[])
    );
    // Nothing is said of b itself, but a.b is below it (RFC 8020).
    assert_eq!(
        said("b.web.internal.", T::A),
        absent(ResponseCode::NoError, &[])
    );
    assert_eq!(
        said("web.internal.", T::A),
        absent(ResponseCode::NoError, &[])
    );
}

#[test]
fn addresses_are_found_backwards() {
    use RecordType as T;
    assert_eq!(
        said("9.0.1.10.in-addr.arpa.", T::PTR),
        found(&["9.0.1.10.in-addr.arpa. 9 PTR db.web.internal."])
    );
    let v6 = format!("9.{}2.1.d.f.ip6.arpa.", "0.".repeat(27));
    assert_eq!(said(&v6, T::PTR).1.len(), 1);
    // 10.1.0.0/20 ends within an octet: its zones are those of the third.
    let (code, answers, authorities) = said("10.3.1.10.in-addr.arpa.", T::PTR);
    assert_eq!((code, answers.len()), (ResponseCode::NXDomain, 0));
    assert!(
        authorities[0].starts_with("3.1.10.in-addr.arpa. 5 SOA "),
        "{authorities:?}"
    );
    let (code, answers, _) = said("9.0.1.10.in-addr.arpa.", T::A);
    assert_eq!((code, answers.len()), (ResponseCode::NoError, 0));
    let (code, answers, _) = said("3.1.10.in-addr.arpa.", T::SOA);
    assert_eq!((code, answers.len()), (ResponseCode::NoError, 1));
    for others in [
        "9.16.1.10.in-addr.arpa.",
        "1.10.in-addr.arpa.",
        "8.8.8.8.in-addr.arpa.",
    ] {
        assert_eq!(ask(others, T::PTR), None, "{others}");
    }
}

#[test]
fn names_are_found_in_any_spelling_and_answered_in_it() {
    let message = ask("dB.WeB.iNTERNAL.", RecordType::A).unwrap();
    assert_eq!(message.queries[0].name.to_ascii(), "dB.WeB.iNTERNAL.");
    assert_eq!(message.answers[0].name.to_ascii(), "dB.WeB.iNTERNAL.");
}

#[test]
fn names_of_nobody_are_forwarded_where_that_is_wanted() {
    assert_eq!(ask("www.example.com.", RecordType::A), None);
    assert_eq!(ask("internal.", RecordType::A), None);
    let mut message = query("www.example.com.", RecordType::A);
    message.metadata.recursion_desired = false;
    let refused = ask_with(&message).unwrap();
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
}

#[test]
fn what_is_not_served_is_said() {
    let code = |message: &Message| ask_with(message).unwrap().metadata.response_code;
    let mut chaos = query("version.bind.", RecordType::TXT);
    chaos.queries[0].query_class = DNSClass::CH;
    assert_eq!(code(&chaos), ResponseCode::NotImp);
    let mut status = query("web.internal.", RecordType::A);
    status.metadata.op_code = OpCode::Status;
    assert_eq!(code(&status), ResponseCode::NotImp);
    assert_eq!(
        code(&query("web.internal.", RecordType::AXFR)),
        ResponseCode::Refused
    );
    let mut two = query("web.internal.", RecordType::A);
    two.add_query(Query::query(name("db.web.internal."), RecordType::A));
    assert_eq!(code(&two), ResponseCode::FormErr);
    let mut future = query("web.internal.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    future.set_edns(edns);
    let said = ask_with(&future).unwrap();
    // BADVERS and BADSIG are one number (RFC 6895, section 2.3).
    assert_eq!(u16::from(said.metadata.response_code), 16);
    assert_eq!(said.edns.map(|edns| edns.version()), Some(0));
    let mut answer = query("web.internal.", RecordType::A);
    answer.metadata.message_type = MessageType::Response;
    assert!(matches!(
        read(&answer.to_vec().unwrap()),
        Err(Unreadable::Silent)
    ));
}

#[test]
fn what_is_too_long_is_marked() {
    let cut = |payload: Option<u16>| {
        let mut message = query("long.web.internal.", RecordType::TXT);
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            message.set_edns(edns);
        }
        let request = read(&message.to_vec().unwrap()).unwrap();
        let Outcome::Reply(answer) = answer(Some(&zones()), &[], &request) else {
            panic!("the name is ours");
        };
        let message = compose(&request, answer);
        let (octets, truncated) = encode(&message, request.max_payload());
        let parsed = Message::from_vec(&octets).unwrap();
        assert!(octets.len() <= request.max_payload());
        assert_eq!(
            (parsed.metadata.truncation, parsed.answers.is_empty()),
            (truncated, truncated)
        );
        assert_eq!(
            parsed.edns.map(|edns| edns.max_payload()),
            payload.map(|_| EDNS_MAX)
        );
        truncated
    };
    assert!(cut(None) && cut(Some(100)) && cut(Some(EDNS_MAX)));
    assert!(!cut(Some(4096)));
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
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = read(&octets) {
            answer(Some(&zones()), &[], &request);
        }
    }

    #[test]
    fn no_damaged_query_panics(
        at in 0_usize..40, octet in any::<u8>(), cut in 0_usize..60, number in any::<u16>(),
    ) {
        let mut octets = query("www.web.internal.", RecordType::from(number)).to_vec().unwrap();
        if let Some(place) = octets.get_mut(at) {
            *place = octet;
        }
        octets.truncate(cut.max(12));
        match read(&octets) {
            Ok(request) => match answer(Some(&zones()), &[], &request) {
                Outcome::Reply(answer) => {
                    let (octets, _) = encode(&compose(&request, answer), request.max_payload());
                    prop_assert!(Message::from_vec(&octets).is_ok());
                    prop_assert!(octets.len() <= request.max_payload());
                }
                Outcome::Forward { .. } => {}
            },
            Err(Unreadable::Say(message)) => {
                prop_assert!(Message::from_vec(&encode(&message, 512).0).is_ok());
            }
            Err(Unreadable::Silent) => prop_assert!(octets[2] & 0x80 != 0),
        }
    }

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
