//! A client that waits for its replies.

use std::fmt;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    ApiError, Cancel, FromDaemon, Hello, LineDecoder, LineTooLong, REPLY_MAX, Request, ToDaemon,
    encode,
};

/// A conversation with a daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    lines: LineDecoder,
    daemon: Hello,
    last_id: u64,
}

/// Why a daemon could not be asked, or what it refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens on the socket, or the client may not talk to it.
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// The conversation broke off.
    Io(io::Error),
    /// The daemon closed the socket before it had replied.
    Closed,
    /// What the daemon sends is not understood.
    Garbled(serde_json::Error),
    /// The daemon sends a line without end.
    TooLong(LineTooLong),
    /// What the daemon says.
    Api(ApiError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { path, .. } => write!(f, "no connection to {}", path.display()),
            Self::Io(_) => f.write_str("the conversation with the daemon broke off"),
            Self::Closed => f.write_str("the daemon closed the socket before it had replied"),
            Self::Garbled(_) => f.write_str("what the daemon sent is not understood"),
            Self::TooLong(_) => f.write_str("the daemon sent too much at once"),
            Self::Api(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect { error, .. } | Self::Io(error) => Some(error),
            Self::Garbled(error) => Some(error),
            Self::TooLong(error) => Some(error),
            Self::Closed | Self::Api(_) => None,
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<serde_json::Error> for ClientError {
    fn from(error: serde_json::Error) -> Self {
        Self::Garbled(error)
    }
}

impl Client {
    /// Connects to the daemon of this service, as this program.
    ///
    /// # Errors
    /// Where nobody listens, or the two do not understand each other.
    pub fn connect(path: &Path, service: &str, program: &str) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| ClientError::Connect {
            path: path.to_owned(),
            error,
        })?;
        let ours = Hello::new(service, program);
        let mut client = Self {
            stream,
            lines: LineDecoder::new(REPLY_MAX),
            daemon: ours.clone(),
            last_id: 0,
        };
        client.send(&ToDaemon::<()>::Hello(ours.clone()))?;
        match client.receive::<serde_json::Value>()? {
            FromDaemon::Hello(hello) => client.daemon = hello,
            FromDaemon::Error(failure) => return Err(ClientError::Api(failure.error)),
            FromDaemon::Reply(_) => return Err(ClientError::Closed),
        }
        ours.agree(&client.daemon).map_err(ClientError::Api)?;
        Ok(client)
    }

    /// What the daemon said of itself.
    #[must_use]
    pub const fn daemon(&self) -> &Hello {
        &self.daemon
    }

    /// Asks for something; the replies come from what is returned, one by one.
    ///
    /// # Errors
    /// Where the daemon is gone.
    pub fn request<R: Serialize, T: DeserializeOwned>(
        &mut self,
        body: &R,
    ) -> Result<Replies<'_, T>, ClientError> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&ToDaemon::Request(Request { id, body }))?;
        Ok(Replies {
            client: self,
            id,
            over: false,
            body: PhantomData,
        })
    }

    /// Asks for something that has one reply.
    ///
    /// # Errors
    /// What the daemon says, or why it could not be asked.
    pub fn ask<R: Serialize, T: DeserializeOwned>(&mut self, body: &R) -> Result<T, ClientError> {
        let mut replies = self.request(body)?;
        replies.next_reply()?.ok_or(ClientError::Closed)
    }

    fn send<R: Serialize>(&mut self, message: &ToDaemon<R>) -> Result<(), ClientError> {
        let mut line = Vec::new();
        encode(message, &mut line)?;
        Ok(self.stream.write_all(&line)?)
    }

    fn receive<T: DeserializeOwned>(&mut self) -> Result<FromDaemon<T>, ClientError> {
        let mut buf = [0; 16 * 1024];
        loop {
            if let Some(line) = self.lines.next_line().map_err(ClientError::TooLong)? {
                return Ok(serde_json::from_slice(line)?);
            }
            match self.stream.read(&mut buf) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(len) => self.lines.feed(&buf[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The replies to one request.
#[derive(Debug)]
pub struct Replies<'c, T> {
    client: &'c mut Client,
    id: u64,
    over: bool,
    body: PhantomData<T>,
}

impl<T: DeserializeOwned> Replies<'_, T> {
    /// The next reply; `None` behind the last one.
    ///
    /// # Errors
    /// What the daemon says, or that it is gone.
    pub fn next_reply(&mut self) -> Result<Option<T>, ClientError> {
        while !self.over {
            match self.client.receive::<T>()? {
                FromDaemon::Reply(reply) if reply.id == self.id => {
                    self.over = !reply.more;
                    return Ok(Some(reply.body));
                }
                FromDaemon::Error(failure) if failure.id.is_none_or(|id| id == self.id) => {
                    self.over = true;
                    return Err(ClientError::Api(failure.error));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// What ends this stream from another thread: see [`Canceller::cancel`].
    ///
    /// # Errors
    /// Where the kernel has no more file descriptors.
    pub fn canceller(&self) -> io::Result<Canceller> {
        Ok(Canceller {
            stream: self.client.stream.try_clone()?,
            id: self.id,
        })
    }
}

/// Ends a stream of replies.
#[derive(Debug)]
pub struct Canceller {
    stream: UnixStream,
    id: u64,
}

impl Canceller {
    /// Wants no more replies; the last one still comes.
    ///
    /// # Errors
    /// Where the daemon is gone.
    pub fn cancel(&mut self) -> Result<(), ClientError> {
        let mut line = Vec::new();
        encode(&ToDaemon::<()>::Cancel(Cancel { id: self.id }), &mut line)?;
        Ok(self.stream.write_all(&line)?)
    }
}
