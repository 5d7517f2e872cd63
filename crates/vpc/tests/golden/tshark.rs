//! Captures as Wireshark reads them: a second opinion on every header, from people who never saw
//! this engine.
//!
//! Wireshark verifies checksums only when asked to. The outer UDP checksum is zero, as RFC 8926
//! section 3.3 allows over IPv6 (RFC 6935 section 5); Wireshark calls that illegal unless told
//! otherwise. A segment is in a capture once for each interface that it passes, which Wireshark's
//! notes call a retransmission.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::compare;

const PREFERENCES: [&str; 4] = [
    "ip.check_checksum:TRUE",
    "tcp.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    "udp.ignore_ipv6_zero_checksum:TRUE",
];

/// Parts several values of a field: in no comment, and in no message of tshark.
const AGGREGATOR: &str = "~";

/// Severities of tshark's remarks from "warning" on (`epan/proto.h`, `PI_WARN`).
const WARNING: u32 = 0x0060_0000;

/// What tshark warns of in good packets: a reset is what the guest asked for.
const REMARKS: [&str; 1] = ["Connection reset (RST)"];

/// What tshark prints of a capture's packets: a row each, of these fields. `None` where there is
/// no tshark to ask; in CI there must be one.
fn fields(capture: &Path, fields: &[&str], filter: &str) -> Option<Vec<Vec<String>>> {
    let mut tshark = Command::new("tshark");
    // Neither name resolution nor anybody's own settings.
    tshark.env("XDG_CONFIG_HOME", "/nonexistent").arg("-n");
    tshark.env("HOME", "/nonexistent").arg("-r").arg(capture);
    for preference in PREFERENCES {
        tshark.args(["-o", preference]);
    }
    tshark.args(["-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]);
    tshark.args(["-E", &format!("aggregator={AGGREGATOR}")]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let output = match tshark.args(["-Y", filter]).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            missing();
            return None;
        }
        Err(error) => panic!("tshark does not start: {error}"),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark cannot read it: {errors}");
    let rows = String::from_utf8(output.stdout).unwrap();
    let cells = |row: &str| row.split('|').map(normal).collect();
    Some(rows.lines().map(cells).collect())
}

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn missing() {
    let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!in_ci, "no tshark: CI installs it (.ci/run)");
    eprintln!("left out: no tshark here; Debian's package is `tshark`");
}

/// Values as all versions of tshark mean them: numbers in decimal, flags as numbers.
fn normal(cell: &str) -> String {
    let value = |value: &str| {
        let hexadecimal = value.strip_prefix("0x");
        let number = hexadecimal.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        match (number, value) {
            (Some(number), _) => number.to_string(),
            (None, "True") => "1".to_owned(),
            (None, "False") => "0".to_owned(),
            (None, text) => text.to_owned(),
        }
    };
    let values: Vec<String> = cell.split(AGGREGATOR).map(value).collect();
    values.join(",")
}

/// What a capture must say to tshark, packet by packet.
pub(crate) struct Dissection<'a> {
    /// Name of the capture.
    pub(crate) capture: &'a str,
    /// Which packets, in tshark's display filter language.
    pub(crate) filter: &'a str,
    /// Names of fields.
    pub(crate) fields: &'a [&'a str],
    /// A row for each packet: the fields parted by bars, values of one field by commas.
    pub(crate) rows: &'a [&'a str],
}

impl Dissection<'_> {
    /// Asks tshark.
    pub(crate) fn check(&self) {
        let path = compare::folder().join(format!("{}.pcapng", self.capture));
        let Some(found) = fields(&path, self.fields, self.filter) else {
            return;
        };
        let row = |row: &&str| -> Vec<String> {
            let cells = row.split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        };
        let expected: Vec<Vec<String>> = self.rows.iter().map(row).collect();
        let text = |rows: &[Vec<String>]| {
            let rows: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
            rows.join("\n")
        };
        assert_eq!(
            found,
            expected,
            "{}\n{}\ntshark reads\n{}",
            self.capture,
            self.fields.join(" | "),
            text(&found)
        );
    }
}

/// Every capture in the folder, and every packet in it.
#[test]
fn tshark_finds_nothing_wrong() {
    let mut captures: Vec<_> = fs::read_dir(compare::folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    captures.sort();
    assert!(captures.len() > 10, "{captures:?}");
    let mut wrong = Vec::new();
    for capture in captures {
        let names = ["frame.number", "_ws.malformed", "_ws.expert.severity"];
        let checksums = ["ip", "udp", "tcp", "icmp", "icmpv6"];
        let checksums = checksums.map(|protocol| format!("{protocol}.checksum.status"));
        let mut names = names.to_vec();
        names.extend(checksums.iter().map(String::as_str));
        names.push("_ws.expert.message");
        let Some(rows) = fields(&capture, &names, "frame") else {
            return;
        };
        assert!(!rows.is_empty(), "{} is empty", capture.display());
        for row in rows {
            if let Some(what) = complaint(&row) {
                wrong.push(format!("{} packet {}: {what}", capture.display(), row[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What tshark has to say against a packet.
fn complaint(row: &[String]) -> Option<String> {
    let [_, malformed, severities, checksums @ .., messages] = row else {
        return Some(format!("tshark prints {row:?}"));
    };
    // Status 0 is bad, 4 is illegal (`epan/proto.h`, `proto_checksum_enum_e`).
    let statuses = checksums.iter().flat_map(|cell| cell.split(','));
    let bad_checksum = statuses
        .into_iter()
        .any(|status| matches!(status, "0" | "4"));
    let severities = severities.split(',').map(|text| text.parse().unwrap_or(0));
    let severe = severities.filter(|severity: &u32| *severity >= WARNING);
    let known = REMARKS.map(|remark| messages.matches(remark).count());
    let remarkable = severe.count() > known.iter().sum();
    (!malformed.is_empty() || bad_checksum || remarkable)
        .then(|| format!("{malformed} {checksums:?} {messages}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_heard() {
        let row = |cells: [&str; 5]| complaint(&cells.map(String::from)).is_some();
        assert!(!row(["1", "", "1048576", "1,1", "forwarded"]));
        assert!(row(["1", "_ws.malformed", "1048576", "1", "forwarded"]));
        assert!(row(["1", "", "1048576", "1,0", "forwarded"]));
        assert!(row(["1", "", "8388608", "1", "Illegal"]));
        let reset = "forwarded,Connection reset (RST)";
        assert!(!row(["1", "", "1048576,6291456", "1", reset]));
        assert!(row(["1", "", "6291456,6291456", "1", reset]));
    }

    #[test]
    fn versions_of_tshark_are_understood() {
        assert_eq!(normal("0x001000~12~True~fd12::1"), "4096,12,1,fd12::1");
    }
}
