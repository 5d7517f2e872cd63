//! Where a daemon listens.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a daemon listens: `http://HOST:PORT`, or the path of a unix socket.
#[derive(Clone)]
pub enum Endpoint {
    /// A TCP address in the clear: host and port.
    Tcp(String),
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP address with TLS.
    Tls {
        /// Host and port.
        address: String,
        /// Whom the daemon's certificate must name.
        name: ServerName<'static>,
        /// Whom the client trusts, and what it shows of itself.
        config: Arc<ClientConfig>,
    },
}

/// A text that names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither http://HOST:PORT nor the path of a unix socket")]
pub struct BadEndpoint(String);

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let bad = || BadEndpoint(text.to_owned());
        let unix = text.strip_prefix("unix:").unwrap_or(text);
        if unix.starts_with('/') || unix.starts_with("./") {
            return Ok(Self::Unix(unix.into()));
        }
        let address = text.strip_prefix("http://").unwrap_or(text);
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
        let host_is_whole = !host.contains(['/', '?', '@']) && !host.is_empty();
        if port.parse::<u16>().is_err() || !host_is_whole {
            return Err(bad());
        }
        Ok(Self::Tcp(address.to_owned()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tls { address, .. } => write!(f, "https://{address}"),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl Endpoint {
    /// What stands in requests as `Host`.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Tcp(address) | Self::Tls { address, .. } => address,
            Self::Unix(_) => "localhost",
        }
    }

    /// Opens a connection; a task serves it until both sides are done.
    pub(super) async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let connected = timeout(PATIENCE, self.open()).await;
        connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn open(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        match self {
            Self::Unix(path) => speak(UnixStream::connect(path).await?).await,
            Self::Tcp(address) => speak(tcp(address).await?).await,
            Self::Tls {
                address,
                name,
                config,
            } => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), tcp(address).await?);
                speak(stream.await?).await
            }
        }
    }
}

async fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Requests are small and waited for.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn speak<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        // Whoever waits for an answer is told the same.
        let _broken = connection.await;
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_they_are_written() {
        for (text, shown) in [
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("localhost:80", "http://localhost:80"),
            ("unix:/run/a.sock", "/run/a.sock"),
            ("./a.sock", "./a.sock"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "localhost",
            "https://a:1",
            "http://a:1/b",
            ":80",
            "a:70000",
            "http://u@a:1",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(error.to_string().contains("neither"), "{text}");
        }
    }
}
