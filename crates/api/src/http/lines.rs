//! Answers without an end that is known.

use std::fmt;
use std::marker::PhantomData;

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use serde::de::DeserializeOwned;

use super::client::Connection;
use super::{Client, ClientError, LINE_MAX};
use crate::local::LineDecoder;

/// A stream of octets. Who has enough drops it.
pub struct Octets {
    client: Client,
    body: Incoming,
    /// Kept with the stream: a connection ends when nobody may ask on it any more.
    _connection: Connection,
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Octets")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Octets {
    pub(super) const fn new(client: Client, body: Incoming, connection: Connection) -> Self {
        Self {
            client,
            body,
            _connection: connection,
        }
    }

    /// The next octets; `None` at the end. May be dropped and called again.
    ///
    /// # Errors
    /// Where the conversation breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|source| self.client.broken(source))?;
            if let Ok(octets) = frame.into_data() {
                return Ok(Some(octets));
            }
        }
        Ok(None)
    }
}

/// A stream of JSON values, one on each line. Who has enough drops it.
#[derive(Debug)]
pub struct Lines<T> {
    octets: Octets,
    lines: LineDecoder,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    pub(super) fn new(octets: Octets) -> Self {
        Self {
            octets,
            lines: LineDecoder::new(LINE_MAX),
            value: PhantomData,
        }
    }

    /// The next value; `None` at the end. May be dropped and called again.
    ///
    /// # Errors
    /// Where the conversation breaks off, or a line is not understood.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(line) = self.lines.next_line().map_err(ClientError::LineTooLong)? {
                let value = serde_json::from_slice(line);
                return value.map(Some).map_err(|source| ClientError::Garbled {
                    status: StatusCode::OK,
                    source,
                });
            }
            match self.octets.next().await? {
                Some(octets) => self.lines.feed(&octets),
                None => return Ok(None),
            }
        }
    }
}
