//! Replacing a keeper of the rack's table.

use rackweave_routing::rack::{Table, TableError};
use rackweave_trust::SecretKey;

use super::arrive::Met;
use super::begin::sealed;
use super::choose::{Outcome, Quorum, pause};
use super::local::Local;
use super::message::Call;
use super::service::Rack;

/// Attempts, where others change the table at the same time.
const ATTEMPTS: u32 = 16;

/// Why a keeper is not replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReplaceError {
    /// The table cannot be so.
    #[error("{0}")]
    Table(#[from] TableError),
    /// No node can take over.
    #[error("every node that answers keeps the rack's table already")]
    Nobody,
    /// The node that is to take over cannot be asked.
    #[error("{0} does not answer over the bootstrap network")]
    Silent(String),
    /// The rack's key is missing, or another one.
    #[error("{0}")]
    Key(String),
    /// What this node promised cannot be kept.
    #[error("{0}")]
    Kept(String),
    /// Too few keepers answer.
    #[error("it takes {majority} of the keepers {} to agree, and too few answer: {}", .keepers.join(", "), .silent.join("; "))]
    Alone {
        /// The keepers.
        keepers: Vec<String>,
        /// How many have to agree.
        majority: usize,
        /// Who did not, and why.
        silent: Vec<String>,
    },
    /// Others change the table all the time.
    #[error("other nodes change the rack's table at the same time")]
    Busy,
    /// The successor does not take the key.
    #[error("{who} does not take the rack's key: {why}")]
    Refused {
        /// The successor.
        who: String,
        /// What it says.
        why: String,
    },
}

impl ReplaceError {
    /// What to do about it.
    pub(crate) const fn next(&self) -> &'static str {
        match self {
            Self::Table(_) => {
                "`rackweave rack show` lists the nodes and which of them keep the table"
            }
            Self::Nobody | Self::Silent(_) | Self::Refused { .. } => {
                "start a node that can take over; `rackweave router sleds` shows who is there"
            }
            Self::Key(_) => {
                "run the command on a keeper, or name the directory of this rack's keys by --keys"
            }
            Self::Alone { .. } => "start one of the keepers: without a majority nothing is changed",
            Self::Kept(_) => "mend what the cause names, and run the command again",
            Self::Busy => "run the command again",
        }
    }
}

impl<L: Local> Rack<L> {
    /// Has `next`, or whoever of these nodes has the lowest number, keep the table in the place of `dead`. With the rack's
    /// key where this node does not keep it itself.
    pub(crate) async fn replace(
        &self,
        mut table: Table,
        met: &[Met],
        dead: &str,
        next: Option<&str>,
        key: Option<SecretKey>,
    ) -> Result<Table, ReplaceError> {
        let _turn = self.proposing().await;
        let key = self.key_or_kept(key).await?;
        let next = match next {
            Some(next) => next.to_owned(),
            None => self.successor(&table, met).ok_or(ReplaceError::Nobody)?,
        };
        // Whether it can be at all is known before anybody is given a key.
        table.replaced(dead, &next)?;
        self.hand_key(met, &next, key.as_ref()).await?;
        let mut beaten = None;
        for _ in 0..ATTEMPTS {
            let wish = table.replaced(dead, &next)?;
            let quorum = Quorum {
                acceptors: table.keepers(),
                size: table.majority(),
            };
            self.learn(&table).await?;
            let attempt = self.attempt(wish.clone(), beaten.take(), &quorum, key.as_ref());
            match attempt.await.map_err(ReplaceError::Kept)? {
                Outcome::Chosen(chosen) => {
                    self.learn(&chosen).await?;
                    // Whoever comes later asks any node who keeps the table.
                    let mut all = chosen.keepers();
                    all.extend(met.iter().map(|one| one.who.member.hardware));
                    all.sort();
                    all.dedup();
                    self.teach(&chosen, &all, key.as_ref()).await;
                    if chosen == wish {
                        return Ok(chosen);
                    }
                    table = chosen;
                }
                Outcome::Beaten(ballot) => {
                    beaten = Some(ballot);
                    pause().await;
                }
                Outcome::Alone(silent) => {
                    return Err(ReplaceError::Alone {
                        majority: table.majority(),
                        keepers: table.keepers,
                        silent,
                    });
                }
            }
        }
        Err(ReplaceError::Busy)
    }

    /// The key that was named, or the one that this node keeps; none where messages are not signed.
    async fn key_or_kept(&self, key: Option<SecretKey>) -> Result<Option<SecretKey>, ReplaceError> {
        if self.trust().rack().is_none() {
            return Ok(None);
        }
        let key = match key {
            Some(key) => key,
            None => self.kept().await.key().cloned().ok_or_else(|| {
                let own = &self.own().identity;
                ReplaceError::Key(format!("{own} does not keep the rack's key"))
            })?,
        };
        self.is_rack_key(&key).map_err(ReplaceError::Key)?;
        Ok(Some(key))
    }

    /// The node with the lowest number that answers and keeps no table; sleds have lower ones than switches.
    fn successor(&self, table: &Table, met: &[Met]) -> Option<String> {
        let own = &self.own().identity;
        let answers = |identity: &String| {
            identity == own || met.iter().any(|one| &one.who.member.identity == identity)
        };
        let all = table.assignments.iter().map(|given| &given.identity);
        let mut free = all.filter(|identity| !table.keepers.contains(identity));
        free.find(|identity| answers(identity)).cloned()
    }

    /// Gives the rack's key to who is to keep the table: before it does, for it is asked for numbers from then on.
    async fn hand_key(
        &self,
        met: &[Met],
        next: &str,
        key: Option<&SecretKey>,
    ) -> Result<(), ReplaceError> {
        let own = self.own();
        if own.identity == next {
            if let Some(key) = key {
                let kept = self.kept().await.keep(key.clone());
                kept.map_err(|error| ReplaceError::Kept(error.to_string()))?;
            }
            return Ok(());
        }
        let to = met.iter().find(|one| one.who.member.identity == next);
        let to = to.ok_or_else(|| ReplaceError::Silent(next.to_owned()))?;
        if key.is_none() {
            return Ok(());
        }
        let refused = |why| ReplaceError::Refused {
            who: next.to_owned(),
            why,
        };
        let call = Call::Keep(sealed(to, key).map_err(refused)?);
        let called = self.line().call(to.who.member.hardware, &call, key).await;
        called.map_err(|error| refused(error.to_string()))?;
        Ok(())
    }

    /// This node knows the table from now on: it teaches keepers that missed it.
    async fn learn(&self, table: &Table) -> Result<(), ReplaceError> {
        let learned = self.kept().await.change(|kept| kept.learn(table.clone()));
        learned.map_err(|error| ReplaceError::Kept(error.to_string()))?;
        Ok(())
    }
}
