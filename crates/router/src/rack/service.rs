//! Rack setup of a node: what it answers.

use std::path::PathBuf;
use std::sync::Arc;

use rackweave_routing::rack::{Member, Reply, Request, Table};
use rackweave_trust::{Assignment, SecretKey, open};
use rackweave_types::{RackPrefix, Role};
use tokio::sync::{Mutex, MutexGuard, watch};

use super::call::Line;
use super::kept::{Kept, KeptError};
use super::local::Local;
use super::message::{Answer, Call, WhoIs};
use super::proof::{Caller, Trust};
use super::serve::serve;

/// What a sealed rack's key is sealed for.
pub(crate) const KEY_PURPOSE: &[u8] = b"rackweave rack key v1";

/// What rack setup of a node is told.
#[derive(Clone, Debug)]
pub(crate) struct RackSettings {
    /// The node.
    pub(crate) own: Member,
    /// Where it keeps what outlives every restart.
    pub(crate) state_dir: PathBuf,
    /// The TCP port, the same on all nodes.
    pub(crate) port: u16,
    /// Whether calls are signed.
    pub(crate) trust: Trust,
}

/// Rack setup of a node.
#[derive(Debug)]
pub(crate) struct Rack<L>(Arc<Inner<L>>);

impl<L> Clone for Rack<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<L> {
    own: Member,
    port: u16,
    /// Changes when the node gets its next key.
    trust: watch::Sender<Trust>,
    local: L,
    kept: Mutex<Kept>,
    /// Held by who has a table chosen: attempts of one node do not beat each other.
    proposing: Mutex<()>,
}

impl<L: Local> Rack<L> {
    /// Rack setup of the node with what it kept.
    pub(crate) fn open(settings: RackSettings, local: L) -> Result<Self, KeptError> {
        let kept = Kept::read(&settings.state_dir)?;
        Ok(Self(Arc::new(Inner {
            own: settings.own,
            port: settings.port,
            trust: watch::Sender::new(settings.trust),
            local,
            kept: Mutex::new(kept),
            proposing: Mutex::new(()),
        })))
    }

    /// Serves other nodes, and asks them for a /64 where the node has none; until the task is dropped.
    pub(crate) async fn run(self) {
        // A spine is of no rack.
        if self.own().role == Role::Spine {
            return;
        }
        let arriving = self.clone().arrive();
        tokio::join!(serve(self), arriving);
    }

    pub(crate) fn own(&self) -> &Member {
        &self.0.own
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    pub(crate) fn trust(&self) -> Trust {
        self.0.trust.borrow().clone()
    }

    /// Goes over to other keys.
    pub(crate) fn rotate(&self, trust: Trust) {
        self.0.trust.send_replace(trust);
    }

    /// How this node calls others.
    pub(crate) fn line(&self) -> Line {
        Line {
            trust: self.trust(),
            port: self.0.port,
        }
    }

    pub(crate) fn local(&self) -> &L {
        &self.0.local
    }

    pub(crate) async fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().await
    }

    pub(crate) async fn proposing(&self) -> MutexGuard<'_, ()> {
        self.0.proposing.lock().await
    }

    /// Answers a call.
    pub(crate) async fn answer(&self, call: Call, caller: Caller) -> Answer {
        let answered = match call {
            Call::Who => self.who().await.map(Answer::Who),
            Call::Table => Ok(Answer::Table(
                self.kept().await.acceptor().chosen().cloned(),
            )),
            Call::Choose(request) => self.choose_as(request, &caller).await.map(Answer::Choose),
            Call::Keep(key) => self.keep(&key, &caller).await.map(|()| Answer::Done),
            Call::Assign(assignment) => self.assign(assignment).await.map(|()| Answer::Done),
            Call::Join(member) => self.admit(member, &caller).await.map(Answer::Assigned),
            Call::Begin { rack, key } => {
                let begun = self.begin_for(rack, &key, &caller).await;
                begun.map(|table| Answer::Table(Some(table)))
            }
        };
        answered.unwrap_or_else(Answer::Refused)
    }

    /// Who the node is.
    pub(crate) async fn who(&self) -> Result<WhoIs, String> {
        let around = self.local().look().await.ok_or("the router is stopping")?;
        let kept = self.kept().await;
        let table = kept.acceptor().chosen();
        let keeps = table.filter(|table| table.keepers.contains(&around.own.identity));
        Ok(WhoIs {
            keeps: keeps.map(|table| table.rack),
            keepers: table.map(Table::keepers).unwrap_or_default(),
            member: around.own,
            prefix: around.prefix,
            heard: around.heard,
        })
    }

    async fn choose_as(&self, request: Request, caller: &Caller) -> Result<Reply, String> {
        by_rack(caller)?;
        if let Request::Accept { table, .. } | Request::Learn { table } = &request {
            self.check(table)?;
        }
        self.choose_here(request).await
    }

    /// The own acceptor's answer, once it is on disk.
    pub(crate) async fn choose_here(&self, request: Request) -> Result<Reply, String> {
        let mut kept = self.kept().await;
        let changed = kept.change(|acceptor| acceptor.answer(request).0);
        changed.map_err(|error| {
            tracing::error!(%error, "the rack's table cannot be kept");
            error.to_string()
        })
    }

    /// Refuses a table that contradicts itself, or in signed mode was not made with the rack's key.
    fn check(&self, table: &Table) -> Result<(), String> {
        table.check().map_err(|error| error.to_string())?;
        if let Some((rack, key)) = self.trust().rack() {
            for given in &table.assignments {
                let verified = given.verify(rack, &key);
                verified.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// The rack's key out of a sealed box.
    fn opened(&self, sealed: &[u8]) -> Result<Option<SecretKey>, String> {
        let Trust::Signed { credentials, .. } = self.trust() else {
            return Ok(None);
        };
        let pem = open(credentials.secret(), KEY_PURPOSE, sealed);
        let pem = pem.map_err(|error| error.to_string())?;
        let key = std::str::from_utf8(&pem).ok();
        let key = key.and_then(|pem| SecretKey::from_pem(pem).ok());
        let key = key.ok_or("what is sealed is no key")?;
        self.is_rack_key(&key)?;
        Ok(Some(key))
    }

    /// Refuses another key than that of this node's rack.
    pub(crate) fn is_rack_key(&self, key: &SecretKey) -> Result<(), String> {
        match self.trust().rack() {
            Some((_, own)) if own != key.public() => Err(format!(
                "the key is not that of {}'s rack: {} instead of {own}",
                self.own().identity,
                key.public()
            )),
            _ => Ok(()),
        }
    }

    async fn keep(&self, sealed: &[u8], caller: &Caller) -> Result<(), String> {
        by_rack(caller)?;
        let Some(key) = self.opened(sealed)? else {
            return Ok(());
        };
        let kept = self.kept().await.keep(key);
        kept.map_err(|error| error.to_string())
    }

    /// Takes over this node's /64.
    pub(crate) async fn assign(&self, assignment: Assignment) -> Result<(), String> {
        let own = self.trust().own().map_err(|error| error.to_string())?;
        match own {
            Some(own) => own.assigned(&assignment),
            None => assignment.check(),
        }
        .map_err(|error| error.to_string())?;
        let to = (&assignment.identity, assignment.hardware, assignment.role);
        let own = self.own();
        if to != (&own.identity, own.hardware, own.role) {
            return Err(format!(
                "{} is {}'s, and this is {}",
                assignment.prefix, assignment.identity, own.identity
            ));
        }
        self.local().assign(assignment).await;
        Ok(())
    }

    async fn admit(&self, member: Member, caller: &Caller) -> Result<Assignment, String> {
        if let Caller::Node(node) = caller {
            let proven = (&node.identity, node.hardware, node.role);
            if proven != (&member.identity, member.hardware, member.role) {
                return Err(format!(
                    "{} asks for another node: {}",
                    node.identity, member.identity
                ));
            }
        }
        self.join(&member).await
    }

    async fn begin_for(
        &self,
        rack: RackPrefix,
        sealed: &[u8],
        caller: &Caller,
    ) -> Result<Table, String> {
        by_rack(caller)?;
        let key = self.opened(sealed)?;
        self.begin(rack, key)
            .await
            .map_err(|error| error.to_string())
    }
}

/// Refuses who does not hold the rack's key.
fn by_rack(caller: &Caller) -> Result<(), String> {
    match caller {
        Caller::Rack | Caller::Anybody => Ok(()),
        Caller::Node(node) => Err(format!(
            "{} cannot do that: it takes the rack's key",
            node.identity
        )),
    }
}
