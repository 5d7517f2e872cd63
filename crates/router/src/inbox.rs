//! Where doors hand in what came from outside.

use rackweave_routing::fabric::Input;
use tokio::sync::mpsc;

/// What waits for the node's machine at most; then doors wait, and the kernel's buffers behind them.
const WAITING: usize = 4096;

/// A door's end: hands inputs to the node's machine, in order.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<Input>);

/// The machine has ended: so may the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// An inbox, and the machine's end of it.
#[must_use]
pub fn inbox() -> (Inbox, mpsc::Receiver<Input>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Inbox(sender), receiver)
}

impl Inbox {
    /// Hands in an input; waits while the machine has too much to do.
    ///
    /// # Errors
    /// Where the machine has ended.
    pub async fn tell(&self, input: Input) -> Result<(), Ended> {
        self.0.send(input).await.map_err(|_| Ended)
    }

    /// Hands in an input from a thread of its own.
    ///
    /// # Errors
    /// Where the machine has ended.
    pub fn tell_blocking(&self, input: Input) -> Result<(), Ended> {
        self.0.blocking_send(input).map_err(|_| Ended)
    }
}
