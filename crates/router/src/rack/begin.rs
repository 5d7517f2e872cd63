//! Beginning a rack.

use std::time::Duration;

use rackweave_linux::{clock, random};
use rackweave_routing::rack::{Member, Table, TableError};
use rackweave_trust::{SecretKey, seal};
use rackweave_types::{MacAddr, RackPrefix, Role};
use tokio::task::JoinSet;

use super::arrive::Met;
use super::choose::{Outcome, Quorum, pause};
use super::local::{Heard, Local};
use super::message::{Answer, Call};
use super::proof::Caller;
use super::service::{KEY_PURPOSE, Rack};

/// Attempts, where others begin the same rack at the same time.
const ATTEMPTS: u32 = 16;
/// How long a node is asked again that does not answer.
const MOMENT: Duration = Duration::from_secs(3);
/// How long a sled may take to begin the rack for a switch.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a rack is not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BeginError {
    /// The router is about to end.
    #[error("the router is stopping")]
    Stopping,
    /// A node cannot be asked.
    #[error("not every node of the rack answers: {}", .0.join("; "))]
    Silent(Vec<String>),
    /// The number is another rack's.
    #[error("the number {number} is taken: {other} announce{s} {prefix} already, and here is the rack of {own}", s = if .switches == &1 { "s" } else { "" })]
    Taken {
        /// The rack's prefix.
        prefix: RackPrefix,
        /// Its number.
        number: rackweave_types::RackNumber,
        /// The switches of the other rack.
        other: String,
        /// How many they are.
        switches: usize,
        /// The nodes here.
        own: String,
    },
    /// It is another rack already.
    #[error("{who} is of the rack {is} already, and cannot become one of {asked}")]
    Other {
        /// Which node.
        who: String,
        /// Its rack.
        is: RackPrefix,
        /// The rack that was asked for.
        asked: RackPrefix,
    },
    /// Somebody has a /64 and nobody keeps a table.
    #[error("{0} has a /64 already, and no node that answers keeps the rack's table")]
    Lost(String),
    /// The keys are of another rack.
    #[error("{0}")]
    Key(String),
    /// No table can be made.
    #[error("{0}")]
    Table(#[from] TableError),
    /// The nodes do not agree.
    #[error("the nodes of the rack do not agree: {0}")]
    Disagree(String),
    /// The rack is begun, and not everybody knows it.
    #[error("the rack is begun, and not every node was told: {}", .0.join("; "))]
    Untold(Vec<String>),
    /// A sled that was to do it did not.
    #[error("the sled {sled} does not begin the rack: {why}")]
    Sled {
        /// The sled.
        sled: String,
        /// What it says.
        why: String,
    },
}

impl BeginError {
    /// What to do about it.
    pub(crate) const fn next(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "take a number that `rackweave router routes` does not show",
            Self::Other { .. } => {
                "say the prefix and number that the rack has: `rackweave rack show`"
            }
            Self::Key(_) => {
                "name the directory of this rack's keys by --keys (`rackweave keys rack` makes it)"
            }
            Self::Lost(_) => {
                "start the nodes that keep the table; `rackweave router sleds` shows who is there"
            }
            Self::Table(_) => "mend what the cause names, and run the command again",
            Self::Stopping
            | Self::Silent(_)
            | Self::Disagree(_)
            | Self::Untold(_)
            | Self::Sled { .. } => {
                "start or unplug what does not answer, and run the command again: it goes on where it ended"
            }
        }
    }
}

/// The nodes of a rack, by name.
fn names<'m>(members: impl IntoIterator<Item = &'m Member>) -> String {
    let names: Vec<_> = members
        .into_iter()
        .map(|one| one.identity.as_str())
        .collect();
    names.join(", ")
}

impl<L: Local> Rack<L> {
    /// Begins the rack, with its key in signed mode; or goes on where somebody began it before.
    pub(crate) async fn begin(
        &self,
        rack: RackPrefix,
        key: Option<SecretKey>,
    ) -> Result<Table, BeginError> {
        self.check_key(rack, key.as_ref())?;
        let around = self.local().look().await.ok_or(BeginError::Stopping)?;
        let (mut met, silent) = self.meet_all(&around.reachable).await;
        met.retain(|one| one.who.member.role != Role::Spine);
        if !silent.is_empty() {
            let silent = silent.iter().map(|(node, why)| format!("{node}: {why}"));
            return Err(BeginError::Silent(silent.collect()));
        }
        let sled = met.iter().find(|one| one.who.member.role == Role::Sled);
        if let (Role::Switch, Some(sled)) = (self.own().role, sled) {
            return self.begin_by(sled, rack, key.as_ref()).await;
        }
        let table = if let Some(table) = self.known(&met, rack).await? {
            table
        } else {
            let heard = met.iter().flat_map(|one| &one.who.heard);
            self.refuse_taken(rack, heard.chain(&around.heard), &met)?;
            self.choose_first(rack, &met, key.as_ref()).await?
        };
        if table.rack != rack {
            return Err(BeginError::Other {
                who: self.own().identity.clone(),
                is: table.rack,
                asked: rack,
            });
        }
        self.tell_all(&table, &met, key.as_ref()).await?;
        Ok(table)
    }

    /// Asks all of these nodes who they are; a node that has just started may need a moment until it answers.
    async fn meet_all(&self, nodes: &[MacAddr]) -> (Vec<Met>, Vec<(MacAddr, String)>) {
        let began = clock::now();
        let (mut met, mut silent) = self.meet(nodes).await;
        while !silent.is_empty() && clock::now().since(began) < MOMENT {
            pause().await;
            let nodes: Vec<_> = silent.iter().map(|(node, _)| *node).collect();
            let (more, still) = self.meet(&nodes).await;
            met.extend(more);
            silent = still;
        }
        (met, silent)
    }

    /// Refuses a key that is not this rack's, and none where there has to be one.
    fn check_key(&self, rack: RackPrefix, key: Option<&SecretKey>) -> Result<(), BeginError> {
        match (self.trust().rack(), key) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(BeginError::Key(
                "messages are signed here, and the rack's key is missing".to_owned(),
            )),
            (Some((own, _)), Some(_)) if own != rack => Err(BeginError::Key(format!(
                "the rack certificate of {} is for {own}, and not for {rack}",
                self.own().identity
            ))),
            (Some(_), Some(key)) => self.is_rack_key(key).map_err(BeginError::Key),
        }
    }

    /// A switch hears no other switch, a sled hears all: it begins the rack.
    async fn begin_by(
        &self,
        sled: &Met,
        rack: RackPrefix,
        key: Option<&SecretKey>,
    ) -> Result<Table, BeginError> {
        let (to, name) = (sled.who.member.hardware, &sled.who.member.identity);
        let not = |why: String| BeginError::Sled {
            sled: name.clone(),
            why,
        };
        let sealed = sealed(sled, key).map_err(not)?;
        let call = Call::Begin { rack, key: sealed };
        let called = self.line().call_within(PATIENCE, to, &call, key).await;
        match called.map_err(|error| not(error.to_string()))? {
            (Answer::Table(Some(table)), _) => Ok(table),
            _ => Err(not("it says something else than was asked".to_owned())),
        }
    }

    /// The table, where somebody began the rack before.
    async fn known(&self, met: &[Met], asked: RackPrefix) -> Result<Option<Table>, BeginError> {
        let latest = self.latest(met).await;
        if latest.is_some() {
            return Ok(latest);
        }
        let mut assigned = met.iter().filter_map(|one| Some((one, one.who.prefix?)));
        match assigned.next() {
            Some((one, prefix)) if prefix.rack() != asked => Err(BeginError::Other {
                who: one.who.member.identity.clone(),
                is: prefix.rack(),
                asked,
            }),
            Some((one, _)) => Err(BeginError::Lost(one.who.member.identity.clone())),
            None => Ok(None),
        }
    }

    fn refuse_taken<'h>(
        &self,
        rack: RackPrefix,
        heard: impl Iterator<Item = &'h Heard>,
        met: &[Met],
    ) -> Result<(), BeginError> {
        let mut others: Vec<MacAddr> = heard
            .filter(|heard| heard.rack == rack)
            .flat_map(|heard| heard.switches.iter().copied())
            .collect();
        others.sort();
        others.dedup();
        if others.is_empty() {
            return Ok(());
        }
        let switches: Vec<_> = others.iter().map(ToString::to_string).collect();
        let own = met.iter().map(|one| &one.who.member).chain([self.own()]);
        let plural = if switches.len() == 1 { "" } else { "es" };
        Err(BeginError::Taken {
            prefix: rack,
            number: rack.rack(),
            other: format!("the switch{plural} {} of another rack", switches.join(", ")),
            switches: switches.len(),
            own: names(own),
        })
    }

    /// Has the first table chosen, by all.
    async fn choose_first(
        &self,
        rack: RackPrefix,
        met: &[Met],
        key: Option<&SecretKey>,
    ) -> Result<Table, BeginError> {
        let _turn = self.proposing().await;
        let members = met.iter().map(|one| one.who.member.clone());
        let members: Vec<_> = members.chain([self.own().clone()]).collect();
        let table = Table::first(rack, &members, key)?;
        let quorum = Quorum {
            acceptors: members.iter().map(|one| one.hardware).collect(),
            size: members.len(),
        };
        let mut beaten = None;
        for _ in 0..ATTEMPTS {
            let wish = table.clone();
            let attempt = self.attempt(wish, beaten.take(), &quorum, key).await;
            match attempt.map_err(BeginError::Disagree)? {
                Outcome::Chosen(table) => {
                    self.teach(&table, &quorum.acceptors, key).await;
                    return Ok(table);
                }
                Outcome::Alone(silent) => return Err(BeginError::Silent(silent)),
                Outcome::Beaten(ballot) => beaten = Some(ballot),
            }
            pause().await;
        }
        let others = "another node begins it at the same time".to_owned();
        Err(BeginError::Disagree(others))
    }

    /// Gives the keepers the rack's key, and every node its /64.
    async fn tell_all(
        &self,
        table: &Table,
        met: &[Met],
        key: Option<&SecretKey>,
    ) -> Result<(), BeginError> {
        let mut untold = Vec::new();
        let mut telling = JoinSet::new();
        for one in met {
            let member = &one.who.member;
            let Some(given) = table.of(&member.identity) else {
                // It came after the table was made, and asks the keepers on its own.
                continue;
            };
            let mut calls = vec![Call::Assign(given.clone())];
            if key.is_some() && table.keepers.contains(&member.identity) {
                match sealed(one, key) {
                    Ok(sealed) => calls.insert(0, Call::Keep(sealed)),
                    Err(why) => untold.push(format!("{}: {why}", member.identity)),
                }
            }
            let (rack, member, key) = (self.clone(), member.clone(), key.cloned());
            telling.spawn(async move { rack.tell(&member, calls, key.as_ref()).await });
        }
        if let Some(key) = key.filter(|_| table.keepers.contains(&self.own().identity)) {
            let kept = self.kept().await.keep(key.clone());
            let kept = kept.map_err(|error| format!("{}: {error}", self.own().identity));
            untold.extend(kept.err());
        }
        if let Some(given) = table.of(&self.own().identity) {
            let given = self.assign(given.clone()).await;
            untold.extend(given.err());
        }
        while let Some(told) = telling.join_next().await {
            untold.extend(told.ok().and_then(Result::err));
        }
        if untold.is_empty() {
            Ok(())
        } else {
            Err(BeginError::Untold(untold))
        }
    }

    async fn tell(
        &self,
        member: &Member,
        calls: Vec<Call>,
        key: Option<&SecretKey>,
    ) -> Result<(), String> {
        for call in calls {
            let told = self.line().call(member.hardware, &call, key).await;
            told.map_err(|error| format!("{}: {error}", member.identity))?;
        }
        Ok(())
    }
}

/// The rack's key, sealed for this node; nothing in unsigned mode.
pub(super) fn sealed(to: &Met, key: Option<&SecretKey>) -> Result<Vec<u8>, String> {
    let (Some(key), Caller::Node(node)) = (key, &to.caller) else {
        return Ok(Vec::new());
    };
    let pem = key.to_pem().map_err(|error| error.to_string())?;
    let drawn = random::bytes().map_err(|error| error.to_string())?;
    let sealed = seal(&node.key, drawn, KEY_PURPOSE, pem.as_ref().as_bytes());
    sealed.map_err(|error| error.to_string())
}
