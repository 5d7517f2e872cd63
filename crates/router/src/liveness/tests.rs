//! Two processes, each in a namespace, with a cable between them.

use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use rackweave_api::local::{Client, ClientError};
use rackweave_linux::netns::Netns;
use rackweave_routing::bfd::message::State;
use rackweave_routing::bfd::{self, Settings};
use tempfile::TempDir;

use super::message::{Reply, Request, SERVICE, SOCKET, SessionStatus, Target, Watch};
use super::{LivenessPorts, process};
use crate::testing::{cable, link, namespace, say};

mod client;
mod frr;

const DEADLINE: Duration = Duration::from_secs(20);
const PORT: u16 = 6091;
const PORTS: LivenessPorts = LivenessPorts {
    bfd: bfd::PORT,
    beacons: PORT,
};

/// A process in a namespace, and its one neighbour.
struct Node {
    netns: Netns,
    dir: TempDir,
    own: Ipv6Addr,
    neighbor: Target,
}

impl Node {
    fn start(&self) {
        let (netns, dir) = (Netns::open(self.netns.path()).unwrap(), self.dir.path());
        let dir = dir.to_owned();
        thread::spawn(move || {
            netns
                .run_in(|| process::serve(&dir, PORTS))
                .unwrap()
                .unwrap();
        });
    }

    fn connect(&self) -> Client {
        let path = self.dir.path().join(SOCKET);
        until("the process listens", || connect(&path).ok())
    }

    fn ask(&self, request: &Request) -> Reply {
        self.connect().ask(request).unwrap()
    }

    fn watch(&self, key: u8) {
        let watch = Request::Watch(Watch {
            target: self.neighbor,
            key: [key; 32],
            bfd: Settings::default(),
        });
        assert_eq!(self.ask(&watch), Reply::Done {});
    }

    fn list(&self) -> Vec<SessionStatus> {
        match self.ask(&Request::List {}) {
            Reply::Sessions(sessions) => sessions,
            other => panic!("{other:?}"),
        }
    }

    /// What the process tells of its neighbour, as it comes.
    fn follow(&self) -> Receiver<Reply> {
        let (news, receiver) = sync_channel(64);
        let mut client = self.connect();
        thread::spawn(move || {
            let mut replies = client.request::<_, Reply>(&Request::Follow {}).unwrap();
            while let Ok(Some(reply)) = replies.next_reply() {
                if news.send(reply).is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn stop(&self) {
        assert_eq!(self.ask(&Request::Stop {}), Reply::Done {});
        let path = self.dir.path().join(SOCKET);
        until("the process ends", || connect(&path).err());
    }
}

fn connect(path: &Path) -> Result<Client, ClientError> {
    Client::connect(path, SERVICE, "test")
}

/// Tries until there is something.
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let (_never, receiver) = sync_channel::<()>(0);
    for _ in 0..2000 {
        if let Some(found) = found() {
            return found;
        }
        let _pause = receiver.recv_timeout(DEADLINE / 2000);
    }
    panic!("never: {what}");
}

/// The news that is waited for.
fn news(
    from: &Receiver<Reply>,
    what: &str,
    wanted: impl Fn(&SessionStatus) -> bool,
) -> SessionStatus {
    let mut last = None;
    loop {
        match from.recv_timeout(DEADLINE) {
            Ok(Reply::Session(status)) if wanted(&status) => return status,
            Ok(other) => last = Some(other),
            Err(error) => panic!("{what}: {error}; the last news: {last:?}"),
        }
    }
}

/// Two hosts with a cable.
fn nodes_of(test: &str) -> Option<[Node; 2]> {
    let nets = [namespace(test)?, namespace(test)?];
    cable((&nets[0], "e0"), (&nets[1], "e0"));
    let ends = nets.each_ref().map(|netns| link(netns, "e0"));
    let others = [ends[1].1, ends[0].1];
    let nodes = nets.into_iter().zip(ends).zip(others);
    let nodes = nodes.map(|((netns, (link, own)), peer)| Node {
        netns,
        dir: tempfile::tempdir().unwrap(),
        own,
        neighbor: Target { link, peer },
    });
    nodes.collect::<Vec<Node>>().try_into().ok()
}

/// Both, with a process each.
fn nodes(test: &str) -> Option<[Node; 2]> {
    let nodes = nodes_of(test)?;
    nodes.iter().for_each(Node::start);
    Some(nodes)
}

#[test]
fn neighbours_are_up_measured_found_dead_and_up_again() {
    let Some(nodes) = nodes("neighbours_are_up_measured_found_dead_and_up_again") else {
        return;
    };
    let followed = nodes.each_ref().map(Node::follow);
    for node in &nodes {
        node.watch(1);
    }
    for from in &followed {
        let up = news(from, "up and measured", |status| {
            status.is_up() && status.estimate.is_some() && status.detection_us == Some(30_000)
        });
        assert!(up.independent);
        let estimate = up.estimate.unwrap();
        assert!(
            estimate.rtt_ns < 20_000_000 && estimate.loss_ppm == 0,
            "{estimate:?}"
        );
    }
    // A key that both have, and another session's follower, change nothing.
    for node in &nodes {
        node.watch(2);
    }
    // Frames vanish in one direction; the link stays up.
    let loss = [
        "nft add table netdev loss",
        "nft add chain netdev loss i { type filter hook ingress device e0 priority 0 ; }",
        "nft add rule netdev loss i counter drop",
    ];
    for line in loss {
        let said = say(&nodes[0].netns, line);
        assert!(said.0, "{line}: {}", said.1);
    }
    let silent = news(&followed[0], "silence", |status| {
        status.state == State::Down
    });
    assert_eq!(silent.reason, "nothing was heard for 30 ms");
    assert_eq!(silent.downs, 1);
    let told = news(&followed[1], "told", |status| status.state == State::Down);
    assert_eq!(told.reason, "the neighbour does not hear us");
    assert!(say(&nodes[0].netns, "nft delete table netdev loss").0);
    for from in &followed {
        news(from, "up again", SessionStatus::is_up);
    }
    // One that ends says so.
    nodes[0].stop();
    let ended = news(&followed[1], "good-bye", |status| !status.is_up());
    assert_eq!(ended.reason, "the neighbour took its session down");
    nodes[1].stop();
}

#[test]
fn what_is_wrong_is_said() {
    let Some(nodes) = nodes("what_is_wrong_is_said") else {
        return;
    };
    let taken = || std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT)).unwrap();
    let taken = nodes[0].netns.run_in(taken).unwrap();
    let target = nodes[0].neighbor;
    let watch = Request::Watch(Watch {
        target,
        key: [0; 32],
        bfd: Settings::default(),
    });
    let refused = nodes[0].connect().ask::<_, Reply>(&watch).unwrap_err();
    let expected = format!(
        "cannot watch {peer} on link {link}: no socket for beacons: cannot bind [::]:{PORT} on link {link}: \
         `ss -ulnp` says who has it",
        link = target.link,
        peer = target.peer
    );
    let text = refused.to_string();
    assert!(text.starts_with(&expected), "{text}");
    drop(taken);
    nodes[0].watch(0);
    assert_eq!(nodes[0].ask(&Request::Unwatch(target)), Reply::Done {});
    let unknown = nodes[0].connect().ask::<_, Reply>(&"dance");
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("no request of liveness")
    );
    assert_eq!(nodes[0].list(), []);
    nodes.iter().for_each(Node::stop);
}
