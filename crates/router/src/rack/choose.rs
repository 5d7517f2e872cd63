//! Having a table chosen.

use std::time::Duration;

use rackweave_linux::random;
use rackweave_routing::rack::{Ballot, Member, Proposer, Reply, Request, Step, Table};
use rackweave_trust::{Assignment, SecretKey};
use rackweave_types::MacAddr;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::local::Local;
use super::message::{Answer, Call};
use super::service::Rack;

/// Attempts to have one node in the table, until it is told to ask another keeper.
const ATTEMPTS: u32 = 16;

/// What became of an attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// This table is chosen.
    Chosen(Table),
    /// Another attempt goes before it.
    Beaten(Ballot),
    /// Too few answered; who did not, and why.
    Alone(Vec<String>),
}

/// Who is asked, and how many have to agree.
#[derive(Clone, Debug)]
pub(crate) struct Quorum {
    pub(crate) acceptors: Vec<MacAddr>,
    pub(crate) size: usize,
}

impl<L: Local> Rack<L> {
    /// Asks an acceptor, be it this node's own.
    async fn ask(
        self,
        to: MacAddr,
        requests: Vec<Request>,
        key: Option<SecretKey>,
    ) -> (MacAddr, Result<Reply, String>) {
        let mut last = Err("nothing was asked".to_owned());
        for request in requests {
            last = if to == self.own().hardware {
                self.choose_here(request).await
            } else {
                let call = Call::Choose(request);
                match self.line().call(to, &call, key.as_ref()).await {
                    Ok((Answer::Choose(reply), _)) => Ok(reply),
                    Ok(_) => Err("it says something else than was asked".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            };
            if last.is_err() {
                break;
            }
        }
        (to, last)
    }

    /// One attempt to have `wish` chosen.
    pub(crate) async fn attempt(
        &self,
        wish: Table,
        beaten: Option<Ballot>,
        quorum: &Quorum,
        key: Option<&SecretKey>,
    ) -> Result<Outcome, String> {
        let (ballot, known) = {
            let mut kept = self.kept().await;
            let own = self.own().hardware;
            let ballot = kept.change(|acceptor| acceptor.attempt(own, beaten));
            let ballot = ballot.map_err(|error| error.to_string())?;
            (ballot, kept.acceptor().chosen().cloned())
        };
        let mut proposer = Proposer::new(wish, ballot, &quorum.acceptors, quorum.size);
        let mut asking = JoinSet::new();
        let ask = |asking: &mut JoinSet<_>, to: &[MacAddr], requests: Vec<Request>| {
            for to in to {
                asking.spawn(self.clone().ask(*to, requests.clone(), key.cloned()));
            }
        };
        ask(&mut asking, &quorum.acceptors, vec![proposer.prepare()]);
        let mut silent = Vec::new();
        while let Some(asked) = asking.join_next().await {
            let Ok((from, reply)) = asked else {
                continue;
            };
            let step = match reply {
                Ok(reply) => proposer.reply(from, reply),
                Err(why) => {
                    silent.push(format!("{from}: {why}"));
                    proposer.unreachable(from)
                }
            };
            match step {
                Step::Wait => (),
                Step::Ask(request) => ask(&mut asking, &quorum.acceptors, vec![request]),
                Step::Teach(to, request) => {
                    let table = known.clone().map(|table| Request::Learn { table });
                    let requests = table.into_iter().chain([request]).collect();
                    ask(&mut asking, &[to], requests);
                }
                Step::Chosen(table) => return Ok(Outcome::Chosen(table)),
                Step::Beaten(ballot) => return Ok(Outcome::Beaten(ballot)),
                Step::Alone => break,
            }
        }
        Ok(Outcome::Alone(silent))
    }

    /// Has all these nodes learn the table; who does not hear it learns it when it is asked next.
    pub(crate) async fn teach(&self, table: &Table, to: &[MacAddr], key: Option<&SecretKey>) {
        let mut asking = JoinSet::new();
        for to in to {
            let learn = Request::Learn {
                table: table.clone(),
            };
            asking.spawn(self.clone().ask(*to, vec![learn], key.cloned()));
        }
        while let Some(told) = asking.join_next().await {
            if let Ok((to, Err(error))) = told {
                tracing::debug!(%to, %error, "a keeper did not hear of the rack's table");
            }
        }
    }

    /// Gives a node the /64 that it has, or the lowest free one; as a keeper.
    pub(crate) async fn join(&self, member: &Member) -> Result<Assignment, String> {
        let _turn = self.proposing().await;
        let mut beaten = None;
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let (table, key) = {
                let kept = self.kept().await;
                (kept.acceptor().chosen().cloned(), kept.key().cloned())
            };
            let table = table.filter(|table| table.keepers.contains(&self.own().identity));
            let table = table.ok_or("this node does not keep the rack's table")?;
            if self.trust().rack().is_some() && key.is_none() {
                return Err("this node has not been given the rack's key".to_owned());
            }
            let next = table.with(member, key.as_ref());
            let Some(next) = next.map_err(|error| error.to_string())? else {
                let given = table.of(&member.identity).cloned();
                return given.ok_or_else(|| "the table lost a node".to_owned());
            };
            let quorum = Quorum {
                acceptors: table.keepers(),
                size: table.majority(),
            };
            match self
                .attempt(next, beaten.take(), &quorum, key.as_ref())
                .await?
            {
                Outcome::Chosen(table) => self.teach(&table, &quorum.acceptors, key.as_ref()).await,
                Outcome::Beaten(ballot) => beaten = Some(ballot),
                Outcome::Alone(silent) => why = silent.join("; "),
            }
            if !why.is_empty() {
                break;
            }
            if beaten.is_some() {
                pause().await;
            }
        }
        Err(format!(
            "the keepers of the rack's table do not agree now ({why}): ask again"
        ))
    }
}

/// A while of chance, so that two who beat each other do not do so for ever.
pub(crate) async fn pause() {
    let [octet] = random::bytes().unwrap_or([128]);
    sleep(Duration::from_millis(10 + u64::from(octet))).await;
}
