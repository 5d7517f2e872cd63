//! What tests of doors share: neighbours in namespaces, and waiting for what must come.

use std::future::Future;
use std::net::Ipv6Addr;
use std::process::Command;
use std::time::Duration;

use nix::unistd::Uid;
use rackweave_linux::netns::Netns;
use rackweave_routing::fabric::Input;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::Receiver;

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A namespace of the test's; `None`, and said so, where the test may make none. Its links ask nobody about addresses.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn namespace(test: &str) -> Option<Netns> {
    if !Uid::effective().is_root() {
        eprintln!("skipped {test}: it makes network namespaces, which needs root");
        return None;
    }
    let netns = Netns::temporary("rwt-router").unwrap();
    let no_dad = || rackweave_linux::sysctl::ensure("net/ipv6/conf/default/accept_dad", "0");
    netns.run_in(no_dad).unwrap().unwrap();
    Some(netns)
}

/// Runs lines of `ip` in the namespace, which must succeed.
pub(crate) fn ip(netns: &Netns, lines: &str) {
    for line in lines.lines() {
        let said = say(netns, &format!("ip {line}"));
        assert!(said.0, "ip {line}: {}", said.1);
    }
}

/// What a program says in the namespace, and whether it was content.
pub(crate) fn say(netns: &Netns, line: &str) -> (bool, String) {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    let output = netns.run_in(|| command.output()).unwrap().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Joins two namespaces with a cable whose ends are called so, on both sides switched on.
pub(crate) fn cable(left: (&Netns, &str), right: (&Netns, &str)) {
    let name = right.0.name().unwrap();
    let (near, far) = (left.1, right.1);
    ip(
        left.0,
        &format!("link add {near} type veth peer name {far} netns {name}"),
    );
    ip(left.0, &format!("link set {near} up"));
    ip(right.0, &format!("link set {far} up"));
}

/// Opens something in a namespace, to be used in the runtime.
pub(crate) fn open_in<T: Send>(
    netns: &Netns,
    runtime: &Runtime,
    open: impl FnOnce() -> T + Send,
) -> T {
    let handle = runtime.handle().clone();
    let inside = move || {
        let _inside = handle.enter();
        open()
    };
    netns.run_in(inside).unwrap()
}

/// A runtime for what is waited for.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits for it, not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("what the test waits for comes")
}

/// The next input that is wanted; others go by.
pub(crate) async fn wanted<T>(
    inputs: &mut Receiver<Input>,
    mut wanted: impl FnMut(Input) -> Option<T>,
) -> T {
    soon(async {
        loop {
            let input = inputs.recv().await.expect("the door is open");
            if let Some(found) = wanted(input) {
                return found;
            }
        }
    })
    .await
}

/// The number and link-local address of a link, once the address may be used.
pub(crate) fn link(netns: &Netns, name: &str) -> (u32, Ipv6Addr) {
    for _ in 0..1000 {
        let (_, text) = say(
            netns,
            &format!("ip -6 -o addr show dev {name} scope link -tentative"),
        );
        let mut words = text.split_whitespace();
        let index = words
            .next()
            .and_then(|it| it.trim_end_matches(':').parse().ok());
        let address = words.find_map(|it| it.strip_suffix("/64")?.parse().ok());
        if let (Some(index), Some(address)) = (index, address) {
            return (index, address);
        }
    }
    panic!("link {name} has no link-local address");
}
