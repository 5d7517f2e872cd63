//! The router's end: what it tells the machine, and that the process outlives it.

use rackweave_routing::bfd::Settings;
use rackweave_routing::fabric::{Input, LinkId};

use super::{Node, PORTS, news, nodes};
use crate::inbox::inbox;
use crate::liveness::message::SessionStatus;
use crate::liveness::{Client, ClientSettings};
use crate::testing::{runtime, wanted};

/// What a router is told from its start until it knows that its neighbour lives and how far it is; then it is gone, with
/// no word to anybody.
fn router(node: &Node, key: u8) {
    let settings = ClientSettings {
        run_dir: node.dir.path().to_owned(),
        // The process runs: this one is not started.
        program: "/nonexistent/rackweave".into(),
        ports: PORTS,
        bfd: Settings::default(),
    };
    let (link, neighbor) = (LinkId(node.neighbor.link), node.neighbor.peer);
    runtime().block_on(async {
        let (inbox, mut inputs) = inbox();
        let client = Client::start(settings, inbox);
        client.watch(link, neighbor, [key; 32]).await;
        let (mut lives, mut measured) = (false, false);
        while !(lives && measured) {
            wanted(&mut inputs, |input| match input {
                Input::Liveness {
                    link: of, peer, up, ..
                } => {
                    assert_eq!((of, peer, up), (link, neighbor, true));
                    lives = true;
                    Some(())
                }
                Input::Measured { peer, .. } => {
                    assert_eq!(peer, neighbor);
                    measured = true;
                    Some(())
                }
                other => panic!("{other:?}"),
            })
            .await;
        }
        let sessions = client.sessions().await;
        assert!(sessions.len() == 1 && sessions[0].is_up(), "{sessions:?}");
    });
}

#[test]
fn sessions_outlive_the_router() {
    let Some(nodes) = nodes("sessions_outlive_the_router") else {
        return;
    };
    let followed = nodes[1].follow();
    nodes[1].watch(1);
    router(&nodes[0], 1);
    news(&followed, "up", SessionStatus::is_up);
    router(&nodes[0], 2);
    nodes[1].watch(2);
    let now = nodes[1].list();
    assert_eq!(now[0].downs, 0, "{now:?}");
    for node in &nodes {
        node.stop();
    }
}
