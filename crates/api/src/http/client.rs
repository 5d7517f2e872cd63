//! A client: whom it asks, and connections that wait for the next question.

use std::fmt;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, Response};
use tokio::sync::Mutex;

use super::{Call, ClientError, Endpoint, HeaderValue};

/// Connections that are kept open for the next question at most.
const IDLE: usize = 4;

/// Asks one daemon. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    token: Option<HeaderValue>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// A connection on which one may ask.
pub(super) type Connection = SendRequest<Full<Bytes>>;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the daemon there. Nothing is opened before something is asked.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            token: None,
            idle: Arc::default(),
        }
    }

    /// The same client, which shows a bearer token (RFC 6750). A text that cannot stand in a header is not shown.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        self.token = value;
        self
    }

    /// Whom it asks.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A request by this method for a path that begins with `/`; see [`segment`](super::segment) for names in it.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call::new(self, method, path)
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// Makes something, or asks for something to be done.
    pub fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    /// Replaces.
    pub fn put(&self, path: &str) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    /// Changes a part.
    pub fn patch(&self, path: &str) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    /// Removes.
    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// What authorizes the client's requests.
    pub(super) const fn token(&self) -> Option<&HeaderValue> {
        self.token.as_ref()
    }

    /// Sends a request; the connection is whole again once the answer's body has been read.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let mut request = request;
        while let Some(mut connection) = self.kept().await {
            let spare = request.method().is_safe().then(|| request.clone());
            let mut error = match connection.try_send_request(request).await {
                Ok(answer) => return Ok((answer, connection)),
                Err(error) => error,
            };
            // The daemon may have closed it meanwhile. What was not written, or changes nothing, is asked again.
            match error.take_message().or(spare) {
                Some(unsent) => request = unsent,
                None => return Err(self.broken(error.into_error())),
            }
        }
        let connected = self.endpoint.connect().await;
        let mut connection = connected.map_err(|source| ClientError::Connect {
            endpoint: self.endpoint.clone(),
            source,
        })?;
        let answer = connection.send_request(request).await;
        Ok((answer.map_err(|source| self.broken(source))?, connection))
    }

    /// Keeps a connection whose last answer has been read.
    pub(super) async fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().await;
        if idle.len() < IDLE && !connection.is_closed() {
            idle.push(connection);
        }
    }

    pub(super) fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::Broken {
            endpoint: self.endpoint.clone(),
            source,
        }
    }

    /// A connection that is ready for another question.
    async fn kept(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.lock().await.pop()?;
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }
}
