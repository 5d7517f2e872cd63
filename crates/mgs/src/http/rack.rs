//! The gateway itself, the rack and its cables.

use axum::extract::State as Kept;
use rackweave_api::http::Problem;
use rackweave_api::mgs::{
    self as api, Cabling, Candidate, Contradiction, Location, OverrideRequest, Selftest,
    SwitchStatus, Switches, View, Vlans,
};
use rackweave_daemon::http::{Json, Path, Peer, Refused};
use rackweave_linux::clock;
use tokio::sync::oneshot;

use super::{State, change, drawn, stopping};
use crate::convert::{millis, to_finding, to_position, to_selftest};
use crate::judge::{NotOverridden, Override};
use crate::vlans;

/// Says where the gateway is, and how many service processors it found.
#[utoipa::path(get, path = "/location", responses((status = 200, body = Location)))]
pub(super) async fn location(Kept(state): Kept<State>) -> Json<Location> {
    let seen = state.handle.seen();
    let place = seen.place.as_ref();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let in_doubt = seen.in_doubt.iter().map(|(rack, position)| Candidate {
        rack: rack.clone(),
        position: to_position(*position),
    });
    let contradictions = seen.contradictions.iter().map(|it| Contradiction {
        port: it.port.get(),
        unit: it.unit.map(crate::seen::name_of),
        text: it.what.clone(),
    });
    let ports = seen
        .links
        .iter()
        .filter(|link| place.is_none() || link.end.is_some());
    Json(Location {
        program: rackweave_daemon::program(),
        uptime_ms: millis(clock::now().since(seen.started)),
        rack: place.map(|(rack, _)| rack.name().into()),
        position: place.map(|(_, position)| to_position(*position)),
        in_doubt: in_doubt.collect(),
        contradictions: contradictions.collect(),
        found: count(seen.found()),
        ports: count(ports.count()),
        discovered_ms: seen.discovered.map(millis),
    })
}

/// Says what this gateway and its switch see at each port; the other gateway asks for it.
#[utoipa::path(get, path = "/view", responses((status = 200, body = View)))]
pub(super) async fn view(Kept(state): Kept<State>) -> Json<View> {
    Json(state.judged.borrow().own.clone())
}

/// Says what is wrong with cables.
#[utoipa::path(get, path = "/cabling", responses((status = 200, body = Cabling)))]
pub(super) async fn cabling(Kept(state): Kept<State>) -> Json<Cabling> {
    let judged = state.judged.borrow().clone();
    let known = u32::try_from(judged.known).unwrap_or(u32::MAX);
    Json(match &judged.findings {
        Ok(findings) => Cabling {
            complete: true,
            incomplete_because: None,
            known,
            findings: findings.iter().map(to_finding).collect(),
        },
        Err(why) => Cabling {
            complete: false,
            incomplete_because: Some(why.clone()),
            known,
            findings: Vec::new(),
        },
    })
}

/// Says whether the switches may be used.
#[utoipa::path(get, path = "/switches", responses((status = 200, body = Switches)))]
pub(super) async fn switches(Kept(state): Kept<State>) -> Json<Switches> {
    Json(state.judged.borrow().switches.clone())
}

/// Puts a switch to use that is held; who said so and why is written down.
#[utoipa::path(post, path = "/switches/{position}/override", params(("position" = api::Position, Path, description = "`a` or `b`")), request_body = OverrideRequest, responses((status = 200, body = SwitchStatus)))]
pub(super) async fn put_to_use(
    Kept(state): Kept<State>,
    peer: Peer,
    Path(position): Path<api::Position>,
    Json(asked): Json<OverrideRequest>,
) -> Result<Json<SwitchStatus>, Refused> {
    change(&peer)?;
    for (field, text) in [("who", &asked.who), ("why", &asked.why)] {
        if text.trim().is_empty() {
            let problem = Problem::bad_request("say who puts the switch to use, and why");
            return Err(problem.field(field).into());
        }
    }
    let (reply, done) = oneshot::channel();
    let order = Override {
        position,
        who: asked.who,
        why: asked.why,
        reply,
    };
    state.overrides.send(order).await.map_err(stopping)?;
    match done.await.map_err(stopping)? {
        Ok(status) => Ok(Json(status)),
        Err(error @ NotOverridden::Unwritten(_)) => {
            Err(Problem::internal(error.to_string()).into())
        }
        Err(error) => Err(Problem::conflict(error.to_string()).into()),
    }
}

/// Says what came of the last self-test.
#[utoipa::path(get, path = "/selftest", responses((status = 200, body = Selftest)))]
pub(super) async fn selftest_last(Kept(state): Kept<State>) -> Result<Json<Selftest>, Refused> {
    let last = state.selftest.borrow().clone();
    let none = || {
        Problem::not_found("no self-test has ended since the gateway started")
            .next("`rackweave mgmt selftest` runs one")
    };
    Ok(Json(last.ok_or_else(none)?))
}

/// Proves isolation now.
#[utoipa::path(post, path = "/selftest", responses((status = 200, body = Selftest)))]
pub(super) async fn selftest_run(
    Kept(state): Kept<State>,
    peer: Peer,
) -> Result<Json<Selftest>, Refused> {
    change(&peer)?;
    Ok(Json(run_selftest(&state).await?))
}

/// Runs a self-test, and keeps what comes of it.
pub(crate) async fn run_selftest(state: &State) -> Result<Selftest, Refused> {
    let report = state
        .handle
        .selftest(drawn()?)
        .await
        .map_err(Problem::from)?;
    let selftest = to_selftest(&report, &state.handle.seen(), clock::unix_millis());
    if !selftest.leaks.is_empty() {
        tracing::error!(
            leaks = selftest.leaks_total,
            "frames arrived where they must not"
        );
    }
    state.selftest.send_replace(Some(selftest.clone()));
    Ok(selftest)
}

/// Says what is programmed into the chips of the rack that the gateway is in.
#[utoipa::path(get, path = "/vlans", responses((status = 200, body = Vlans)))]
pub(super) async fn vlans(Kept(state): Kept<State>) -> Result<Json<Vlans>, Refused> {
    let seen = state.handle.seen();
    let (rack, _) = seen.place.as_ref().ok_or_else(|| {
        Problem::unavailable("the gateway does not know yet in which type of rack it is")
            .next("`rackweave mgmt vlans --rack FILE` shows those of a described rack")
    })?;
    Ok(Json(vlans::of(rack)))
}
