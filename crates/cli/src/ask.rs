//! Where the API is, who asks, and how a change is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rackweave_api::control::{
    IDEMPOTENCY_KEY, Page, REVISION, RUN_DIR, Revision, RevisionStatus, SOCKET,
};
use rackweave_api::http::{Answer, Blocking, Bytes, Call, Client, ClientError, Method, StatusCode};
use rackweave_daemon::output::{Failure, Output};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::place::Place;
use crate::secret;

/// The daemon, as messages name it.
const SERVICE: &str = "controller";
/// How often a change is asked for whose answer got lost.
const ATTEMPTS: u32 = 5;
/// How long the first wait before asking again is; each one is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest wait that is asked of the controller at once, in seconds.
const WAIT_MAX: u64 = 25;
/// How much longer an answer may take than the wait that was asked for.
const GRACE: Duration = Duration::from_secs(20);
/// Objects of one page.
const PAGE: usize = 1000;

/// The variable that names the API.
pub(crate) const API_ENV: &str = "RACKWEAVE_API";

/// What all commands have that ask the API.
#[derive(Clone, Debug, Args)]
pub(crate) struct AskArgs {
    /// The API: `https://HOST[:PORT]`, `http://HOST:PORT` or `unix:PATH`; `RACKWEAVE_API`, or the controller's socket on
    /// this machine, where nothing is said.
    #[arg(long, value_name = "URL", global = true, help_heading = "API")]
    api: Option<Place>,
    /// The file of the token to show; `RACKWEAVE_TOKEN`, the file that `RACKWEAVE_TOKEN_FILE` names, or
    /// `~/.config/rackweave/token` where nothing is said.
    #[arg(long, value_name = "FILE", global = true, help_heading = "API")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that the API's may be signed by; `RACKWEAVE_CA`, or the system's, where nothing is said.
    #[arg(long, value_name = "FILE", global = true, help_heading = "API")]
    ca: Option<PathBuf>,
    /// Writes the answer as JSON.
    #[arg(long, global = true, help_heading = "API")]
    json: bool,
}

/// What commands have that change something.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Waits until the change is in force on every host that it concerns.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How many seconds to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    pub(crate) timeout: u64,
}

/// Who asks the API.
#[derive(Debug)]
pub(crate) struct Asker {
    client: Blocking,
    pub(crate) json: bool,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The object as it is now; nothing where it is gone.
    pub(crate) object: Option<Value>,
    /// The change.
    pub(crate) revision: Option<Revision>,
}

impl AskArgs {
    /// Whoever asks as the command line and the environment say.
    ///
    /// # Errors
    /// Where these name nothing that can be asked.
    pub(crate) fn asker(&self) -> Result<Asker, Failure> {
        let place = match (&self.api, variable(API_ENV)) {
            (Some(place), _) => place.clone(),
            (None, Some(text)) => text.parse().map_err(|error: crate::place::BadPlace| {
                Failure::new(format!("{API_ENV}: {error}")).next(format!("set or unset {API_ENV}"))
            })?,
            (None, None) => Place::Unix(Path::new(RUN_DIR).join(SOCKET)),
        };
        let token = secret::token(self.token_file.as_deref())?;
        if let Some(token) = token.as_ref().filter(|_| place.is_overheard()) {
            return Err(Failure::new(format!("the token is not shown to {place}"))
                .cause(format!("everybody on the way could read {}", token.from))
                .next("use https://, or a tunnel to the machine of the API"));
        }
        let ca = self
            .ca
            .clone()
            .or_else(|| variable("RACKWEAVE_CA").map(PathBuf::from));
        let mut client = Client::new(place.endpoint(ca.as_deref())?);
        if let Some(token) = &token {
            client = client.with_token(&token.secret);
        }
        let client = Blocking::of(client)
            .map_err(|error| Failure::new("cannot ask the API").cause(error.to_string()))?;
        Ok(Asker::of(client, self.json))
    }
}

/// A variable of the environment that says something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Asker {
    /// Whoever asks by this client.
    pub(crate) const fn of(client: Blocking, json: bool) -> Self {
        Self { client, json }
    }

    /// How answers are shown.
    pub(crate) fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// Asks for something that changes nothing.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        ask: impl FnOnce(&Client) -> Call<'_>,
    ) -> Result<Answer<T>, ClientError> {
        self.client.answer(ask)
    }

    /// All of a list, which comes in pages.
    pub(crate) fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ClientError> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.get::<Page<T>>(|client| {
                let call = client.get(path).query("limit", PAGE);
                match &after {
                    Some(after) => call.query("after", after),
                    None => call,
                }
            })?;
            items.extend(page.body.items);
            match page.body.next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// Asks for a change; again where the answer got lost, under one name, so that it happens once.
    pub(crate) fn change<B: Serialize + ?Sized>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&B>,
        if_match: Option<&str>,
    ) -> Result<Answer<Bytes>, ClientError> {
        let key = secret::draw();
        let mut pause = PAUSE;
        for attempt in 1.. {
            let mut call = self.client.client().call(method.clone(), path);
            if let Some(key) = &key {
                call = call.header(IDEMPOTENCY_KEY, key);
            }
            if let Some(etag) = if_match {
                call = call.header("if-match", etag);
            }
            if let Some(body) = body {
                call = call.json(body);
            }
            match self.client.wait(call.bytes()) {
                // A name for the change is what makes asking again harmless.
                Err(error) if attempt < ATTEMPTS && key.is_some() && is_lost(&error, attempt) => {
                    self.client.wait(async { tokio::time::sleep(pause).await });
                    pause *= 2;
                }
                answered => return answered,
            }
        }
        Err(ClientError::Late(pause))
    }

    /// Asks for a change of an object.
    pub(crate) fn change_object<B: Serialize + ?Sized>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&B>,
        if_match: Option<&str>,
    ) -> Result<Changed, ClientError> {
        let answer = self.change(method, path, body, if_match)?;
        let object = (!answer.body.is_empty()).then(|| serde_json::from_slice(&answer.body));
        let object = object.transpose().map_err(|source| ClientError::Garbled {
            status: answer.status,
            source,
        })?;
        Ok(Changed {
            object,
            revision: revision(&answer),
        })
    }

    /// Waits until changes are in force on every host that they concern: those behind `since`, up to `revision`; the
    /// latter alone where there is none.
    pub(crate) fn wait_for(
        &self,
        revision: Revision,
        since: Option<Revision>,
        seconds: u64,
    ) -> Result<RevisionStatus, Failure> {
        let mut left = seconds;
        loop {
            let wait = left.min(WAIT_MAX);
            let status = self.get::<RevisionStatus>(|client| {
                let call = client.get(&format!(
                    "{}/revisions/{revision}",
                    rackweave_api::control::BASE
                ));
                let call = call
                    .query("wait_s", wait)
                    .patience(Duration::from_secs(wait) + GRACE);
                match since {
                    Some(since) => call.query("since", since),
                    None => call,
                }
            });
            let status = status.map_err(asking)?.body;
            left -= wait;
            if status.is_done() {
                return Ok(status);
            }
            if left == 0 || status.pending_count == 0 {
                return Err(unsettled(&status, seconds));
            }
        }
    }
}

/// The revision that an answer names.
pub(crate) fn revision<T>(answer: &Answer<T>) -> Option<Revision> {
    answer.header(REVISION)?.parse().ok().map(Revision)
}

/// Whether nobody knows if a change happened, or the API will come back.
fn is_lost(error: &ClientError, attempt: u32) -> bool {
    match error {
        ClientError::Broken { .. } | ClientError::Late(_) => true,
        // Who could not be reached at first is not there; later on it may be starting anew.
        ClientError::Connect { .. } => attempt > 1,
        other => other.status() == Some(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// Why a change is not in force everywhere.
fn unsettled(status: &RevisionStatus, seconds: u64) -> Failure {
    let revision = status.revision;
    if status.pending_count == 0 {
        let errors = status.errors.iter();
        let errors: Vec<String> = errors
            .map(|error| {
                format!(
                    "{}: {}: {}",
                    error.node, error.error.object, error.error.error
                )
            })
            .collect();
        return Failure::new(format!(
            "revision {revision} is stored, and hosts cannot put it into force"
        ))
        .cause(errors.join("\n"))
        .next(
            "`rackweave fleet host list` shows every host; what is at fault stands in their logs",
        );
    }
    let concerned = status.concerned;
    let what = format!(
        "revision {revision} is stored, and after {seconds} s not in force on {} of {concerned} hosts",
        status.pending_count
    );
    Failure::new(what)
        .cause(format!("not heard from: {}", status.pending.join(", ")))
        .next("`rackweave fleet host list` shows which hosts are connected; those that are away get it when they come")
}

/// Why the API could not be asked, or what it refused, with what to do.
pub(crate) fn asking(error: ClientError) -> Failure {
    let status = error.status();
    let failure = Failure::asking_http(SERVICE, error);
    match (status, &failure.next) {
        (Some(StatusCode::UNAUTHORIZED), _) => failure.next(format!(
            "put a token into {} or {}; an admin of the project makes one: `rackweave token create`",
            secret::usual_file().display(),
            secret::TOKEN_ENV,
        )),
        (None, Some(next)) if next.contains("--run-dir") => failure.next(format!(
            "start it: `systemctl start rackweave-controller` or `rackweave controller run`; an API elsewhere: --api \
             URL or {API_ENV}"
        )),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use rackweave_api::control::{HostError, ObjectError};
    use rackweave_api::http::Problem;

    use super::*;

    fn status(pending: &[&str], errors: Vec<HostError>) -> RevisionStatus {
        RevisionStatus {
            revision: Revision(7),
            concerned: 3,
            pending: pending.iter().map(|&node| node.to_owned()).collect(),
            pending_count: pending.len(),
            errors,
        }
    }

    #[test]
    fn who_is_missing_is_named() {
        let failure = unsettled(&status(&["fd00:1:2:101::/64"], Vec::new()), 5).to_string();
        assert!(
            failure.contains("not in force on 1 of 3 hosts"),
            "{failure}"
        );
        assert!(failure.contains("fd00:1:2:101::/64"), "{failure}");
        let error = HostError {
            node: "fd00:1:2:101::/64".to_owned(),
            error: ObjectError {
                object: "port 7".to_owned(),
                error: "no such device".to_owned(),
            },
        };
        let failure = unsettled(&status(&[], vec![error]), 5).to_string();
        assert!(failure.contains("port 7: no such device"), "{failure}");
    }

    #[test]
    fn who_has_no_token_is_told_how_to_get_one() {
        let problem = Problem::of(StatusCode::UNAUTHORIZED).next("show a token");
        let failure = asking(ClientError::Problem(Box::new(problem)));
        assert!(
            failure
                .next
                .is_some_and(|next| next.contains("rackweave token create"))
        );
    }

    #[test]
    fn only_what_may_have_happened_is_asked_again() {
        let problem = |status| ClientError::Problem(Box::new(Problem::of(status)));
        assert!(is_lost(&ClientError::Late(PAUSE), 1));
        assert!(is_lost(&problem(StatusCode::SERVICE_UNAVAILABLE), 1));
        assert!(!is_lost(&problem(StatusCode::CONFLICT), 1));
        assert!(!is_lost(&problem(StatusCode::INSUFFICIENT_STORAGE), 1));
    }
}
