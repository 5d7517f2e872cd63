//! Objects over the API: made, listed, read, replaced, removed, and raced for.

use crate::common::{Controller, make, making, memory, refused, status};
use rackweave_api::control::spec::{SubnetSpec, VpcSpec};
use rackweave_api::control::{Object, Page, REVISION};
use serde_json::{Value, json};

#[tokio::test]
async fn an_object_lives() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    make(client, "/v1/projects", "shop", json!({})).await;
    let spec = json!({"ipv4": ["10.0.0.0/16"]});
    let made = make(client, "/v1/projects/shop/vpcs", "prod", spec).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("location"), Some("/v1/projects/shop/vpcs/prod"));
    let vpc = "/v1/projects/shop/vpcs/prod";
    let read = client.get(vpc).answer::<Object<VpcSpec>>().await.unwrap();
    assert_eq!(read.body.name, "prod");
    assert_eq!(read.body.spec.ipv4[0].to_string(), "10.0.0.0/16");
    assert!(read.body.given["vni"].is_number(), "{}", read.body.given);
    let etag = read.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", read.body.generation));
    assert_eq!(made.header("etag"), Some(etag.as_str()));

    let body = json!({"description": "the shop", "spec": {"ipv4": ["10.0.0.0/16", "10.1.0.0/16"]}});
    let put = client.put(vpc).header("if-match", &etag).json(&body);
    let put = put.answer::<Object<VpcSpec>>().await.unwrap();
    assert_eq!(put.body.description, "the shop");
    let revision = |text: Option<&str>| text.unwrap().parse::<u64>().unwrap();
    assert!(revision(put.header(REVISION)) > revision(made.header(REVISION)));
    let stale = client.put(vpc).header("if-match", &etag).json(&body);
    let problem = refused(stale).await;
    assert_eq!((problem.status, problem.code()), (412, "stale"));

    let problem = refused(making(client, "/v1/projects/shop/vpcs", "prod", &json!({}))).await;
    assert_eq!((problem.status, problem.code()), (409, "name-taken"));
    let problem = refused(client.delete("/v1/projects/shop")).await;
    assert_eq!((problem.status, problem.code()), (409, "in-use"));
    let gone = client.delete(vpc).bytes().await.unwrap();
    assert_eq!(gone.status, 204);
    assert_eq!(refused(client.get(vpc)).await.status, 404);
    controller.end().await;
}

#[tokio::test]
async fn lists_come_in_pages_by_name() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    make(client, "/v1/projects", "shop", json!({})).await;
    let vpc = json!({"ipv4": ["10.0.0.0/16"]});
    make(client, "/v1/projects/shop/vpcs", "prod", vpc).await;
    let subnets = "/v1/projects/shop/vpcs/prod/subnets";
    for number in (1..=7).rev() {
        let spec = json!({"ipv4": format!("10.0.{number}.0/24")});
        make(client, subnets, &format!("n{number}"), spec).await;
    }
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let mut call = client.get(subnets).query("limit", 3);
        if let Some(after) = &after {
            call = call.query("after", after);
        }
        let page = call
            .answer::<Page<Object<SubnetSpec>>>()
            .await
            .unwrap()
            .body;
        assert!(page.items.len() <= 3);
        names.extend(page.items.into_iter().map(|item| item.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["n1", "n2", "n3", "n4", "n5", "n6", "n7"]);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=A", "after"),
    ] {
        let problem = refused(client.get(&format!("{subnets}?{query}"))).await;
        assert_eq!(
            (problem.status, problem.field.as_deref()),
            (400, Some(field))
        );
    }
    controller.end().await;
}

#[tokio::test]
async fn the_field_at_fault_is_named() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    make(client, "/v1/projects", "shop", json!({})).await;
    let vpcs = "/v1/projects/shop/vpcs";
    for (body, status, field) in [
        (json!({"spec": {}}), 400, "name"),
        (json!({"name": "No", "spec": {}}), 400, "name"),
        (
            json!({"name": "a", "spec": {"ipv4": ["10.0.0.0/33"]}}),
            400,
            "spec.ipv4[0]",
        ),
        (
            json!({"name": "a", "spec": {"ipv4": ["10.0.0.1/16"]}}),
            400,
            "spec.ipv4[0]",
        ),
        (json!({"name": "a", "spec": {"ipv5": []}}), 400, "spec.ipv5"),
        (json!({"name": "a", "spec": {}, "colour": 1}), 400, "colour"),
        (
            json!({"name": "a", "spec": {}, "description": "x".repeat(513)}),
            400,
            "description",
        ),
    ] {
        let problem = refused(client.post(vpcs).json(&body)).await;
        let told = (problem.status, problem.field.as_deref());
        assert_eq!(told, (status, Some(field)), "{body}: {problem}");
    }
    make(client, vpcs, "prod", json!({"ipv4": ["10.0.0.0/16"]})).await;
    let subnets = "/v1/projects/shop/vpcs/prod/subnets";
    make(client, subnets, "one", json!({"ipv4": "10.0.1.0/24"})).await;
    let overlapping = json!({"ipv4": "10.0.1.128/25"});
    let problem = refused(making(client, subnets, "two", &overlapping)).await;
    assert_eq!((problem.status, problem.code()), (409, "conflict"));
    assert_eq!(problem.field.as_deref(), Some("spec.ipv4"));
    controller.end().await;
}

#[tokio::test]
async fn of_two_who_race_one_wins_and_the_other_is_told() {
    let store = memory();
    let (left, right) = (
        Controller::over(store.clone()).await,
        Controller::over(store).await,
    );
    left.fleet(1).await;
    make(&left.operator, "/v1/projects", "shop", json!({})).await;
    // Each of the two hears of the other's changes.
    while status(right.operator.get("/v1/projects/shop")).await != 200 {
        tokio::task::yield_now().await;
    }
    let vpc = json!({"ipv4": ["10.0.0.0/16"]});
    let made = make(&right.operator, "/v1/projects/shop/vpcs", "prod", vpc).await;
    let etag = made.header("etag").unwrap().to_owned();
    let path = "/v1/projects/shop/vpcs/prod";
    // Both have heard of it before they race.
    while status(left.operator.get(path)).await != 200 {
        tokio::task::yield_now().await;
    }
    let put = |client: &rackweave_api::http::Client, words: &str| {
        let body = json!({"description": words, "spec": {"ipv4": ["10.0.0.0/16"]}});
        let (client, etag) = (client.clone(), etag.clone());
        async move { status(client.put(path).header("if-match", &etag).json(&body)).await }
    };
    let (one, two) = tokio::join!(put(&left.operator, "left"), put(&right.operator, "right"));
    let mut told = [one, two];
    told.sort_unstable();
    assert_eq!(told, [200, 412]);

    // Without a condition all of many changes are made, one after the other.
    let mut makers = Vec::new();
    for number in 0..20_u8 {
        let client = [&left, &right][usize::from(number % 2)].operator.clone();
        makers.push(tokio::spawn(async move {
            let spec = json!({"ipv4": format!("10.0.{number}.0/24")});
            let subnets = "/v1/projects/shop/vpcs/prod/subnets";
            make(&client, subnets, &format!("n{number}"), spec)
                .await
                .status
        }));
    }
    for maker in makers {
        assert_eq!(maker.await.unwrap(), 201);
    }
    left.end().await;
    right.end().await;
}

#[tokio::test]
async fn a_change_that_is_repeated_is_made_once() {
    let controller = Controller::start().await;
    controller.fleet(1).await;
    let client = &controller.operator;
    let create = |name: &str| {
        let call = making(client, "/v1/projects", name, &json!({}));
        call.header("idempotency-key", "k1")
    };
    let first = create("shop").answer::<Value>().await.unwrap();
    let again = create("shop").answer::<Value>().await.unwrap();
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header(REVISION), first.header(REVISION));
    let problem = refused(create("other")).await;
    assert_eq!(problem.status, 422);
    assert_eq!(problem.code(), "idempotency-key-reused");
    let remove = || {
        let call = client.delete("/v1/projects/shop");
        call.header("idempotency-key", "k2")
    };
    assert_eq!(status(remove()).await, 204);
    assert_eq!(status(remove()).await, 204);
    assert_eq!(status(client.delete("/v1/projects/shop")).await, 404);
    controller.end().await;
}

#[tokio::test]
async fn what_is_stored_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.redb");
    let open = || {
        let options = rackweave_store::EmbeddedOptions::default();
        rackweave_store::Store::embedded(&file, options).unwrap()
    };
    let store = open();
    let controller = Controller::over(store.clone()).await;
    controller.fleet(2).await;
    controller.project("shop", 2, 2).await;
    let path = "/v1/projects/shop/instances/i1/nics/n0";
    let before = controller.operator.get(path).answer::<Value>().await;
    controller.end().await;
    store.close().await;
    let store = open();
    let controller = Controller::over(store.clone()).await;
    let after = controller.operator.get(path).answer::<Value>().await;
    assert_eq!(after.unwrap().body, before.unwrap().body);
    controller.end().await;
    store.close().await;
}
