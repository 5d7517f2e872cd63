//! Many objects at once: planned, applied, exported.

use rackweave_api::control::{
    Action, Applied, AuditEntry, Declared, Grant, NodePreview, NodeReport, NodeUpdate, Page,
    PortFlows, Preview, RevisionStatus, Role,
};
use rackweave_api::http::{Call, Client};
use rackweave_types::state::{HostState, StateDelta};
use serde_json::{Value, json};

use crate::common::{Controller, PATIENCE, make, prefix, refused, status};

type Update = NodeUpdate<HostState, StateDelta>;

/// A project with a VPC, a subnet and an instance with a NIC, in no good order.
fn shop() -> Vec<Value> {
    let one =
        |kind: &str, path: &str, spec: Value| json!({"kind": kind, "path": path, "spec": spec});
    vec![
        one(
            "nic",
            "shop/web/eth0",
            json!({"vpc": "prod", "subnet": "one"}),
        ),
        one("instance", "shop/web", json!({"sled": "s1"})),
        one("subnet", "shop/prod/one", json!({"ipv4": "10.0.1.0/24"})),
        one("vpc", "shop/prod", json!({"ipv4": ["10.0.0.0/16"]})),
        one("project", "shop", json!({})),
    ]
}

fn plan<'c>(client: &'c Client, body: &Value) -> Call<'c> {
    client.post("/v1/plan").json(body)
}

fn apply<'c>(client: &'c Client, body: &Value) -> Call<'c> {
    client.post("/v1/apply").json(body)
}

async fn applied(client: &Client, body: &Value) -> Applied {
    apply(client, body).answer().await.unwrap().body
}

#[tokio::test]
async fn what_is_shown_is_what_is_done_and_once() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    let body = json!({"objects": shop()});
    let preview: Preview = plan(client, &body).answer().await.unwrap().body;
    let steps: Vec<_> = preview
        .steps
        .iter()
        .map(|step| step.path.as_str())
        .collect();
    let order = [
        "shop",
        "shop/prod",
        "shop/prod/one",
        "shop/web",
        "shop/web/eth0",
    ];
    assert_eq!(steps, order);
    assert_eq!(preview.steps[4].index, Some(0));
    assert_eq!((preview.hosts, &preview.nodes[..]), (1, &[prefix(1)][..]));
    assert_eq!(preview.flows, None);
    assert_eq!(status(client.get("/v1/projects/shop")).await, 404);

    let agreed = json!({"objects": shop(), "digest": preview.digest});
    let done = applied(client, &agreed).await;
    assert_eq!(done.before, preview.revision);
    assert_eq!(
        done.revision.0,
        done.before.0 + 1,
        "all of it is one change"
    );
    assert_eq!(done.steps, preview.steps);
    let path = format!("/v1/revisions/{}?since={}", done.revision, done.before);
    let far: RevisionStatus = client.get(&path).answer().await.unwrap().body;
    assert_eq!(far.concerned, 1);
    let again = applied(client, &body).await;
    assert_eq!((again.revision, again.steps), (done.revision, Vec::new()));
    // The steps that were agreed to are none any more.
    let problem = refused(apply(client, &agreed)).await;
    assert_eq!(
        (problem.status, problem.field.as_deref()),
        (412, Some("digest"))
    );

    let export = client
        .get("/v1/export?project=shop")
        .answer::<Vec<Declared>>();
    let export = export.await.unwrap().body;
    assert!(
        export.len() > shop().len(),
        "what came with the VPC is told too"
    );
    assert_eq!(
        applied(client, &json!({"objects": export, "prune": true}))
            .await
            .steps,
        []
    );
    let log: Page<AuditEntry> = client.get("/v1/audit").answer().await.unwrap().body;
    let last = &log.items[log.items.len() - 1];
    let nic = "/v1/projects/shop/instances/web/nics/eth0";
    assert_eq!((last.action, last.path.as_str()), (Action::Create, nic));
    assert_eq!(last.revision, Some(done.revision));
    assert!(
        log.items
            .iter()
            .rev()
            .take(5)
            .all(|entry| entry.project == last.project)
    );
    controller.end().await;
}

#[tokio::test]
async fn changes_are_shown_field_by_field_and_what_is_left_goes() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    applied(client, &json!({"objects": shop()})).await;
    let mut wider = shop();
    wider[3]["spec"]["ipv4"] = json!(["10.0.0.0/16", "10.1.0.0/16"]);
    wider[3]["description"] = json!("the shop");
    let rest = json!({"objects": &wider[2..], "prune": true});
    let preview: Preview = plan(client, &rest).answer().await.unwrap().body;
    let [update, delete] = &preview.steps[..] else {
        panic!("{:?}", preview.steps);
    };
    assert_eq!(
        (update.action, update.path.as_str()),
        (Action::Update, "shop/prod")
    );
    assert!(update.generation.is_some());
    let fields: Vec<_> = update.fields.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["description", "spec.ipv4"]);
    assert_eq!(update.fields[0].before, None);
    assert_eq!(update.fields[1].before, Some(json!(["10.0.0.0/16"])));
    assert_eq!(
        (delete.action, delete.path.as_str()),
        (Action::Delete, "shop/web")
    );
    assert_eq!(applied(client, &rest).await.steps.len(), 2);
    assert_eq!(
        status(client.get("/v1/projects/shop/instances/web")).await,
        404
    );
    let gone = json!({"delete": [{"kind": "subnet", "path": "shop/prod/one"}, {"kind": "vpc", "path": "shop/prod"}]});
    let preview: Preview = plan(client, &gone).answer().await.unwrap().body;
    let steps: Vec<_> = preview
        .steps
        .iter()
        .map(|step| step.path.as_str())
        .collect();
    assert_eq!(steps, ["shop/prod"], "the subnet goes with its VPC");
    applied(client, &gone).await;
    assert_eq!(status(client.get("/v1/projects/shop/vpcs/prod")).await, 404);
    controller.end().await;
}

#[tokio::test]
async fn a_step_that_is_refused_changes_nothing_and_is_named() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    for (at, field, value, expected) in [
        (0, "kind", json!("box"), "objects[0].kind"),
        (1, "path", json!("web"), "objects[1].path"),
        (
            2,
            "spec",
            json!({"ipv4": "10.0.1.0/99"}),
            "objects[2].spec.ipv4",
        ),
        (
            2,
            "spec",
            json!({"ipv4": "10.9.1.0/24"}),
            "objects[2].spec.ipv4",
        ),
        (2, "spec", json!({"ipv5": 1}), "objects[2].spec.ipv5"),
        (
            3,
            "description",
            json!("x".repeat(513)),
            "objects[3].description",
        ),
        (4, "path", json!("SHOP"), "objects[4].path"),
        (4, "path", json!("bank"), "objects[3].path"),
    ] {
        let mut bad = shop();
        bad[at][field] = value;
        for call in [plan, apply] {
            let problem = refused(call(client, &json!({"objects": bad}))).await;
            assert_eq!(problem.field.as_deref(), Some(expected), "{problem}");
            assert!(problem.status < 500);
        }
    }
    let twice = [shop(), shop()].concat();
    let twice = json!({"objects": twice});
    let problem = refused(apply(client, &twice)).await;
    assert_eq!(problem.field.as_deref(), Some("objects[5]"));
    let none = json!({"delete": [{"kind": "vpc", "path": "shop/prod"}]});
    let problem = refused(apply(client, &none)).await;
    assert_eq!(problem.field.as_deref(), Some("delete[0].path"));
    assert_eq!(status(client.get("/v1/projects/shop")).await, 404);
    controller.end().await;
}

#[tokio::test]
async fn a_declaration_opens_no_more_than_its_token() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let operator = &controller.operator;
    applied(operator, &json!({"objects": &shop()[4..]})).await;
    make(operator, "/v1/projects", "bank", json!({})).await;
    let developer = controller.member("shop", Role::Developer).await;
    let viewer = controller.member("shop", Role::Viewer).await;
    let body = json!({"objects": shop()});
    assert_eq!(refused(apply(&viewer, &body)).await.status, 403);
    let preview: Preview = plan(&viewer, &body).answer().await.unwrap().body;
    assert_eq!((preview.hosts, preview.nodes), (1, Vec::new()));
    applied(&developer, &body).await;
    // Another project is as one that was never there.
    for name in ["bank", "none"] {
        let other = json!({"objects": [{"kind": "vpc", "path": format!("{name}/x"), "spec": {}}]});
        for call in [plan, apply] {
            let problem = refused(call(&developer, &other)).await;
            let expected = Some(format!("there is no project {name}"));
            assert_eq!((problem.status, problem.detail), (404, expected));
        }
        let path = format!("/v1/export?project={name}");
        assert_eq!(status(developer.get(&path)).await, 404);
    }
    let mut quota = shop();
    quota[4]["spec"] = json!({"quota": {"vpcs": 100}});
    assert_eq!(
        refused(apply(&developer, &json!({"objects": quota})))
            .await
            .status,
        403
    );
    let sled = json!({"delete": [{"kind": "sled", "path": "s1"}]});
    assert_eq!(refused(apply(&developer, &sled)).await.status, 403);
    assert_eq!(status(developer.get("/v1/export")).await, 403);
    assert_eq!(status(developer.get("/v1/backup")).await, 403);
    let all = controller.token(vec![Grant::Operator {}]).await;
    let all = all
        .get("/v1/export")
        .answer::<Vec<Declared>>()
        .await
        .unwrap()
        .body;
    assert!(all.iter().any(|one| one.kind == "sled"));
    controller.end().await;
}

#[tokio::test]
async fn what_the_store_cannot_hold_at_once_becomes_several_changes() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    let mut many = shop();
    many.extend((0..150).map(|number| {
        let path = format!("shop/prod/n{number}");
        json!({"kind": "dns-record", "path": path, "spec": {"record": format!("n{number}"), "data": {"text": "x"}}})
    }));
    let done = applied(client, &json!({"objects": many})).await;
    assert_eq!(done.steps.len(), 155);
    assert!(
        done.revision.0 > done.before.0 + 2,
        "{} to {}",
        done.before,
        done.revision
    );
    assert_eq!(applied(client, &json!({"objects": many})).await.steps, []);
    controller.end().await;
}

#[tokio::test]
async fn hosts_say_which_connections_a_change_would_touch() {
    let controller = Controller::start().await;
    controller.fleet(2).await;
    let client = &controller.operator;
    applied(client, &json!({"objects": shop()})).await;
    let node = format!("/v1/nodes/{}", prefix(1).replace("/64", ""));
    let mut lines = client
        .get(&format!("{node}/stream"))
        .lines::<Update>()
        .await
        .unwrap();
    let mut next = async || {
        let next = tokio::time::timeout(PATIENCE, lines.next()).await;
        next.unwrap().unwrap().unwrap()
    };
    let NodeUpdate::State(state) = next().await else {
        panic!("not the whole state");
    };
    let port = state.ports[0].id.to_string();
    let rule = json!({"kind": "firewall-rule", "path": "shop/prod/x",
        "spec": {"priority": 1, "direction": "in", "action": "deny"}});
    let body = json!({"objects": [rule]});
    let asked = async {
        let call = client.post("/v1/plan?flows_s=30").json(&body);
        call.answer::<Preview>().await.unwrap().body
    };
    let told = async {
        let NodeUpdate::Preview { id, delta } = next().await else {
            panic!("no question");
        };
        let mut then = state.clone();
        then.apply(delta).unwrap();
        assert_ne!(then.digest(), state.digest());
        let preview = NodePreview {
            ports: vec![PortFlows {
                port: port.clone(),
                flows: 7,
                touched: 5,
                cut: 2,
                ..PortFlows::default()
            }],
        };
        let answer = |node: &str| client.post(&format!("{node}/previews/{id}")).json(&preview);
        let other = format!("/v1/nodes/{}", prefix(2).replace("/64", ""));
        assert_eq!(status(answer(&other)).await, 404, "it was not asked");
        assert_eq!(status(answer(&node)).await, 204);
    };
    let (preview, ()) = tokio::join!(asked, told);
    let flows = preview.flows.unwrap();
    assert_eq!(
        (flows.asked, flows.answered, flows.touched, flows.cut),
        (1, 1, 5, 2)
    );
    assert_eq!(flows.ports[0].nic.as_deref(), Some("shop/web/eth0"));
    // Nothing has changed, and who does not answer is not waited for for ever.
    assert_eq!(
        status(client.get("/v1/projects/shop/vpcs/prod/firewall-rules/x")).await,
        404
    );
    let call = client.post("/v1/plan?flows_s=0").json(&body);
    let silent = call.answer::<Preview>().await.unwrap().body.flows.unwrap();
    assert_eq!((silent.asked, silent.answered), (1, 0));
    let problem = refused(client.post("/v1/plan?flows_s=31").json(&body)).await;
    assert_eq!(problem.field.as_deref(), Some("flows_s"));
    controller.end().await;
}

#[tokio::test]
async fn a_host_with_another_state_is_told_all_of_it() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    applied(client, &json!({"objects": shop()})).await;
    let node = format!("/v1/nodes/{}", prefix(1).replace("/64", ""));
    let stream = client.get(&format!("{node}/stream"));
    let mut lines = stream.lines::<Update>().await.unwrap();
    let mut whole = async || {
        let next = tokio::time::timeout(PATIENCE, lines.next()).await;
        match next.unwrap().unwrap().unwrap() {
            NodeUpdate::State(state) => state,
            other => panic!("not the whole state: {other:?}"),
        }
    };
    let state = whole().await;
    let report = |digest: String| NodeReport {
        generation: state.generation,
        digest,
        errors: Vec::new(),
        program: "test".to_owned(),
    };
    let said = async |report: NodeReport| {
        let call = client.post(&format!("{node}/report")).json(&report);
        call.done().await.unwrap();
    };
    said(report(state.digest().to_string())).await;
    said(report("00".to_owned())).await;
    assert_eq!(whole().await, state);
    controller.end().await;
}
