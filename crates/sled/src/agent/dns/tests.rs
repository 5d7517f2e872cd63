use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};
use proptest::prelude::*;
use rackweave_types::state::ZoneState;

use super::message::{EDNS_MAX, TCP_MAX};
use super::{Outcome, Unreadable, Zones, answer, compose, encode, read};

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
}
