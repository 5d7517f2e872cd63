//! A packet's walk as in the seed's figure 3, seen by other people's tools on all three sections.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rackweave_mgmt::address::{MacRange, link_local};
use rackweave_mgmt::port::{Position, SpPort, Unit};
use rackweave_mgmt::sp::Request;
use rackweave_rig::{SHORT, may_run, wait_until};
use rackweave_types::MacAddr;

use crate::gateway::Gateway;
use crate::place::{Place, first_mac};

const UNIT: Unit = Unit::Cubby(5);

/// A tcpdump that listens.
struct Capture(Child);

impl Capture {
    fn start(place: &Place, link: &str, file: &Path) -> Self {
        let spawn = || {
            Command::new("tcpdump")
                .args([
                    "-Z",
                    "root",
                    "-nn",
                    "-U",
                    "--immediate-mode",
                    "-i",
                    link,
                    "-w",
                ])
                .arg(file)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let mut child = place.netns().run_in(spawn).unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        assert!(
            said.lines()
                .any(|line| line.unwrap().contains("listening on"))
        );
        Self(child)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have ended; either way it is gone.
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn said(program: &str, words: &[&str], file: &Path) -> String {
    let output = Command::new(program)
        .arg("-r")
        .arg(file)
        .args(words)
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Fields of a datagram: addresses, VLANs, then what must be the same on all sections.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Datagram {
    vlans: String,
    same: Vec<String>,
}

/// The datagrams of a capture, as tshark dissects them.
fn datagrams(file: &Path) -> Vec<Datagram> {
    let fields = [
        "vlan.id",
        "eth.dst",
        "eth.src",
        "ipv6.src",
        "ipv6.dst",
        "udp.srcport",
        "udp.dstport",
        "udp.checksum.status",
        "udp.payload",
    ];
    let mut words = vec!["-o", "udp.check_checksum:TRUE", "-T", "fields"];
    words.extend(fields.iter().flat_map(|field| ["-e", field]));
    words.extend(["-Y", "udp.port == 11111 && udp.port == 22222"]);
    let text = said("tshark", &words, file);
    let datagram = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        Datagram {
            vlans: fields.next().unwrap(),
            same: fields.collect(),
        }
    };
    text.lines().map(datagram).collect()
}

/// The question is a datagram from a gateway, the answer one from the service processor.
fn of<'d>(datagrams: &'d [Datagram], destination_port: &str, first: &str) -> Option<&'d Datagram> {
    datagrams
        .iter()
        .find(|it| it.same[5] == destination_port && it.same[7].starts_with(first))
}

#[test]
fn a_packet_walks_as_in_the_seed() {
    if !may_run("a_packet_walks_as_in_the_seed") {
        return;
    }
    let place = Place::new(&[UNIT]);
    let dir = tempfile::tempdir().unwrap();
    let sections = ["upa", "a05", "c05-sp"];
    let files = sections.map(|link| dir.path().join(link));
    let captures: Vec<Capture> = sections
        .iter()
        .zip(&files)
        .map(|(link, file)| Capture::start(&place, link, file))
        .collect();
    let mut gateway = Gateway::new(&place, Position::A);
    let here = gateway.discover(UNIT);
    assert_eq!(here.serial, "S-c05");
    gateway.answer(UNIT, &Request::State);
    // Version 1: a request (0), a response (1); proven ones have flag 2.
    let walked = |file: &Path| {
        let datagrams = datagrams(file);
        let question = of(&datagrams, "11111", "0100")?.clone();
        let answer = of(&datagrams, "22222", "0101")?.clone();
        of(&datagrams, "11111", "0102").zip(of(&datagrams, "22222", "0103"))?;
        Some([question, answer])
    };
    wait_until(SHORT, "the walk is written down", || {
        Ok(files.iter().all(|file| walked(file).is_some()))
    })
    .unwrap();
    drop(captures);
    let sections = files.each_ref().map(|file| walked(file).unwrap());
    // 0x105, none, 0x301.
    for (section, vlan) in sections.iter().zip(["261", "", "769"]) {
        for (packet, first) in section.iter().zip(&sections[0]) {
            assert_eq!(packet.vlans, vlan);
            assert_eq!(packet.same, first.same, "nothing but the tag changes");
        }
    }
    let sp = MacRange::new(first_mac(&place.rack, UNIT))
        .unwrap()
        .management(SpPort::One);
    let mgs = MacAddr::new([0xa8, 0x40, 0x25, 0xff, 0, 0]);
    let fields = |mac: [String; 2], ip: [String; 2], ports: [&str; 2]| {
        let all = [&mac[..], &ip, &ports.map(str::to_owned), &["1".to_owned()]];
        all.concat()
    };
    let [question, answer] = &sections[0];
    let asked = fields(
        ["33:33:00:00:00:01".into(), mgs.to_string()],
        [link_local(mgs).to_string(), "ff02::1".into()],
        ["22222", "11111"],
    );
    assert_eq!(question.same[..7], asked);
    let answered = fields(
        [mgs.to_string(), sp.to_string()],
        [link_local(sp).to_string(), link_local(mgs).to_string()],
        ["11111", "22222"],
    );
    assert_eq!(answer.same[..7], answered);
    let lines = said("tcpdump", &["-nn", "-e"], &files[0]);
    assert!(lines.contains("vlan 261"), "{lines}");
    let lines = said("tcpdump", &["-nn", "-e"], &files[2]);
    assert!(lines.contains("vlan 769"), "{lines}");
}
