use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use rackweave_daemon::http::{Limits, Server, document_text};
use rackweave_types::{Instant, MacAddr};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::drive::Drive;
use crate::gateway::Settings;
use crate::judge::Judge;
use crate::keys::Keys;
use crate::racks;
use crate::updates::Updates;

/// Set, the document is written instead of compared.
const WRITE: &str = "RACKWEAVE_WRITE_OPENAPI";
const ROOT: Peer = Peer::Unix { uid: 0, gid: 0 };

/// A gateway without an uplink, so that nobody is there.
fn alone() -> (State, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let rack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/racks/rack-1.toml");
    let settings = Settings {
        mac: MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 0x10]),
        racks: vec![racks::read(&rack).unwrap()],
        keys: Keys::default(),
        seed: 1,
        epoch: 1,
    };
    let (drive, handle) = Drive::new(settings, "no-such-link", Instant::START).unwrap();
    std::thread::spawn(move || drive.run());
    let (judge, judged) = Judge::open(handle.clone(), None, None, dir.path()).unwrap();
    let updating = Updates::open(handle.clone(), dir.path()).unwrap();
    let (overrides, overridden) = mpsc::channel(1);
    let (updates, orders) = mpsc::channel(1);
    tokio::spawn(judge.run(overridden));
    tokio::spawn(updating.run(orders));
    let state = State {
        handle,
        judged,
        overrides,
        updates,
        selftest: watch::Sender::new(None),
        consoles: Arc::new(Mutex::new(BTreeMap::new())),
    };
    (state, dir)
}

async fn ask(server: &Server, line: &str, body: &str, peer: Peer) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = server.answer(request, peer).await;
    let status = response.status().as_u16();
    let octets = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&octets).unwrap_or_default())
}

#[tokio::test]
async fn refusals_say_what_and_what_to_do() {
    let (state, _dir) = alone();
    let server = Server::new(api(state), Limits::default());
    for (line, body, status, detail) in [
        (
            "GET /sps/cubby-5",
            "",
            404,
            "no place is called `cubby-5`: the gateway does not know yet where it sits",
        ),
        (
            "GET /sps/port-5",
            "",
            503,
            "no service processor answers at port 5",
        ),
        (
            "POST /sps/port-5/console",
            "{\"operator\": \"ada\"}",
            503,
            "no service processor answers at port 5",
        ),
        (
            "POST /sps/port-5/console",
            "{\"operator\": \"\"}",
            400,
            "an operator's name has 1 to 32 printable characters",
        ),
        (
            "PUT /sps/port-5/update?image=x",
            "octets",
            503,
            "no service processor answers at port 5",
        ),
        (
            "GET /consoles/5/output",
            "",
            404,
            "there is no such session, or it is over",
        ),
        (
            "GET /selftest",
            "",
            404,
            "no self-test has ended since the gateway started",
        ),
        (
            "GET /vlans",
            "",
            503,
            "the gateway does not know yet in which type of rack it is",
        ),
        (
            "POST /switches/a/override",
            "{\"who\": \"ada\", \"why\": \"x\"}",
            409,
            "the gateway does not know yet on which switch it sits",
        ),
        (
            "POST /switches/a/override",
            "{\"who\": \" \", \"why\": \"x\"}",
            400,
            "say who puts the switch to use, and why",
        ),
    ] {
        let (got, problem) = ask(&server, line, body, ROOT).await;
        assert_eq!(
            (got, problem["detail"].as_str()),
            (status, Some(detail)),
            "{line}: {problem}"
        );
    }
}

#[tokio::test]
async fn only_root_over_the_unix_socket_changes_anything() {
    let (state, _dir) = alone();
    let server = Server::new(api(state), Limits::default());
    let others = [
        Peer::Unix { uid: 12345, gid: 1 },
        Peer::Tcp {
            address: ([127, 0, 0, 1], 80).into(),
        },
    ];
    for peer in others {
        for (line, body) in [
            ("PUT /sps/port-5/power", "{\"power\": \"off\"}"),
            ("POST /sps/port-5/reset", ""),
            ("PUT /sps/port-5/update?image=x", "x"),
            ("DELETE /sps/port-5/update", ""),
            ("POST /sps/port-5/console", "{\"operator\": \"ada\"}"),
            ("POST /consoles/1/input", "x"),
            ("GET /consoles/1/output", ""),
            ("POST /selftest", ""),
            (
                "POST /switches/a/override",
                "{\"who\": \"ada\", \"why\": \"x\"}",
            ),
        ] {
            let (status, _) = ask(&server, line, body, peer.clone()).await;
            assert_eq!(status, 403, "{line}");
        }
        let (status, location) = ask(&server, "GET /location", "", peer).await;
        assert_eq!((status, location["ports"].as_u64()), (200, Some(36)));
    }
}

#[tokio::test]
async fn a_gateway_that_knows_nothing_says_so() {
    let (state, _dir) = alone();
    let server = Server::new(api(state), Limits::default());
    let (_, cabling) = ask(&server, "GET /cabling", "", ROOT).await;
    assert_eq!(cabling["complete"], false);
    let (_, list) = ask(&server, "GET /sps", "", ROOT).await;
    assert_eq!(list, serde_json::json!({ "sps": [] }));
    let (_, switches) = ask(&server, "GET /switches", "", ROOT).await;
    assert_eq!(switches, serde_json::json!({ "switches": [] }));
    let (status, _) = ask(&server, "POST /selftest", "", ROOT).await;
    assert_eq!(status, 200);
    let (_, last) = ask(&server, "GET /selftest", "", ROOT).await;
    assert_eq!(
        (last["took_part"].as_u64(), last["controls"].as_u64()),
        (Some(0), Some(0))
    );
}

#[tokio::test]
async fn the_document_that_is_checked_in_is_the_apis() {
    let (state, _dir) = alone();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/mgs.json");
    let now = document_text(api(state).document());
    if std::env::var_os(WRITE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap();
    assert!(
        checked_in == now,
        "docs/openapi/mgs.json is not the API's any more: run this test with {WRITE}=1 and look at the difference"
    );
}
