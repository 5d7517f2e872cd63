//! The least of HTTP/1.1 that a collector needs: `GET /metrics` and `GET /healthz`, one request for each connection,
//! bounded in size and time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rackweave_linux::clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::Listener;
use super::encode::text;
use super::families::{Seen, families};
use crate::control::Context;
use crate::control::gather::gather;
use crate::host::HostCommand;

/// Collectors at once; who comes then waits.
const CLIENTS: usize = 8;
/// The most octets of a request's head.
const HEAD_MAX: usize = 8 * 1024;
/// The most header fields of a request.
const FIELDS_MAX: usize = 64;
/// How long a collector may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long workers may take to answer before the sled counts as ill.
const HEALTHY: Duration = Duration::from_secs(2);
/// The media type of `OpenMetrics`.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Accepts collectors.
pub(super) async fn serve(listener: Listener, context: Context) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = match &listener {
            Listener::Tcp(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| Stream::Tcp(stream)),
            Listener::Unix(listener) => listener
                .accept()
                .await
                .map(|(stream, _)| Stream::Unix(stream)),
        };
        match accepted {
            Ok(stream) => {
                let context = context.clone();
                tokio::spawn(async move {
                    let answered = match stream {
                        Stream::Tcp(stream) => converse(stream, &context).await,
                        Stream::Unix(stream) => converse(stream, &context).await,
                    };
                    if let Err(error) = answered {
                        tracing::debug!(%error, "a collector is gone");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: it does not help to try again at once.
                tracing::warn!(%error, "cannot accept a collector");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) media: &'static str,
    pub(super) body: String,
    /// Whether the body is left out.
    pub(super) head_only: bool,
}

impl Answer {
    fn plain(status: &'static str, body: &str) -> Self {
        Self {
            status,
            media: PLAIN,
            body: format!("{body}\n"),
            head_only: false,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.status,
            self.media,
            self.body.len()
        );
        let body = if self.head_only { "" } else { &self.body };
        [head.as_bytes(), body.as_bytes()].concat()
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Metrics { head_only: bool },
    Health { head_only: bool },
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    context: &Context,
) -> io::Result<()> {
    let asked = timeout(PATIENCE, read(&mut stream)).await;
    let answer = match asked {
        Ok(Ok(asked)) => answer(asked, context).await,
        Ok(Err(refusal)) => refusal,
        Err(_) => Answer::plain("408 Request Timeout", "the request took too long"),
    };
    let written = async {
        stream.write_all(&answer.bytes()).await?;
        stream.shutdown().await
    };
    timeout(PATIENCE, written).await?
}

/// Reads a request's head.
async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Asked, Answer> {
    let mut head = Vec::new();
    let mut buf = [0; 1024];
    loop {
        let read = stream.read(&mut buf).await;
        let len = read.map_err(|_| Answer::plain("400 Bad Request", "the request broke off"))?;
        if len == 0 {
            return Err(Answer::plain("400 Bad Request", "the request broke off"));
        }
        head.extend_from_slice(&buf[..len]);
        if let Some(asked) = parse(&head) {
            return asked;
        }
    }
}

/// Understands a request's head; `None` where more of it must be read.
pub(super) fn parse(head: &[u8]) -> Option<Result<Asked, Answer>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Err(error) => {
            let body = format!("this is no request of HTTP/1.1: {error}");
            Some(Err(Answer::plain("400 Bad Request", &body)))
        }
        Ok(httparse::Status::Partial) if head.len() > HEAD_MAX => Some(Err(Answer::plain(
            "431 Request Header Fields Too Large",
            "the request's head is too long",
        ))),
        Ok(httparse::Status::Partial) => None,
        Ok(httparse::Status::Complete(_)) => {
            let head_only = request.method == Some("HEAD");
            if !head_only && request.method != Some("GET") {
                return Some(Err(Answer::plain(
                    "405 Method Not Allowed",
                    "only GET and HEAD are answered",
                )));
            }
            let path = request.path.unwrap_or_default().split('?').next();
            Some(match path {
                Some("/metrics") => Ok(Asked::Metrics { head_only }),
                Some("/healthz") => Ok(Asked::Health { head_only }),
                _ => Err(Answer::plain(
                    "404 Not Found",
                    "there are /metrics and /healthz",
                )),
            })
        }
    }
}

async fn answer(asked: Asked, context: &Context) -> Answer {
    let (answer, head_only) = match asked {
        Asked::Metrics { head_only } => (scrape(context).await, head_only),
        Asked::Health { head_only } => (health(context).await, head_only),
    };
    Answer {
        head_only,
        ..answer
    }
}

/// Whether the workers answer.
async fn health(context: &Context) -> Answer {
    let workers = context.workers.clone();
    let asked = tokio::task::spawn_blocking(move || workers.run_on_all(|_| ()));
    match timeout(HEALTHY, asked).await {
        Ok(Ok(Ok(_))) => Answer::plain("200 OK", "ok"),
        Ok(_) => Answer::plain("503 Service Unavailable", "a worker has ended"),
        Err(_) => Answer::plain("503 Service Unavailable", "a worker does not answer"),
    }
}

async fn scrape(context: &Context) -> Answer {
    let unavailable = || Answer::plain("503 Service Unavailable", "the sled is stopping");
    let (reply, snapshot) = oneshot::channel();
    if context
        .host
        .send(HostCommand::Snapshot { reply })
        .await
        .is_err()
    {
        return unavailable();
    }
    let Ok(snapshot) = snapshot.await else {
        return unavailable();
    };
    let context = context.clone();
    // Workers' jobs are waited for, and must not keep the agent from its guests.
    let told = tokio::task::spawn_blocking(move || {
        let gathered = gather(&context.workers).ok()?;
        let families = families(Seen {
            info: &context.info,
            snapshot: &snapshot,
            gathered: &gathered,
            agent: &context.agent.get(),
            now: clock::now(),
        });
        text(families).ok()
    });
    match told.await {
        Ok(Some(body)) => Answer {
            status: "200 OK",
            media: OPENMETRICS,
            body,
            head_only: false,
        },
        _ => unavailable(),
    }
}
