//! What resolvers answered, for as long as it holds: the same for every VPC, since names of zones are never asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record};
use rackweave_types::Instant;

use super::message::{Answer, Asked};

/// The most answers that are kept.
const MAX_ANSWERS: usize = 4096;
/// The most records of an answer that is kept.
const MAX_RECORDS: usize = 64;
/// The longest time an answer is kept.
const MAX_TTL: u32 = 3600;
/// The longest time an absence is kept (RFC 2308, section 5 advises one to three hours at most).
const MAX_NEGATIVE_TTL: u32 = 300;

/// A question to resolvers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The name, in any spelling: names are compared without case.
    pub(super) name: Name,
    /// The number of the record type.
    pub(super) query_type: u16,
    /// What else was asked.
    pub(super) asked: Asked,
}

/// Answers by question; the one that ends first makes room.
#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: BTreeMap<Key, Kept>,
    ends: BTreeSet<(Instant, u64)>,
    keys: BTreeMap<u64, Key>,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    answer: Answer,
    since: Instant,
    end: Instant,
    number: u64,
}

impl Cache {
    /// The answer to a question, its lifetimes shortened by its age.
    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Answer> {
        let kept = self.answers.get(key).filter(|kept| now < kept.end)?;
        let age = u32::try_from(now.since(kept.since).as_secs()).unwrap_or(u32::MAX);
        let mut answer = kept.answer.clone();
        for record in sections(&mut answer) {
            record.decrement_ttl(age);
        }
        Some(answer)
    }

    /// Keeps an answer, if it may be kept.
    pub(super) fn put(&mut self, key: Key, answer: &Answer, now: Instant) {
        let Some(ttl) = lifetime(answer) else { return };
        self.remove(&key);
        while self.answers.len() >= MAX_ANSWERS {
            let Some((_, number)) = self.ends.first().copied() else {
                return;
            };
            let Some(oldest) = self.keys.get(&number).cloned() else {
                return;
            };
            self.remove(&oldest);
        }
        let end = now.after(Duration::from_secs(ttl.into()));
        let number = self.next;
        self.next += 1;
        self.ends.insert((end, number));
        self.keys.insert(number, key.clone());
        let kept = Kept {
            answer: answer.clone(),
            since: now,
            end,
            number,
        };
        self.answers.insert(key, kept);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(kept) = self.answers.remove(key) {
            self.ends.remove(&(kept.end, kept.number));
            self.keys.remove(&kept.number);
        }
    }

    /// Forgets everything: other resolvers may say other things.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn sections(answer: &mut Answer) -> impl Iterator<Item = &mut Record> {
    let rest = answer.authorities.iter_mut();
    answer
        .answers
        .iter_mut()
        .chain(rest)
        .chain(&mut answer.additionals)
}

/// How many seconds an answer may be kept; `None` where it may not.
fn lifetime(answer: &Answer) -> Option<u32> {
    let count = answer.answers.len() + answer.authorities.len() + answer.additionals.len();
    if count > MAX_RECORDS {
        return None;
    }
    let least = |records: &[Record]| records.iter().map(|record| record.ttl).min();
    let ttl = match answer.code {
        ResponseCode::NoError if !answer.answers.is_empty() => least(&answer.answers)?.min(MAX_TTL),
        // RFC 2308, section 5: "the minimum of the MINIMUM field of the SOA record and the TTL of the SOA itself";
        // without SOA an absence is not kept.
        ResponseCode::NoError | ResponseCode::NXDomain => {
            let soa = answer
                .authorities
                .iter()
                .find_map(|record| match &record.data {
                    RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
                    _ => None,
                });
            let chain = least(&answer.answers).unwrap_or(u32::MAX);
            soa?.min(chain).min(MAX_NEGATIVE_TTL)
        }
        _ => return None,
    };
    (ttl > 0).then_some(ttl)
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::rdata::{A, SOA};

    use super::*;

    fn key(name: &str) -> Key {
        Key {
            name: Name::from_ascii(name).unwrap(),
            query_type: 1,
            asked: Asked {
                dnssec_ok: false,
                checking_disabled: false,
            },
        }
    }

    fn address(ttl: u32) -> Answer {
        let data = RData::A(A([192, 0, 2, 1].into()));
        let record = Record::from_rdata(Name::from_ascii("a.example.").unwrap(), ttl, data);
        Answer {
            answers: vec![record],
            ..Answer::bare(ResponseCode::NoError)
        }
    }

    fn seconds(count: u64) -> Instant {
        Instant::START.after(Duration::from_secs(count))
    }

    #[test]
    fn an_answer_ages_and_ends() {
        let mut cache = Cache::default();
        cache.put(key("a.example."), &address(30), seconds(1));
        let ttl = |answer: Option<Answer>| answer.map(|answer| answer.answers[0].ttl);
        assert_eq!(ttl(cache.get(&key("A.Example."), seconds(11))), Some(20));
        assert_eq!(ttl(cache.get(&key("a.example."), seconds(31))), None);
        assert_eq!(ttl(cache.get(&key("b.example."), seconds(2))), None);
    }

    #[test]
    fn an_absence_is_kept_by_its_soa() {
        let name = Name::from_ascii("example.").unwrap();
        let data = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, 7);
        let soa = Record::from_rdata(name, 60, RData::SOA(data));
        let absent = Answer {
            authorities: vec![soa],
            ..Answer::bare(ResponseCode::NXDomain)
        };
        assert_eq!(lifetime(&absent), Some(7));
        assert_eq!(lifetime(&Answer::bare(ResponseCode::NXDomain)), None);
        assert_eq!(lifetime(&Answer::bare(ResponseCode::ServFail)), None);
        assert_eq!(lifetime(&address(0)), None);
    }

    #[test]
    fn the_answer_that_ends_first_makes_room() {
        let mut cache = Cache::default();
        for number in 0..u32::try_from(MAX_ANSWERS).unwrap() {
            let ttl = 100 + number % 1000;
            cache.put(
                key(&format!("n{number}.example.")),
                &address(ttl),
                seconds(0),
            );
        }
        assert!(cache.get(&key("n0.example."), seconds(1)).is_some());
        cache.put(key("new.example."), &address(9), seconds(0));
        assert!(cache.get(&key("n0.example."), seconds(1)).is_none());
        assert!(cache.get(&key("new.example."), seconds(1)).is_some());
        assert_eq!(cache.answers.len(), MAX_ANSWERS);
        assert_eq!(
            (cache.ends.len(), cache.keys.len()),
            (MAX_ANSWERS, MAX_ANSWERS)
        );
    }
}
