//! Nodes of a rack in one process, with their bootstrap addresses in a namespace of the test's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rackweave_api::router::RackReplaceRequest;
use rackweave_linux::netns::Netns;
use rackweave_routing::rack::{Ballot, Member, Request, Table};
use rackweave_trust::{Assignment, UnixTime};
use rackweave_types::{BootstrapPrefix, MacAddr, RackNumber, RackPrefix, Role};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::message::Call;
use super::{Heard, Local, Rack, RackSettings, Surroundings, Trust};
use crate::keys::{NewNode, NodeKeys, Term, Tree};
use crate::testing::{ip, namespace, runtime, soon};

const PORT: u16 = 6093;

/// A node that knows what the test says.
#[derive(Clone, Debug)]
struct Told(Arc<watch::Sender<(Surroundings, Option<Assignment>)>>);

impl Local for Told {
    async fn look(&self) -> Option<Surroundings> {
        Some(self.0.borrow().0.clone())
    }

    async fn assign(&self, assignment: Assignment) {
        self.0.send_modify(|(around, given)| {
            around.prefix = Some(assignment.prefix);
            *given = Some(assignment);
        });
    }
}

/// A node that runs.
struct Node {
    rack: Rack<Told>,
    told: Told,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The nodes of a rack.
struct World {
    dir: TempDir,
    keys: Option<Tree>,
    nodes: BTreeMap<String, Node>,
}

fn member(role: Role, number: u8) -> Member {
    Member {
        identity: format!("{role}-{number}"),
        hardware: MacAddr::new([2, 0, 0, 0, u8::from(role == Role::Switch), number]),
        role,
    }
}

/// Three sleds and two switches.
fn members() -> Vec<Member> {
    let sleds = (1..=3).map(|number| member(Role::Sled, number));
    sleds
        .chain((1..=2).map(|number| member(Role::Switch, number)))
        .collect()
}

fn rack() -> RackPrefix {
    "fd00:1122:3344:100::/56".parse().unwrap()
}

fn number() -> RackNumber {
    rack().rack()
}

fn days() -> Term {
    Term {
        now: UnixTime(rackweave_linux::clock::unix_seconds()),
        days: 1,
    }
}

impl World {
    /// The nodes, of which sleds reach all, and switches the sleds.
    async fn new(members: &[Member], signed: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = signed.then(|| {
            let tree = Tree::new(&dir.path().join("keys"));
            tree.make_az(rack().az(), days()).unwrap();
            tree.make_rack(number(), days()).unwrap();
            tree
        });
        let mut world = Self {
            dir,
            keys,
            nodes: BTreeMap::new(),
        };
        for member in members {
            world.start(member, members).await;
        }
        world
    }

    fn state(&self, member: &Member) -> std::path::PathBuf {
        self.dir.path().join(&member.identity)
    }

    /// Starts a node, among these, for the first time or again, and waits until it answers.
    async fn start(&mut self, own: &Member, all: &[Member]) {
        let state = self.state(own);
        std::fs::create_dir_all(&state).unwrap();
        let trust = self
            .keys
            .as_ref()
            .map_or(Trust::Unsigned, |tree| trust(tree, own));
        let is_switch = |one: &&Member| one.role == Role::Switch;
        let reachable = all
            .iter()
            .filter(|one| *one != own && !(is_switch(&own) && is_switch(one)));
        let around = Surroundings {
            own: own.clone(),
            prefix: None,
            reachable: reachable.map(|one| one.hardware).collect(),
            heard: Vec::new(),
        };
        let told = Told(Arc::new(watch::Sender::new((around, None))));
        let settings = RackSettings {
            own: own.clone(),
            state_dir: state,
            port: PORT,
            trust,
        };
        let rack = Rack::open(settings, told.clone()).unwrap();
        let task = tokio::spawn(rack.clone().run());
        soon(answers(&rack)).await;
        self.nodes
            .insert(own.identity.clone(), Node { rack, told, task });
    }

    fn node(&self, name: &str) -> &Node {
        &self.nodes[name]
    }

    async fn begin(&self, name: &str) -> Result<Table, String> {
        let key = self
            .keys
            .as_ref()
            .map(|tree| tree.rack_key(number()).unwrap());
        let begun = soon(self.node(name).rack.begin(rack(), key)).await;
        begun.map_err(|error| error.to_string())
    }

    /// Waits until the node has its /64.
    async fn assigned(&self, name: &str) -> Assignment {
        let mut told = self.node(name).told.0.subscribe();
        let given = soon(told.wait_for(|(_, given)| given.is_some())).await;
        given.unwrap().1.clone().unwrap()
    }
}

/// Waits until the node answers.
async fn answers(rack: &Rack<Told>) {
    let own = rack.own().hardware;
    while rack.line().call(own, &Call::Who, None).await.is_err() {
        tokio::task::yield_now().await;
    }
}

fn trust(tree: &Tree, own: &Member) -> Trust {
    let dir = tree.node_dir(Some(number()), &own.identity);
    if !dir.exists() {
        let new = NewNode {
            identity: own.identity.clone(),
            hardware: own.hardware,
            role: own.role,
            rack: Some(number()),
        };
        tree.make_node(&new, days()).unwrap();
    }
    of(&dir)
}

fn of(dir: &Path) -> Trust {
    let keys = NodeKeys::read(dir).unwrap();
    Trust::Signed {
        credentials: Arc::new(keys.credentials),
        anchor: Arc::new(keys.anchor),
    }
}

/// Runs a test in a namespace where every node's bootstrap address is.
fn in_rack(test: &str, body: impl AsyncFnOnce() + Send) {
    let Some(netns) = namespace(test) else {
        return;
    };
    addresses(&netns);
    netns.run_in(|| runtime().block_on(body())).unwrap();
}

fn addresses(netns: &Netns) {
    ip(netns, "link set lo up");
    let all =
        (1..=9).flat_map(|number| [Role::Sled, Role::Switch].map(|role| member(role, number)));
    for one in all {
        let address = BootstrapPrefix::new(one.hardware).address();
        ip(netns, &format!("addr add {address}/128 dev lo"));
    }
}

/// A number of each node, in order of number.
fn numbers(table: &Table) -> Vec<(&str, u8)> {
    let all = table.assignments.iter();
    all.map(|given| (given.identity.as_str(), given.prefix.node().get()))
        .collect()
}

const NUMBERS: [(&str, u8); 5] = [
    ("sled-1", 0x01),
    ("sled-2", 0x02),
    ("sled-3", 0x03),
    ("switch-1", 0xfd),
    ("switch-2", 0xfe),
];

#[test]
fn a_rack_begins_from_any_node_and_every_node_has_its_prefix() {
    in_rack("a_rack_begins_from_any_node", async || {
        for (signed, from) in [(false, "sled-2"), (true, "sled-3"), (true, "switch-2")] {
            let world = World::new(&members(), signed).await;
            let table = world.begin(from).await.unwrap();
            assert_eq!(numbers(&table), NUMBERS, "from {from}");
            for given in &table.assignments {
                assert_eq!(&world.assigned(&given.identity).await, given);
                assert_eq!(given.signature.is_empty(), !signed);
            }
            // Once more, from another node: the rack is as it is.
            assert_eq!(world.begin("sled-1").await, Ok(table));
        }
    });
}

#[test]
fn two_who_begin_a_rack_at_once_have_one_table() {
    in_rack("two_who_begin_a_rack_at_once", async || {
        let world = World::new(&members(), true).await;
        let (one, other) = tokio::join!(world.begin("sled-1"), world.begin("switch-1"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(numbers(&one), NUMBERS);
        assert_eq!(one, other);
    });
}

#[test]
fn later_arrivals_are_served_while_two_of_three_keepers_run_and_after_restarts() {
    in_rack("later_arrivals", async || {
        let mut all = members();
        let mut world = World::new(&all, true).await;
        world.begin("sled-1").await.unwrap();
        // A keeper is gone; the others restart, and know what they kept.
        world.nodes.remove("sled-1");
        let running: Vec<_> = all[1..3].to_vec();
        for own in &running {
            world.nodes.remove(&own.identity);
        }
        for own in &running {
            world.start(own, &all).await;
        }
        let late = [member(Role::Sled, 8), member(Role::Sled, 7)];
        all.extend(late.clone());
        let mut given = Vec::new();
        for own in &late {
            world.start(own, &all).await;
            given.push(world.assigned(&own.identity).await.prefix.node().get());
        }
        assert_eq!(given, [4, 5]);
        // The keeper comes back with what it had, and catches up when it is asked.
        world.start(&all[0], &all).await;
        let last = member(Role::Sled, 9);
        all.push(last.clone());
        world.nodes.remove("sled-2");
        world.start(&last, &all).await;
        assert_eq!(world.assigned("sled-9").await.prefix.node().get(), 6);
        // A node that lost what it kept gets what it had.
        world.nodes.remove("sled-8");
        world.start(&late[0], &all).await;
        assert_eq!(world.assigned("sled-8").await.prefix.node().get(), 4);
    });
}

#[test]
fn a_keeper_that_is_dead_is_replaced_by_another_node() {
    in_rack("a_keeper_that_is_dead", async || {
        for signed in [true, false] {
            let mut all = members();
            let mut world = World::new(&all, signed).await;
            world.begin("sled-1").await.unwrap();
            world.nodes.remove("sled-1");
            let dead = |next: Option<&str>| RackReplaceRequest {
                keeper: "sled-1".to_owned(),
                next: next.map(str::to_owned),
                keys: None,
            };
            if signed {
                let asked = world.node("switch-2").rack.replace_keeper(dead(None));
                let error = soon(asked).await.unwrap_err().to_string();
                assert!(
                    error.contains("switch-2 does not keep the rack's key"),
                    "{error}"
                );
            }
            for (next, why) in [
                (
                    "sled-1",
                    "sled-1 cannot keep the rack's table: it does already",
                ),
                (
                    "sled-9",
                    "sled-9 cannot keep the rack's table: it has no /64 of the rack",
                ),
            ] {
                let asked = world.node("sled-2").rack.replace_keeper(dead(Some(next)));
                let error = soon(asked).await.unwrap_err().to_string();
                assert!(error.contains(why), "{error}");
            }
            // All sleds keep the table, so a switch takes over.
            let asked = world.node("sled-3").rack.replace_keeper(dead(None));
            let table = soon(asked).await.unwrap();
            let keepers = table.nodes.iter().filter(|node| node.keeper);
            let keepers: Vec<_> = keepers.map(|node| node.identity.as_str()).collect();
            assert_eq!(
                (table.version, keepers),
                (2, vec!["sled-2", "sled-3", "switch-1"])
            );
            // It counts from now on: the next one may die, and later arrivals are served.
            world.nodes.remove("sled-2");
            let late = member(Role::Sled, 8);
            all.push(late.clone());
            world.start(&late, &all).await;
            assert_eq!(world.assigned("sled-8").await.prefix.node().get(), 4);
            // Of two that are left one is no majority.
            world.nodes.remove("switch-1");
            let asked = world
                .node("sled-3")
                .rack
                .replace_keeper(RackReplaceRequest {
                    keeper: "sled-2".to_owned(),
                    ..dead(None)
                });
            let error = soon(asked).await.unwrap_err().to_string();
            assert!(error.contains("it takes 2 of the keepers"), "{error}");
        }
    });
}

#[test]
fn a_number_that_is_heard_is_refused_and_both_racks_are_named() {
    in_rack("a_number_that_is_heard", async || {
        let world = World::new(&members(), true).await;
        // Not the node that begins hears it, but another one of the rack.
        let other = MacAddr::new([2, 9, 9, 9, 9, 9]);
        world.node("sled-3").told.0.send_modify(|(around, _)| {
            around.heard = vec![Heard {
                rack: rack(),
                switches: vec![other],
            }];
        });
        let error = world.begin("sled-1").await.unwrap_err();
        assert_eq!(
            error,
            "the number 01 is taken: the switch 02:09:09:09:09:09 of another rack announces \
             fd00:1122:3344:100::/56 already, and here is the rack of \
             sled-2, sled-3, switch-1, switch-2, sled-1"
        );
        let nobody = world.node("sled-1").told.0.borrow().1.clone();
        assert_eq!(nobody, None);
    });
}

#[test]
fn a_node_that_does_not_answer_is_named() {
    in_rack("a_node_that_does_not_answer", async || {
        let mut world = World::new(&members(), false).await;
        world.nodes.remove("sled-3");
        let error = world.begin("sled-1").await.unwrap_err();
        assert!(
            error.starts_with("not every node of the rack answers: 02:00:00:00:00:03: "),
            "{error}"
        );
    });
}

#[test]
fn what_changes_a_rack_takes_its_key() {
    in_rack("what_changes_a_rack", async || {
        let world = World::new(&members(), true).await;
        let tree = world.keys.as_ref().unwrap();
        let (sled, to) = (world.node("sled-1"), member(Role::Sled, 2).hardware);
        let ballot = Ballot::first(sled.rack.own().hardware);
        let calls = [
            Call::Choose(Request::Prepare { version: 1, ballot }),
            Call::Keep(Vec::new()),
            Call::Begin {
                rack: rack(),
                key: Vec::new(),
            },
        ];
        for call in &calls {
            let called = soon(sled.rack.line().call(to, call, None)).await;
            let error = called.unwrap_err().to_string();
            assert_eq!(error, "sled-1 cannot do that: it takes the rack's key");
        }
        // A key that is not the rack's is another stranger's.
        let other = rackweave_trust::SecretKey::new(&[9; 32]);
        let called = soon(sled.rack.line().call(to, &calls[0], Some(&other))).await;
        let error = called.unwrap_err().to_string();
        assert_eq!(
            error,
            "the call is not believed: its signature does not match"
        );
        // A node of another rack is one, too.
        let second = RackNumber::new(2).unwrap();
        tree.make_rack(second, days()).unwrap();
        let new = NewNode {
            identity: "spy".into(),
            hardware: MacAddr::new([2, 7, 7, 7, 7, 7]),
            role: Role::Sled,
            rack: Some(second),
        };
        tree.make_node(&new, days()).unwrap();
        let line = super::call::Line {
            trust: of(&tree.node_dir(Some(second), "spy")),
            port: PORT,
        };
        let error = soon(line.call(to, &Call::Who, None)).await.unwrap_err();
        assert!(error.to_string().contains("is not of this rack"), "{error}");
        // Who signs nothing is not believed either.
        let line = super::call::Line {
            trust: Trust::Unsigned,
            port: PORT,
        };
        let error = soon(line.call(to, &Call::Who, None)).await.unwrap_err();
        assert!(
            error.to_string().starts_with("the call is not believed"),
            "{error}"
        );
        // An assignment without the rack's signature gives nothing.
        let prefix = "fd00:1122:3344:109::/64".parse().unwrap();
        let to = member(Role::Sled, 2);
        let forged = Assignment::unsigned(to.identity.clone(), to.hardware, to.role, prefix);
        let answer = world.node("sled-2").rack.assign(forged).await;
        assert!(answer.unwrap_err().contains("is not signed"));
    });
}

#[test]
fn nothing_is_answered_but_over_the_bootstrap_network() {
    in_rack("nothing_but_bootstrap", async || {
        let world = World::new(&members()[..1], false).await;
        let here = world.node("sled-1").rack.own().hardware;
        let socket = tokio::net::TcpSocket::new_v6().unwrap();
        socket.bind("[::1]:0".parse().unwrap()).unwrap();
        let address = (BootstrapPrefix::new(here).address(), PORT).into();
        let mut stream = soon(socket.connect(address)).await.unwrap();
        let mut greeting = String::new();
        let read = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut greeting);
        assert_eq!((soon(read).await.unwrap(), greeting.as_str()), (0, ""));
    });
}
