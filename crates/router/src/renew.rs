//! The node's next key: read when the router is told to (SIGHUP), and no session is lost by it.

use std::io;

use rackweave_linux::clock;
use rackweave_routing::fabric::{Event, EventKind};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::control::Context;
use crate::rack::Trust;

/// What the router is told with.
///
/// # Errors
/// Where the system takes no handler.
pub(crate) fn told() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reads the keys again whenever it is told to; until the router ends.
pub(crate) async fn renew(mut told: Signal, config: Config, context: Context) {
    while told.recv().await.is_some() {
        let read = context.info.who.renewed(&config);
        let done = match read {
            Ok(security) => {
                context.rack.rotate(Trust::from(&security));
                context.ask(move |world| world.rotate(security)).await
            }
            Err(error) => {
                let what = format!("the keys stay as they are: {error:#}");
                let event = Event {
                    at: clock::now(),
                    kind: EventKind::Refused,
                    what,
                };
                context.ask(move |world| world.tell(&event)).await
            }
        };
        if done.is_err() {
            return;
        }
    }
}
