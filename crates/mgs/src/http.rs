//! The gateway's API: HTTP over a unix socket, and where it is said so over TCP. Whoever may connect may ask; only root,
//! or who runs the gateway, over the unix socket may change anything.

mod consoles;
mod rack;
mod sps;

#[cfg(test)]
mod tests;

pub(crate) use rack::run_selftest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use rackweave_api::http::Problem;
use rackweave_api::mgs::Selftest;
use rackweave_daemon::http::{Api, Peer, Refused};
use rackweave_linux::random;
use rackweave_mgmt::sp::message::{Failure, Request, Response};
use tokio::sync::{Mutex, mpsc, watch};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::drive::{Handle, Stopping};
use crate::gateway::Answer;
use crate::judge::{Judged, Override, unit_of};
use crate::seen::{LinkSeen, Seen, name_of_port};
use crate::updates::Order;

/// How long a service processor may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the API is called, and what it is for.
const TITLE: &str = "Rackweave management gateway";
const DESCRIPTION: &str = "What service processors of a rack are asked and told, where they are, \
                           and what is wrong with cables.";
/// The longest image.
const IMAGE_MAX: usize = 64 << 20;

/// What handlers work with.
#[derive(Clone, Debug)]
pub struct State {
    /// The loop.
    pub handle: Handle,
    /// What is found of cables.
    pub judged: watch::Receiver<Arc<Judged>>,
    /// Whom to tell that a held switch is to be used.
    pub overrides: mpsc::Sender<Override>,
    /// Whom to ask for updates.
    pub updates: mpsc::Sender<Order>,
    /// What came of the last self-test.
    pub selftest: watch::Sender<Option<Selftest>>,
    /// Consoles that are held.
    pub consoles: Arc<Mutex<BTreeMap<u64, consoles::Session>>>,
}

/// The API.
#[must_use]
pub fn api(state: State) -> Api {
    Api::new(TITLE, DESCRIPTION, router().with_state(state))
}

fn router() -> OpenApiRouter<State> {
    let images = OpenApiRouter::new()
        .routes(routes!(sps::update_begin))
        .layer(axum::extract::DefaultBodyLimit::max(IMAGE_MAX));
    OpenApiRouter::new()
        .routes(routes!(sps::list))
        .routes(routes!(sps::show))
        .routes(routes!(sps::power))
        .routes(routes!(sps::reset))
        .routes(routes!(sps::sensors))
        .routes(routes!(sps::located))
        .merge(images)
        .routes(routes!(sps::update_status, sps::update_abort))
        .routes(routes!(consoles::open))
        .routes(routes!(consoles::status, consoles::close_session))
        .routes(routes!(consoles::output))
        .routes(routes!(consoles::input))
        .routes(routes!(rack::location))
        .routes(routes!(rack::view))
        .routes(routes!(rack::cabling))
        .routes(routes!(rack::switches))
        .routes(routes!(rack::put_to_use))
        .routes(routes!(rack::selftest_last, rack::selftest_run))
        .routes(routes!(rack::vlans))
}

impl From<Stopping> for Problem {
    fn from(_: Stopping) -> Self {
        Self::unavailable("the gateway is stopping")
    }
}

impl State {
    /// Asks the service processor behind a link.
    async fn ask(&self, link: &LinkSeen, request: Request) -> Result<Response, Problem> {
        let answer = self.handle.ask(link.port, request, PATIENCE).await?;
        match answer {
            Answer::Response(response) => Ok(response),
            other => Err(refusal(link, &other)),
        }
    }
}

/// Only who runs the gateway may change anything.
fn change(peer: &Peer) -> Result<(), Refused> {
    if peer.is_privileged() {
        return Ok(());
    }
    let problem =
        Problem::forbidden("only root may change something, over the gateway's unix socket");
    Err(problem
        .next("run the command as root on the gateway's host")
        .into())
}

/// The link to what is called so.
fn find<'s>(seen: &'s Seen, name: &str) -> Result<&'s LinkSeen, Refused> {
    let unit = unit_of(&name.replace(' ', "-"));
    let by_unit = |link: &&LinkSeen| unit.is_some() && link.unit() == unit;
    let by_port = |link: &&LinkSeen| name_of_port(link.port) == name;
    let by_serial = |link: &&LinkSeen| {
        link.found
            .as_ref()
            .is_some_and(|found| found.serial == name)
    };
    let mut links = seen.links.iter();
    let link = links.find(|link| by_unit(link) || by_port(link) || by_serial(link));
    link.ok_or_else(|| {
        let problem = Problem::not_found(match &seen.place {
            Some(_) => format!("no place or serial number is called `{name}`"),
            None => {
                format!("no place is called `{name}`: the gateway does not know yet where it sits")
            }
        });
        let problem = problem.next("`rackweave sp list` lists places and serial numbers");
        problem.into()
    })
}

/// Why a service processor did not do what it was asked.
fn refusal(link: &LinkSeen, answer: &Answer) -> Problem {
    let place = crate::seen::place_of(link);
    match answer {
        Answer::Absent => Problem::unavailable(format!("no service processor answers at {place}"))
            .next("`rackweave mgmt cabling` says whether a cable is missing"),
        Answer::Gone => Problem::unavailable(format!(
            "the service processor of {place} went away before it answered"
        )),
        Answer::TimedOut => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "sp-timeout",
            "a service processor did not answer in time",
        )
        .detail(format!(
            "the service processor of {place} did not answer in time"
        )),
        Answer::NoKey(serial) => Problem::conflict(format!(
            "there is no key of {serial}, which is at {place}: nothing is asked without proof"
        ))
        .next("provision its key to this gateway (`keys` of the configuration)"),
        Answer::TooLong => Problem::bad_request("the request does not fit a message"),
        Answer::Failed(Failure::Held(by)) => Problem::new(
            StatusCode::CONFLICT,
            "console-held",
            "somebody else holds the console",
        )
        .detail(format!("the console of {place} is held by {by}"))
        .next(format!("ask {by} to let go of it, or take it with --force")),
        Answer::Failed(failure) => Problem::conflict(format!("{place}: {failure}")),
        Answer::Response(_) => unexpected(link),
    }
}

/// It answered something else than was asked.
fn unexpected(link: &LinkSeen) -> Problem {
    let place = crate::seen::place_of(link);
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "sp-strange",
        "a service processor answered something else than was asked",
    )
    .detail(format!(
        "the service processor of {place} answered something else than was asked"
    ))
}

/// Nobody is left to do it.
fn stopping<E>(_: E) -> Problem {
    Problem::from(Stopping)
}

/// A number that nobody can guess.
fn drawn() -> Result<u32, Refused> {
    let octets = random::bytes().map_err(|error| Problem::internal(error.to_string()))?;
    Ok(u32::from_be_bytes(octets))
}
