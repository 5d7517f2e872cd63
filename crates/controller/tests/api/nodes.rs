//! Nodes, by TLS with the keys of the fabric: each hears and says what is its own, and nothing else.

use std::net::SocketAddr;

use rackweave_api::control::{NodeReport, NodeStatus};
use rackweave_api::http::{Client, Endpoint, Method};
use rackweave_daemon::http::Listener;
use rackweave_daemon::node_tls::{Leaf, client_config, server_config};
use rackweave_linux::clock;
use rackweave_trust::{
    Anchor, Assignment, AzCertificate, Chain, Credentials, NodeCertificate, RackCertificate,
    SecretKey, Signed, UnixTime,
};
use rackweave_types::{Generation, MacAddr, NodePrefix, Role};
use rustls::pki_types::ServerName;
use serde_json::json;

use crate::common::{Controller, make, memory, prefix, refused, status};

/// The root and one rack of an AZ.
struct Tree {
    root: SecretKey,
    rack: SecretKey,
}

impl Tree {
    fn new(seed: u8) -> Self {
        Self {
            root: SecretKey::new(&[seed; 32]),
            rack: SecretKey::new(&[seed + 100; 32]),
        }
    }

    fn until() -> UnixTime {
        UnixTime(clock::unix_seconds()).after_days(1)
    }

    fn anchor(&self) -> Anchor {
        let root = AzCertificate {
            serial: 1,
            key: self.root.public(),
            from: UnixTime(0),
            until: Self::until(),
            az: "fd00:1:2::/48".parse().unwrap(),
        };
        Anchor::new(&[Signed::sign(root, &self.root)]).unwrap()
    }

    /// A sled's leaf, with the /64 that its rack gave it where it shows that.
    fn sled(&self, number: u8, assigned: bool) -> Leaf {
        let secret = SecretKey::new(&[number + 200; 32]);
        let (identity, until) = (format!("sled-{number}"), Self::until());
        let hardware = MacAddr::new([2, 0, 0, 0, 0, number]);
        let stated = RackCertificate {
            serial: 2,
            key: self.rack.public(),
            from: UnixTime(0),
            until,
            rack: "fd00:1:2:100::/56".parse().unwrap(),
        };
        let node = NodeCertificate {
            serial: u64::from(number),
            key: secret.public(),
            from: UnixTime(0),
            until,
            identity: identity.clone(),
            hardware,
            role: Role::Sled,
        };
        let chain = Chain {
            rack: Some(Signed::sign(stated, &self.root)),
            node: Signed::sign(node, &self.rack),
        };
        let prefix: NodePrefix = prefix(number).parse().unwrap();
        let given = Assignment::unsigned(identity, hardware, Role::Sled, prefix).sign(&self.rack);
        let credentials = Credentials::new(secret, chain).unwrap();
        Leaf::new(&credentials, assigned.then_some(&given)).unwrap()
    }

    /// A client with a sled's leaf.
    fn client(&self, leaf: Leaf, address: SocketAddr) -> Client {
        Client::new(Endpoint::Tls {
            address: address.to_string(),
            name: ServerName::try_from("controller").unwrap(),
            config: client_config(leaf, self.anchor()).unwrap(),
        })
    }
}

/// A controller with two sleds that nodes of this tree can reach.
async fn controller(tree: &Tree) -> (Controller, SocketAddr) {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let config = server_config(tree.sled(9, true), tree.anchor()).unwrap();
    let listener = Listener::Tls(tcp, config);
    let controller = Controller::with(memory(), Some(tree.anchor()), vec![listener]).await;
    controller.fleet(2).await;
    make(&controller.operator, "/v1/projects", "shop", json!({})).await;
    (controller, address)
}

fn own(sled: u8) -> String {
    format!("/v1/nodes/{}", prefix(sled).replace("/64", ""))
}

fn report() -> NodeReport {
    NodeReport {
        generation: Generation::new(3),
        digest: "00".to_owned(),
        errors: Vec::new(),
        program: "test".to_owned(),
    }
}

#[tokio::test]
async fn a_sleds_certificate_opens_its_own_state_and_reports_and_nothing_else() {
    let tree = Tree::new(1);
    let (controller, address) = controller(&tree).await;
    let sled = tree.client(tree.sled(1, true), address);
    assert_eq!(status(sled.get(&format!("{}/state", own(1)))).await, 200);
    let said = sled.post(&format!("{}/report", own(1))).json(&report());
    assert_eq!(status(said).await, 204);
    let known: Vec<NodeStatus> = controller
        .operator
        .get("/v1/nodes")
        .answer()
        .await
        .unwrap()
        .body;
    assert_eq!(known[0].report, Some(report()));

    let declaration = json!({"objects": []});
    let object = json!({"name": "x", "spec": {}});
    for (method, path, body) in [
        (Method::GET, format!("{}/state", own(2)), None),
        (Method::GET, format!("{}/stream", own(2)), None),
        (
            Method::POST,
            format!("{}/report", own(2)),
            Some(json!(report())),
        ),
        (
            Method::POST,
            format!("{}/previews/1", own(2)),
            Some(json!({"ports": []})),
        ),
        (Method::GET, "/v1/nodes".to_owned(), None),
        (Method::GET, "/v1/revisions/1".to_owned(), None),
        (Method::GET, "/v1/projects".to_owned(), None),
        (Method::GET, "/v1/projects/shop".to_owned(), None),
        (
            Method::POST,
            "/v1/projects".to_owned(),
            Some(object.clone()),
        ),
        (
            Method::POST,
            "/v1/projects/shop/vpcs".to_owned(),
            Some(object),
        ),
        (Method::DELETE, "/v1/sleds/s1".to_owned(), None),
        (Method::GET, "/v1/sleds/s1".to_owned(), None),
        (
            Method::POST,
            "/v1/plan".to_owned(),
            Some(declaration.clone()),
        ),
        (Method::POST, "/v1/apply".to_owned(), Some(declaration)),
        (Method::GET, "/v1/export".to_owned(), None),
        (Method::GET, "/v1/backup".to_owned(), None),
        (Method::GET, "/v1/audit".to_owned(), None),
        (Method::GET, "/v1/tokens".to_owned(), None),
        (
            Method::POST,
            "/v1/tokens".to_owned(),
            Some(json!({"subject": "x", "grants": [{"operator": {}}]})),
        ),
    ] {
        let call = sled.call(method.clone(), &path);
        let call = match &body {
            Some(body) => call.json(body),
            None => call,
        };
        let problem = refused(call).await;
        assert_eq!(problem.status, 403, "{method} {path}: {problem}");
    }
    controller.end().await;
}

#[tokio::test]
async fn who_has_no_assignment_and_who_is_of_another_az_is_nobody() {
    let tree = Tree::new(1);
    let (controller, address) = controller(&tree).await;
    let unassigned = tree.client(tree.sled(1, false), address);
    let state = format!("{}/state", own(1));
    assert_eq!(status(unassigned.get(&state)).await, 403);
    let foreign = Tree::new(2);
    // It trusts the controller, and the controller does not trust it.
    let stranger = tree.client(foreign.sled(1, true), address);
    let told = stranger.get(&state).bytes().await;
    assert!(told.is_err() && told.unwrap_err().status().is_none());
    controller.end().await;
}
