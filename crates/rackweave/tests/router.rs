//! The router as a program: what it keeps over its own restart, and what programs of the node have it do.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Daemon, Namespace, SHORT, may_run, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");

/// A node with a router, unsigned.
struct Node {
    space: Namespace,
    folder: PathBuf,
    args: Vec<String>,
    router: Option<Daemon>,
}

impl Node {
    fn new(name: &str, role: &str, folder: &Path) -> Result<Self> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        let args = ["--id", name, "--role", role, "--link", "e*", "--unsigned"];
        Ok(Self {
            space: Namespace::new(name)?,
            folder,
            args: args.map(str::to_owned).to_vec(),
            router: None,
        })
    }

    fn dir(&self, what: &str) -> String {
        self.folder.join(what).display().to_string()
    }

    fn start(&mut self, more: &[&str]) -> Result<()> {
        let (run, state) = (self.dir("run"), self.dir("state"));
        let mut words = vec![PROGRAM, "router", "run", "--run-dir", &run];
        words.extend(["--state-dir", &state]);
        words.extend(self.args.iter().map(String::as_str));
        words.extend(more);
        self.router = Some(self.space.start(&words, &[], &self.folder.join("log"))?);
        let socket = self.folder.join("run/router.sock");
        wait_until(SHORT, "the router answers", || {
            Ok(UnixStream::connect(&socket).is_ok())
        })
    }

    fn router(&mut self) -> Result<&mut Daemon> {
        self.router.as_mut().context("the router was started")
    }

    /// What a command of the router says.
    fn ask(&self, words: &[&str]) -> Result<String> {
        let run = self.dir("run");
        let ask = [&[PROGRAM, "router"], words, &["--run-dir", &run]].concat();
        self.space.must(&ask)
    }

    fn says(&self, words: &[&str], what: &str) -> Result<()> {
        wait_until(SHORT, &format!("{words:?} says {what}"), || {
            Ok(self.ask(words)?.contains(what))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Liveness ends with it. Where the router is dead already, all that still runs in the test's own namespace is ended.
        let _ended = self.ask(&["stop", "--all"]);
        let end = format!("ip netns pids {} | xargs -r kill", self.space.name());
        let _ended = Command::new("sh").args(["-c", &end]).status();
    }
}

/// A sled and its switch, joined, with routers that know each other.
fn pair(folder: &Path) -> Result<[Node; 2]> {
    let mut sled = Node::new("sled", "sled", folder)?;
    let mut switch = Node::new("switch", "switch", folder)?;
    let far = switch.space.name().to_owned();
    sled.space.ip(&format!(
        "link add e0 address a8:40:25:10:00:01 type veth peer name e1 address a8:40:25:10:00:fd netns {far}\nlink set e0 up"
    ))?;
    switch.space.ip("link set e1 up")?;
    sled.start(&["--record", &sled.dir("recording")])?;
    switch.start(&["--metrics", &switch.dir("metrics")])?;
    sled.says(&["routes"], "fdb0:a840:2510:fd::/64")?;
    switch.says(&["routes"], "fdb0:a840:2510:1::/64")?;
    Ok([sled, switch])
}

fn folder(test: &str) -> Result<Option<tempfile::TempDir>> {
    Ok(if may_run(test) {
        Some(tempfile::tempdir()?)
    } else {
        None
    })
}

#[test]
fn history_and_routes_outlive_the_router() -> Result<()> {
    let Some(folder) = folder("history_and_routes_outlive_the_router")? else {
        return Ok(());
    };
    let [mut sled, switch] = pair(folder.path())?;
    let before = sled.ask(&["events"])?;
    ensure!(before.contains("the router started"), "{before}");
    sled.router()?.kill()?;
    let routes = sled
        .space
        .must(&["ip", "-6", "route", "show", "proto", "82"])?;
    ensure!(routes.contains("fdb0:a840:2510:fd::/64"), "{routes}");
    sled.start(&[])?;
    sled.says(&["neighbors"], "switch")?;
    let after = sled.ask(&["events"])?;
    ensure!(after.starts_with(&before), "{before}\n{after}");
    switch.says(&["events"], "after its restart")?;
    // What the first one was told is told again, with the same outcome.
    let replayed = sled
        .space
        .must(&[PROGRAM, "router", "replay", &sled.dir("recording")])?;
    ensure!(replayed.contains("switch"), "{replayed}");
    ensure!(sled.router()?.stop(SHORT)? == 0, "a planned end");
    switch.says(&["events"], "is about to restart")?;
    Ok(())
}

#[test]
fn a_prefix_is_originated_while_its_asker_wants_it() -> Result<()> {
    let Some(folder) = folder("a_prefix_is_originated_while_its_asker_wants_it")? else {
        return Ok(());
    };
    let [sled, _switch] = pair(folder.path())?;
    let mut stream = UnixStream::connect(sled.folder.join("run/router.sock"))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let hello = r#"{"hello":{"version":1,"oldest":1,"service":"router","program":"test"}}"#;
    let wanted = r#"{"prefix":"fd00:1122:3344:ff00::/64","scope":"service","ready":true}"#;
    writeln!(
        stream,
        "{hello}\n{{\"request\":{{\"id\":1,\"body\":{{\"originate\":{{\"asker\":\"test\",\"prefixes\":[{wanted}]}}}}}}}}"
    )?;
    let mut next = || lines.next().context("a line").and_then(|line| Ok(line?));
    ensure!(next()?.contains("hello"));
    let taken = next()?;
    ensure!(taken.contains("\"prefixes\":1"), "{taken}");
    sled.says(&["status"], "fd00:1122:3344:ff00::/64 for test, announced")?;
    // It outlives its asker's connection, and does not outlive its wish.
    stream.shutdown(std::net::Shutdown::Both)?;
    sled.says(&["status"], "its asker is gone")?;
    let mut stream = UnixStream::connect(sled.folder.join("run/router.sock"))?;
    let withdraw = r#"{"request":{"id":1,"body":{"withdraw":{"asker":"test"}}}}"#;
    writeln!(stream, "{hello}\n{withdraw}")?;
    let mut lines = BufReader::new(stream).lines();
    let said = lines.nth(1).context("a reply")??;
    ensure!(said.contains("\"prefixes\":1"), "{said}");
    let status = sled.ask(&["status"])?;
    ensure!(!status.contains("originates"), "{status}");
    Ok(())
}

#[test]
fn what_cannot_be_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("router.toml");
    for (text, part) in [
        ("role = \"switch\"\n\n[ports]\ndmm = 1\n", "line 4"),
        ("[timers]\nbfd_ms = 1\n", "timers.bfd_ms"),
        ("links = [\"a/b\"]\n", "links"),
    ] {
        fs::write(&file, text)?;
        let said = Command::new(PROGRAM)
            .args(["router", "run", "--config"])
            .arg(&file)
            .output()?;
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        ensure!(!said.status.success(), "{text} was taken");
        ensure!(told.contains(part), "{text}: nothing of {part} in {told}");
    }
    Ok(())
}

/// The families of counters that a router's socket tells.
fn told(socket: &str) -> Result<BTreeSet<String>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: router\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

#[test]
fn every_counter_is_documented_and_told() -> Result<()> {
    let Some(folder) = folder("every_counter_is_documented_and_told")? else {
        return Ok(());
    };
    let text = include_str!("../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    let documented: BTreeSet<String> = names
        .filter(|name| name.starts_with("rackweave_router_"))
        .map(str::to_owned)
        .collect();
    ensure!(documented.len() > 20, "{documented:?}");
    let [_sled, switch] = pair(folder.path())?;
    let socket = switch.dir("metrics");
    wait_until(SHORT, "every documented counter is told", || {
        let missing: Vec<_> = documented.difference(&told(&socket)?).cloned().collect();
        ensure!(missing.is_empty(), "nothing of {missing:?}");
        Ok(true)
    })?;
    let told = told(&socket)?;
    let more: Vec<_> = told.difference(&documented).collect();
    ensure!(more.is_empty(), "docs/metrics.md says nothing of {more:?}");
    Ok(())
}
