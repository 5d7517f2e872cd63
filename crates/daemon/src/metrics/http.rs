//! The least of HTTP/1.1 that a collector needs: `GET /metrics` and `GET /healthz`, one request for each connection,
//! bounded in size and time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Listener;

/// Collectors at once; who comes then waits.
const CLIENTS: usize = 8;
/// The most octets of a request's head.
const HEAD_MAX: usize = 8 * 1024;
/// The most header fields of a request.
const FIELDS_MAX: usize = 64;
/// How long a collector may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The media type of `OpenMetrics`.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// A daemon that collectors ask.
pub trait Counted: Clone + Send + Sync + 'static {
    /// All that is counted, as [`text`](super::text) makes it; an error says in a few words why there is nothing now.
    fn scrape(&self) -> impl Future<Output = Result<String, &'static str>> + Send;

    /// Whether the daemon does its work; an error says in a few words what does not.
    fn health(&self) -> impl Future<Output = Result<(), &'static str>> + Send;
}

/// Serves counters until the task is dropped.
pub async fn serve<C: Counted>(listener: Listener, daemon: C) -> ! {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        // The semaphore is never closed: there is always a place in the end.
        let place = Arc::clone(&places).acquire_owned().await;
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
                let daemon = daemon.clone();
                tokio::spawn(async move {
                    let answered = match stream {
                        Stream::Tcp(stream) => converse(stream, &daemon).await,
                        Stream::Unix(stream) => converse(stream, &daemon).await,
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
struct Answer {
    status: &'static str,
    media: &'static str,
    body: String,
    /// Whether the body is left out.
    head_only: bool,
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
enum Asked {
    Metrics { head_only: bool },
    Health { head_only: bool },
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin, C: Counted>(
    mut stream: S,
    daemon: &C,
) -> io::Result<()> {
    let asked = timeout(PATIENCE, read(&mut stream)).await;
    let answer = match asked {
        Ok(Ok(asked)) => answer(asked, daemon).await,
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
fn parse(head: &[u8]) -> Option<Result<Asked, Answer>> {
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

async fn answer<C: Counted>(asked: Asked, daemon: &C) -> Answer {
    const UNAVAILABLE: &str = "503 Service Unavailable";
    let (told, head_only) = match asked {
        Asked::Metrics { head_only } => {
            let told = daemon.scrape().await.map(|body| Answer {
                status: "200 OK",
                media: OPENMETRICS,
                body,
                head_only,
            });
            (told, head_only)
        }
        Asked::Health { head_only } => {
            let told = daemon.health().await;
            (told.map(|()| Answer::plain("200 OK", "ok")), head_only)
        }
    };
    Answer {
        head_only,
        ..told.unwrap_or_else(|why| Answer::plain(UNAVAILABLE, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_is_answered() {
        let ask = |head: &str| parse(head.as_bytes());
        assert_eq!(ask("GET /metrics HTTP/1.1\r\nHost: a\r\n"), None);
        let whole = |line: &str| ask(&format!("{line}\r\nHost: a\r\n\r\n")).unwrap();
        assert_eq!(
            whole("GET /metrics?x=1 HTTP/1.1"),
            Ok(Asked::Metrics { head_only: false })
        );
        assert_eq!(
            whole("HEAD /healthz HTTP/1.1"),
            Ok(Asked::Health { head_only: true })
        );
        assert!(
            whole("GET / HTTP/1.1")
                .unwrap_err()
                .status
                .starts_with("404")
        );
        assert!(
            whole("POST /metrics HTTP/1.1")
                .unwrap_err()
                .status
                .starts_with("405")
        );
        assert!(
            ask("\u{0}\r\n\r\n")
                .unwrap()
                .unwrap_err()
                .status
                .starts_with("400")
        );
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(9000));
        assert!(ask(&long).unwrap().unwrap_err().status.starts_with("431"));
    }
}
