//! What is answered to a query: a function of the zones and the query alone.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, Record};

use super::message::{Answer, Request};
use super::zone::{Said, Zones};

/// How many aliases are followed: a longer chain is taken for a loop.
const MAX_CHAIN: usize = 8;

/// What becomes of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This is the answer.
    Reply(Answer),
    /// The name is of no zone: resolvers outside are asked.
    Forward {
        /// The name to ask for, the end of the chain.
        name: Name,
        /// Aliases of zones that lead to it, the first part of the answer.
        chain: Vec<Record>,
    },
}

/// Answers a query from the zones of the asker's VPC. `servers` are the DNS servers of the asker's subnets.
pub(crate) fn answer(zones: Option<&Zones>, servers: &[IpAddr], request: &Request) -> Outcome {
    let mut name = request.question.name.clone();
    let mut chain: Vec<Record> = Vec::new();
    let query_type = request.question.query_type;
    for _ in 0..=MAX_CHAIN {
        let said = zones.map_or(Said::NotOurs, |zones| {
            zones.look(&name, query_type, servers)
        });
        let (code, soa) = match said {
            Said::NotOurs => return forward(request, name, chain),
            Said::Alias(record, target) => {
                chain.push(*record);
                name = target;
                continue;
            }
            Said::Records(records) => {
                chain.extend(records);
                (ResponseCode::NoError, None)
            }
            Said::NoData(soa) => (ResponseCode::NoError, Some(soa)),
            // RFC 2308, section 2.1: of a chain, the code speaks of its end.
            Said::NoName(soa) => (ResponseCode::NXDomain, Some(soa)),
        };
        return Outcome::Reply(Answer {
            authoritative: true,
            answers: chain,
            authorities: soa.into_iter().map(|soa| *soa).collect(),
            ..Answer::bare(code)
        });
    }
    Outcome::Reply(Answer::bare(ResponseCode::ServFail))
}

fn forward(request: &Request, name: Name, chain: Vec<Record>) -> Outcome {
    if request.recursion_desired {
        return Outcome::Forward { name, chain };
    }
    let code = if chain.is_empty() {
        ResponseCode::Refused
    } else {
        ResponseCode::NoError
    };
    Outcome::Reply(Answer {
        authoritative: !chain.is_empty(),
        answers: chain,
        ..Answer::bare(code)
    })
}
