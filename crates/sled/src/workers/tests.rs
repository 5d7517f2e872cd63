//! Workers as threads.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use rackweave_engine::Frame;
use rackweave_linux::clock;
use rackweave_testkit::vpc::Scene;
use rackweave_types::state::PortConfig;
use tokio::sync::mpsc;

use super::{PollMode, StartError, WorkerGone, WorkerSettings, Workers};
use crate::queue::memory::Memory;
use crate::queue::{Losses, Queue, Sent};
use crate::worker::testing::{LINE, datagram, settings, slots, wires};

/// Long enough for the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// Asks until there is an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = clock::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(clock::now().since(begin) < DEADLINE, "no {what}");
        std::thread::yield_now();
    }
}

fn start(settings: WorkerSettings, wire: Vec<Box<dyn Queue>>) -> Workers {
    Workers::start(settings, wire, mpsc::channel(16).0).unwrap()
}

/// Gives all workers their slot of a port; the guest's end of its one queue.
fn serve(scene: &Scene, workers: &Workers, port: &PortConfig) -> Memory {
    let (slots, mut ends) = slots(scene, port, workers.count(), 1, LINE);
    for (index, slot) in (0..).zip(slots) {
        workers
            .run(index, move |worker| worker.add_port(slot))
            .unwrap();
    }
    ends.remove(0)
}

#[test]
fn guests_talk_whatever_the_workers_do_meanwhile() {
    let scene = Scene::new().unwrap();
    for (mode, count) in [
        (PollMode::Block, 1),
        (PollMode::Adaptive, 2),
        (PollMode::Block, 4),
    ] {
        let (left, right) = wires(count, LINE);
        let one = start(settings(&scene, 0, count, mode), left);
        let other = start(settings(&scene, 1, count, mode), right);
        let mut test = serve(&scene, &one, &scene.test);
        let mut db = serve(&scene, &other, &scene.db);
        for number in 0..50_u16 {
            let ports = (1000 + number % 7, 2000);
            test.send(&datagram(&scene.test, &scene.db, ports, b"ping"));
            wait_for("ping", || db.take());
            db.send(&datagram(&scene.db, &scene.test, (2000, ports.0), b"pong"));
            wait_for("pong", || test.take());
        }
        let slept = |workers: &Workers| {
            let all = workers.run_on_all(|worker| worker.status()).unwrap();
            all.iter().map(|status| status.sleeps).sum::<u64>()
        };
        wait_for("sleep", || (slept(&one) > 0).then_some(()));
        for workers in [one, other] {
            let stopped = workers.stop();
            assert_eq!(stopped.len(), usize::from(count));
            for mut worker in stopped {
                assert_eq!(worker.port_ids().len(), 1);
                let id = worker.port_ids()[0];
                assert!(worker.remove_port(id).is_some());
            }
        }
    }
}

/// A guest that never stops sending.
#[derive(Debug)]
struct Flood(Frame);

impl Queue for Flood {
    fn receive(&mut self, frames: &mut [Frame]) -> io::Result<usize> {
        for frame in &mut *frames {
            frame.fill(self.0.bytes());
        }
        Ok(frames.len())
    }

    fn send(&mut self, _frame: &Frame) -> Sent {
        Sent::Full
    }

    fn flush(&mut self) {}

    fn wait_on(&self, _wait: &mut dyn FnMut(BorrowedFd<'_>)) {}

    fn losses(&self) -> Losses {
        Losses::default()
    }
}

#[test]
fn jobs_run_while_a_guest_floods() {
    let scene = Scene::new().unwrap();
    let workers = start(settings(&scene, 1, 1, PollMode::Adaptive), Vec::new());
    let mut db = serve(&scene, &workers, &scene.db);
    let _web = serve(&scene, &workers, &scene.web);
    let frame = datagram(&scene.web, &scene.test, (1000, 2000), b"flood");
    let web = scene.web.id;
    workers
        .run(0, move |worker| worker.attach(web, Box::new(Flood(frame))))
        .unwrap();
    let seen = |workers: &Workers| {
        let status = workers.run(0, |worker| worker.status()).unwrap();
        status.totals.guest_in.frames
    };
    let first = seen(&workers);
    wait_for("flood", || (seen(&workers) > first + 10_000).then_some(()));
    // Another guest has its turn all the same.
    db.send(&datagram(&scene.db, &scene.web, (1, 2), b"x"));
    wait_for("turn", || (db.waiting() == 0).then_some(()));
    let stopped = workers.stop();
    let totals = stopped[0].status().totals;
    assert_eq!(totals.unaccounted(), 0, "{totals:?}");
    assert!(totals.drops.wire_absent > 10_000);
}

#[test]
fn a_stopped_worker_is_gone_for_other_handles() {
    let scene = Scene::new().unwrap();
    let workers = start(settings(&scene, 0, 2, PollMode::Block), Vec::new());
    let other = workers.clone();
    assert_eq!(
        other.run_on_all(|worker| worker.port_ids().len()),
        Ok(vec![0, 0])
    );
    assert_eq!(workers.stop().len(), 2);
    assert_eq!(other.run(1, |_| ()), Err(WorkerGone(1)));
    assert_eq!(other.run(2, |_| ()), Err(WorkerGone(2)));
    assert!(other.stop().is_empty());
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let scene = Scene::new().unwrap();
    let start = |count, cpus, wires| {
        let settings = WorkerSettings {
            cpus,
            ..settings(&scene, 0, count, PollMode::Block)
        };
        Workers::start(settings, wires, mpsc::channel(1).0).unwrap_err()
    };
    assert!(matches!(start(3, None, Vec::new()), StartError::Count(3)));
    assert!(matches!(start(0, None, Vec::new()), StartError::Count(0)));
    assert!(matches!(
        start(1, Some(Vec::new()), Vec::new()),
        StartError::NoCpu
    ));
    let error = start(1, None, wires(2, 1).0);
    assert_eq!(
        error.to_string(),
        "2 queues to the wire for 1 workers: at most one each"
    );
}

/// Set in the process that is to die.
const DIE: &str = "RACKWEAVE_TEST_WORKER_PANICS";

#[test]
fn a_panic_in_a_worker_ends_the_process() {
    if std::env::var_os(DIE).is_some() {
        let scene = Scene::new().unwrap();
        let workers = start(settings(&scene, 0, 1, PollMode::Block), Vec::new());
        workers.run(0, |_| panic!("a job gone wrong")).unwrap();
        return;
    }
    let died = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "workers::tests::a_panic_in_a_worker_ends_the_process",
        ])
        .arg("--nocapture")
        .env(DIE, "1")
        .output()
        .unwrap();
    // SIGABRT.
    assert_eq!(died.status.signal(), Some(6), "{died:?}");
    let said = String::from_utf8_lossy(&died.stderr).into_owned();
    assert!(said.contains("a job gone wrong"), "{said}");
}
