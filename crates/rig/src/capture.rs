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

    /// Ends the capture and gives its frames, each as far as it was captured.
    ///
    /// # Errors
    /// Where tcpdump cannot end in order.
    pub fn frames(self) -> Result<Vec<Vec<u8>>> {
        frames(&self.octets()?).context("tcpdump writes another format")
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

/// The frames of a file in pcap's classic format, as machines of this byte order write it.
fn frames(file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (magic, _) = file.split_first_chunk()?;
    let known = [0xa1b2_c3d4, 0xa1b2_3c4d].contains(&u32::from_ne_bytes(*magic));
    let mut rest = file.get(24..).filter(|_| known)?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_ne_bytes(rest.get(8..12)?.try_into().ok()?);
        let (frame, after) = rest
            .get(16..)?
            .split_at_checked(usize::try_from(len).ok()?)?;
        frames.push(frame.to_vec());
        rest = after;
    }
    Some(frames)
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
    fn frames_are_told_apart() {
        let mut file = 0xa1b2_c3d4_u32.to_ne_bytes().to_vec();
        file.extend([0; 20]);
        for frame in [&[1, 2, 3][..], &[], &[4]] {
            let len = u32::try_from(frame.len()).unwrap().to_ne_bytes();
            file.extend([&[0; 8], &len[..], &[0; 4], frame].concat());
        }
        assert_eq!(frames(&file), Some(vec![vec![1, 2, 3], vec![], vec![4]]));
        assert_eq!(frames(&file[..file.len() - 1]), None);
        assert_eq!(frames(&[0; 24]), None);
    }

    #[test]
    fn the_length_of_a_line_is_read() {
        let line = "12:00 IP 10.0.0.1.1 > 10.0.0.2.2: Flags [.], ack 1, win 501, length 65160";
        assert_eq!(length(line), Some(65_160));
        assert_eq!(length("12:00 ARP"), None);
    }
}
