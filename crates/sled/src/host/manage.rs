//! Brings the sled to a host state: the one place that tells workers and devices what to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rackweave_engine::{Existing, Port, Program};
use rackweave_linux::clock;
use rackweave_types::PortId;
use rackweave_types::state::HostState;
use tokio::sync::watch;

use super::compile::{Compiled, compile};
use super::error::HostErrors;
use super::steps::{Joint, Step, joints, steps};
use super::{Applied, PortStatus, Snapshot, kept, read};
use crate::journal::{Keep, Making, Origin};
use crate::queue::Queue;
use crate::worker::PortSlot;
use crate::workers::Workers;

/// Opens and closes guests' devices.
pub trait Devices: Send {
    /// Opens the device of a port: a queue for each worker at most.
    ///
    /// # Errors
    /// Why the guest has no network now; it is tried again.
    fn open(
        &mut self,
        id: PortId,
        joint: &Joint,
        workers: u16,
    ) -> Result<Vec<Box<dyn Queue>>, String>;

    /// The port's queues come back from the workers, and its device is not wanted any longer.
    fn close(&mut self, id: PortId, queues: Vec<Box<dyn Queue>>);
}

/// What the host state is managed with.
#[derive(Debug)]
pub struct HostSettings {
    /// Where journals and frozen ports are.
    pub keep: Keep,
    /// The boot's secret.
    pub secret: [u64; 2],
    /// Where the last state is kept.
    pub state_dir: PathBuf,
    /// The file to read again when asked to.
    pub file: Option<PathBuf>,
}

/// A program that a port gets.
struct Installed {
    id: PortId,
    program: Arc<Program>,
    existing: Existing,
}

impl Installed {
    fn of(id: PortId, new: &Compiled) -> Self {
        let port = &new.ports[&id];
        Self {
            id,
            program: Arc::clone(&port.program),
            existing: port.existing,
        }
    }
}

/// The host state as it runs.
pub struct Host {
    settings: HostSettings,
    workers: Workers,
    devices: Box<dyn Devices>,
    /// The workers' queues to the wire, until there are ports.
    wire: Vec<Box<dyn Queue>>,
    applied: Option<Compiled>,
    origins: BTreeMap<PortId, (Origin, u32)>,
    attached: BTreeMap<PortId, Joint>,
    /// Ports whose device could not be opened, and why.
    unattached: BTreeMap<PortId, String>,
    refused: Option<Arc<HostErrors>>,
    publish: watch::Sender<Option<Arc<HostState>>>,
}

impl Host {
    /// Nothing runs yet. Workers get their queues of `wire` when the first state's ports are there: until then, what
    /// arrives waits and is not lost. Each state that is applied is published.
    #[must_use]
    pub fn new(
        settings: HostSettings,
        workers: Workers,
        devices: Box<dyn Devices>,
        wire: Vec<Box<dyn Queue>>,
        publish: watch::Sender<Option<Arc<HostState>>>,
    ) -> Self {
        Self {
            settings,
            workers,
            devices,
            wire,
            applied: None,
            origins: BTreeMap::new(),
            attached: BTreeMap::new(),
            unattached: BTreeMap::new(),
            refused: None,
            publish,
        }
    }

    /// Brings the sled to a state. Where the state is wrong, nothing is changed.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn apply(&mut self, state: HostState) -> Result<Applied, HostErrors> {
        let compiled = compile(state, self.applied.as_ref(), clock::now()).map_err(HostErrors::of);
        let done = compiled.and_then(|compiled| self.change(compiled));
        self.refused = done.as_ref().err().cloned().map(Arc::new);
        done
    }

    /// Reads the host-state file again and brings the sled to it.
    ///
    /// # Errors
    /// What is wrong with it, with file and lines.
    pub fn reload(&mut self) -> Result<Applied, HostErrors> {
        let Some(file) = self.settings.file.clone() else {
            return Err(HostErrors::whole(
                "the sled was started without a host-state file; give it one with `rackweave sled apply FILE`",
            ));
        };
        let done = read::text(&file).and_then(|text| {
            let state = read::parse(&text);
            let done = state.and_then(|state| self.apply(state));
            done.map_err(|errors| errors.in_file(&file, &text))
        });
        self.refused = done.as_ref().err().cloned().map(Arc::new);
        done
    }

    /// Opens the devices again that could not be opened before.
    pub fn retry(&mut self) {
        let Some(applied) = &self.applied else {
            return;
        };
        let joints = joints(&applied.state);
        let missing: Vec<_> = self.unattached.keys().copied().collect();
        for id in missing {
            if let Some(joint) = joints.get(&id) {
                self.attach(id, joint.clone());
            }
        }
    }

    /// What is applied.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let status = |id: &PortId| {
            let restored = self.origins.get(id).map_or(0, |(_, restored)| *restored);
            let attached = if self.attached.contains_key(id) {
                Some(true)
            } else {
                self.unattached.get(id).map(|_| false)
            };
            let status = PortStatus {
                restored,
                attached,
                fault: self.unattached.get(id).cloned(),
            };
            (*id, status)
        };
        let applied = self.applied.as_ref();
        Snapshot {
            state: applied.map(|applied| Arc::clone(&applied.state)),
            ports: applied.map_or_else(BTreeMap::new, |applied| {
                applied.ports.keys().map(status).collect()
            }),
            refused: self.refused.clone(),
        }
    }

    /// How each port came to be.
    #[must_use]
    pub fn origins(&self) -> BTreeMap<PortId, Origin> {
        let origins = self.origins.iter();
        origins.map(|(id, (origin, _))| (*id, *origin)).collect()
    }

    /// Ends: the workers stop and what they know is written down for the next process. Devices stay.
    pub fn stop(self) {
        let mut ports: BTreeMap<PortId, Vec<Vec<u8>>> = BTreeMap::new();
        let now = clock::now();
        for mut worker in self.workers.stop() {
            for id in worker.port_ids() {
                if let Some(slot) = worker.remove_port(id) {
                    ports.entry(id).or_default().push(slot.shard.freeze(now));
                }
            }
        }
        for (id, parts) in ports {
            if let Err(error) = self.settings.keep.freeze(id, &parts) {
                tracing::warn!(port = %id, %error, "the port is not frozen; its journal is used instead");
            }
        }
    }

    fn change(&mut self, new: Compiled) -> Result<Applied, HostErrors> {
        let first = self.applied.is_none();
        let steps = steps(self.applied.as_ref(), &new);
        let mut made = self.make(&steps, &new)?;
        let joints = joints(&new.state);
        let mut installs = Vec::new();
        for step in &steps {
            match *step {
                Step::Remove(id) => self.remove(id),
                Step::Detach(id) => self.detach(id),
                Step::Add(id) => self.add(id, &new, made.remove(&id)),
                Step::Rebuild(id) => {
                    self.rebuild(id, &new);
                    // It runs its program already; this cuts what that forbids.
                    if new.ports[&id].existing == Existing::Cut {
                        installs.push(Installed::of(id, &new));
                    }
                }
                Step::Install(id) => installs.push(Installed::of(id, &new)),
                Step::Attach(_) => {}
            }
        }
        self.install(installs);
        for (index, wire) in (0_u16..).zip(std::mem::take(&mut self.wire)) {
            self.on(index, move |worker| worker.connect(wire));
        }
        for step in &steps {
            if let Step::Attach(id) = step
                && let Some(joint) = joints.get(id)
            {
                self.attach(*id, joint.clone());
            }
        }
        if first {
            self.forget_others(&new);
        }
        let applied = tally(&steps, &new);
        let state = Arc::clone(&new.state);
        self.applied = Some(new);
        if let Err(error) = kept::keep(&self.settings.state_dir, &state) {
            tracing::error!(%error, "the state is applied, but not kept for the next start");
        }
        self.publish.send_replace(Some(state));
        Ok(applied)
    }

    /// Makes the ports that are new, which can fail; nothing is changed yet.
    fn make(
        &self,
        steps: &[Step],
        new: &Compiled,
    ) -> Result<BTreeMap<PortId, (Port, Origin)>, HostErrors> {
        let mut made = BTreeMap::new();
        for step in steps {
            let Step::Add(id) = *step else {
                continue;
            };
            let port = &new.ports[&id];
            let making = Making {
                id,
                shards: self.workers.count(),
                secret: self.settings.secret,
                limits: port.limits,
                program: &port.program,
                now: clock::now(),
            };
            let port = self.settings.keep.restore(&making);
            let port = port.map_err(|error| HostErrors::whole(format!("port {id}: {error}")))?;
            made.insert(id, port);
        }
        Ok(made)
    }

    fn add(&mut self, id: PortId, new: &Compiled, made: Option<(Port, Origin)>) {
        let Some((port, origin)) = made else {
            return;
        };
        self.origins.insert(id, (origin, port.flow_count()));
        self.serve(id, new, port, Vec::new());
    }

    /// Gives the shards of a port to the workers, each with its journal.
    fn serve(
        &mut self,
        id: PortId,
        new: &Compiled,
        port: Port,
        guests: Vec<Option<Box<dyn Queue>>>,
    ) {
        let mac = new.ports[&id].mac;
        let mut guests = guests.into_iter();
        for (index, mut shard) in (0_u16..).zip(port.into_shards()) {
            let journal = self
                .settings
                .keep
                .begin(id, index, &mut shard, clock::now());
            if let Err(error) = &journal {
                tracing::error!(port = %id, %error, "a kill would lose this port's connections");
            }
            let slot = PortSlot {
                id,
                mac,
                shard,
                guest: guests.next().flatten(),
                journal: journal.ok(),
            };
            self.on(index, move |worker| worker.add_port(slot));
        }
        self.settings.keep.settle(id, self.workers.count());
    }

    /// Takes a port's shards and queues from the workers.
    fn take(&self, id: PortId) -> Vec<PortSlot> {
        let slots = self
            .workers
            .run_on_all(move |worker| worker.remove_port(id));
        slots.into_iter().flatten().flatten().collect()
    }

    fn remove(&mut self, id: PortId) {
        let queues = self.take(id).into_iter().filter_map(|slot| slot.guest);
        let queues = queues.collect();
        self.devices.close(id, queues);
        self.attached.remove(&id);
        self.unattached.remove(&id);
        self.origins.remove(&id);
        self.settings.keep.forget(id);
    }

    /// A port of other limits or another address, with the connections of the one before.
    fn rebuild(&mut self, id: PortId, new: &Compiled) {
        let now = clock::now();
        let slots = self.take(id);
        let frozen: Vec<_> = slots.iter().map(|slot| slot.shard.freeze(now)).collect();
        let parts: Vec<&[u8]> = frozen.iter().map(Vec::as_slice).collect();
        let port = &new.ports[&id];
        let (shards, secret) = (self.workers.count(), self.settings.secret);
        let thawed = Port::thaw(shards, secret, port.limits, &port.program, &parts, now);
        match thawed {
            Ok(thawed) => {
                let guests = slots.into_iter().map(|slot| slot.guest).collect();
                self.serve(id, new, thawed, guests);
            }
            Err(error) => {
                tracing::error!(port = %id, %error, "the port keeps its old limits");
                for (index, slot) in (0_u16..).zip(slots) {
                    self.on(index, move |worker| worker.add_port(slot));
                }
                self.install(vec![Installed::of(id, new)]);
            }
        }
    }

    /// Every worker gets all new programs between two batches.
    fn install(&self, programs: Vec<Installed>) {
        if programs.is_empty() {
            return;
        }
        let programs = Arc::new(programs);
        let done = self.workers.run_on_all(move |worker| {
            for new in programs.iter() {
                worker.install(new.id, &new.program, new.existing);
            }
        });
        if let Err(error) = done {
            tracing::error!(%error, "a worker runs the programs of before");
        }
    }

    fn attach(&mut self, id: PortId, joint: Joint) {
        let queues = match self.devices.open(id, &joint, self.workers.count()) {
            Ok(queues) => queues,
            Err(fault) => {
                if self.unattached.get(&id) != Some(&fault) {
                    tracing::warn!(port = %id, fault, "the guest has no network; it is tried again");
                }
                self.unattached.insert(id, fault);
                return;
            }
        };
        for (index, queue) in (0_u16..).zip(queues) {
            self.on(index, move |worker| worker.attach(id, queue));
        }
        self.unattached.remove(&id);
        self.attached.insert(id, joint);
    }

    fn detach(&mut self, id: PortId) {
        let queues = self.workers.run_on_all(move |worker| worker.detach(id));
        let queues = queues.into_iter().flatten().flatten().collect();
        self.devices.close(id, queues);
        self.attached.remove(&id);
        self.unattached.remove(&id);
    }

    /// What the process before left of ports that are not there any longer.
    fn forget_others(&self, new: &Compiled) {
        let here: BTreeSet<_> = new.ports.keys().copied().collect();
        for id in self.settings.keep.left() {
            if !here.contains(&id) {
                self.settings.keep.forget(id);
            }
        }
    }

    fn on(&self, index: u16, job: impl FnOnce(&mut crate::worker::Worker) + Send + 'static) {
        if let Err(error) = self.workers.run(index, job) {
            tracing::error!(%error, "a change did not reach it");
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("settings", &self.settings)
            .field("attached", &self.attached)
            .field("unattached", &self.unattached)
            .finish_non_exhaustive()
    }
}

fn tally(steps: &[Step], new: &Compiled) -> Applied {
    let mut added = BTreeSet::new();
    let mut changed = BTreeSet::new();
    let mut removed = 0;
    for step in steps {
        match *step {
            Step::Remove(_) => removed += 1,
            Step::Add(id) => {
                added.insert(id);
            }
            Step::Detach(id) | Step::Rebuild(id) | Step::Install(id) | Step::Attach(id) => {
                changed.insert(id);
            }
        }
    }
    let changed = changed.difference(&added).count();
    Applied {
        generation: new.state.generation,
        added: added.len(),
        changed,
        removed,
        unchanged: new.ports.len() - added.len() - changed,
    }
}
