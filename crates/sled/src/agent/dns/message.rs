//! Messages between octets and what they say (RFC 1035, section 4; EDNS: RFC 6891).

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};

/// The longest payload over UDP without EDNS (RFC 1035, section 4.2.1).
pub(super) const PLAIN_MAX: u16 = 512;
/// The payload that is announced: what passes without fragments everywhere (DNS Flag Day 2020).
pub(super) const EDNS_MAX: u16 = 1232;
/// A header (RFC 1035, section 4.1.1).
const HEADER_LEN: usize = 12;
/// The longest message over TCP: its length has 16 bits (RFC 1035, section 4.2.2).
pub(crate) const TCP_MAX: usize = 65_535;

/// What is said where too much is asked at once: try again later.
pub(crate) const OVERLOAD: ResponseCode = ResponseCode::ServFail;

/// A query that is understood: one question, class IN, of a type that is served.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The number of the query.
    pub(crate) id: u16,
    /// Whether names outside all zones are wanted too.
    pub(crate) recursion_desired: bool,
    /// Whether the asker understands the AD bit (RFC 6840, section 5.7).
    pub(crate) understands_authentic: bool,
    /// Whether the asker validates itself (RFC 4035, section 3.2.2).
    pub(crate) checking_disabled: bool,
    /// Name (in the asker's spelling) and type.
    pub(crate) question: Query,
    /// What the asker says of itself with EDNS.
    pub(crate) edns: Option<AskerEdns>,
}

/// What an asker says with EDNS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskerEdns {
    /// The longest payload over UDP that it takes.
    pub(crate) max_payload: u16,
    /// Whether it wants DNSSEC records (the DO bit, RFC 3225).
    pub(crate) dnssec_ok: bool,
}

impl Request {
    /// The longest answer over UDP that the asker takes.
    pub(crate) fn max_payload(&self) -> usize {
        self.edns
            .map_or(PLAIN_MAX, |edns| edns.max_payload.max(PLAIN_MAX))
            .into()
    }

    /// Whether DNSSEC records are wanted.
    pub(crate) fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }
}

/// Octets that are no query that can be answered from names.
#[derive(Clone, Debug)]
pub(crate) enum Unreadable {
    /// No query at all, or an answer: nothing is said.
    Silent,
    /// This says so.
    Say(Box<Message>),
}

/// Reads a query.
pub(crate) fn read(octets: &[u8]) -> Result<Request, Unreadable> {
    let [id_high, id_low, flags, ..] = octets else {
        return Err(Unreadable::Silent);
    };
    // RFC 1035, section 4.1.1: QR. An answer that is answered would go to and fro for ever.
    if octets.len() < HEADER_LEN || flags & 0x80 != 0 {
        return Err(Unreadable::Silent);
    }
    let id = u16::from_be_bytes([*id_high, *id_low]);
    let op_code = OpCode::from_u8((flags >> 3) & 0x0f);
    if op_code != OpCode::Query {
        return Err(say(id, op_code, ResponseCode::NotImp, None));
    }
    let message =
        Message::from_vec(octets).map_err(|_| say(id, op_code, ResponseCode::FormErr, None))?;
    let refuse = |code| Err(say(id, op_code, code, Some(&message)));
    let [question] = message.queries.as_slice() else {
        return refuse(ResponseCode::FormErr);
    };
    if message
        .edns
        .as_ref()
        .is_some_and(|edns| edns.version() != 0)
    {
        return refuse(ResponseCode::BADVERS);
    }
    if question.query_class != DNSClass::IN {
        return refuse(ResponseCode::NotImp);
    }
    if !is_served(question.query_type) {
        return refuse(ResponseCode::Refused);
    }
    Ok(Request {
        id,
        recursion_desired: message.metadata.recursion_desired,
        understands_authentic: message.metadata.authentic_data,
        checking_disabled: message.metadata.checking_disabled,
        question: question.clone(),
        edns: message.edns.as_ref().map(|edns| AskerEdns {
            max_payload: edns.max_payload(),
            dnssec_ok: edns.flags().dnssec_ok,
        }),
    })
}

/// Whether a question of this type is for us: transfers and what is no type of data are not.
fn is_served(query_type: RecordType) -> bool {
    // RFC 6895, section 3.1: 128 to 255 are for questions and meta data; of them only ANY is answered.
    let number = u16::from(query_type);
    number != 0
        && query_type != RecordType::OPT
        && (!(128..=255).contains(&number) || query_type == RecordType::ANY)
}

fn say(id: u16, op_code: OpCode, code: ResponseCode, query: Option<&Message>) -> Unreadable {
    let mut message = Message::error_msg(id, op_code, code);
    if let Some(query) = query {
        message.metadata.recursion_desired = query.metadata.recursion_desired;
        message.add_queries(query.queries.iter().take(1).cloned());
        if query.edns.is_some() {
            message.set_edns(our_edns(false));
        }
    }
    Unreadable::Say(Box::new(message))
}

fn our_edns(dnssec_ok: bool) -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(EDNS_MAX).set_dnssec_ok(dnssec_ok);
    edns
}

/// What is answered to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// How it went.
    pub(crate) code: ResponseCode,
    /// Whether it comes from a zone of ours.
    pub(crate) authoritative: bool,
    /// Whether a resolver says that it is validated.
    pub(crate) authentic: bool,
    /// The answer section.
    pub(crate) answers: Vec<Record>,
    /// The authority section.
    pub(crate) authorities: Vec<Record>,
    /// The additional section, without EDNS.
    pub(crate) additionals: Vec<Record>,
}

impl Answer {
    /// An answer that says only how it went.
    pub(crate) fn bare(code: ResponseCode) -> Self {
        Self {
            code,
            authoritative: false,
            authentic: false,
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
        }
    }
}

/// The message with an answer to a request.
pub(crate) fn compose(request: &Request, answer: Answer) -> Message {
    let mut message = Message::response(request.id, OpCode::Query);
    let metadata = &mut message.metadata;
    metadata.authoritative = answer.authoritative;
    metadata.recursion_desired = request.recursion_desired;
    metadata.recursion_available = true;
    // RFC 6840, section 5.8: only to who asked with DO or AD.
    let wants_authentic = request.understands_authentic || request.dnssec_ok();
    metadata.authentic_data = answer.authentic && wants_authentic;
    metadata.checking_disabled = request.checking_disabled;
    metadata.response_code = answer.code;
    message.add_query(request.question.clone());
    message.answers = answer.answers;
    message.authorities = answer.authorities;
    message.additionals = answer.additionals;
    if let Some(edns) = request.edns {
        message.set_edns(our_edns(edns.dnssec_ok));
    }
    message
}

/// The octets of an answer, at most `max`; what is longer is cut to its question and marked (TC). The flag says
/// whether it was.
pub(crate) fn encode(message: &Message, max: usize) -> (Vec<u8>, bool) {
    let whole = message.to_vec().unwrap_or_default();
    if !whole.is_empty() && whole.len() <= max {
        return (whole, false);
    }
    let cut = message.truncate().to_vec().unwrap_or_default();
    (cut, true)
}

/// The octets of a query to a resolver.
pub(super) fn query(id: u16, name: &Name, query_type: RecordType, asked: Asked) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.metadata.checking_disabled = asked.checking_disabled;
    message.add_query(Query::query(name.clone(), query_type));
    message.set_edns(our_edns(asked.dnssec_ok));
    message.to_vec().unwrap_or_default()
}

/// What besides the question distinguishes queries to resolvers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// Whether DNSSEC records are wanted.
    pub(super) dnssec_ok: bool,
    /// Whether the resolver must not validate.
    pub(super) checking_disabled: bool,
}
