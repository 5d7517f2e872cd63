//! The thread that writes routes.

use std::pin::Pin;
use std::time::Duration;

use rackweave_linux::netlink::{Change, Monitor, NetlinkError};
use rackweave_routing::fabric::Input;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};
use tracing::{error, warn};

use super::kernel::{Kernel, full};
use super::{FibChange, PROTOCOL};
use crate::inbox::Inbox;

/// Between two looks at what the kernel holds.
const PERIOD: Duration = Duration::from_secs(10);

/// Between a change by others, or a refusal, and a look at what the kernel holds: changes come in swarms, and what made
/// them (a link that went) is told to the machine meanwhile.
const SOON: Duration = Duration::from_millis(50);

/// How many changes are made in one go.
const AT_ONCE: usize = 1024;

/// What the thread waits for.
enum Event {
    Changes,
    Look,
    /// Others changed routes of ours.
    Touched,
    /// All routes of ours are to go, and this thread with them.
    Clear(oneshot::Sender<()>),
    /// Nothing that matters.
    Nothing,
    Ended,
}

/// What it waits with.
struct Waiting {
    changes: Receiver<FibChange>,
    clear: Receiver<oneshot::Sender<()>>,
    batch: Vec<FibChange>,
    monitor: Option<Monitor>,
    period: Interval,
    /// When a look is due soon.
    soon: Option<Pin<Box<Sleep>>>,
}

/// Makes changes and looks at the table until nobody asks any more.
pub(super) fn run(
    mut kernel: Kernel,
    asked: (Receiver<FibChange>, Receiver<oneshot::Sender<()>>),
    inbox: &Inbox,
) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "no route is ever written: the thread has no runtime");
            return;
        }
    };
    let mut waiting = Waiting::new(&runtime, asked);
    let mut answers = Vec::new();
    loop {
        match runtime.block_on(waiting.event(kernel.port())) {
            Event::Changes => {
                let batch = std::mem::take(&mut waiting.batch);
                if !kernel.change(batch, &mut answers) {
                    waiting.look_soon(&runtime);
                }
            }
            Event::Look => {
                waiting.soon = None;
                match kernel.list() {
                    Ok(routes) => answers.push(Input::Kernel(routes)),
                    Err(error) => warn!(
                        error = full(&error),
                        "the kernel's routes were not looked at"
                    ),
                }
            }
            Event::Clear(done) => {
                if let Err(error) = kernel.clear() {
                    warn!(error = full(&error), "routes of ours stay in the kernel");
                }
                // Who asked may be gone.
                let _gone = done.send(());
                return;
            }
            Event::Touched => waiting.look_soon(&runtime),
            Event::Nothing => {}
            Event::Ended => return,
        }
        for answer in answers.drain(..) {
            // A machine that has ended has its routes stay, or go: this thread hears of both.
            let _ended = inbox.tell_blocking(answer);
        }
    }
}

impl Waiting {
    fn new(
        runtime: &Runtime,
        (changes, clear): (Receiver<FibChange>, Receiver<oneshot::Sender<()>>),
    ) -> Self {
        let _inside = runtime.enter();
        let monitor = Monitor::routes().inspect_err(|error| {
            warn!(
                error = full(error),
                "changes of routes by others are seen late"
            );
        });
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            changes,
            clear,
            batch: Vec::new(),
            monitor: monitor.ok(),
            period,
            soon: None,
        }
    }

    fn look_soon(&mut self, runtime: &Runtime) {
        let _inside = runtime.enter();
        self.soon.get_or_insert_with(|| Box::pin(sleep(SOON)));
    }

    /// Waits for what is to be done; the first look is due at once.
    async fn event(&mut self, own: u32) -> Event {
        tokio::select! {
            biased;
            _ = self.period.tick() => Event::Look,
            count = self.changes.recv_many(&mut self.batch, AT_ONCE) => {
                if count == 0 { Event::Ended } else { Event::Changes }
            }
            Some(done) = self.clear.recv() => Event::Clear(done),
            () = due(&mut self.soon) => Event::Look,
            touched = touched(&mut self.monitor, own) => touched.unwrap_or_else(|error| {
                warn!(error = full(&error), "changes of routes by others are seen late");
                self.monitor = None;
                Event::Nothing
            }),
        }
    }
}

async fn due(soon: &mut Option<Pin<Box<Sleep>>>) {
    match soon {
        Some(soon) => soon.await,
        None => std::future::pending().await,
    }
}

/// Waits for changes of routes, and says whether others changed ours.
async fn touched(monitor: &mut Option<Monitor>, own: u32) -> Result<Event, NetlinkError> {
    let Some(monitor) = monitor else {
        return std::future::pending().await;
    };
    let others = |change: &Change| match change {
        Change::Route { route, by } | Change::RouteGone { route, by } => {
            route.protocol == PROTOCOL && *by != own
        }
        Change::Lost => true,
        _ => false,
    };
    let changes = monitor.changes().await?;
    Ok(if changes.iter().any(others) {
        Event::Touched
    } else {
        Event::Nothing
    })
}
