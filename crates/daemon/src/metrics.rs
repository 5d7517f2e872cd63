//! Counters for collectors: `OpenMetrics` over HTTP, on a loopback address or a unix socket.

mod encode;
mod http;

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, UnixListener};

pub use encode::{Family, Kind, Labels, Value, text};
pub use http::{Counted, serve};

/// Where collectors come.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener),
    /// A unix socket, made as [`listen`](crate::listen::listen) makes it.
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
