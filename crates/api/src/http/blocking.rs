//! A client for programs without a runtime: commands, tools.

use std::io;

use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use super::{Answer, Call, Client, ClientError, Endpoint};

/// A client that waits for its answers. Not to be used inside of a runtime.
#[derive(Debug)]
pub struct Blocking {
    client: Client,
    runtime: Runtime,
}

impl Blocking {
    /// A client of the daemon there. Nothing is opened before something is asked.
    ///
    /// # Errors
    /// Where the kernel has no more file descriptors.
    pub fn new(endpoint: Endpoint) -> io::Result<Self> {
        Self::of(Client::new(endpoint))
    }

    /// The client, waiting for its answers.
    ///
    /// # Errors
    /// Where the kernel has no more file descriptors.
    pub fn of(client: Client) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime })
    }

    /// Whom it asks.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Asks, and waits for an answer whose body is JSON: `blocking.answer(|client| client.get("/sps"))`.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub fn answer<T: DeserializeOwned>(
        &self,
        ask: impl FnOnce(&Client) -> Call<'_>,
    ) -> Result<Answer<T>, ClientError> {
        self.wait(ask(&self.client).answer())
    }

    /// Asks, and waits until it is done.
    ///
    /// # Errors
    /// What the daemon refuses, or why it could not be asked.
    pub fn done(&self, ask: impl FnOnce(&Client) -> Call<'_>) -> Result<(), ClientError> {
        self.wait(ask(&self.client).done())
    }

    /// Waits for anything that the client is asked, streams too.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}
