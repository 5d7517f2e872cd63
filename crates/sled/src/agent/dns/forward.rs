//! The forwarder: questions outside all zones go to resolvers, and their answers come back.
//!
//! A state machine without sockets: [`Forwarder::submit`], [`Forwarder::udp`], [`Forwarder::tcp`] and
//! [`Forwarder::expire`] are told what happened; [`Forwarder::outgoing`] and [`Forwarder::done`] say what is to be
//! sent and what is answered. Askers of the same question wait for one answer.
//!
//! An answer counts where its source, both ports, the query's number and the question are those of the query (RFC 5452,
//! section 9.1); number and port are random.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType};
use rackweave_types::{Instant, PortId};

use super::PORT;
use super::cache::{Cache, Key};
use super::message::{self, Answer, Asked, Request};
use crate::agent::turn::Turn;

/// Queries that may wait for resolvers, of one guest.
const MAX_PER_GUEST: usize = 64;
/// Questions that may wait for resolvers, of all guests.
const MAX_QUESTIONS: usize = 1024;
/// Askers that may wait for one question.
const MAX_ASKERS: usize = 64;
/// How long a resolver may take over UDP; the next is asked then.
const UDP_TIME: Duration = Duration::from_millis(1200);
/// How long a resolver may take over TCP.
const TCP_TIME: Duration = Duration::from_millis(2500);
/// How often a question is sent, all resolvers together: less time than a resolver library waits (5 s).
const MAX_ATTEMPTS: usize = 3;
/// The first port that queries leave from.
const FIRST_PORT: u16 = 1024;

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// A guest, over UDP.
    Udp {
        /// The guest's end.
        guest: (IpAddr, u16),
        /// The DNS server that it asked.
        server: IpAddr,
    },
    /// A guest, over this TCP connection.
    Tcp(u64),
}

/// A query that is done.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The asker's port.
    pub(crate) port: PortId,
    /// Who asked.
    pub(crate) client: Client,
    /// What was asked.
    pub(crate) request: Request,
    /// The answer.
    pub(crate) answer: Answer,
}

/// What is to be sent through the system port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// A datagram.
    Udp {
        from: u16,
        to: IpAddr,
        payload: Vec<u8>,
    },
    /// A message over a new TCP connection, known by the question's number.
    Tcp {
        question: u64,
        to: IpAddr,
        payload: Vec<u8>,
    },
    /// The connection of this question is not wanted any more.
    Close(u64),
}

/// Too many queries wait, of the guest or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubmitError;

#[derive(Debug)]
struct Asker {
    port: PortId,
    client: Client,
    request: Request,
    chain: Vec<Record>,
}

#[derive(Debug)]
struct Question {
    key: Key,
    askers: Vec<Asker>,
    attempts: usize,
    resolver: IpAddr,
    /// Number and source port of the query that is under way.
    id: u16,
    port: u16,
    over_tcp: bool,
    connected: bool,
    deadline: Instant,
    /// What a resolver said that failed.
    failure: Option<Answer>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Forwarder {
    resolvers: Vec<IpAddr>,
    preferred: usize,
    questions: BTreeMap<u64, Question>,
    next: u64,
    by_key: BTreeMap<Key, u64>,
    by_port: BTreeMap<u16, u64>,
    by_guest: BTreeMap<PortId, usize>,
    deadlines: BTreeSet<(Instant, u64)>,
    cache: Cache,
    outgoing: VecDeque<Outgoing>,
    done: VecDeque<Done>,
}

impl Forwarder {
    /// Asks these resolvers from now on.
    pub(crate) fn set_resolvers(&mut self, resolvers: Vec<IpAddr>) {
        if self.resolvers != resolvers {
            self.resolvers = resolvers;
            self.preferred = 0;
            self.cache.clear();
        }
    }

    /// Takes a query. `name` is what is asked for, at the end of a `chain` of aliases.
    pub(crate) fn submit(
        &mut self,
        (port, client): (PortId, Client),
        request: Request,
        (name, chain): (Name, Vec<Record>),
        turn: &mut Turn<'_>,
    ) -> Result<(), SubmitError> {
        let key = Key {
            name,
            query_type: request.question.query_type.into(),
            asked: Asked {
                dnssec_ok: request.dnssec_ok(),
                checking_disabled: request.checking_disabled,
            },
        };
        let asker = Asker {
            port,
            client,
            request,
            chain,
        };
        if let Some(answer) = self.cache.get(&key, turn.now) {
            turn.counters.dns_cached += 1;
            self.done.push_back(asker.done(answer));
            return Ok(());
        }
        if self.resolvers.is_empty() {
            turn.counters.dns_failed += 1;
            let answer = Answer::bare(ResponseCode::ServFail);
            self.done.push_back(asker.done(answer));
            return Ok(());
        }
        if self
            .by_guest
            .get(&port)
            .is_some_and(|waiting| *waiting >= MAX_PER_GUEST)
        {
            return Err(SubmitError);
        }
        if let Some(number) = self.by_key.get(&key).copied() {
            let question = self.questions.get_mut(&number).ok_or(SubmitError)?;
            if question.askers.len() >= MAX_ASKERS {
                return Err(SubmitError);
            }
            question.askers.push(asker);
        } else {
            if self.questions.len() >= MAX_QUESTIONS {
                return Err(SubmitError);
            }
            let number = self.next;
            self.next += 1;
            let question = Question {
                key: key.clone(),
                askers: vec![asker],
                attempts: 0,
                resolver: self.resolvers[self.preferred % self.resolvers.len()],
                id: 0,
                port: 0,
                over_tcp: false,
                connected: false,
                deadline: turn.now,
                failure: None,
            };
            self.by_key.insert(key, number);
            self.questions.insert(number, question);
            self.send(number, turn);
        }
        *self.by_guest.entry(port).or_default() += 1;
        turn.counters.dns_forwarded += 1;
        Ok(())
    }

    /// A datagram came to the system port.
    pub(crate) fn udp(
        &mut self,
        (from, from_port): (IpAddr, u16),
        to_port: u16,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) {
        let number = self.by_port.get(&to_port).copied();
        let question = number.and_then(|number| self.questions.get(&number));
        let expected = question.is_some_and(|question| {
            question.resolver == from && from_port == PORT && !question.over_tcp
        });
        match number {
            Some(number) if expected => self.receive(number, payload, turn),
            _ => turn.counters.resolver_stray += 1,
        }
    }

    /// A message came over the connection of this question, or the connection failed.
    pub(crate) fn tcp(&mut self, number: u64, payload: Option<&[u8]>, turn: &mut Turn<'_>) {
        let over_tcp = |question: &Question| question.over_tcp;
        if !self.questions.get(&number).is_some_and(over_tcp) {
            return;
        }
        if let Some(payload) = payload {
            self.receive(number, payload, turn);
        } else {
            turn.counters.resolver_failures += 1;
            self.try_next(number, turn);
        }
    }

    /// Gives up what took too long.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>) {
        while let Some((deadline, number)) = self.deadlines.first().copied() {
            if deadline > turn.now {
                break;
            }
            self.deadlines.remove(&(deadline, number));
            turn.counters.resolver_timeouts += 1;
            self.try_next(number, turn);
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The next thing to send.
    pub(crate) fn outgoing(&mut self) -> Option<Outgoing> {
        self.outgoing.pop_front()
    }

    /// The next query that is done.
    pub(crate) fn done(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// Reads what a resolver said.
    fn receive(&mut self, number: u64, payload: &[u8], turn: &mut Turn<'_>) {
        let Some(question) = self.questions.get_mut(&number) else {
            return;
        };
        let message = Message::from_vec(payload).ok();
        let Some(message) = message.filter(|message| answers(message, question)) else {
            turn.counters.resolver_stray += 1;
            return;
        };
        if message.metadata.truncation && !question.over_tcp {
            question.over_tcp = true;
            turn.counters.resolver_queries_tcp += 1;
            self.send_again(number, turn);
            return;
        }
        let answer = Answer {
            code: message.metadata.response_code,
            authoritative: false,
            authentic: message.metadata.authentic_data,
            answers: message.answers,
            authorities: message.authorities,
            additionals: message.additionals,
        };
        if !matches!(answer.code, ResponseCode::NoError | ResponseCode::NXDomain) {
            turn.counters.resolver_failures += 1;
            question.failure = Some(Answer::bare(answer.code));
            self.try_next(number, turn);
            return;
        }
        turn.counters.resolver_answers += 1;
        let resolver = question.resolver;
        if let Some(at) = self.resolvers.iter().position(|known| *known == resolver) {
            self.preferred = at;
        }
        self.cache.put(question.key.clone(), &answer, turn.now);
        self.finish(number, &answer);
    }

    /// Asks the next resolver, or gives up.
    fn try_next(&mut self, number: u64, turn: &mut Turn<'_>) {
        let Some(question) = self.questions.get_mut(&number) else {
            return;
        };
        let at = self
            .resolvers
            .iter()
            .position(|known| *known == question.resolver);
        let next = at.map_or(0, |at| at + 1).checked_rem(self.resolvers.len());
        match next {
            Some(next) if question.attempts < MAX_ATTEMPTS => {
                question.resolver = self.resolvers[next];
                question.over_tcp = false;
                self.send_again(number, turn);
            }
            _ => {
                let failure = question.failure.take();
                let answer = failure.unwrap_or_else(|| Answer::bare(ResponseCode::ServFail));
                turn.counters.dns_failed += 1;
                self.finish(number, &answer);
            }
        }
    }

    fn send_again(&mut self, number: u64, turn: &mut Turn<'_>) {
        self.stop_waiting(number);
        self.send(number, turn);
    }

    /// Sends a question to its resolver, with a number and from a port that nobody can guess.
    fn send(&mut self, number: u64, turn: &mut Turn<'_>) {
        let Some(question) = self.questions.get_mut(&number) else {
            return;
        };
        question.id = turn.random.number16();
        let query_type = RecordType::from(question.key.query_type);
        let payload = message::query(
            question.id,
            &question.key.name,
            query_type,
            question.key.asked,
        );
        turn.counters.resolver_queries += 1;
        let to = question.resolver;
        if question.over_tcp {
            question.deadline = turn.now.after(TCP_TIME);
            question.connected = true;
            self.outgoing.push_back(Outgoing::Tcp {
                question: number,
                to,
                payload,
            });
        } else {
            question.attempts += 1;
            question.deadline = turn.now.after(UDP_TIME);
            // At most 1,024 of 64,512 ports are taken: a free one is found soon.
            question.port = loop {
                let port = turn.random.number16();
                if port >= FIRST_PORT && !self.by_port.contains_key(&port) {
                    break port;
                }
            };
            self.by_port.insert(question.port, number);
            self.outgoing.push_back(Outgoing::Udp {
                from: question.port,
                to,
                payload,
            });
        }
        self.deadlines.insert((question.deadline, number));
    }

    /// Nothing that is under way for the question counts any more.
    fn stop_waiting(&mut self, number: u64) {
        let Some(question) = self.questions.get_mut(&number) else {
            return;
        };
        self.deadlines.remove(&(question.deadline, number));
        if self.by_port.get(&question.port) == Some(&number) {
            self.by_port.remove(&question.port);
        }
        if std::mem::take(&mut question.connected) {
            self.outgoing.push_back(Outgoing::Close(number));
        }
    }

    fn finish(&mut self, number: u64, answer: &Answer) {
        self.stop_waiting(number);
        let Some(question) = self.questions.remove(&number) else {
            return;
        };
        self.by_key.remove(&question.key);
        for asker in question.askers {
            if let Some(waiting) = self.by_guest.get_mut(&asker.port) {
                *waiting -= 1;
                if *waiting == 0 {
                    self.by_guest.remove(&asker.port);
                }
            }
            self.done.push_back(asker.done(answer.clone()));
        }
    }
}

impl Asker {
    fn done(self, mut answer: Answer) -> Done {
        if self.chain.is_empty() {
            // The asker's own spelling (draft-vixie-dnsext-dns0x20): others asked the same in another.
            let name = &self.request.question.name;
            for record in answer.answers.iter_mut().filter(|one| one.name == *name) {
                record.name = name.clone();
            }
        } else {
            answer.authentic = false;
            answer.answers.splice(0..0, self.chain);
        }
        Done {
            port: self.port,
            client: self.client,
            request: self.request,
            answer,
        }
    }
}

/// Whether a message answers a question's query.
fn answers(message: &Message, question: &Question) -> bool {
    let [asked] = message.queries.as_slice() else {
        return false;
    };
    message.metadata.message_type == MessageType::Response
        && message.metadata.op_code == OpCode::Query
        && message.metadata.id == question.id
        && asked.name == question.key.name
        && u16::from(asked.query_type) == question.key.query_type
        && asked.query_class == DNSClass::IN
}

#[cfg(test)]
mod tests;
