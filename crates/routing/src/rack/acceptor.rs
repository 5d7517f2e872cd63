//! What a node has promised and accepted.

use rackweave_types::MacAddr;
use serde::{Deserialize, Serialize};

use super::{Ballot, Table};

/// What a proposer asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Promise to accept nothing below this ballot, and say what was accepted.
    Prepare {
        /// The version that is to be chosen.
        version: u64,
        /// The attempt.
        ballot: Ballot,
    },
    /// Accept this table.
    Accept {
        /// The attempt.
        ballot: Ballot,
        /// The table; its version is the one that is to be chosen.
        table: Table,
    },
    /// This table was chosen.
    Learn {
        /// The table.
        table: Table,
    },
}

/// What an acceptor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It will accept nothing below the ballot.
    Promised {
        /// The attempt.
        ballot: Ballot,
        /// What it accepted before, and in which attempt.
        accepted: Option<(Ballot, Table)>,
    },
    /// It has accepted the table.
    Accepted {
        /// The attempt.
        ballot: Ballot,
    },
    /// It promised a higher ballot to another attempt.
    Refused {
        /// That ballot.
        promised: Ballot,
    },
    /// This version is chosen already: it, or a later one.
    Chosen {
        /// The latest that this node knows.
        table: Table,
    },
    /// It knows the table now.
    Learned,
    /// The version is not the next one that this node knows of: it missed one.
    Behind {
        /// The version that it knows; 0 where it knows none.
        version: u64,
    },
}

/// An acceptor: has to be on disk as it is before any reply is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptor {
    /// The latest table that was chosen, as far as this node knows.
    chosen: Option<Table>,
    /// Of the version after it: the highest ballot that was promised.
    promised: Option<Ballot>,
    /// Of the version after it: what was accepted, and in which attempt.
    accepted: Option<(Ballot, Table)>,
}

impl Acceptor {
    /// The latest table that was chosen, as far as this node knows.
    #[must_use]
    pub const fn chosen(&self) -> Option<&Table> {
        self.chosen.as_ref()
    }

    /// A ballot for an attempt of this node at the next version, above all that this acceptor has heard of and above
    /// `beaten`. The acceptor promises it at once, and has to be on disk before anybody is asked: so no two attempts
    /// ever have the same ballot, also over a restart.
    pub fn attempt(&mut self, by: MacAddr, beaten: Option<Ballot>) -> Ballot {
        let heard = self.promised.max(beaten);
        let ballot = heard.map_or(Ballot::first(by), |heard| Ballot::above(heard, by));
        self.promised = Some(ballot);
        ballot
    }

    fn version(&self) -> u64 {
        self.chosen.as_ref().map_or(0, |table| table.version)
    }

    /// Answers; the second says whether the acceptor changed and has to be on disk before the reply leaves.
    pub fn answer(&mut self, request: Request) -> (Reply, bool) {
        match request {
            Request::Prepare { version, ballot } => {
                if let Some(reply) = self.elsewhere(version) {
                    return (reply, false);
                }
                if let Some(promised) = self.promised.filter(|promised| *promised > ballot) {
                    return (Reply::Refused { promised }, false);
                }
                let changed = self.promised.replace(ballot) != Some(ballot);
                let accepted = self.accepted.clone();
                (Reply::Promised { ballot, accepted }, changed)
            }
            Request::Accept { ballot, table } => {
                if let Some(reply) = self.elsewhere(table.version) {
                    return (reply, false);
                }
                if let Some(promised) = self.promised.filter(|promised| *promised > ballot) {
                    return (Reply::Refused { promised }, false);
                }
                self.promised = Some(ballot);
                self.accepted = Some((ballot, table));
                (Reply::Accepted { ballot }, true)
            }
            Request::Learn { table } => (Reply::Learned, self.learn(table)),
        }
    }

    /// The answer to who asks for another version than the next one.
    fn elsewhere(&self, version: u64) -> Option<Reply> {
        let known = self.version();
        match &self.chosen {
            Some(table) if version <= known => Some(Reply::Chosen {
                table: table.clone(),
            }),
            _ if known.checked_add(1) == Some(version) => None,
            _ => Some(Reply::Behind { version: known }),
        }
    }

    /// Takes in a table that was chosen; says whether it is news.
    pub fn learn(&mut self, table: Table) -> bool {
        if table.version <= self.version() {
            return false;
        }
        *self = Self {
            chosen: Some(table),
            promised: None,
            accepted: None,
        };
        true
    }
}
