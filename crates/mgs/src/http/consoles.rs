//! Serial consoles: one request opens a session, its output is a stream of octets, its input comes in others.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State as Kept;
use axum::http::StatusCode;
use rackweave_api::http::Problem;
use rackweave_api::mgs::{ConsoleRequest, ConsoleSession, ConsoleStatus};
use rackweave_daemon::http::{Json, Octets, Path, Peer, Refused};
use rackweave_linux::wake::Wake;
use tokio::sync::{mpsc, oneshot};

use super::{State, change, drawn, find, refusal, stopping};
use crate::drive::{Command, Handle};
use crate::gateway::{Answer, Ticket};

/// Pieces on their way to whoever reads.
const PIECES: usize = 64;
/// How long a console is held for somebody who does not read it, and how long it is known why it is over.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest name of an operator: what service processors keep of it.
const NAME_MAX: usize = 32;

/// A console that is held, or was.
#[derive(Debug)]
pub enum Session {
    /// It is held.
    Held {
        /// What the loop calls it.
        ticket: Ticket,
        /// What comes out, until somebody reads it.
        output: Option<(mpsc::Receiver<Bytes>, oneshot::Receiver<Answer>)>,
    },
    /// It is over, and why.
    Over(String),
}

/// Takes the console of a unit.
#[utoipa::path(post, path = "/sps/{sp}/console", params(("sp" = String, Path, description = "place or serial number")), request_body = ConsoleRequest, responses((status = 201, body = ConsoleSession)))]
pub(super) async fn open(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(name): Path<String>,
    Json(asked): Json<ConsoleRequest>,
) -> Result<(StatusCode, Json<ConsoleSession>), Refused> {
    change(&peer)?;
    let named = !asked.operator.is_empty()
        && asked.operator.len() <= NAME_MAX
        && !asked.operator.chars().any(char::is_control);
    if !named {
        let problem = Problem::bad_request("an operator's name has 1 to 32 printable characters");
        return Err(problem.field("operator").into());
    }
    let seen = state.handle.seen();
    let link = find(&seen, &name)?;
    let (output, pieces) = mpsc::channel(PIECES);
    let (reply, opened) = oneshot::channel();
    let (over, ended) = oneshot::channel();
    let command = Command::ConsoleOpen {
        port: link.port,
        operator: asked.operator,
        force: asked.force,
        output,
        reply,
        over,
    };
    state.handle.tell(command).await.map_err(Problem::from)?;
    let ticket = opened.await.map_err(stopping)?;
    let ticket = ticket.map_err(|answer| refusal(link, &answer))?;
    let session = u64::from(drawn()?);
    let held = Session::Held {
        ticket,
        output: Some((pieces, ended)),
    };
    state.consoles.lock().await.insert(session, held);
    tokio::spawn(forget_unread(state.clone(), session));
    Ok((StatusCode::CREATED, Json(ConsoleSession { session })))
}

/// Nobody reads it: it is let go.
async fn forget_unread(state: State, session: u64) {
    tokio::time::sleep(PATIENCE).await;
    let mut consoles = state.consoles.lock().await;
    if let Some(Session::Held {
        ticket,
        output: Some(_),
    }) = consoles.get(&session)
    {
        let ticket = *ticket;
        consoles.remove(&session);
        drop(consoles);
        let _stopping = state.handle.tell(Command::ConsoleClose(ticket)).await;
    }
}

/// Says whether a console is still held.
#[utoipa::path(get, path = "/consoles/{session}", params(("session" = u64, Path, description = "the session")), responses((status = 200, body = ConsoleStatus)))]
pub(super) async fn status(
    Kept(state): Kept<State>,
    Path(session): Path<u64>,
) -> Result<Json<ConsoleStatus>, Refused> {
    let consoles = state.consoles.lock().await;
    let status = match consoles.get(&session) {
        Some(Session::Held { .. }) => ConsoleStatus {
            held: true,
            ended_because: None,
        },
        Some(Session::Over(why)) => ConsoleStatus {
            held: false,
            ended_because: Some(why.clone()),
        },
        None => return Err(no_session().into()),
    };
    Ok(Json(status))
}

/// Reads what comes out of a console, from where it was attached on, until it is let go.
#[utoipa::path(get, path = "/consoles/{session}/output", params(("session" = u64, Path, description = "the session")), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub(super) async fn output(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(session): Path<u64>,
) -> Result<Octets, Refused> {
    change(&peer)?;
    let taken = match state.consoles.lock().await.get_mut(&session) {
        Some(Session::Held { ticket, output }) => output.take().map(|output| (*ticket, output)),
        _ => return Err(no_session().into()),
    };
    let (ticket, (pieces, ended)) = taken
        .ok_or_else(|| Problem::conflict("somebody reads the output of this session already"))?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        pass(pieces, sender, state.handle.bell()).await;
        let why = close(&state.handle, ticket, ended).await;
        state
            .consoles
            .lock()
            .await
            .insert(session, Session::Over(why));
        tokio::time::sleep(PATIENCE).await;
        state.consoles.lock().await.remove(&session);
    });
    Ok(Octets(receiver))
}

/// Passes pieces on, as many at once as there are, until one of the two ends is gone.
async fn pass(mut pieces: mpsc::Receiver<Bytes>, sender: mpsc::Sender<Bytes>, bell: Wake) {
    let mut some = Vec::new();
    loop {
        let count = tokio::select! {
            count = pieces.recv_many(&mut some, PIECES) => count,
            () = sender.closed() => return,
        };
        if count == 0 {
            return;
        }
        bell.wake();
        let together = some.concat().into();
        some.clear();
        if sender.send(together).await.is_err() {
            return;
        }
    }
}

/// Lets a console go; why it is over.
async fn close(handle: &Handle, ticket: Ticket, mut ended: oneshot::Receiver<Answer>) -> String {
    let why = ended.try_recv();
    let _stopping = handle.tell(Command::ConsoleClose(ticket)).await;
    match why {
        Ok(Answer::Failed(failure)) => failure.to_string(),
        Ok(Answer::Gone) => "the service processor went away".into(),
        Ok(Answer::TimedOut) => "the service processor does not answer".into(),
        _ => "it was let go".into(),
    }
}

/// Types at a console.
#[utoipa::path(post, path = "/consoles/{session}/input", params(("session" = u64, Path, description = "the session")), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 204)))]
pub(super) async fn input(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(session): Path<u64>,
    octets: Bytes,
) -> Result<StatusCode, Refused> {
    change(&peer)?;
    let ticket = held(&state, session).await?;
    let command = Command::ConsoleType(ticket, octets);
    state.handle.tell(command).await.map_err(Problem::from)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a console go.
#[utoipa::path(delete, path = "/consoles/{session}", params(("session" = u64, Path, description = "the session")), responses((status = 204)))]
pub(super) async fn close_session(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(session): Path<u64>,
) -> Result<StatusCode, Refused> {
    change(&peer)?;
    let ticket = held(&state, session).await?;
    let command = Command::ConsoleClose(ticket);
    state.handle.tell(command).await.map_err(Problem::from)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn held(state: &State, session: u64) -> Result<Ticket, Problem> {
    match state.consoles.lock().await.get(&session) {
        Some(Session::Held { ticket, .. }) => Ok(*ticket),
        Some(Session::Over(why)) => {
            Err(Problem::conflict(format!("the console is not held: {why}")))
        }
        None => Err(no_session()),
    }
}

fn no_session() -> Problem {
    Problem::not_found("there is no such session, or it is over")
        .next("`rackweave sp console SP` opens one")
}
