//! Against FRR's bfdd, both ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Node, news, nodes_of, until};
use crate::liveness::message::SessionStatus;
use crate::testing::say;

const DAEMONS: &str = "/usr/lib/frr";

/// FRR's zebra and bfdd in a namespace; they end with this value. FRR is asked for a pace of 100 ms, where a machine that
/// is busy with other tests takes nobody for dead; how fast the dead are found is measured elsewhere.
struct Frr {
    dir: PathBuf,
    daemons: Vec<(&'static str, Pid)>,
}

impl Frr {
    /// In the namespace of a node that has no process of ours.
    fn start(node: &Node) -> Self {
        let (netns, ours, theirs) = (&node.netns, node.own, node.neighbor.peer);
        // FRR drops its privileges: the directory is its own, and all above it can be passed.
        let dir = PathBuf::from(format!("/tmp/rwt-frr-{}", std::process::id()));
        let config = dir.join("frr.conf");
        let path = dir.display().to_string();
        fs::create_dir_all(&dir).unwrap();
        let text = format!(
            "bfd\n peer {theirs} local-address {ours} interface e0\n  detect-multiplier 3\n  \
             receive-interval 100\n  transmit-interval 100\n"
        );
        fs::write(&config, text).unwrap();
        assert!(say(netns, &format!("chown -R frr:frr {path}")).0);
        let mut frr = Self {
            dir,
            daemons: Vec::new(),
        };
        for (daemon, more) in [("zebra", ""), ("bfdd", "--bfdctl")] {
            let control = if more.is_empty() {
                String::new()
            } else {
                format!("{more} {path}/bfdd.sock")
            };
            let line = format!(
                "{DAEMONS}/{daemon} -d -f {path}/frr.conf -i {path}/{daemon}.pid --vty_socket {path} \
                 -z {path}/zserv.api -A 127.0.0.1 {control}"
            );
            let said = say(netns, &line);
            assert!(said.0, "{line}: {}", said.1);
            let file = frr.dir.join(format!("{daemon}.pid"));
            let pid = until("the daemon's number", || {
                fs::read_to_string(&file).ok()?.trim().parse().ok()
            });
            frr.daemons.push((daemon, Pid::from_raw(pid)));
        }
        frr
    }

    /// What `show bfd peers json` says of the one peer.
    fn peer(&self) -> Option<Value> {
        let socket = self.dir.display().to_string();
        let mut command = Command::new("vtysh");
        command.args(["--vty_socket", &socket, "-c", "show bfd peers json"]);
        let output = command.output().unwrap();
        let peers: Value = serde_json::from_slice(&output.stdout).ok()?;
        peers.get(0).cloned()
    }

    fn signal(&self, daemon: &str, signal: Signal) {
        let (_, pid) = self
            .daemons
            .iter()
            .find(|(name, _)| *name == daemon)
            .unwrap();
        kill(*pid, signal).unwrap();
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for (_, pid) in &self.daemons {
            let _gone = kill(*pid, Signal::SIGKILL);
        }
        let _left = fs::remove_dir_all(&self.dir);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_session_with_frr_is_up_both_ways_and_a_dead_peer_is_found() {
    const TEST: &str = "a_session_with_frr_is_up_both_ways_and_a_dead_peer_is_found";
    if !Path::new(DAEMONS).join("bfdd").exists() {
        eprintln!("skipped {TEST}: {DAEMONS}/bfdd is not there; install the package frr");
        return;
    }
    let Some([ours, theirs]) = nodes_of(TEST) else {
        return;
    };
    ours.start();
    let followed = ours.follow();
    ours.watch(1);
    let frr = Frr::start(&theirs);
    news(&followed, "up, at the pace that was agreed", |status| {
        status.is_up() && status.detection_us == Some(300_000)
    });
    let peer = until("frr is up, too", || {
        let peer = frr.peer()?;
        let is = |key: &str, value: u64| peer.get(key)?.as_u64().filter(|is| *is == value);
        is("remote-receive-interval", 10).and(is("remote-transmit-interval", 10))?;
        (peer.get("status")?.as_str()? == "up").then_some(peer)
    });
    assert_eq!(peer["remote-detect-multiplier"], 3, "{peer}");
    // A peer that stops is found dead, and up again once it goes on.
    frr.signal("bfdd", Signal::SIGSTOP);
    news(&followed, "found dead", |status| {
        !status.is_up() && status.reason == "nothing was heard for 300 ms"
    });
    frr.signal("bfdd", Signal::SIGCONT);
    news(&followed, "up again", SessionStatus::is_up);
    // And FRR finds us dead: our process says good-bye, which it shows as our word.
    ours.stop();
    until("frr is told", || {
        let peer = frr.peer()?;
        let is = |key: &str, value: &str| peer.get(key)?.as_str().filter(|is| *is == value);
        is("status", "down").and(is("remote-diagnostic", "administratively down"))?;
        Some(())
    });
    drop(theirs);
}
