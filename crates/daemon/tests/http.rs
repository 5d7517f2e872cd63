//! An API over real sockets: its client, its refusals, its streams, its end, and who asks.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and clippy looks at test functions alone"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use rackweave_api::http::{Bytes, Client, ClientError, Endpoint, Method, REQUEST_ID, StatusCode};
use rackweave_daemon::http::{
    Api, Ending, Json, Limits, Lines, Listener, Octets, Path, Peer, Place, Query, Refused,
    RequestId, Server,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Port {
    number: u16,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    count: u32,
}

/// What handlers wait for.
type Waiting = Arc<Notify>;

#[utoipa::path(get, path = "/ports/{number}", params(("number" = u16, Path)), responses((status = 200, body = Port)))]
async fn show(Path(number): Path<u16>) -> Result<Json<Port>, Refused> {
    if number == 7 {
        let problem = rackweave_api::http::Problem::not_found("no port 7").next("take another");
        return Err(problem.into());
    }
    Ok(Json(Port { number }))
}

#[utoipa::path(post, path = "/ports", request_body = Port, responses((status = 200, body = Port)))]
async fn create(Json(port): Json<Port>) -> Json<Port> {
    Json(port)
}

#[utoipa::path(get, path = "/count", responses((status = 200, body = [Port], content_type = "application/x-ndjson")))]
async fn count(Query(wanted): Query<Wanted>) -> Lines<Port> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for number in (0..wanted.count).filter_map(|number| u16::try_from(number).ok()) {
            if sender.send(Port { number }).await.is_err() {
                return;
            }
        }
    });
    Lines(receiver)
}

#[utoipa::path(get, path = "/console", responses((status = 200, body = [u8])))]
async fn console() -> Octets {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for _ in 0..3 {
            // The client reads all.
            let _sent = sender.send(Bytes::from_static(b"boot\r\n")).await;
        }
    });
    Octets(receiver)
}

#[utoipa::path(get, path = "/who", responses((status = 200, body = String)))]
async fn who(peer: Peer, id: RequestId) -> Json<String> {
    let whom = match &peer {
        Peer::Tls { certificate, .. } => {
            let octets = certificate.as_ref().map(|shown| shown.to_vec());
            format!("{:?}", octets.map(|octets| octets.len()))
        }
        other => format!("privileged: {}", other.is_privileged()),
    };
    Json(format!("{whom} {}", id.as_str()))
}

#[utoipa::path(post, path = "/wait", responses((status = 200, body = String)))]
async fn wait(State(waiting): State<Waiting>, mut ending: Ending) -> Json<String> {
    waiting.notify_one();
    ending.told().await;
    Json("the server ends".to_owned())
}

fn api(waiting: &Waiting) -> Api {
    let router = OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(create))
        .routes(routes!(count))
        .routes(routes!(console))
        .routes(routes!(who))
        .routes(routes!(wait))
        .with_state(Arc::clone(waiting));
    Api::new("Ports", "For tests.", router)
}

struct Running {
    dir: TempDir,
    waiting: Waiting,
    end: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Running {
    fn socket(&self) -> PathBuf {
        self.dir.path().join("api.sock")
    }

    fn client(&self) -> Client {
        Client::new(Endpoint::Unix(self.socket()))
    }

    async fn end(self) {
        self.end.notify_one();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

async fn start(limits: Limits, more: Vec<Listener>) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Unix(dir.path().join("api.sock"));
    let mut listeners = more;
    listeners.push(place.open(None).await.unwrap());
    let (waiting, end) = (Waiting::default(), Arc::new(Notify::new()));
    let server = Server::new(api(&waiting), limits);
    let told = Arc::clone(&end);
    let task = tokio::spawn(async move { server.serve(listeners, told.notified()).await });
    Running {
        dir,
        waiting,
        end,
        task,
    }
}

fn small() -> Limits {
    Limits {
        connections: 4,
        body: 1000,
        ..Limits::default()
    }
}

/// The problem that is told: its status, and what is told of it.
async fn refused(call: rackweave_api::http::Call<'_>) -> (u16, String) {
    match call.answer::<serde_json::Value>().await {
        Err(ClientError::Problem(problem)) => {
            assert_eq!(problem.request_id.as_ref().map(String::len), Some(32));
            (problem.status, problem.to_string())
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn answers_and_refusals_are_told() {
    let server = start(small(), Vec::new()).await;
    let client = server.client();
    let answer = client.get("/ports/3").answer::<Port>().await.unwrap();
    assert_eq!(answer.body, Port { number: 3 });
    assert_eq!(answer.header(REQUEST_ID).map(str::len), Some(32));
    let port = Port { number: 9 };
    let made = client.post("/ports").json(&port).answer::<Port>().await;
    assert_eq!(made.unwrap().body, port);

    let (status, text) = refused(client.get("/ports/7")).await;
    assert_eq!((status, text.as_str()), (404, "no port 7; take another"));
    let (status, text) = refused(client.get("/prots")).await;
    assert_eq!(status, 404);
    assert!(text.starts_with("there is no /prots"), "{text}");
    let (status, text) = refused(client.delete("/ports/3")).await;
    assert_eq!(status, 405);
    assert_eq!(text, "/ports/3 knows no DELETE, but GET,HEAD");
    let (status, text) = refused(client.get("/ports/x")).await;
    assert_eq!(status, 400);
    assert!(text.contains('x'), "{text}");
    let (status, text) = refused(client.get("/count?count=-1")).await;
    assert_eq!(status, 400);
    assert!(text.contains("count"), "{text}");
    let body = client.post("/ports").octets(Bytes::from_static(b"{}"));
    assert_eq!(refused(body).await.0, 415);
    let body = client.post("/ports").json(&"x".repeat(2000));
    assert_eq!(refused(body).await.0, 413);
    let body = client
        .post("/ports")
        .json(&serde_json::json!({"number": 70_000}));
    let (status, text) = refused(body).await;
    assert_eq!(status, 400);
    assert!(text.starts_with("number: invalid value"), "{text}");
    server.end().await;
}

#[tokio::test]
async fn streams_come_value_by_value_and_may_be_left() {
    let server = start(small(), Vec::new()).await;
    let client = server.client();
    let mut lines = client
        .get("/count")
        .query("count", 1000)
        .lines()
        .await
        .unwrap();
    for number in 0..1000 {
        assert_eq!(lines.next().await.unwrap(), Some(Port { number }));
    }
    assert_eq!(lines.next().await.unwrap(), None);
    // More streams than there may be connections: those that are left are over.
    for _ in 0..20 {
        let mut left = client
            .get("/count")
            .query("count", 60_000)
            .lines::<Port>()
            .await
            .unwrap();
        assert!(left.next().await.unwrap().is_some());
    }
    let mut octets = client.get("/console").stream().await.unwrap();
    let mut read = Vec::new();
    while let Some(some) = octets.next().await.unwrap() {
        read.extend_from_slice(&some);
    }
    assert_eq!(read, b"boot\r\nboot\r\nboot\r\n");
    server.end().await;
}

#[tokio::test]
async fn what_is_being_answered_at_the_end_is_answered() {
    let server = start(small(), Vec::new()).await;
    let client = server.client();
    let waiting = Arc::clone(&server.waiting);
    let asked = tokio::spawn(async move {
        let answer = client.post("/wait").answer::<String>().await;
        (client, answer)
    });
    timeout(PATIENCE, waiting.notified()).await.unwrap();
    server.end().await;
    let (client, answer) = timeout(PATIENCE, asked).await.unwrap().unwrap();
    assert_eq!(answer.unwrap().body, "the server ends");
    // The connection is over with the server; the next question says so in its own way.
    let error = client.get("/who").answer::<String>().await.unwrap_err();
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_client_outlives_its_server() {
    let server = start(small(), Vec::new()).await;
    let client = server.client();
    let path = server.socket();
    client.get("/ports/1").answer::<Port>().await.unwrap();
    let Running { dir, end, task, .. } = server;
    end.notify_one();
    timeout(PATIENCE, task).await.unwrap().unwrap();
    let place = Place::Unix(path);
    let again = Server::new(api(&Waiting::default()), small());
    let listener = place.open(None).await.unwrap();
    let again = tokio::spawn(again.serve(vec![listener], std::future::pending()));
    client.get("/ports/2").answer::<Port>().await.unwrap();
    client
        .post("/ports")
        .json(&Port { number: 2 })
        .done()
        .await
        .unwrap();
    again.abort();
    drop(dir);
}

#[tokio::test]
async fn the_document_tells_every_answer() {
    let server = start(small(), Vec::new()).await;
    let client = server.client();
    let document = client
        .get("/openapi.json")
        .answer::<serde_json::Value>()
        .await
        .unwrap()
        .body;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Ports");
    let answers = document["paths"]["/ports/{number}"]["get"]["responses"]
        .as_object()
        .unwrap();
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["200", "4XX", "5XX"]);
    let problem = &answers["4XX"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(problem, "#/components/schemas/Problem");
    assert!(document["components"]["schemas"]["Problem"]["properties"]["type"].is_object());
    server.end().await;
}

#[tokio::test]
async fn who_asks_is_told_to_handlers() {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let server = start(small(), vec![Listener::Tcp(tcp)]).await;
    let ask = |client: Client| async move {
        let call = client
            .call(Method::GET, "/who")
            .header(REQUEST_ID, "test-7");
        call.answer::<String>().await.unwrap().body
    };
    assert_eq!(ask(server.client()).await, "privileged: true test-7");
    let tcp = Client::new(format!("http://{address}").parse().unwrap());
    assert_eq!(ask(tcp).await, "privileged: false test-7");
    server.end().await;
}

#[tokio::test]
async fn a_certificate_is_told_to_handlers_and_a_foreign_one_refused() {
    let (ours, foreign) = (authority("ours"), authority("foreign"));
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let server = start(small(), vec![Listener::Tls(tcp, server_config(&ours))]).await;
    let client = |issuer: &Authority| {
        let (chain, key) = leaf(issuer, "node");
        let length = chain[0].len();
        let config = ClientConfig::builder().with_root_certificates(roots(&ours));
        let config = config.with_client_auth_cert(chain, key).unwrap();
        let endpoint = Endpoint::Tls {
            address: address.clone(),
            name: ServerName::try_from("controller").unwrap(),
            config: Arc::new(config),
        };
        (Client::new(endpoint), length)
    };
    let (node, length) = client(&ours);
    let call = node.get("/who").header(REQUEST_ID, "a");
    let told = call.answer::<String>().await.unwrap();
    assert_eq!(told.body, format!("Some({length}) a"));
    let (stranger, _) = client(&foreign);
    let error = stranger.get("/who").answer::<String>().await.unwrap_err();
    assert_eq!(error.status(), None::<StatusCode>, "{error}");
    server.end().await;
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(issuer: &Authority, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &**issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (vec![certificate.der().clone()], key)
}

fn roots(issuer: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    roots
}

fn server_config(issuer: &Authority) -> Arc<ServerConfig> {
    let (chain, key) = leaf(issuer, "controller");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots(issuer)));
    let config = ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap());
    Arc::new(config.with_single_cert(chain, key).unwrap())
}
