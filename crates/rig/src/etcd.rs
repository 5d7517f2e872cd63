//! A cluster of etcd.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::clock::{SHORT, wait_until};
use crate::process::Daemon;

/// Two ports for each cluster of this process, from here on.
const FIRST_PORT: u16 = 2379;
static CLUSTERS: AtomicU16 = AtomicU16::new(0);

const PATIENCE: Duration = Duration::from_secs(2);

/// Members of one cluster, as processes. They listen at loopback addresses that no other process uses, so clusters of
/// tests that run at once do not meet. All end with their owner.
#[derive(Debug)]
pub struct Etcd {
    dir: TempDir,
    members: Vec<Member>,
    fsync: bool,
}

#[derive(Debug)]
struct Member {
    client: SocketAddrV4,
    peer: SocketAddrV4,
    process: Option<Daemon>,
}

impl Etcd {
    /// Whether etcd is installed. Where not, says on standard error that the test is skipped.
    #[expect(
        clippy::print_stderr,
        reason = "a skipped test must say so, and a test has no other voice"
    )]
    pub fn may_run(test: &str) -> bool {
        let found = Command::new("etcd").arg("--version").output().is_ok();
        if !found {
            eprintln!("{test}: skipped, for etcd is not installed");
        }
        found
    }

    /// Starts a cluster of up to four members that elects fast, and waits until it serves. Without `fsync` it outlives kills
    /// of its processes but not of the machine, and is quicker.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start(members: u8, fsync: bool) -> Result<Self> {
        ensure!((1..=4).contains(&members), "one to four members");
        let port = FIRST_PORT + 2 * CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let members = (0..members).map(|member| Member::at(own_address(member), port));
        let mut cluster = Self {
            dir: tempfile::tempdir()?,
            members: members.collect(),
            fsync,
        };
        for member in 0..cluster.members.len() {
            cluster.spawn(member)?;
        }
        for member in 0..cluster.members.len() {
            cluster.wait_for(member)?;
        }
        Ok(cluster)
    }

    /// The URLs of its members, for clients.
    pub fn endpoints(&self) -> Vec<String> {
        let urls = self.members.iter();
        urls.map(|member| format!("http://{}", member.client))
            .collect()
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Kills a member: no farewell.
    ///
    /// # Errors
    /// Where the kernel does not.
    pub fn kill(&mut self, member: usize) -> Result<()> {
        let process = self.members[member].process.take();
        process.map_or(Ok(()), |mut process| process.kill())
    }

    /// Starts a member that was killed, on what it stored. It needs the others of a majority before it serves.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn restart(&mut self, member: usize) -> Result<()> {
        self.kill(member)?;
        self.spawn(member)
    }

    /// Waits until a member serves: it knows a leader.
    ///
    /// # Errors
    /// Where it does not.
    pub fn wait_for(&self, member: usize) -> Result<()> {
        let member = &self.members[member];
        let served = wait_until(SHORT, "etcd serves", || {
            let health = member.ask("GET", "/health")?;
            Ok(health["health"] == "true")
        });
        let log = || member.process.as_ref().map(Daemon::log);
        served.with_context(|| log().unwrap_or_default())
    }

    /// Stops a member without killing it: it answers nobody until it is thawed, and its connections stay.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn freeze(&self, member: usize) -> Result<()> {
        self.signal(member, Signal::SIGSTOP)
    }

    /// Lets a frozen member go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn thaw(&self, member: usize) -> Result<()> {
        self.signal(member, Signal::SIGCONT)
    }

    fn signal(&self, member: usize, signal: Signal) -> Result<()> {
        let process = self.members[member].process.as_ref();
        process.context("the member does not run")?.signal(signal)
    }

    /// The member that leads, as `member` says.
    ///
    /// # Errors
    /// Where it does not know, or the leader runs no longer.
    pub fn leader(&self, member: usize) -> Result<usize> {
        let status = self.members[member].ask("POST", "/v3/maintenance/status")?;
        for (number, member) in self.members.iter().enumerate() {
            let Ok(own) = member.ask("POST", "/v3/maintenance/status") else {
                continue;
            };
            if own["header"]["member_id"] == status["leader"] {
                return Ok(number);
            }
        }
        anyhow::bail!("nobody leads: {status}")
    }

    fn spawn(&mut self, number: usize) -> Result<()> {
        let name = |number: usize| format!("m{number}");
        let url = |address: SocketAddrV4| format!("http://{address}");
        let all = self.members.iter().enumerate();
        let all = all.map(|(number, member)| format!("{}={}", name(number), url(member.peer)));
        let all = all.collect::<Vec<_>>().join(",");
        let member = &self.members[number];
        let dir: PathBuf = self.dir.path().join(name(number));
        let mut words = vec!["etcd".to_owned()];
        for (option, value) in [
            ("--name", name(number)),
            ("--data-dir", dir.display().to_string()),
            ("--listen-client-urls", url(member.client)),
            ("--advertise-client-urls", url(member.client)),
            ("--listen-peer-urls", url(member.peer)),
            ("--initial-advertise-peer-urls", url(member.peer)),
            ("--initial-cluster", all),
            ("--heartbeat-interval", "50".to_owned()),
            ("--election-timeout", "500".to_owned()),
            ("--logger", "zap".to_owned()),
            ("--log-level", "error".to_owned()),
        ] {
            words.extend([option.to_owned(), value]);
        }
        if !self.fsync {
            words.push("--unsafe-no-fsync".to_owned());
        }
        let log = self.dir.path().join(format!("{}.log", name(number)));
        let process = Daemon::start(&name(number), &words, &[], &log, Stdio::null())?;
        self.members[number].process = Some(process);
        Ok(())
    }
}

impl Member {
    fn at(address: Ipv4Addr, port: u16) -> Self {
        Self {
            client: SocketAddrV4::new(address, port),
            peer: SocketAddrV4::new(address, port + 1),
            process: None,
        }
    }

    /// Asks over HTTP, for JSON.
    fn ask(&self, method: &str, path: &str) -> Result<Value> {
        let mut stream = TcpStream::connect_timeout(&self.client.into(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let host = self.client;
        let request =
            format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{{}}");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        Ok(serde_json::from_str(body)?)
    }
}

/// An address below 127.0.0.0/8 that belongs to this process: ids of processes have 22 bits.
fn own_address(member: u8) -> Ipv4Addr {
    const LOOPBACK: u32 = 127 << 24;
    Ipv4Addr::from(LOOPBACK | (process::id() << 2 & 0x00ff_fffc) | u32::from(member))
}
