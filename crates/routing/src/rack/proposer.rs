//! One attempt at one version of the table.

use std::collections::BTreeSet;

use rackweave_types::MacAddr;

use super::{Ballot, Reply, Request, Table};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wait for more replies.
    Wait,
    /// Send this to every acceptor.
    Ask(Request),
    /// The attempt is over: this table is chosen, be it the one that was wished or another's. Tell everybody.
    Chosen(Table),
    /// The attempt is over: a higher ballot was seen. Try again above it, after a while.
    Beaten(Ballot),
    /// The attempt is over: too few can be reached. Try again after a while.
    Alone,
    /// This acceptor missed versions: have it learn the table before, and ask it again.
    Teach(MacAddr, Request),
}

#[derive(Debug)]
enum Phase {
    Preparing {
        highest: Option<(Ballot, Table)>,
        promised: BTreeSet<MacAddr>,
    },
    Accepting {
        table: Table,
        accepted: BTreeSet<MacAddr>,
    },
    Over,
}

/// One attempt at one version of the table.
#[derive(Debug)]
pub struct Proposer {
    wish: Table,
    ballot: Ballot,
    acceptors: BTreeSet<MacAddr>,
    quorum: usize,
    phase: Phase,
    unreached: BTreeSet<MacAddr>,
}

impl Proposer {
    /// An attempt to have `wish` chosen as its version by a quorum of the acceptors. The first step is
    /// [`Self::prepare`], to every acceptor.
    #[must_use]
    pub fn new(wish: Table, ballot: Ballot, acceptors: &[MacAddr], quorum: usize) -> Self {
        Self {
            wish,
            ballot,
            acceptors: acceptors.iter().copied().collect(),
            quorum,
            phase: Phase::Preparing {
                highest: None,
                promised: BTreeSet::new(),
            },
            unreached: BTreeSet::new(),
        }
    }

    /// What every acceptor is asked first.
    #[must_use]
    pub const fn prepare(&self) -> Request {
        Request::Prepare {
            version: self.wish.version,
            ballot: self.ballot,
        }
    }

    /// Takes in what an acceptor answered.
    pub fn reply(&mut self, from: MacAddr, reply: Reply) -> Step {
        if !self.acceptors.contains(&from) {
            return Step::Wait;
        }
        self.unreached.remove(&from);
        match reply {
            Reply::Promised { ballot, accepted } if ballot == self.ballot => {
                self.promised(from, accepted)
            }
            Reply::Accepted { ballot } if ballot == self.ballot => self.accepted(from),
            Reply::Refused { promised } if promised > self.ballot => {
                self.end(Step::Beaten(promised))
            }
            Reply::Chosen { table } if table.version >= self.wish.version => {
                self.end(Step::Chosen(table))
            }
            Reply::Behind { version } if version.saturating_add(1) < self.wish.version => self
                .asked()
                .map_or(Step::Wait, |request| Step::Teach(from, request)),
            // Of another attempt, or late.
            _ => Step::Wait,
        }
    }

    /// What is asked in this phase.
    fn asked(&self) -> Option<Request> {
        match &self.phase {
            Phase::Preparing { .. } => Some(self.prepare()),
            Phase::Accepting { table, .. } => Some(Request::Accept {
                ballot: self.ballot,
                table: table.clone(),
            }),
            Phase::Over => None,
        }
    }

    /// Takes in that an acceptor cannot be reached.
    pub fn unreachable(&mut self, acceptor: MacAddr) -> Step {
        if self.acceptors.contains(&acceptor) {
            self.unreached.insert(acceptor);
        }
        if self.acceptors.len() - self.unreached.len() < self.quorum {
            self.end(Step::Alone)
        } else {
            Step::Wait
        }
    }

    fn promised(&mut self, from: MacAddr, accepted: Option<(Ballot, Table)>) -> Step {
        let Phase::Preparing { highest, promised } = &mut self.phase else {
            return Step::Wait;
        };
        promised.insert(from);
        if let Some((ballot, table)) = accepted {
            // Whatever may be chosen already goes before the own wish.
            if highest.as_ref().is_none_or(|(other, _)| *other < ballot) {
                *highest = Some((ballot, table));
            }
        }
        if promised.len() < self.quorum {
            return Step::Wait;
        }
        let earlier = highest.take().map(|(_, table)| table);
        let table = earlier.unwrap_or_else(|| self.wish.clone());
        let ballot = self.ballot;
        self.phase = Phase::Accepting {
            table: table.clone(),
            accepted: BTreeSet::new(),
        };
        // Who could not be reached may be by now.
        self.unreached.clear();
        Step::Ask(Request::Accept { ballot, table })
    }

    fn accepted(&mut self, from: MacAddr) -> Step {
        let Phase::Accepting { table, accepted } = &mut self.phase else {
            return Step::Wait;
        };
        accepted.insert(from);
        if accepted.len() < self.quorum {
            return Step::Wait;
        }
        let table = table.clone();
        self.end(Step::Chosen(table))
    }

    fn end(&mut self, step: Step) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => Step::Wait,
            Phase::Preparing { .. } | Phase::Accepting { .. } => step,
        }
    }
}
