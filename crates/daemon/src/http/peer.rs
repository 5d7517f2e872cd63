//! What handlers are told of whoever asks, and of the server that they serve in.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use rackweave_api::http::Problem;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use super::Refused;

/// Who asks, as the kernel and TLS prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this machine, over a unix socket.
    Unix {
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// Somebody over TCP in the clear.
    Tcp {
        /// From where.
        address: SocketAddr,
    },
    /// Somebody over TLS.
    Tls {
        /// From where.
        address: SocketAddr,
        /// The certificate that it showed and whose key it has; the server's verifier has accepted it.
        certificate: Option<Arc<CertificateDer<'static>>>,
    },
}

impl Peer {
    /// Whether it is root, or whoever runs the daemon, on this machine.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        match self {
            Self::Unix { uid, .. } => *uid == 0 || *uid == nix::unistd::geteuid().as_raw(),
            Self::Tcp { .. } | Self::Tls { .. } => false,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        let peer = parts.extensions.get::<Self>().cloned();
        peer.ok_or_else(|| Problem::internal("the request is from nobody").into())
    }
}

/// Whether the server is about to end: what waits long or streams looks at it.
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<bool>);

impl Ending {
    pub(super) const fn new(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }

    /// Waits until the server is about to end.
    pub async fn told(&mut self) {
        // A server that is gone has ended.
        let _gone = self.0.wait_for(|ending| *ending).await;
    }

    /// Whether the server is about to end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ending {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        let ending = parts.extensions.get::<Self>().cloned();
        ending.ok_or_else(|| Problem::internal("the request is outside of a server").into())
    }
}
