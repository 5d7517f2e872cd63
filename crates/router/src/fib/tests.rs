use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rackweave_linux::netns::Netns;
use rackweave_routing::fabric::{Hop, KernelRoute, LinkId};

use super::*;
use crate::inbox::inbox;
use crate::testing::{cable, ip, link, namespace, runtime, say, wanted};

/// A node with two ways to another one.
struct World {
    node: Netns,
    other: Netns,
    ways: [Hop; 2],
}

const SOURCE: &str = "fd00:1:1:101::1";

fn world(test: &str) -> Option<World> {
    let (node, other) = (namespace(test)?, namespace(test)?);
    let ways = [("n0", "o0"), ("n1", "o1")].map(|(near, far)| {
        cable((&node, near), (&other, far));
        Hop {
            link: LinkId(link(&node, near).0),
            via: link(&other, far).1,
            weight: 1,
        }
    });
    Some(World { node, other, ways })
}

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn route(prefix: &str, hops: &[Hop]) -> Installed {
    Installed {
        prefix: net(prefix),
        source: Some(SOURCE.parse().unwrap()),
        hops: hops.to_vec(),
    }
}

fn listed(route: &Installed) -> KernelRoute {
    KernelRoute {
        prefix: route.prefix,
        source: route.source,
        hops: route.hops.clone(),
    }
}

/// Makes changes, and gives the kernel's answers.
fn change(kernel: &mut Kernel, changes: Vec<FibChange>) -> Vec<FibAnswer> {
    let mut answers = Vec::new();
    kernel.change(changes, &mut answers);
    let answer = |input| match input {
        Input::Fib { answer, .. } => answer,
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(answer).collect()
}

impl World {
    fn kernel(&self) -> Kernel {
        let mut kernel = self.node.run_in(Kernel::open).unwrap().unwrap();
        let source = FibChange::AddAddress(SOURCE.parse().unwrap());
        assert_eq!(change(&mut kernel, vec![source]), []);
        kernel
    }

    fn routes(&self) -> String {
        say(&self.node, "ip -6 route show proto 82").1
    }
}

#[test]
fn routes_are_as_asked_and_taken_over_by_the_next_one() {
    let Some(world) = world("routes_are_as_asked_and_taken_over_by_the_next_one") else {
        return;
    };
    let mut kernel = world.kernel();
    let [left, right] = world.ways;
    let heavy = Hop { weight: 16, ..left };
    let wanted = [
        route("fd00:1:1:102::/64", &[left]),
        route("fd00:1:2::/56", &[right, heavy]),
        route("fd00:1:1::/56", &[]),
    ];
    let install = wanted.clone().map(FibChange::Install);
    assert_eq!(
        change(&mut kernel, install.to_vec()),
        vec![FibAnswer::Done; 3]
    );
    let text = world.routes();
    assert!(
        text.contains("weight 16") && text.contains("weight 1 "),
        "{text}"
    );
    assert!(text.contains(&format!("src {SOURCE} metric 100")), "{text}");
    assert!(text.contains("unreachable fd00:1:1::/56"), "{text}");
    let mut expected: Vec<_> = wanted.iter().map(listed).collect();
    expected.sort_by_key(|it| it.prefix);
    let sorted = |kernel: &mut Kernel| {
        let mut all = kernel.list().unwrap();
        all.sort_by_key(|it| it.prefix);
        all
    };
    assert_eq!(sorted(&mut kernel), expected);

    drop(kernel);
    let mut next = world.kernel();
    let held = sorted(&mut next);
    assert_eq!(
        held.iter().map(|it| it.prefix).collect::<Vec<_>>(),
        expected.iter().map(|it| it.prefix).collect::<Vec<_>>()
    );
    let changes = vec![
        FibChange::Install(route("fd00:1:2::/56", &[right])),
        FibChange::Install(route("fd00:1:1::/56", &[left, right])),
        FibChange::Install(route("fd00:1:1:102::/64", &[])),
        FibChange::Remove(net("fd00:1:2::/56")),
        FibChange::Remove(net("fd00:1:2::/56")),
        FibChange::Install(route("fd00:1:2::/56", &[left])),
    ];
    assert_eq!(change(&mut next, changes), vec![FibAnswer::Done; 6]);
    let now = sorted(&mut next);
    let hops: Vec<_> = now.iter().map(|it| it.hops.clone()).collect();
    assert_eq!(hops, [vec![left, right], vec![], vec![left]]);
    assert_eq!(
        world
            .routes()
            .lines()
            .filter(|it| !it.starts_with('\t'))
            .count(),
        3
    );
}

#[test]
fn nothing_of_others_is_changed() {
    let Some(world) = world("nothing_of_others_is_changed") else {
        return;
    };
    let mut kernel = world.kernel();
    let [left, _] = world.ways;
    ip(
        &world.node,
        "-6 route add blackhole fd00:1:3::/64 metric 100",
    );
    ip(&world.node, "-6 route add blackhole fd00:1:4::/64");
    let before = say(&world.node, "ip -6 route show proto boot").1;
    let changes = vec![
        FibChange::Install(route("fd00:1:3::/64", &[left])),
        FibChange::Install(route("fd00:1:4::/64", &[left])),
        FibChange::Remove(net("fd00:1:3::/64")),
        FibChange::Remove(net("fd00:1:4::/64")),
    ];
    let answers = change(&mut kernel, changes);
    let FibAnswer::Refused(17, word) = &answers[0] else {
        panic!("{answers:?}");
    };
    assert!(
        word.contains("fd00:1:3::/64") && word.contains("not the fabric's"),
        "{word}"
    );
    assert_eq!(answers[1..], vec![FibAnswer::Done; 3]);
    assert_eq!(say(&world.node, "ip -6 route show proto boot").1, before);
    assert_eq!(kernel.list().unwrap(), []);
}

#[test]
fn the_kernels_word_comes_back() {
    let Some(world) = world("the_kernels_word_comes_back") else {
        return;
    };
    let mut kernel = world.kernel();
    let [left, right] = world.ways;
    let nowhere = Hop {
        link: LinkId(4711),
        ..left
    };
    let changes = vec![
        FibChange::Install(route("fd00:1:5::/64", &[nowhere])),
        FibChange::Install(route("fd00:1:6::/64", &[right])),
    ];
    let answers = change(&mut kernel, changes);
    let FibAnswer::Refused(errno, word) = &answers[0] else {
        panic!("{answers:?}");
    };
    assert!(*errno > 0 && word.contains("fd00:1:5::/64"), "{word}");
    assert_eq!(answers[1], FibAnswer::Done);
}

#[test]
fn what_others_do_to_our_routes_is_seen_soon() {
    let Some(world) = world("what_others_do_to_our_routes_is_seen_soon") else {
        return;
    };
    let (to_machine, mut inputs) = inbox();
    // As the daemon does: inside its runtime.
    let start = || runtime().block_on(async { Fib::start(to_machine) });
    let fib = world.node.run_in(start).unwrap().unwrap();
    let source: Ipv6Addr = SOURCE.parse().unwrap();
    let whole = route("fd00:1:2::/56", &world.ways);
    runtime().block_on(async {
        let kernel = |input| match input {
            Input::Kernel(routes) => Some(routes),
            _ => None,
        };
        assert_eq!(wanted(&mut inputs, kernel).await, []);
        let changes = [
            FibChange::AddAddress(source),
            FibChange::Install(whole.clone()),
        ];
        for change in changes {
            assert_eq!(fib.change(change), None);
        }
        let answer = wanted(&mut inputs, Some).await;
        let (prefix, done) = (whole.prefix, FibAnswer::Done);
        assert_eq!(
            answer,
            Input::Fib {
                prefix,
                answer: done
            }
        );
        ip(&world.node, &format!("-6 addr del {SOURCE}/128 dev lo"));
        ip(&world.node, "-6 route flush proto 82");
        // The first look may come between the two.
        loop {
            if wanted(&mut inputs, kernel).await.is_empty() {
                break;
            }
        }
    });
    let (_, text) = say(&world.node, "ip -6 addr show dev lo");
    assert!(text.contains(SOURCE), "{text}");
    assert!(
        Output::Remove(whole.prefix)
            .try_into()
            .is_ok_and(|it: FibChange| fib.change(it).is_none())
    );
}

/// What the kernel holds of a process before goes, too; what is not ours stays, and no change comes after.
#[test]
fn all_routes_of_ours_go_when_the_node_leaves() {
    let Some(world) = world("all_routes_of_ours_go_when_the_node_leaves") else {
        return;
    };
    ip(&world.node, &format!("-6 addr add {SOURCE}/128 dev lo"));
    ip(
        &world.node,
        "-6 route add fd00:1:7::/56 dev n0 proto 82 metric 100",
    );
    ip(
        &world.node,
        "-6 route add fd00:1:8::/56 dev n0 proto static",
    );
    let (to_machine, mut inputs) = inbox();
    let start = || runtime().block_on(async { Fib::start(to_machine) });
    let fib = world.node.run_in(start).unwrap().unwrap();
    runtime().block_on(async {
        for prefix in ["fd00:1:2::/56", "fd00:1:3::/56"] {
            let install = FibChange::Install(route(prefix, &world.ways));
            assert_eq!(fib.change(install), None);
        }
        for _ in 0..2 {
            let answer = wanted(&mut inputs, |input| match input {
                Input::Fib { answer, .. } => Some(answer),
                _ => None,
            });
            assert_eq!(answer.await, FibAnswer::Done);
        }
        // As when the machine ends: nobody hears the thread any more.
        drop(inputs);
        fib.clear().await;
    });
    let (_, routes) = say(&world.node, "ip -6 route show");
    assert!(!routes.contains("proto 82"), "{routes}");
    assert!(routes.contains("fd00:1:8::/56"), "{routes}");
}

/// A probe is on its way at every moment of a thousand changes of the route that it takes.
#[test]
fn no_packet_is_lost_while_routes_are_replaced() {
    let Some(world) = world("no_packet_is_lost_while_routes_are_replaced") else {
        return;
    };
    let mut kernel = world.kernel();
    let [left, right] = world.ways;
    let there = "fd00:1:1:102::1";
    ip(&world.other, "link set lo up");
    ip(
        &world.other,
        &format!("-6 addr add {there}/128 dev lo nodad"),
    );
    let back = link(&world.node, "n0").1;
    ip(
        &world.other,
        &format!("-6 route add fd00:1:1:101::/64 via {back} dev o0"),
    );
    let heavy = |hop: Hop, weight| Hop { weight, ..hop };
    let shapes = [
        vec![left, right],
        vec![heavy(left, 3), right],
        vec![right],
        vec![right, heavy(left, 16)],
        vec![left],
    ];
    let install = |shape: &Vec<Hop>| FibChange::Install(route("fd00:1:1:102::/64", shape));
    for shape in &shapes {
        assert_eq!(change(&mut kernel, vec![install(shape)]), [FibAnswer::Done]);
    }
    let socket = |netns: &Netns, address: &str| {
        let at = SocketAddr::new(address.parse().unwrap(), 7);
        let socket = netns.run_in(|| UdpSocket::bind(at)).unwrap().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        socket
    };
    let (near, far) = (socket(&world.node, SOURCE), socket(&world.other, there));
    // Sends a number there and back; says whether both arrived.
    let probe = |number: u64| -> io::Result<bool> {
        let to = SocketAddr::new(there.parse().unwrap(), 7);
        near.send_to(&number.to_be_bytes(), to)?;
        let mut room = [0; 8];
        let (_, from) = far.recv_from(&mut room)?;
        far.send_to(&room, from)?;
        near.recv(&mut room)?;
        Ok(u64::from_be_bytes(room) == number)
    };
    // Both neighbours are known before it begins.
    for (number, shape) in [(0, &shapes[2]), (1, &shapes[4])] {
        change(&mut kernel, vec![install(shape)]);
        assert!(probe(number).unwrap());
    }
    // Both go on until each has done enough, however the machine shares its time out between them.
    let (changes, lost) = (AtomicU64::new(0), AtomicBool::new(false));
    let probes = AtomicU64::new(0);
    let over = || {
        let enough =
            changes.load(Ordering::Relaxed) >= 1000 && probes.load(Ordering::Relaxed) >= 100;
        enough || lost.load(Ordering::Relaxed)
    };
    thread::scope(|scope| {
        let replace = scope.spawn(|| {
            for shape in shapes.iter().cycle().take_while(|_| !over()) {
                let answers = change(&mut kernel, vec![install(shape)]);
                assert_eq!(answers, [FibAnswer::Done]);
                changes.fetch_add(1, Ordering::Relaxed);
            }
        });
        while !over() && !replace.is_finished() {
            let number = probes.fetch_add(1, Ordering::Relaxed);
            lost.store(!probe(number).unwrap_or(false), Ordering::Relaxed);
        }
        replace.join().unwrap();
    });
    let (changes, probes) = (changes.into_inner(), probes.into_inner());
    assert!(
        !lost.into_inner(),
        "probe {probes} was lost, after {changes} changes"
    );
}
