//! The one place where the command writes, and what it says when it fails.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use rackweave_api::http::{self, Endpoint, Problem};
use rackweave_api::local::{ApiError, ClientError};
use serde::Serialize;

/// What went wrong: what, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What.
    pub what: String,
    /// Why.
    pub cause: Option<String>,
    /// What to do.
    pub next: Option<String>,
}

impl Failure {
    /// A failure without cause and next step.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cause: None,
            next: None,
        }
    }

    /// With the reason.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// With what to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Says so on standard error.
    pub fn tell(&self) -> ExitCode {
        // Nobody is left to be told where even that fails.
        let _told = writeln!(io::stderr(), "{self}");
        ExitCode::FAILURE
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for (name, text) in [("cause", &self.cause), ("next", &self.next)] {
            if let Some(text) = text {
                let text = text.replace('\n', "\n         ");
                write!(f, "\n  {name:<5}: {text}")?;
            }
        }
        Ok(())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
        let failure = Self::new(error.to_string());
        if causes.is_empty() {
            failure
        } else {
            failure.cause(causes.join("\n"))
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self {
            what: error.what,
            cause: error.cause,
            next: error.next,
        }
    }
}

/// An error with all its causes.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string does not fail.
        let _written = fmt::Write::write_fmt(&mut text, format_args!(": {error}"));
        cause = error.source();
    }
    text
}

impl Failure {
    /// Why the daemon of this name could not be asked, or what it refused.
    #[must_use]
    pub fn asking(daemon: &str, error: ClientError) -> Self {
        match error {
            ClientError::Api(error) => error.into(),
            ClientError::Connect { path, error } => unreachable(daemon, &path, &error),
            other => {
                let cause = std::error::Error::source(&other).map(ToString::to_string);
                Self {
                    what: other.to_string(),
                    cause,
                    next: Some(format!(
                        "see whether it still runs: `systemctl status rackweave-{daemon}`"
                    )),
                }
            }
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let what = match (&problem.field, problem.detail) {
            (Some(field), Some(detail)) => format!("{field}: {detail}"),
            (Some(field), None) => format!("{field}: {}", problem.title),
            (None, detail) => detail.unwrap_or(problem.title),
        };
        Self {
            what,
            cause: None,
            next: problem.next,
        }
    }
}

impl Failure {
    /// Why the daemon of this name could not be asked over HTTP, or what it refused.
    #[must_use]
    pub fn asking_http(daemon: &str, error: http::ClientError) -> Self {
        match error {
            http::ClientError::Problem(problem) => (*problem).into(),
            http::ClientError::Connect {
                endpoint: Endpoint::Unix(path),
                source,
            } => unreachable(daemon, &path, &source),
            other => {
                let cause = std::error::Error::source(&other).map(ToString::to_string);
                Self {
                    what: other.to_string(),
                    cause,
                    next: Some(format!(
                        "see whether it still runs: `systemctl status rackweave-{daemon}`"
                    )),
                }
            }
        }
    }
}

/// Nobody answers on the socket.
fn unreachable(daemon: &str, path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot talk to the {daemon} on {}", path.display()));
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => failure
            .cause(format!("no {daemon} runs with this run directory"))
            .next(format!("start it: `systemctl start rackweave-{daemon}` or `rackweave {daemon} run`; another run directory: --run-dir")),
        io::ErrorKind::PermissionDenied => failure
            .cause("you may not open the socket")
            .next(format!("be root, or a member of the group that [control] of the {daemon}'s configuration names")),
        _ => failure.cause(error.to_string()),
    }
}

/// How replies are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    json: bool,
    /// Whether a terminal reads it that wants to see more than letters.
    pub bold: bool,
}

impl Output {
    /// As JSON, or for people.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            bold: !plain && io::stdout().is_terminal(),
        }
    }

    /// Shows a reply: as JSON, or as `text` makes it for people.
    ///
    /// # Errors
    /// Where standard output takes nothing more.
    pub fn show<T: Serialize>(
        self,
        reply: &T,
        text: impl FnOnce(&T, bool) -> String,
    ) -> Result<(), Failure> {
        let text = if self.json {
            let json = serde_json::to_string_pretty(reply);
            json.map_err(|error| {
                Failure::new("the reply cannot be written").cause(error.to_string())
            })? + "\n"
        } else {
            text(reply, self.bold)
        };
        written(write_all(text.as_bytes()))
    }
}

/// Writes to standard output; whoever reads it may have enough.
///
/// # Errors
/// Where standard output takes nothing more.
pub fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A reader that has had enough is no failure.
///
/// # Errors
/// Every other reason why nothing could be written.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write").cause(error.to_string()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rackweave_api::local::Code;

    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let error = ApiError::new(Code::NotFound, "no port is called `web`")
            .cause("one\ntwo")
            .next("`rackweave sled ports` lists them");
        assert_eq!(
            Failure::from(error).to_string(),
            "error: no port is called `web`\n  cause: one\n         two\n  next : `rackweave sled ports` lists them"
        );
    }

    #[test]
    fn a_problem_says_where_it_is() {
        let problem = Problem::bad_request("not a port").field("rules[2].ports");
        assert_eq!(
            Failure::from(problem.next("take 1 to 65535")).to_string(),
            "error: rules[2].ports: not a port\n  next : take 1 to 65535"
        );
    }

    #[test]
    fn a_sled_that_does_not_run_is_told_with_how_to_start_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sled.sock");
        let error = rackweave_api::local::Client::connect(&path, "sled", "test").unwrap_err();
        let failure = Failure::asking("sled", error);
        assert!(
            failure
                .next
                .unwrap()
                .contains("systemctl start rackweave-sled")
        );
    }
}
