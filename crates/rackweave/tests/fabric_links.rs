//! Labs: their cables, what can be wrong with them, and that nothing of a lab stays.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rackweave_rig::{Fabric, Node, may_run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rackweave");
/// Enough for the kernel to send large.
const MUCH: usize = 16 << 20;

/// Two nodes of a lab with an address on the link between them.
struct Pair {
    fabric: Fabric,
    one: Node,
    other: Node,
    at: Ipv6Addr,
}

impl Pair {
    fn start() -> Result<Self> {
        let fabric = Fabric::start(PROGRAM, 1, 1, &["--until", "cables"])?;
        let (one, other) = (fabric.node("r1s1")?, fabric.node("r1a")?);
        let at = "fd00:9::2".parse()?;
        for (node, link, address) in [
            (&one, "to-r1a", "fd00:9::1/64"),
            (&other, "to-r1s1", "fd00:9::2/64"),
        ] {
            node.must(&["ip", "addr", "add", address, "dev", link, "nodad"])?;
        }
        let pair = Self {
            fabric,
            one,
            other,
            at,
        };
        ensure!(pair.pings(1)?.answered > 0, "the link does not carry");
        Ok(pair)
    }

    fn pings(&self, count: u32) -> Result<Pings> {
        let (count, at) = (count.to_string(), self.at.to_string());
        let words = [
            "sh",
            "-c",
            "ping -6 -q -n -i 0.005 -W 1 -c \"$1\" \"$2\"; true",
            "-",
            &count,
            &at,
        ];
        Pings::read(&self.one.must(&words)?)
    }

    fn is_up(&self) -> Result<[bool; 2]> {
        let carrier = |node: &Node, link: &str| {
            let text = node.must(&["ip", "-o", "link", "show", "dev", link])?;
            Ok::<_, anyhow::Error>(!text.contains("NO-CARRIER"))
        };
        Ok([
            carrier(&self.one, "to-r1a")?,
            carrier(&self.other, "to-r1s1")?,
        ])
    }
}

/// What `ping` says of its requests.
struct Pings {
    answered: u32,
    /// The least round trip, in milliseconds; 0 where none was answered.
    least: f64,
}

impl Pings {
    fn read(text: &str) -> Result<Self> {
        let before = |word: &str| {
            let (before, _) = text.split_once(word)?;
            before.rsplit([' ', '\n']).next()
        };
        let answered = before(" received")
            .context("ping counts what it received")?
            .parse()?;
        let least = text
            .split_once("mdev = ")
            .and_then(|(_, rest)| rest.split('/').next());
        Ok(Self {
            answered,
            least: least.unwrap_or("0").parse()?,
        })
    }
}

#[test]
fn faults_are_done_to_links_and_healed() -> Result<()> {
    if !may_run("faults_are_done_to_links_and_healed") {
        return Ok(());
    }
    let pair = Pair::start()?;
    let lab = |words: &[&str]| pair.fabric.lab(words);

    lab(&["fail", "r1a-r1s1", "--silent"])?;
    ensure!(pair.pings(20)?.answered == 0 && pair.is_up()? == [true, true]);
    lab(&["heal", "r1s1"])?;
    ensure!(pair.pings(20)?.answered == 20);

    lab(&["fail", "r1s1-r1a"])?;
    ensure!(pair.is_up()? == [false, false]);
    let status = pair.fabric.status()?;
    ensure!(status["links"][0]["condition"] == "down", "{status}");
    lab(&["heal", "all"])?;
    ensure!(pair.is_up()? == [true, true] && pair.pings(20)?.answered == 20);

    // Of 400, some 76 of which request or answer is lost.
    lab(&["lossy", "r1s1-r1a", "10%"])?;
    let answered = pair.pings(400)?.answered;
    ensure!((250..390).contains(&answered), "{answered} of 400");
    lab(&["lossy", "r1s1-r1a", "0%"])?;

    lab(&["delay", "r1s1-r1a", "5ms", "--from", "r1a"])?;
    let slow = pair.pings(20)?;
    ensure!(
        slow.answered == 20 && (5.0..10.0).contains(&slow.least),
        "{}",
        slow.least
    );
    lab(&["delay", "r1s1-r1a", "5ms"])?;
    let slow = pair.pings(20)?;
    ensure!(slow.answered == 20 && slow.least >= 10.0, "{}", slow.least);
    lab(&["heal", "all"])?;
    let quick = pair.pings(20)?;
    ensure!(quick.answered == 20 && quick.least < 5.0, "{}", quick.least);
    Ok(())
}

#[test]
fn large_sends_pass_whole_also_when_they_are_delayed() -> Result<()> {
    if !may_run("large_sends_pass_whole_also_when_they_are_delayed") {
        return Ok(());
    }
    let pair = Pair::start()?;
    large_sends_pass_whole(&pair)?;
    pair.fabric.lab(&["delay", "r1s1-r1a", "1ms"])?;
    large_sends_pass_whole(&pair)
}

fn large_sends_pass_whole(pair: &Pair) -> Result<()> {
    let before = arrived(&pair.other)?;
    let listener = pair.other.enter(|| TcpListener::bind((pair.at, 7000)))??;
    let sender = pair.one.enter(|| TcpStream::connect((pair.at, 7000)))??;
    let (mut receiver, _) = listener.accept()?;
    std::thread::scope(|scope| -> Result<()> {
        let mut sender = sender;
        scope.spawn(move || sender.write_all(&vec![7; MUCH]));
        let mut got = Vec::new();
        receiver.read_to_end(&mut got)?;
        ensure!(got.len() == MUCH && got.iter().all(|octet| *octet == 7));
        Ok(())
    })?;
    let after = arrived(&pair.other)?;
    let (octets, packets) = (after.0 - before.0, after.1 - before.1);
    ensure!(
        octets / packets > 9_100,
        "{octets} octets came in {packets} frames"
    );
    Ok(())
}

/// Octets and frames that came in at the switch.
fn arrived(node: &Node) -> Result<(u64, u64)> {
    let text = node.must(&["sh", "-c", "cat /proc/net/dev"])?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("to-r1s1:"));
    let mut numbers = line.context("the link has counters")?.split_whitespace();
    let mut next = || -> Result<u64> { Ok(numbers.next().context("a number")?.parse()?) };
    Ok((next()?, next()?))
}

#[test]
fn labs_stand_side_by_side_and_leave_nothing() -> Result<()> {
    if !may_run("labs_stand_side_by_side_and_leave_nothing") {
        return Ok(());
    }
    let [one, other] = [(); 2].map(|()| Fabric::start(PROGRAM, 2, 1, &["--until", "cables"]));
    let (one, other) = (one?, other?);
    one.lab(&["delay", "r1s1-r1a", "1ms"])?;
    one.lab(&["fail", "r2a"])?;
    let condition = |fabric: &Fabric| -> Result<Vec<bool>> {
        let status = fabric.status()?;
        let links = status["links"].as_array().context("links")?.clone();
        Ok(links.iter().map(|link| link["is_whole"] == true).collect())
    };
    ensure!(condition(&one)?.contains(&false) && !condition(&other)?.contains(&false));

    let again = one.try_lab(&["fabric", "--until", "cables"])?;
    ensure!(
        !again.success && again.stderr.contains("lab down"),
        "{}",
        again.stderr
    );
    let wrong = one.try_lab(&["fail", "r9s9"])?;
    ensure!(
        wrong.stderr.contains("r9s9") && wrong.stderr.contains("lab status"),
        "{}",
        wrong.stderr
    );

    one.lab(&["down"])?;
    ensure!(traces(one.name())?.is_empty(), "{:?}", traces(one.name())?);
    ensure!(other.nodes()?.len() == 6 && !traces(other.name())?.is_empty());
    let gone = one.try_lab(&["status"])?;
    ensure!(gone.stderr.contains(other.name()), "{}", gone.stderr);
    // Half of it is gone already, as after a crash.
    std::fs::remove_file(
        Path::new("/run/rackweave/lab")
            .join(other.name())
            .join("state.json"),
    )?;
    other.lab(&["down"])?;
    ensure!(traces(other.name())?.is_empty());
    Ok(())
}

/// What there is of a lab: namespaces, processes, its directory.
fn traces(lab: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/run/netns")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.contains(&format!(".{lab}.")) {
            found.push(name);
        }
    }
    let directory = Path::new("/run/rackweave/lab").join(lab);
    if directory.exists() {
        found.push(directory.display().to_string());
    }
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path().join("cmdline");
        let words = std::fs::read(&path).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(&format!("/lab/{lab}/")) {
            found.push(words);
        }
    }
    Ok(found)
}
