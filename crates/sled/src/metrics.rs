//! Counters for collectors: `OpenMetrics` over HTTP, on a loopback address or a unix socket.
//!
//! What is counted and under which names is in `docs/metrics.md`.

mod encode;
mod families;
mod http;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, UnixListener};

use crate::control::Context;

/// Where collectors come.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener),
    /// A unix socket, made as [`control::listen`](crate::control::listen) makes it.
    Unix(UnixListener),
}

impl Listener {
    /// Listens on a TCP address.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?))
    }
}

/// Serves counters until the task is dropped.
pub async fn serve(listener: Listener, context: Context) {
    http::serve(listener, context).await;
}
