//! Requests that are wrong in forty ways, and what whoever made them is told.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rackweave_api::http::{Bytes, Call, Client, ClientError, Method};
use serde_json::json;

use crate::common::{Controller, make};

/// Set where the answers are to be written anew.
const WRITE: &str = "RACKWEAVE_WRITE_GOLDEN";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/malformed.txt")
}

const VPCS: &str = "/v1/projects/shop/vpcs";
const SUBNETS: &str = "/v1/projects/shop/vpcs/prod/subnets";
const RULES: &str = "/v1/projects/shop/vpcs/prod/firewall-rules";
const ROUTES: &str = "/v1/projects/shop/vpcs/prod/routers/own/routes";
const INSTANCES: &str = "/v1/projects/shop/instances";
const NICS: &str = "/v1/projects/shop/instances/web/nics";
const POOLS: &str = "/v1/ip-pools";

/// Bodies that are no objects, or not such ones.
const BODIES: [(&str, &str); 34] = [
    (VPCS, ""),
    (VPCS, "{"),
    (VPCS, "[]"),
    (VPCS, "{}"),
    (VPCS, r#"{"name":"a","spec":{}} {}"#),
    (VPCS, r#"{"name":7,"spec":{}}"#),
    (VPCS, r#"{"name":"","spec":{}}"#),
    (VPCS, r#"{"name":"A","spec":{}}"#),
    (VPCS, r#"{"name":"-a","spec":{}}"#),
    (VPCS, r#"{"name":"a","spec":null}"#),
    (VPCS, r#"{"name":"a","spec":{"ipv4":"10.0.0.0/8"}}"#),
    (VPCS, r#"{"name":"a","spec":{"ipv4":["10.0.0.0/8","x"]}}"#),
    (VPCS, r#"{"name":"a","spec":{"ipv4":["10.0.0.1/8"]}}"#),
    (VPCS, r#"{"name":"a","spec":{"ipv4":["224.0.0.0/8"]}}"#),
    (VPCS, r#"{"name":"a","spec":{"ipv6":"2001:db8::/48"}}"#),
    (VPCS, r#"{"name":"a","spec":{"ipv6":"fd00::/32"}}"#),
    (VPCS, r#"{"name":"a","spec":{"colour":"red"}}"#),
    (SUBNETS, r#"{"name":"a","spec":{"ipv4":"10.0.0.0/30"}}"#),
    (SUBNETS, r#"{"name":"a","spec":{"ipv4":"192.168.0.0/24"}}"#),
    (SUBNETS, r#"{"name":"a","spec":{"ipv4":"10.0.1.0/25"}}"#),
    (
        SUBNETS,
        r#"{"name":"a","spec":{"ipv4":"10.0.9.0/24","router":"none"}}"#,
    ),
    (
        RULES,
        r#"{"name":"a","spec":{"priority":70000,"direction":"in","action":"allow"}}"#,
    ),
    (
        RULES,
        r#"{"name":"a","spec":{"priority":1,"direction":"up","action":"allow"}}"#,
    ),
    (
        RULES,
        r#"{"name":"a","spec":{"priority":1,"direction":"in","action":"maybe"}}"#,
    ),
    (
        RULES,
        r#"{"name":"a","spec":{"priority":1,"direction":"in","action":"deny","filters":{"ports":[[9,1]]}}}"#,
    ),
    (
        RULES,
        r#"{"name":"a","spec":{"priority":1,"direction":"in","action":"deny","targets":[{"ip":"x"}]}}"#,
    ),
    (
        RULES,
        r#"{"name":"a","spec":{"priority":1,"direction":"in","action":"deny","filters":{"protocols":["icmp"],"ports":[[1,2]]}}}"#,
    ),
    (
        ROUTES,
        r#"{"name":"a","spec":{"destination":"0.0.0.0/0","target":"up"}}"#,
    ),
    (
        ROUTES,
        r#"{"name":"a","spec":{"destination":"0.0.0.0/0","target":{"internet_gateway":"none"}}}"#,
    ),
    (INSTANCES, r#"{"name":"a","spec":{"sled":"none"}}"#),
    (INSTANCES, r#"{"name":"a","spec":{"tags":["Not a tag"]}}"#),
    (
        NICS,
        r#"{"name":"a","spec":{"vpc":"prod","subnet":"none"}}"#,
    ),
    (
        NICS,
        r#"{"name":"a","spec":{"vpc":"prod","subnet":"one","addresses":["10.0.2.5"]}}"#,
    ),
    (POOLS, r#"{"name":"a","spec":{"blocks":[]}}"#),
];

/// What a request is told, in a line.
async fn told(call: Call<'_>) -> String {
    match call.bytes().await {
        Ok(answer) => format!("{} accepted", answer.status.as_u16()),
        Err(ClientError::Problem(problem)) => {
            format!("{} {}: {problem}", problem.status, problem.code())
        }
        Err(other) => format!("no answer: {other}"),
    }
}

/// Requests whose body is not what is wrong.
fn others(client: &Client) -> Vec<(String, Call<'_>)> {
    let put = json!({"spec": {"ipv4": ["10.0.0.0/16"]}});
    let prod = format!("{VPCS}/prod");
    [
        ("PATCH", client.call(Method::PATCH, &prod)),
        (
            "PUT if-match x",
            client.put(&prod).header("if-match", "x").json(&put),
        ),
        (
            "PUT another name",
            client.put(&prod).json(&json!({"name": "b", "spec": {}})),
        ),
        (
            "PUT nothing there",
            client.put(&format!("{VPCS}/none")).json(&put),
        ),
        (
            "DELETE a project in use",
            client.delete("/v1/projects/shop"),
        ),
        (
            "POST idempotency-key of nothing",
            client
                .post(VPCS)
                .header("idempotency-key", "")
                .json(&json!({"name": "a", "spec": {}})),
        ),
        ("GET limit=x", client.get(&format!("{VPCS}?limit=x"))),
        ("GET colour=red", client.get(&format!("{VPCS}?colour=red"))),
        ("GET /v1/nodes/x/state", client.get("/v1/nodes/x/state")),
        ("GET /v1/revisions/x", client.get("/v1/revisions/x")),
        ("GET /v1", client.get("/v1")),
        (
            "POST octets",
            client.post(VPCS).octets(Bytes::from_static(b"{}")),
        ),
    ]
    .map(|(name, call)| (name.to_owned(), call))
    .into()
}

#[tokio::test]
async fn whoever_asks_wrongly_is_told_what_is_wrong() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    make(client, "/v1/projects", "shop", json!({})).await;
    make(client, VPCS, "prod", json!({"ipv4": ["10.0.0.0/16"]})).await;
    make(client, SUBNETS, "one", json!({"ipv4": "10.0.1.0/24"})).await;
    make(
        client,
        "/v1/projects/shop/vpcs/prod/routers",
        "own",
        json!({}),
    )
    .await;
    make(client, INSTANCES, "web", json!({})).await;
    let mut text = String::new();
    for (path, body) in BODIES {
        let octets = Bytes::from_static(body.as_bytes());
        let call = client.post(path).body("application/json", octets);
        writeln!(text, "POST {path} {body}\n  {}\n", told(call).await).unwrap();
    }
    for (name, call) in others(client) {
        writeln!(text, "{name}\n  {}\n", told(call).await).unwrap();
    }
    controller.end().await;
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(golden(), &text).unwrap();
    }
    let expected = std::fs::read_to_string(golden()).unwrap_or_default();
    for (told, expected) in text.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(told, expected);
    }
    assert_eq!(
        text, expected,
        "run this test with {WRITE}=1 and look at the difference"
    );
    assert!(!text.contains("accepted") && !text.contains("no answer"));
}
