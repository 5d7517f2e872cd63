//! The life of a simulation: doors open, and it runs until it is told to end.

use std::path::Path;
use std::thread;

use anyhow::Context as _;
use rackweave_daemon::conversation::{Service, serve};
use rackweave_daemon::dir::private_dir;
use rackweave_daemon::listen::{admit, listen};
use rackweave_daemon::lock::Lock;
use rackweave_daemon::notify;
use rackweave_linux::wake::Wake;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::control::Context;
use crate::machine::{Machine, World};

/// Requests that wait for the machine at most.
const JOBS: usize = 64;

/// Where a simulation has its socket, and who may ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors<'a> {
    pub(crate) run_dir: &'a Path,
    pub(crate) socket: &'a str,
    pub(crate) group: Option<&'a str>,
}

/// Runs a machine until SIGTERM, SIGINT, or a request says to end.
pub(crate) fn run<M: Machine, S: Service>(
    doors: Doors<'_>,
    machine: M,
    service: impl FnOnce(Context<M>) -> S,
) -> anyhow::Result<()> {
    private_dir(doors.run_dir)
        .with_context(|| format!("cannot make {}", doors.run_dir.display()))?;
    let _lock = Lock::take(doors.run_dir, S::NAME)?;
    let bell = Wake::new()?;
    let (jobs, waiting) = mpsc::channel(JOBS);
    let (stop, stopped) = mpsc::channel(1);
    let world = World::new(machine);
    let thread = {
        let bell = bell.clone();
        let name = thread::Builder::new().name("machine".into());
        name.spawn(move || world.run(waiting, &bell))?
    };
    let context = Context {
        jobs,
        bell: bell.clone(),
        stop,
        program: rackweave_daemon::program(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(attend(doors, service(context), stopped));
    // With the runtime go the clients, and with them the last who could send a job.
    drop(runtime);
    bell.wake();
    let machine = thread.join();
    ended?;
    machine.map_err(|_| anyhow::anyhow!("the machine broke"))??;
    Ok(())
}

async fn attend<S: Service>(
    doors: Doors<'_>,
    service: S,
    mut stopped: mpsc::Receiver<()>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    if let Some(group) = doors.group {
        admit(doors.run_dir, group)?;
    }
    let control = listen(&doors.run_dir.join(doors.socket), doors.group)?;
    tokio::spawn(serve(control, service));
    tell_manager(notify::ready("simulating"));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = stopped.recv() => {}
    }
    tell_manager(notify::stopping("ending"));
    Ok(())
}

/// The service manager may be gone; the simulation goes on.
fn tell_manager(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::warn!(%error, "the service manager does not listen");
    }
}
