//! Hosts with real workers, lines in memory instead of devices, and a directory that outlives them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc::SyncSender};

use rackweave_engine::{Direction, Frame};
use rackweave_testkit::exchange::from_guest;
use rackweave_testkit::packet;
use rackweave_testkit::vpc::SECRET;
use rackweave_types::PortId;
use rackweave_types::state::{Device, HostState};
use tokio::sync::{mpsc, watch};

use super::super::manage::{Devices, Host, HostSettings};
use super::super::steps::Joint;
use super::super::{Applied, kept};
use super::{DB, WEB, state};
use crate::journal::{Keep, Origin};
use crate::queue::Queue;
use crate::queue::memory::Memory;
use crate::workers::{PollMode, WorkerSettings, Workers};

/// Devices that are lines in memory; those named are not there.
struct Lines {
    missing: Vec<String>,
    opened: SyncSender<(PortId, Memory)>,
}

impl Devices for Lines {
    fn open(
        &mut self,
        id: PortId,
        joint: &Joint,
        _workers: u16,
    ) -> Result<Vec<Box<dyn Queue>>, String> {
        if let Some(Device::Tap(tap)) = &joint.device
            && let Some(at) = self
                .missing
                .iter()
                .position(|name| name == tap.name.as_str())
        {
            self.missing.remove(at);
            return Err("there is no such namespace".to_owned());
        }
        let (ours, theirs) = Memory::line(64);
        self.opened
            .send((id, theirs))
            .map_err(|error| error.to_string())?;
        Ok(vec![Box::new(ours)])
    }

    fn close(&mut self, _id: PortId, _queues: Vec<Box<dyn Queue>>) {}
}

struct Rig {
    host: Host,
    workers: Workers,
    opened: std::sync::mpsc::Receiver<(PortId, Memory)>,
    published: watch::Receiver<Option<Arc<HostState>>>,
}

/// A host in this directory, on so many workers.
fn host(dir: &Path, count: u16, missing: &[&str]) -> Rig {
    let settings = WorkerSettings {
        count,
        cpus: None,
        poll: PollMode::Block,
        sled: state().underlay.sled,
    };
    let (punts, _agent) = mpsc::channel(16);
    let workers = Workers::start(settings, Vec::new(), punts).unwrap();
    let (publish, published) = watch::channel(None);
    let (give, opened) = std::sync::mpsc::sync_channel(16);
    let devices = Lines {
        missing: missing.iter().map(ToString::to_string).collect(),
        opened: give,
    };
    let settings = HostSettings {
        keep: Keep::new(dir).unwrap(),
        secret: SECRET,
        state_dir: dir.to_path_buf(),
        file: Some(dir.join("given.json")),
    };
    let host = Host::new(
        settings,
        workers.clone(),
        Box::new(devices),
        Vec::new(),
        publish,
    );
    Rig {
        host,
        workers,
        opened,
        published,
    }
}

impl Rig {
    /// Opens connections of `web` to the outside.
    fn talk(&self, connections: u16) {
        let sent = self.workers.run_on_all(move |worker| {
            let now = worker.now();
            for number in 0..connections {
                let web = state().ports.remove(0);
                let ends = from_guest(&web, "10.0.1.6", "10.0.1.5").unwrap();
                let syn = packet::tcp(&ends, (1000 + number, 80), packet::flag::SYN, b"");
                let mut frame = Frame::new(&syn);
                if let Some(shard) = worker.shard_mut(WEB) {
                    let _verdict = shard.process(Direction::Out, &mut frame, now);
                }
            }
        });
        sent.unwrap();
    }

    fn connections(&self) -> u32 {
        let counts = self.workers.run_on_all(|worker| {
            let shard = worker.shard(WEB);
            shard.map_or(0, rackweave_engine::Shard::flow_count)
        });
        counts.unwrap().into_iter().sum()
    }
}

#[test]
fn a_state_is_applied_kept_and_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = host(dir.path(), 2, &[]);
    let applied = rig.host.apply(state()).unwrap();
    assert_eq!((applied.added, applied.changed, applied.removed), (2, 0, 0));
    assert_eq!(rig.opened.try_recv().unwrap().0, WEB);
    assert_eq!(rig.published.borrow_and_update().as_deref(), Some(&state()));
    let (kept, wrong) = kept::first(None, dir.path()).unwrap();
    assert_eq!((kept, wrong), (state(), None));
    let again = rig.host.apply(state()).unwrap();
    let unchanged = Applied {
        generation: state().generation,
        unchanged: 2,
        ..Applied::default()
    };
    assert_eq!(again, unchanged);
    rig.host.stop();
}

#[test]
fn a_wrong_file_changes_nothing_and_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = host(dir.path(), 1, &[]);
    rig.host.apply(state()).unwrap();
    let mut wrong = state();
    wrong.ports[0].addresses.clear();
    wrong.ports.remove(1);
    let text = serde_json::to_string_pretty(&wrong).unwrap();
    std::fs::write(dir.path().join("given.json"), &text).unwrap();
    let errors = rig.host.reload().unwrap_err();
    let told = errors.to_string();
    assert!(told.contains("given.json"), "{told}");
    assert!(told.contains("ports[0].addresses"), "{told}");
    let line = text
        .lines()
        .position(|line| line.contains("\"addresses\""))
        .unwrap();
    assert_eq!(
        errors.errors[0].line,
        Some(u32::try_from(line + 1).unwrap())
    );
    let snapshot = rig.host.snapshot();
    assert_eq!(snapshot.state.as_deref(), Some(&state()));
    assert_eq!(snapshot.refused.as_deref(), Some(&errors));
    assert_eq!(snapshot.ports.len(), 2);
    let (kept, _) = kept::first(None, dir.path()).unwrap();
    assert_eq!(kept, state(), "what is kept is what runs");
    rig.host.stop();
}

#[test]
fn a_missing_device_costs_its_guest_alone_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = host(dir.path(), 1, &["tap-web"]);
    rig.host.apply(state()).unwrap();
    let web = |rig: &Rig| rig.host.snapshot().ports[&WEB].clone();
    assert_eq!(web(&rig).attached, Some(false));
    assert_eq!(
        web(&rig).fault.as_deref(),
        Some("there is no such namespace")
    );
    assert_eq!(rig.host.snapshot().ports[&DB].attached, None);
    rig.host.retry();
    assert_eq!(web(&rig).attached, Some(true));
    assert_eq!(web(&rig).fault, None);
    rig.host.stop();
}

#[test]
fn connections_outlive_a_planned_stop_and_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = host(dir.path(), 2, &[]);
    first.host.apply(state()).unwrap();
    first.talk(20);
    assert_eq!(first.connections(), 20);
    first.host.stop();

    let mut second = host(dir.path(), 1, &[]);
    second.host.apply(state()).unwrap();
    assert_eq!(second.connections(), 20, "thawed, into fewer shards");
    assert_eq!(second.host.snapshot().ports[&WEB].restored, 20);
    // A kill: nothing is frozen, only the journals are there.
    for worker in second.workers.stop() {
        drop(worker);
    }
    drop(second.host);

    let mut third = host(dir.path(), 4, &[]);
    third.host.apply(state()).unwrap();
    assert_eq!(third.connections(), 20, "recovered, into more shards");
    third.host.stop();
}

#[test]
fn a_port_that_goes_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = host(dir.path(), 2, &[]);
    rig.host.apply(state()).unwrap();
    rig.talk(3);
    let mut without = state();
    without.ports.remove(0);
    without.attachments.clear();
    assert_eq!(rig.host.apply(without).unwrap().removed, 1);
    rig.host.apply(state()).unwrap();
    assert_eq!(rig.connections(), 0);
    assert_eq!(Keep::new(dir.path()).unwrap().left(), [WEB, DB]);
    rig.host.stop();
}

#[test]
fn limits_change_and_connections_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = host(dir.path(), 1, &[]);
    rig.host.apply(state()).unwrap();
    rig.talk(7);
    let mut more = state();
    more.ports[0].limits.flows = Some(128);
    assert_eq!(rig.host.apply(more).unwrap().changed, 1);
    assert_eq!(rig.connections(), 7);
    rig.host.stop();
}

#[test]
fn origins_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let origins: BTreeMap<_, _> = [(WEB, Origin::New), (DB, Origin::New)].into();
    let mut rig = host(dir.path(), 1, &[]);
    rig.host.apply(state()).unwrap();
    assert_eq!(rig.host.origins(), origins);
    rig.host.stop();
    let mut rig = host(dir.path(), 1, &[]);
    rig.host.apply(state()).unwrap();
    assert!(
        rig.host
            .origins()
            .values()
            .all(|origin| *origin == Origin::Frozen)
    );
    rig.host.stop();
}
