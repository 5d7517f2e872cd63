//! The address of the service rack: the node's router announces it as long as this controller serves.
//!
//! Hosts try the controllers' addresses in turn, so one that cannot serve must not be found: where the store does not
//! answer, the prefix is not announced. A controller that is killed is found for 30 s more, unless it is back by then.

use std::path::PathBuf;
use std::time::Duration;

use rackweave_api::local::{Client, ClientError};
use rackweave_api::router::{
    OriginScope, OriginateRequest, Originated, Origination, Request, SERVICE, Status,
    StatusRequest, WithdrawRequest, Withdrawn,
};
use rackweave_store::Store;
use rackweave_types::ServicePrefix;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Who asks the router.
const ASKER: &str = "controller";
/// How often the store and the router are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is announced, by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// The prefix.
    pub(crate) prefix: ServicePrefix,
    /// The router's socket.
    pub(crate) router: PathBuf,
}

/// What the router was told.
#[derive(Default)]
struct Told {
    router: Option<Client>,
    ready: Option<bool>,
}

impl Announcement {
    /// Has the prefix announced as long as the store answers; goes on until it is dropped.
    pub(crate) async fn run(self, store: Store) {
        let mut told = Told::default();
        loop {
            let ready = matches!(timeout(PATIENCE, store.head()).await, Ok(Ok(_)));
            let announcement = self.clone();
            let asked = spawn_blocking(move || announcement.tell(told, ready)).await;
            told = match asked {
                Ok(Ok(told)) => told,
                Ok(Err(error)) => {
                    tracing::warn!(%error, prefix = %self.prefix, "the router does not announce the controller");
                    Told::default()
                }
                // The runtime ends.
                Err(_) => return,
            };
            sleep(EVERY).await;
        }
    }

    /// Tells the router what has changed, or asks whether it is still there.
    fn tell(&self, told: Told, ready: bool) -> Result<Told, ClientError> {
        let mut router = match told.router {
            Some(router) => router,
            None => Client::connect(&self.router, SERVICE, &rackweave_daemon::program())?,
        };
        if told.ready == Some(ready) {
            let _lives: Status = router.ask(&Request::Status(StatusRequest {}))?;
        } else {
            let request = Request::Originate(OriginateRequest {
                asker: ASKER.to_owned(),
                prefixes: vec![Origination {
                    prefix: self.prefix.net(),
                    scope: OriginScope::Service,
                    ready,
                }],
            });
            let _told: Originated = router.ask(&request)?;
            tracing::info!(prefix = %self.prefix, ready, "the router announces the controller");
        }
        Ok(Told {
            router: Some(router),
            ready: Some(ready),
        })
    }

    /// Has the prefix withdrawn at once.
    pub(crate) async fn end(self) {
        let withdrawn = spawn_blocking(move || {
            let program = rackweave_daemon::program();
            let mut router = Client::connect(&self.router, SERVICE, &program)?;
            let asker = ASKER.to_owned();
            router.ask::<_, Withdrawn>(&Request::Withdraw(WithdrawRequest { asker }))
        });
        if let Ok(Err(error)) = withdrawn.await {
            tracing::warn!(%error, "the router goes on announcing the controller for 30 s");
        }
    }
}
