//! What passes an interface, seen by tcpdump.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::clock::{SHORT, wait_until};
use crate::namespace::Namespace;
use crate::process::Daemon;

/// A capture that runs.
#[derive(Debug)]
pub struct Capture {
    daemon: Daemon,
    folder: TempDir,
}

impl Capture {
    /// Captures what matches `filter` (pcap's language) on a link, as far as its headers.
    ///
    /// # Errors
    /// Where tcpdump does not listen in time.
    pub fn start(namespace: &Namespace, link: &str, filter: &str) -> Result<Self> {
        Self::start_in(namespace.name(), link, filter)
    }

    /// The same in a namespace that `ip netns` knows by this name.
    ///
    /// # Errors
    /// Where tcpdump does not listen in time.
    pub fn start_in(namespace: &str, link: &str, filter: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rwcapture").tempdir()?;
        let (file, log) = (folder.path().join("pcap"), folder.path().join("log"));
        let file = file.display().to_string();
        let words = [
            "ip",
            "netns",
            "exec",
            namespace,
            "tcpdump",
            "-Z",
            "root",
            "-nn",
            "--immediate-mode",
            "-s",
            "1600",
            "-B",
            "8192",
        ];
        let rest = ["-i", link, "-w", &file, filter];
        let words: Vec<String> = [&words[..], &rest]
            .concat()
            .into_iter()
            .map(Into::into)
            .collect();
        let daemon = Daemon::start("tcpdump", &words, &[], &log, Stdio::null())?;
        wait_until(SHORT, "tcpdump listens", || {
            Ok(daemon.log().contains("listening on"))
        })
        .with_context(|| daemon.log())?;
        Ok(Self { daemon, folder })
    }

    /// Ends the capture and gives the lengths of its packets, as tcpdump says them: of the payload of TCP and UDP.
    ///
    /// # Errors
    /// Where tcpdump cannot end in order, or read its own file.
    pub fn lengths(self) -> Result<Vec<u32>> {
        Ok(self
            .lines()?
            .iter()
            .filter_map(|line| length(line))
            .collect())
    }

    /// Ends the capture and gives a line for each packet, as tcpdump says it.
    ///
    /// # Errors
    /// Where tcpdump cannot end in order, or read its own file.
    pub fn lines(self) -> Result<Vec<String>> {
        let (file, _folder) = self.end()?;
        let text = crate::process::must(&["tcpdump", "-nn", "-r", &file], "")?;
        Ok(text.lines().map(Into::into).collect())
    }

    /// Ends the capture and gives its octets, headers and packets one after another.
    ///
    /// # Errors
    /// Where tcpdump cannot end in order.
    pub fn octets(self) -> Result<Vec<u8>> {
        let (file, _folder) = self.end()?;
        Ok(fs::read(file)?)
    }

    fn end(mut self) -> Result<(String, TempDir)> {
        self.daemon.signal(Signal::SIGINT)?;
        wait_until(Duration::from_secs(5), "tcpdump ends", || {
            Ok(!self.daemon.is_running()?)
        })?;
        let file = self.folder.path().join("pcap").display().to_string();
        Ok((file, self.folder))
    }
}

/// The first `length N` of a line.
fn length(line: &str) -> Option<u32> {
    let (_, after) = line.split_once("length ")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_line_is_read() {
        let line = "12:00 IP 10.0.0.1.1 > 10.0.0.2.2: Flags [.], ack 1, win 501, length 65160";
        assert_eq!(length(line), Some(65_160));
        assert_eq!(length("12:00 ARP"), None);
    }
}
