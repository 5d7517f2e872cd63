//! Connections: a task for each, bounded in number, size and time.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Method;
use axum::response::Response;
use axum::{Router, http};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rackweave_api::http::REQUEST_ID;
use rackweave_linux::clock;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::{Api, Ending, Peer, RequestId, refused};

/// Where clients come.
#[derive(Debug)]
pub enum Listener {
    /// TCP in the clear.
    Tcp(TcpListener),
    /// A unix socket, made as [`listen`](crate::listen::listen) makes it.
    Unix(UnixListener),
    /// TCP with TLS; whether clients must show a certificate, and whose, the configuration says.
    Tls(TcpListener, Arc<ServerConfig>),
}

impl Listener {
    /// Listens on a TCP address in the clear.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?))
    }

    /// Listens on a TCP address with TLS.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub async fn tls(address: SocketAddr, config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Self::Tls(TcpListener::bind(address).await?, config))
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => Ok(Stream::Tcp(listener.accept().await?)),
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
            Self::Tls(listener, config) => {
                let accepted = listener.accept().await?;
                Ok(Stream::Tls(accepted, Arc::clone(config)))
            }
        }
    }
}

enum Stream {
    Tcp((TcpStream, SocketAddr)),
    Unix(UnixStream),
    Tls((TcpStream, SocketAddr), Arc<ServerConfig>),
}

/// How much is taken from clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; who comes then waits to be accepted.
    pub connections: usize,
    /// The most octets of a request's body; a route may say otherwise by axum's `DefaultBodyLimit`.
    pub body: usize,
    /// How long a TLS handshake and a request's head may take, and so how long a connection may be idle.
    pub patience: Duration,
    /// How long requests that are being answered at the end may still take.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            body: 1024 * 1024,
            patience: Duration::from_mins(1),
            farewell: Duration::from_secs(5),
        }
    }
}

/// An API that is served.
#[derive(Clone, Debug)]
pub struct Server {
    router: Router,
    limits: Limits,
}

impl Server {
    /// A server of this API.
    #[must_use]
    pub fn new(api: Api, limits: Limits) -> Self {
        Self {
            router: api.router.layer(DefaultBodyLimit::max(limits.body)),
            limits,
        }
    }

    /// Answers a request as if it had come from this peer: for tests of handlers, without a socket.
    pub async fn answer(&self, request: Request, peer: Peer) -> Response {
        let (_tell, told) = watch::channel(false);
        answer(self.router.clone(), request, peer, Ending::new(told)).await
    }

    /// Serves clients until `end`; then takes no new ones and lets requests that are being answered come to their end.
    pub async fn serve(self, listeners: Vec<Listener>, end: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let (tell, told) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let served = Served {
                router: self.router.clone(),
                limits: self.limits,
                ending: told.clone(),
            };
            accepting.spawn(accept(listener, served, Arc::clone(&places)));
        }
        end.await;
        accepting.shutdown().await;
        tell.send_replace(true);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        let over = timeout(self.limits.farewell, places.acquire_many(all)).await;
        if over.is_err() {
            tracing::warn!("requests that are not answered yet are broken off");
        }
    }
}

/// What each connection is served with.
#[derive(Clone)]
struct Served {
    router: Router,
    limits: Limits,
    ending: watch::Receiver<bool>,
}

async fn accept(listener: Listener, served: Served, places: Arc<Semaphore>) {
    loop {
        // The semaphore is never closed: there is always a place in the end.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok(stream) => {
                tokio::spawn(connection(stream, served.clone(), place));
            }
            Err(error) => {
                // Out of file descriptors, most likely: it does not help to try again at once.
                tracing::warn!(%error, "cannot accept a client");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: Stream, served: Served, place: OwnedSemaphorePermit) {
    if let Err(error) = greet(stream, served).await {
        tracing::debug!(%error, "a client is gone");
    }
    drop(place);
}

/// Finds out who it is, and converses.
async fn greet(stream: Stream, served: Served) -> io::Result<()> {
    match stream {
        Stream::Unix(stream) => {
            let who = stream.peer_cred()?;
            let (uid, gid) = (who.uid(), who.gid());
            converse(stream, served, Peer::Unix { uid, gid }).await
        }
        Stream::Tcp((stream, address)) => {
            stream.set_nodelay(true)?;
            converse(stream, served, Peer::Tcp { address }).await
        }
        Stream::Tls((stream, address), config) => {
            stream.set_nodelay(true)?;
            let handshake = TlsAcceptor::from(config).accept(stream);
            let stream = timeout(served.limits.patience, handshake).await??;
            let shown = stream.get_ref().1.peer_certificates();
            let certificate = shown.and_then(|shown| shown.first());
            let certificate = certificate.map(|certificate| Arc::new(certificate.clone()));
            let peer = Peer::Tls {
                address,
                certificate,
            };
            converse(stream, served, peer).await
        }
    }
}

async fn converse<S>(stream: S, served: Served, peer: Peer) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut ending = Ending::new(served.ending);
    let handlers = (served.router, peer, ending.clone());
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (router, peer, ending) = handlers.clone();
        async move {
            let response = answer(router, request.map(Body::new), peer, ending).await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(served.limits.patience)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = ending.told() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    served.map_err(io::Error::other)
}

async fn answer(router: Router, mut request: Request, peer: Peer, ending: Ending) -> Response {
    let begun = clock::now();
    let id = RequestId::of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let extensions = request.extensions_mut();
    extensions.insert(id.clone());
    extensions.insert(peer);
    extensions.insert(ending);
    let answered = TowerToHyperService::new(router).call(request).await;
    let response = answered.unwrap_or_else(|never| match never {});
    let mut response = refused::told(response, &id, &method, &path).await;
    response.headers_mut().insert(REQUEST_ID, id.header());
    log(&method, &path, &response, &id, clock::now().since(begun));
    response
}

fn log(method: &Method, path: &str, response: &Response, id: &RequestId, took: Duration) {
    let (status, id) = (response.status().as_u16(), id.as_str());
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if response.status().is_server_error() {
        tracing::warn!(%method, path, status, id, took_us, "request failed");
    } else if method.is_safe() {
        tracing::debug!(%method, path, status, id, took_us, "request");
    } else {
        tracing::info!(%method, path, status, id, took_us, "request");
    }
}
