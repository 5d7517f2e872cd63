//! Service processors.

use axum::body::Bytes;
use axum::extract::State as Kept;
use axum::http::StatusCode;
use rackweave_api::http::Problem;
use rackweave_api::mgs::{
    Part, PowerRequest, Reading, Sensors, Sp, SpList, SpState, UpdateStatus, Where,
};
use rackweave_daemon::http::{Json, Path, Peer, Query, Refused};
use rackweave_mgmt::port::SpPort;
use rackweave_mgmt::sp::message::{Request, Response};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{PATIENCE, State, change, find, refusal, stopping, unexpected};
use crate::convert::{power_of, to_power, to_sp};
use crate::gateway::Answer;
use crate::seen::{LinkSeen, Seen};
use crate::updates::{NotBegun, Order};

/// Lists the places of service processors, and who is there.
#[utoipa::path(get, path = "/sps", responses((status = 200, body = SpList)))]
pub(super) async fn list(Kept(state): Kept<State>) -> Json<SpList> {
    let seen = state.handle.seen();
    let judged = state.judged.borrow().clone();
    let mut links: Vec<&LinkSeen> = seen
        .links
        .iter()
        .filter(|link| link.found.is_some() || link.end.is_some())
        .collect();
    links.sort_by_key(|link| (link.unit().is_none(), link.unit(), link.port));
    let sps = links
        .into_iter()
        .map(|link| to_sp(&seen, link, judged.peer.as_ref()));
    let place = seen.place.as_ref();
    Json(SpList {
        position: place.map(|(_, position)| crate::convert::to_position(*position)),
        rack: place.map(|(rack, _)| rack.name().into()),
        sps: sps.collect(),
    })
}

/// Asks how a unit is, and what it is made of.
#[utoipa::path(get, path = "/sps/{sp}", params(("sp" = String, Path, description = "`cubby-5`, `psc-0`, `switch-a`, `port-7`, or a serial number")), responses((status = 200, body = SpState)))]
pub(super) async fn show(
    Kept(state): Kept<State>,
    Path(name): Path<String>,
) -> Result<Json<SpState>, Refused> {
    let seen = state.handle.seen();
    let link = find(&seen, &name)?;
    let Response::State(how) = state.ask(link, Request::State).await? else {
        return Err(unexpected(link).into());
    };
    let mut parts: Vec<Part> = Vec::new();
    loop {
        let from = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        let Response::Inventory(rows, all) = state.ask(link, Request::Inventory(from)).await?
        else {
            return Err(unexpected(link).into());
        };
        let more = !rows.is_empty();
        parts.extend(rows.into_iter().map(|part| Part {
            name: part.name,
            serial: part.serial,
        }));
        if !more || parts.len() >= usize::from(all) {
            break;
        }
    }
    Ok(Json(SpState {
        sp: sp(&state, &seen, link),
        power: to_power(how.power),
        firmware: how.firmware,
        on_trial: how.on_trial,
        uptime_s: how.uptime,
        refused: how.refused,
        parts,
    }))
}

/// Switches a unit's host on or off.
#[utoipa::path(put, path = "/sps/{sp}/power", params(("sp" = String, Path, description = "place or serial number")), request_body = PowerRequest, responses((status = 204)))]
pub(super) async fn power(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(name): Path<String>,
    Json(asked): Json<PowerRequest>,
) -> Result<StatusCode, Refused> {
    change(&peer)?;
    done(&state, &name, Request::SetPower(power_of(asked.power))).await
}

/// Starts a service processor anew. Its host goes on.
#[utoipa::path(post, path = "/sps/{sp}/reset", params(("sp" = String, Path, description = "place or serial number")), responses((status = 204)))]
pub(super) async fn reset(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    change(&peer)?;
    done(&state, &name, Request::Reset).await
}

async fn done(state: &State, name: &str, request: Request) -> Result<StatusCode, Refused> {
    let seen = state.handle.seen();
    let link = find(&seen, name)?;
    match state.ask(link, request).await? {
        Response::Done => Ok(StatusCode::NO_CONTENT),
        _ => Err(unexpected(link).into()),
    }
}

/// Reads the sensors of a unit.
#[utoipa::path(get, path = "/sps/{sp}/sensors", params(("sp" = String, Path, description = "place or serial number")), responses((status = 200, body = Sensors)))]
pub(super) async fn sensors(
    Kept(state): Kept<State>,
    Path(name): Path<String>,
) -> Result<Json<Sensors>, Refused> {
    let seen = state.handle.seen();
    let link = find(&seen, &name)?;
    let mut readings: Vec<Reading> = Vec::new();
    loop {
        let from = u16::try_from(readings.len()).unwrap_or(u16::MAX);
        let Response::Sensors(rows, all) = state.ask(link, Request::Sensors(from)).await? else {
            return Err(unexpected(link).into());
        };
        let more = !rows.is_empty();
        readings.extend(rows.into_iter().map(|row| Reading {
            name: row.name,
            milli: row.milli,
            unit: row.unit,
        }));
        if !more || readings.len() >= usize::from(all) {
            return Ok(Json(Sensors { readings }));
        }
    }
}

/// Asks a service processor at each of its ports to answer if it is reached there (seed "Sidecar Location").
#[utoipa::path(get, path = "/sps/{sp}/where", params(("sp" = String, Path, description = "place or serial number")), responses((status = 200, body = Where)))]
pub(super) async fn located(
    Kept(state): Kept<State>,
    Path(name): Path<String>,
) -> Result<Json<Where>, Refused> {
    let seen = state.handle.seen();
    let link = find(&seen, &name)?;
    let asked = SpPort::ALL.map(|port| {
        let request = Request::ReplyIfAt(port.into());
        state.handle.ask(link.port, request, PATIENCE / 3)
    });
    let [one, two] = asked;
    let (one, two) = tokio::join!(one, two);
    let mut answered_at = Vec::new();
    for (port, answer) in SpPort::ALL.into_iter().zip([one, two]) {
        match answer.map_err(Problem::from)? {
            Answer::Response(_) => answered_at.push(port.number()),
            Answer::TimedOut => {}
            other => return Err(refusal(link, &other).into()),
        }
    }
    let contradiction = seen.contradictions.iter().find(|it| it.port == link.port);
    Ok(Json(Where {
        sp: sp(&state, &seen, link),
        answered_at,
        contradiction: contradiction.map(|it| it.what.clone()),
    }))
}

/// What the query of an update says.
#[derive(Debug, Deserialize)]
pub(super) struct ImageQuery {
    /// What the image is called: what the service processor says that it runs.
    image: String,
}

/// Updates a service processor to the image in the body; goes on by itself, also where the gateway starts anew.
#[utoipa::path(put, path = "/sps/{sp}/update", params(("sp" = String, Path, description = "place or serial number"), ("image" = String, Query, description = "what the image is called")), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 202, body = UpdateStatus)))]
pub(super) async fn update_begin(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(name): Path<String>,
    Query(query): Query<ImageQuery>,
    octets: Bytes,
) -> Result<(StatusCode, Json<UpdateStatus>), Refused> {
    change(&peer)?;
    if query.image.is_empty() || query.image.len() > 32 {
        let problem = Problem::bad_request("an image's name has 1 to 32 characters");
        return Err(problem.field("image").into());
    }
    let serial = serial(&state, &name)?;
    let (reply, begun) = oneshot::channel();
    let order = Order::Begin {
        serial,
        image: query.image,
        octets,
        reply,
    };
    state.updates.send(order).await.map_err(stopping)?;
    match begun.await.map_err(stopping)? {
        Ok(status) => Ok((StatusCode::ACCEPTED, Json(status))),
        Err(error @ (NotBegun::Empty | NotBegun::TooLong)) => {
            Err(Problem::bad_request(error.to_string()).into())
        }
        Err(error) => Err(Problem::internal(error.to_string()).into()),
    }
}

/// Says how far an update is, or what came of the last one.
#[utoipa::path(get, path = "/sps/{sp}/update", params(("sp" = String, Path, description = "place or serial number")), responses((status = 200, body = UpdateStatus)))]
pub(super) async fn update_status(
    Kept(state): Kept<State>,
    Path(name): Path<String>,
) -> Result<Json<UpdateStatus>, Refused> {
    let serial = serial(&state, &name)?;
    let (reply, told) = oneshot::channel();
    let order = Order::Status { serial, reply };
    state.updates.send(order).await.map_err(stopping)?;
    let status = told.await.map_err(stopping)?;
    Ok(Json(status.ok_or_else(|| no_update(&name))?))
}

/// Forgets an update.
#[utoipa::path(delete, path = "/sps/{sp}/update", params(("sp" = String, Path, description = "place or serial number")), responses((status = 204)))]
pub(super) async fn update_abort(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    change(&peer)?;
    let serial = serial(&state, &name)?;
    let (reply, told) = oneshot::channel();
    let order = Order::Abort { serial, reply };
    state.updates.send(order).await.map_err(stopping)?;
    if told.await.map_err(stopping)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_update(&name).into())
    }
}

fn no_update(name: &str) -> Problem {
    Problem::not_found(format!("{name} is not being updated"))
        .next("`rackweave sp update SP IMAGE` begins an update")
}

/// The serial number of who is there: updates are of a unit, wherever it goes.
fn serial(state: &State, name: &str) -> Result<String, Refused> {
    let seen = state.handle.seen();
    let link = find(&seen, name)?;
    match &link.found {
        Some(found) => Ok(found.serial.clone()),
        None => Err(refusal(link, &Answer::Absent).into()),
    }
}

fn sp(state: &State, seen: &Seen, link: &LinkSeen) -> Sp {
    let judged = state.judged.borrow().clone();
    to_sp(seen, link, judged.peer.as_ref())
}
