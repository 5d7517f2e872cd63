//! Clients: a task for each, lines in and lines out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rackweave_api::local::{
    ApiError, Code, Failure, FromDaemon, Hello, LARGE_REQUEST_MAX, LineDecoder, REQUEST_MAX, Reply,
    Request as Asked, ToDaemon, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};

/// Clients at once; who comes then waits to be accepted.
const CLIENTS: usize = 32;
/// Lines that wait for a client that reads slowly; then its request waits.
const LINES: usize = 64;
/// How long a client may take to say hello.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets read at once.
const READ: usize = 16 * 1024;

/// A daemon that answers on its control socket.
///
/// Who may connect is the socket's file mode ([`listen`](crate::listen::listen)); whether a client may change things is
/// asked of the kernel, and what only such a client may is the daemon's to say.
pub trait Service: Clone + Send + Sync + 'static {
    /// What can be asked.
    type Request: DeserializeOwned + Send + 'static;
    /// The daemon's name, as hellos, commands and units have it: `sled`.
    const NAME: &'static str;
    /// The names of all requests, as they stand on the socket.
    const REQUESTS: &'static [&'static str];

    /// Name and version of the program.
    fn program(&self) -> &str;

    /// Answers a request into the outbox; an error is the last reply.
    fn answer(
        &self,
        client: Client,
        request: Self::Request,
        outbox: &Outbox,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;
}

/// Serves clients until the task is dropped.
pub async fn serve<S: Service>(listener: UnixListener, service: S) -> ! {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        // The semaphore is never closed: there is always a place in the end.
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, service).await {
                        tracing::debug!(%error, "a control client is gone");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: it does not help to try again at once.
                tracing::warn!(%error, "cannot accept a control client");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Whether it is root, or whoever runs the daemon: it may change things.
    pub privileged: bool,
}

/// A line for the client, and whether it is the last one to its request.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    last: bool,
}

/// Where replies to one request go.
#[derive(Clone, Debug)]
pub struct Outbox {
    id: u64,
    lines: mpsc::Sender<Line>,
    cancelled: watch::Receiver<Option<End>>,
}

/// The client is gone.
#[derive(Clone, Copy, Debug)]
pub struct ClientGone;

/// Why a stream of replies ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client wants no more.
    Cancelled,
    /// The client is gone.
    Gone,
}

impl Outbox {
    fn line<T: Serialize>(&self, body: T, more: bool) -> Line {
        let id = self.id;
        let mut bytes = Vec::new();
        let written = encode(&FromDaemon::Reply(Reply { id, body, more }), &mut bytes);
        match written {
            Ok(()) => Line { bytes, last: !more },
            Err(error) => {
                let failed = ApiError::new(Code::Failed, "the reply cannot be written");
                Line {
                    bytes: failure(Some(id), failed.cause(error.to_string())),
                    last: true,
                }
            }
        }
    }

    /// Sends a reply from a thread that may wait; `more` says whether another follows.
    ///
    /// # Errors
    /// Where the client is gone.
    pub fn send_blocking<T: Serialize>(&self, body: T, more: bool) -> Result<(), ClientGone> {
        let line = self.line(body, more);
        self.lines.blocking_send(line).map_err(|_| ClientGone)
    }

    /// Sends a reply from a task.
    ///
    /// # Errors
    /// Where the client is gone.
    pub async fn send<T: Serialize>(&self, body: T, more: bool) -> Result<(), ClientGone> {
        let line = self.line(body, more);
        self.lines.send(line).await.map_err(|_| ClientGone)
    }

    async fn fail(&self, error: ApiError) {
        let line = Line {
            bytes: failure(Some(self.id), error),
            last: true,
        };
        // A client that is gone hears nothing.
        let _gone = self.lines.send(line).await;
    }

    /// Waits until the client wants no more, or is gone.
    pub async fn cancelled(&mut self) -> End {
        let end = self.cancelled.wait_for(Option::is_some).await;
        // An error means that the conversation is over.
        end.ok().and_then(|end| *end).unwrap_or(End::Gone)
    }
}

fn failure(id: Option<u64>, error: ApiError) -> Vec<u8> {
    let mut line = Vec::new();
    let message = FromDaemon::<()>::Error(Failure { id, error });
    // A failure is texts and numbers: it always has a form in JSON.
    let _written = encode(&message, &mut line);
    line
}

/// One client's lines.
struct Lines {
    stream: UnixStream,
    decoder: LineDecoder,
    /// What was read last.
    buf: Box<[u8]>,
    over: bool,
}

impl Lines {
    /// The next line; `None` where the client sends no more. May be dropped and called again.
    async fn next(&mut self) -> io::Result<Option<Result<ToDaemon<Value>, ApiError>>> {
        loop {
            match self.decoder.next_line() {
                Ok(Some(line)) => return Ok(Some(message(line))),
                Ok(None) if self.over => return Ok(None),
                Ok(None) => {}
                Err(error) => {
                    let error = ApiError::new(Code::TooLong, error.to_string())
                        .next("only root may send more");
                    return Ok(Some(Err(error)));
                }
            }
            match self.stream.read(&mut self.buf).await? {
                0 => self.over = true,
                len => self.decoder.feed(&self.buf[..len]),
            }
        }
    }

    async fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.stream.write_all(line).await
    }
}

fn message(line: &[u8]) -> Result<ToDaemon<Value>, ApiError> {
    serde_json::from_slice(line).map_err(|error| {
        ApiError::new(
            Code::BadRequest,
            "a line is no message of the local protocol",
        )
        .cause(error.to_string())
        .next("begin with a hello; each line is one JSON object")
    })
}

async fn converse<S: Service>(stream: UnixStream, service: S) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let client = Client {
        privileged: uid == 0 || uid == nix::unistd::geteuid().as_raw(),
    };
    let max = if client.privileged {
        LARGE_REQUEST_MAX
    } else {
        REQUEST_MAX
    };
    let mut lines = Lines {
        stream,
        decoder: LineDecoder::new(max),
        buf: vec![0; READ].into_boxed_slice(),
        over: false,
    };
    let ours = Hello::new(S::NAME, service.program());
    let hello = tokio::time::timeout(PATIENCE, lines.next()).await;
    let agreed = match hello {
        Ok(line) => match line? {
            Some(Ok(ToDaemon::Hello(theirs))) => ours.agree(&theirs).map(drop),
            Some(Ok(_)) => Err(
                ApiError::new(Code::BadRequest, "the first line is no hello")
                    .next("begin with a hello"),
            ),
            Some(Err(error)) => Err(error),
            None => return Ok(()),
        },
        Err(_) => Err(ApiError::new(Code::BadRequest, "no hello came").next("begin with a hello")),
    };
    if let Err(error) = agreed {
        return lines.write(&failure(None, error)).await;
    }
    let mut line = Vec::new();
    encode(&FromDaemon::<()>::Hello(ours), &mut line)?;
    lines.write(&line).await?;
    loop {
        match lines.next().await? {
            Some(Ok(ToDaemon::Request(asked))) => {
                request(&mut lines, client, &service, asked).await?;
            }
            Some(Ok(ToDaemon::Hello(_) | ToDaemon::Cancel(_))) => {}
            Some(Err(error)) => return lines.write(&failure(None, error)).await,
            None => return Ok(()),
        }
    }
}

/// Serves one request, and hears meanwhile whether the client wants no more.
async fn request<S: Service>(
    lines: &mut Lines,
    client: Client,
    service: &S,
    asked: Asked<Value>,
) -> io::Result<()> {
    let id = asked.id;
    let body = match body::<S>(asked.body) {
        Ok(body) => body,
        Err(error) => return lines.write(&failure(Some(id), error)).await,
    };
    let (sender, mut replies) = mpsc::channel(LINES);
    let (cancel, cancelled) = watch::channel(None);
    let outbox = Outbox {
        id,
        lines: sender,
        cancelled,
    };
    let service = service.clone();
    tokio::spawn(async move {
        if let Err(error) = service.answer(client, body, &outbox).await {
            outbox.fail(error).await;
        }
    });
    let mut listening = true;
    loop {
        let event = tokio::select! {
            line = replies.recv() => Event::Reply(line),
            line = lines.next(), if listening => Event::Heard(line?),
        };
        match event {
            Event::Reply(Some(line)) => {
                lines.write(&line.bytes).await?;
                if line.last {
                    return Ok(());
                }
            }
            Event::Reply(None) => return Ok(()),
            Event::Heard(Some(Ok(ToDaemon::Cancel(end)))) if end.id == id => {
                cancel.send_replace(Some(End::Cancelled));
            }
            Event::Heard(Some(Ok(ToDaemon::Request(other)))) => {
                let busy = ApiError::new(Code::Busy, "a request is being answered")
                    .next("wait for its last reply, or open another connection");
                lines.write(&failure(Some(other.id), busy)).await?;
            }
            Event::Heard(Some(Ok(_))) => {}
            Event::Heard(Some(Err(error))) => return lines.write(&failure(None, error)).await,
            Event::Heard(None) => {
                // It may still want what it asked for, but nobody can end a stream any more.
                listening = false;
                cancel.send_replace(Some(End::Gone));
            }
        }
    }
}

/// What happens while a request is served.
enum Event {
    Reply(Option<Line>),
    Heard(Option<Result<ToDaemon<Value>, ApiError>>),
}

/// The request in a line's body.
fn body<S: Service>(body: Value) -> Result<S::Request, ApiError> {
    let name = body
        .as_object()
        .and_then(|fields| fields.keys().next())
        .cloned();
    serde_json::from_value(body).map_err(|error| match name {
        Some(name) if !S::REQUESTS.contains(&name.as_str()) => ApiError::new(
            Code::UnknownRequest,
            format!("the {} knows no request `{name}`", S::NAME),
        )
        .cause(format!("it knows {}", S::REQUESTS.join(", ")))
        .next(format!(
            "it may run an older release than the command: `rackweave {} status` names it",
            S::NAME
        )),
        _ => ApiError::new(Code::BadRequest, "the request is malformed").cause(error.to_string()),
    })
}
