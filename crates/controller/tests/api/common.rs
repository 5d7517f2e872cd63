//! A controller over a store in memory, and who asks it.

use std::sync::Arc;
use std::time::Duration;

use rackweave_api::control::{Grant, NewToken, Role, TokenMade};
use rackweave_api::http::{Answer, Call, Client, ClientError, Endpoint, Problem};
use rackweave_controller::run::{Serving, serve};
use rackweave_daemon::http::{Limits, Listener, Place};
use rackweave_store::{EmbeddedOptions, Store};
use rackweave_trust::Anchor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A controller that runs.
pub(crate) struct Controller {
    dir: TempDir,
    end: Arc<Notify>,
    task: JoinHandle<anyhow::Result<()>>,
    /// An operator: the controller's own user, over the unix socket.
    pub(crate) operator: Client,
}

impl Controller {
    /// A controller with an empty store.
    pub(crate) async fn start() -> Self {
        Self::over(memory()).await
    }

    /// A controller over this store.
    pub(crate) async fn over(store: Store) -> Self {
        Self::with(store, None, Vec::new()).await
    }

    /// A controller over this store, which nodes of an AZ reach by these listeners.
    pub(crate) async fn with(
        store: Store,
        anchor: Option<Anchor>,
        mut listeners: Vec<Listener>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        listeners.push(Place::Unix(path.clone()).open(None).await.unwrap());
        let end = Arc::new(Notify::new());
        let told = Arc::clone(&end);
        let task = tokio::spawn(async move {
            let serving = Serving {
                store,
                anchor,
                listeners,
                limits: Limits::default(),
                metrics: Vec::new(),
                alone: false,
            };
            serve(serving, told.notified()).await
        });
        Self {
            dir,
            end,
            task,
            operator: Client::new(Endpoint::Unix(path)),
        }
    }

    /// Ends it.
    pub(crate) async fn end(self) {
        self.end.notify_one();
        timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        drop(self.dir);
    }

    /// A client with a new token.
    pub(crate) async fn token(&self, grants: Vec<Grant>) -> Client {
        let new = NewToken {
            subject: "test".to_owned(),
            grants,
            lifetime_s: None,
        };
        let made = self.operator.post("/v1/tokens").json(&new);
        let made: TokenMade = made.answer().await.unwrap().body;
        Client::new(self.operator.endpoint().clone()).with_token(&made.secret)
    }

    /// A client with a role in a project.
    pub(crate) async fn member(&self, project: &str, role: Role) -> Client {
        let project = project.to_owned();
        self.token(vec![Grant::Project { project, role }]).await
    }

    /// Describes an AZ with a rack and some sleds.
    pub(crate) async fn fleet(&self, sleds: u8) {
        let az = json!({"prefix": "fd00:1:2::/48"});
        make(&self.operator, "/v1/azs", "az", az).await;
        make(&self.operator, "/v1/racks", "r1", json!({"number": "01"})).await;
        for number in 1..=sleds {
            let spec = json!({
                "prefix": prefix(number),
                "src_mac": format!("02:00:00:00:00:{number:02x}"),
                "dst_mac": "02:00:00:00:01:01",
            });
            make(&self.operator, "/v1/sleds", &format!("s{number}"), spec).await;
        }
    }

    /// Makes a project with a VPC and a subnet, and in it instances with a NIC each, by turns on these sleds.
    pub(crate) async fn project(&self, name: &str, instances: u8, sleds: u8) {
        let client = &self.operator;
        make(client, "/v1/projects", name, json!({})).await;
        let at = format!("/v1/projects/{name}");
        let vpc = json!({"ipv4": ["10.0.0.0/16"]});
        make(client, &format!("{at}/vpcs"), "prod", vpc).await;
        let subnet = json!({"ipv4": "10.0.1.0/24"});
        make(client, &format!("{at}/vpcs/prod/subnets"), "web", subnet).await;
        for number in 1..=instances {
            let sled = format!("s{}", (number - 1) % sleds + 1);
            let instance = format!("i{number}");
            let spec = json!({"sled": sled});
            make(client, &format!("{at}/instances"), &instance, spec).await;
            let nic = json!({"vpc": "prod", "subnet": "web"});
            make(
                client,
                &format!("{at}/instances/{instance}/nics"),
                "n0",
                nic,
            )
            .await;
        }
    }
}

/// A store that ends with the test.
pub(crate) fn memory() -> Store {
    Store::in_memory(EmbeddedOptions::default()).unwrap()
}

/// The prefix of a sled.
pub(crate) fn prefix(sled: u8) -> String {
    format!("fd00:1:2:1{sled:02x}::/64")
}

/// A request that makes an object.
pub(crate) fn making<'c>(client: &'c Client, path: &str, name: &str, spec: &Value) -> Call<'c> {
    client.post(path).json(&json!({"name": name, "spec": spec}))
}

/// Makes an object.
pub(crate) async fn make(client: &Client, path: &str, name: &str, spec: Value) -> Answer<Value> {
    let made = making(client, path, name, &spec).answer().await;
    made.unwrap_or_else(|error| panic!("{path}/{name} is not made: {error}"))
}

/// What a request is refused with.
pub(crate) async fn refused(call: Call<'_>) -> Problem {
    match call.bytes().await {
        Err(ClientError::Problem(problem)) => *problem,
        other => panic!("not refused: {other:?}"),
    }
}

/// The status that a request is answered with.
pub(crate) async fn status(call: Call<'_>) -> u16 {
    match call.bytes().await {
        Ok(answer) => answer.status.as_u16(),
        Err(ClientError::Problem(problem)) => problem.status,
        Err(other) => panic!("not answered: {other}"),
    }
}
