//! Who may do what: tokens, roles, projects, and the log of what was done.

use crate::common::{Controller, make, making, refused, status};
use rackweave_api::control::{Action, AuditEntry, Grant, NewToken, Page, Role, Token, TokenMade};
use rackweave_api::http::Client;
use serde_json::{Value, json};

const VPCS: &str = "/v1/projects/shop/vpcs";

async fn two_projects() -> Controller {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    for name in ["shop", "bank"] {
        make(&controller.operator, "/v1/projects", name, json!({})).await;
    }
    controller
}

#[tokio::test]
async fn roles_open_what_they_say() {
    let controller = two_projects().await;
    let viewer = controller.member("shop", Role::Viewer).await;
    let developer = controller.member("shop", Role::Developer).await;
    let stranger = controller.member("bank", Role::Admin).await;
    let spec = json!({"ipv4": ["10.0.0.0/16"]});

    let problem = refused(making(&viewer, VPCS, "prod", &spec)).await;
    assert_eq!(problem.status, 403);
    assert_eq!(
        make(&developer, VPCS, "prod", spec.clone()).await.status,
        201
    );
    let prod = format!("{VPCS}/prod");
    assert_eq!(status(viewer.get(&prod)).await, 200);

    // To a stranger the project is as one that was never there.
    for path in ["/v1/projects/shop", VPCS, &prod] {
        let hidden = refused(stranger.get(path)).await;
        let absent = refused(stranger.get(&path.replace("shop", "shed"))).await;
        assert_eq!(hidden.status, 404);
        let name = hidden
            .detail
            .as_ref()
            .map(|text| text.replace("shop", "shed"));
        assert_eq!((name, hidden.kind), (absent.detail, absent.kind));
    }
    assert_eq!(status(making(&stranger, VPCS, "mine", &spec)).await, 404);
    assert_eq!(status(stranger.delete(&prod)).await, 404);
    let seen = stranger.get("/v1/projects").answer::<Page<Value>>().await;
    let seen = seen.unwrap().body.items;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["name"], "bank");

    // The fleet is the operators'.
    for path in ["/v1/sleds", "/v1/ip-pools", "/v1/nodes", "/v1/audit"] {
        assert_eq!(status(developer.get(path)).await, 403, "{path}");
    }
    assert_eq!(
        status(making(&developer, "/v1/projects", "x", &json!({}))).await,
        403
    );
    assert_eq!(status(developer.delete("/v1/projects/shop")).await, 403);
    let operator = controller.token(vec![Grant::Operator {}]).await;
    assert_eq!(status(operator.get("/v1/sleds")).await, 200);
    assert_eq!(status(operator.delete(&prod)).await, 204);
    controller.end().await;
}

#[tokio::test]
async fn a_project_of_the_same_name_is_another_one() {
    let controller = two_projects().await;
    let viewer = controller.member("shop", Role::Viewer).await;
    assert_eq!(status(viewer.get("/v1/projects/shop")).await, 200);
    let operator = &controller.operator;
    assert_eq!(status(operator.delete("/v1/projects/shop")).await, 204);
    make(operator, "/v1/projects", "shop", json!({})).await;
    assert_eq!(status(viewer.get("/v1/projects/shop")).await, 404);
    controller.end().await;
}

#[tokio::test]
async fn tokens_are_given_out_and_taken_back() {
    let controller = two_projects().await;
    let admin = controller.member("shop", Role::Admin).await;
    let give = async |client: &Client, grant: Grant| {
        let new = NewToken {
            subject: "ann".to_owned(),
            grants: vec![grant],
            lifetime_s: None,
        };
        let call = client.post("/v1/tokens").json(&new);
        call.answer::<TokenMade>().await
    };
    let project = |name: &str| Grant::Project {
        project: name.to_owned(),
        role: Role::Developer,
    };
    let made = give(&admin, project("shop")).await.unwrap().body;
    assert!(made.secret.starts_with("rwt_"));
    let ann = Client::new(admin.endpoint().clone()).with_token(&made.secret);
    assert_eq!(status(ann.get(VPCS)).await, 200);
    // Nobody gives out more than they have.
    for (client, grant, expected) in [
        (&admin, project("bank"), 409),
        (&admin, Grant::Operator {}, 403),
        (&ann, project("shop"), 403),
    ] {
        let error = give(client, grant).await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(expected));
    }
    let listed = admin.get("/v1/tokens").answer::<Vec<Token>>().await;
    let listed = listed.unwrap().body;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|token| token.grants.len() == 1));
    let path = format!("/v1/tokens/{}", made.token.id);
    let stranger = controller.member("bank", Role::Admin).await;
    assert_eq!(status(stranger.delete(&path)).await, 404);
    assert_eq!(status(admin.delete(&path)).await, 204);
    let problem = refused(ann.get(VPCS)).await;
    assert_eq!(problem.status, 401);
    assert_eq!(status(admin.delete(&path)).await, 404);
    controller.end().await;
}

#[tokio::test]
async fn every_change_is_in_the_log() {
    let controller = two_projects().await;
    let developer = controller.member("shop", Role::Developer).await;
    let spec = json!({"ipv4": ["10.0.0.0/16"]});
    let call = making(&developer, VPCS, "prod", &spec).header("x-request-id", "deploy-1");
    call.done().await.unwrap();
    let prod = format!("{VPCS}/prod");
    developer.delete(&prod).done().await.unwrap();
    // What is refused has changed nothing.
    assert_eq!(status(developer.delete(&prod)).await, 404);
    let log = controller
        .operator
        .get("/v1/audit")
        .answer::<Page<AuditEntry>>();
    let log = log.await.unwrap().body.items;
    let last: Vec<_> = log.iter().rev().take(2).collect();
    assert_eq!(
        (last[0].action, last[0].path.as_str()),
        (Action::Delete, prod.as_str())
    );
    assert_eq!(
        (last[1].action, last[1].path.as_str()),
        (Action::Create, prod.as_str())
    );
    assert_eq!(last[1].request_id, "deploy-1");
    assert!(
        log.windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert!(last[0].revision > last[1].revision);
    let admin = controller.member("shop", Role::Admin).await;
    let call = admin.get("/v1/audit?project=shop&limit=1");
    let page = call.answer::<Page<AuditEntry>>().await.unwrap().body;
    assert_eq!(page.items.len(), 1);
    let next = page.next.unwrap();
    let call = admin.get("/v1/audit?project=shop").query("after", next);
    let rest = call.answer::<Page<AuditEntry>>().await.unwrap().body.items;
    assert_eq!(
        rest.last().map(|entry| entry.path.as_str()),
        Some(prod.as_str())
    );
    assert_eq!(status(admin.get("/v1/audit?project=bank")).await, 404);
    assert_eq!(status(admin.get("/v1/audit")).await, 403);
    controller.end().await;
}
