//! The node that the router runs on.

use std::collections::BTreeMap;
use std::sync::Arc;

use rackweave_routing::ddm::session::Security;
use rackweave_routing::fabric::Input;
use rackweave_routing::rack::Member;
use rackweave_trust::Assignment;
use rackweave_types::{MacAddr, RackPrefix, Role};
use tokio::sync::{mpsc, oneshot};

use super::{Heard, Local, Rack, RackSettings, Surroundings, Trust};
use crate::config::Config;
use crate::control::Job;
use crate::world::{Info, World};

/// The node that the router runs on: what rack setup asks, the run loop answers.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    jobs: mpsc::Sender<Job>,
    own: Member,
}

impl Here {
    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut World) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(move |world| {
            // Who asked may be gone.
            let _gone = reply.send(job(world));
        });
        self.jobs.send(job).await.ok()?;
        answer.await.ok()
    }
}

impl Local for Here {
    async fn look(&self) -> Option<Surroundings> {
        let own = self.own.clone();
        self.ask(move |world| surroundings(world, own)).await
    }

    async fn assign(&self, assignment: Assignment) {
        // A router that stops learns it when it runs again: it asks the keepers.
        let _stopping = self
            .ask(move |world| world.handle(Input::Assigned(assignment)))
            .await;
    }
}

/// What the node knows of itself and around it.
fn surroundings(world: &World, own: Member) -> Surroundings {
    let sleds = world.fabric.sleds().into_iter();
    let reachable = sleds.filter(|sled| sled.is_reachable && !sled.is_self);
    Surroundings {
        prefix: world.fabric.node().prefix,
        reachable: reachable.map(|sled| sled.id.0).collect(),
        heard: heard(world, &own),
        own,
    }
}

/// The racks that others announce. A switch alone knows: to its sleds it speaks for all.
fn heard(world: &World, own: &Member) -> Vec<Heard> {
    if own.role != Role::Switch {
        return Vec::new();
    }
    let mut racks: BTreeMap<RackPrefix, Vec<MacAddr>> = BTreeMap::new();
    let mut hear = |rack, switch: MacAddr| {
        let switches = racks.entry(rack).or_default();
        if switch != own.hardware && !switches.contains(&switch) {
            switches.push(switch);
        }
    };
    for path in world.fabric.paths() {
        if let Ok(rack) = RackPrefix::try_from(path.prefix) {
            hear(rack, path.origin.0);
        }
    }
    // What it announces may be refused, and its number is taken all the same.
    for neighbor in world.fabric.neighbors() {
        if let (Some(Role::Switch), Some(prefix), Some(id)) =
            (neighbor.role, neighbor.prefix, neighbor.id)
        {
            hear(prefix.rack(), id.0);
        }
    }
    let racks = racks
        .into_iter()
        .filter(|(_, switches)| !switches.is_empty());
    racks
        .map(|(rack, switches)| Heard { rack, switches })
        .collect()
}

impl From<&Security> for Trust {
    fn from(security: &Security) -> Self {
        match security {
            Security::Unsigned => Self::Unsigned,
            Security::Signed {
                credentials,
                anchor,
            } => Self::Signed {
                credentials: Arc::clone(credentials),
                anchor: Arc::clone(anchor),
            },
        }
    }
}

/// Rack setup of the node that the router runs on.
///
/// # Errors
/// Where what it kept cannot be read.
pub(crate) fn open(
    config: &Config,
    info: &Arc<Info>,
    jobs: mpsc::Sender<Job>,
) -> anyhow::Result<Rack<Here>> {
    let who = &info.who;
    let own = Member {
        identity: who.identity.clone(),
        hardware: who.hardware,
        role: who.role,
    };
    let trust = Trust::from(&who.security);
    let settings = RackSettings {
        own: own.clone(),
        state_dir: config.state_dir.clone(),
        port: config.ports.rack,
        trust,
    };
    Ok(Rack::open(settings, Here { jobs, own })?)
}
