//! Devices of the kernel, each in a namespace that lives as long as the test's thread.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::{Uid, getpid, gettid};
use rackweave_types::{MacAddr, Mtu};
use rackweave_wire::arp::{ArpOperation, ArpRepr, ArpView};
use rackweave_wire::virtio_net::{Checksum, GsoKind, NetHeader};

use super::{Tap, TapError, TapQueue, TapSettings};
use crate::{Claim, MAX_FRAME, Received, Sent};

const MAC: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 1]);
const PEER: MacAddr = MacAddr::new([0x02, 0x72, 0x77, 0, 0, 2]);

/// Puts this thread into a namespace of its own; `None` (and why, on the test's output) without the right to.
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn namespace() -> Option<PathBuf> {
    if !Uid::effective().is_root() {
        eprintln!("skipped: TAP devices need root");
        return None;
    }
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    Some(format!("/proc/{}/task/{}/ns/net", getpid(), gettid()).into())
}

fn settings(netns: Option<PathBuf>) -> TapSettings {
    TapSettings {
        name: "guest0".into(),
        netns,
        queues: 1,
        mtu: Mtu::new(1400).unwrap(),
        mac: Some(MAC),
    }
}

fn ip(arguments: &str) -> String {
    let run = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(run.status.success(), "ip {arguments}: {run:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// The next frame that `wanted` is true for, among those that the kernel has handed over so far.
fn next_frame(
    queue: &mut TapQueue,
    wanted: impl Fn(&[u8]) -> bool,
) -> Option<(NetHeader, Vec<u8>)> {
    let mut buffer = vec![0; MAX_FRAME];
    let mut header = NetHeader::default();
    loop {
        match queue.receive(&mut header, &mut buffer).unwrap() {
            Received::Frame { len } if wanted(&buffer[..len]) => {
                return Some((header, buffer[..len].to_vec()));
            }
            Received::Frame { .. } => {}
            Received::Empty => return None,
            Received::Refused(claim) => panic!("{claim}"),
        }
    }
}

/// Asks the guest's kernel for its address; it answers before the call that asks returns.
fn arp_answer(queue: &mut TapQueue) -> Option<MacAddr> {
    let mut frame = vec![0xff; 6];
    frame.extend(PEER.octets());
    frame.extend([8, 6]);
    let request = ArpRepr {
        operation: ArpOperation::REQUEST,
        sender_mac: PEER,
        sender_ip: [10, 0, 0, 2].into(),
        target_mac: MacAddr::ZERO,
        target_ip: [10, 0, 0, 1].into(),
    };
    let mut arp = vec![0; request.buffer_len()];
    request.emit(&mut arp).unwrap();
    frame.extend(arp);
    assert_eq!(
        queue.send(&NetHeader::default(), &frame).unwrap(),
        Sent::Taken
    );
    let (_, answer) = next_frame(queue, |frame| frame[12..14] == [8, 6])?;
    Some(ArpRepr::parse(&ArpView::parse(&answer[14..]).unwrap()).sender_mac)
}

#[test]
fn a_device_outlives_its_process_with_its_addresses() {
    let Some(netns) = namespace() else { return };
    let settings = settings(Some(netns));
    let (tap, mut queues) = Tap::open(&settings).unwrap();
    ip("addr add 10.0.0.1/24 dev guest0");
    assert_eq!(arp_answer(&mut queues[0]), Some(MAC));
    assert!(ip("link show guest0").contains("mtu 1400"));

    drop((tap, queues));
    let (tap, mut queues) = Tap::open(&settings).unwrap();
    assert_eq!(arp_answer(&mut queues[0]), Some(MAC));

    tap.remove().unwrap();
    drop(queues);
    assert!(!ip("link show").contains("guest0"));
}

#[test]
fn what_is_left_to_do_comes_with_the_frame() {
    let Some(netns) = namespace() else { return };
    let (tap, mut queues) = Tap::open(&settings(Some(netns))).unwrap();
    ip("addr add 10.0.0.1/24 dev guest0");
    ip("neigh add 10.0.0.2 lladdr 02:72:77:00:00:02 dev guest0 nud permanent");
    let socket = UdpSocket::bind("10.0.0.1:4000").unwrap();
    let udp = |frame: &[u8]| frame[12..14] == [8, 0] && frame[23] == 17;

    socket.send_to(&[7; 100], "10.0.0.2:4001").unwrap();
    let (header, frame) = next_frame(&mut queues[0], udp).unwrap();
    assert_eq!(
        header.checksum,
        Checksum::Needed {
            start: 34,
            offset: 6
        }
    );
    assert_eq!((header.gso, frame.len()), (None, 142));

    if tap.offloads().udp {
        setsockopt(&socket, sockopt::UdpGsoSegment, &1000).unwrap();
        socket.send_to(&[7; 4500], "10.0.0.2:4001").unwrap();
        let (header, frame) = next_frame(&mut queues[0], udp).unwrap();
        let gso = header.gso.unwrap();
        assert_eq!((gso.kind, gso.size.get()), (GsoKind::UdpL4, 1000));
        assert_eq!(frame.len(), 4542);
    }

    socket.send_to(&[7; 100], "10.0.0.2:4001").unwrap();
    let (mut header, mut short) = (NetHeader::default(), [0; 141]);
    loop {
        match queues[0].receive(&mut header, &mut short).unwrap() {
            Received::Frame { .. } => {}
            other => break assert_eq!(other, Received::Refused(Claim::TooLong)),
        }
    }
    assert_eq!(queues[0].claims().of(Claim::TooLong), 1);
}

#[test]
fn several_queues_are_one_device() {
    let Some(netns) = namespace() else { return };
    let settings = TapSettings {
        queues: 4,
        ..settings(Some(netns))
    };
    let (_tap, mut queues) = Tap::open(&settings).unwrap();
    assert_eq!(queues.len(), 4);
    ip("addr add 10.0.0.1/24 dev guest0");
    // What is put into one queue is answered by the queue that the kernel chooses for the flow.
    let answers = queues.iter_mut().filter_map(arp_answer).collect::<Vec<_>>();
    assert!(answers.iter().all(|mac| *mac == MAC));
    assert!(!answers.is_empty());
}

#[test]
fn a_device_of_another_kind_is_named_with_what_to_do() {
    let Some(netns) = namespace() else { return };
    ip("tuntap add guest0 mode tun");
    let error = Tap::open(&settings(Some(netns))).unwrap_err();
    assert!(matches!(error, TapError::Kind { .. }), "{error:?}");
    assert!(error.to_string().contains("ip link del guest0"), "{error}");
}

#[test]
fn what_is_asked_for_is_checked_first() {
    let none = TapSettings {
        queues: 0,
        ..settings(None)
    };
    assert!(matches!(
        Tap::open(&none),
        Err(TapError::Queues { asked: 0 })
    ));
    let gone = settings(Some("/nonexistent/netns".into()));
    let error = Tap::open(&gone).unwrap_err();
    assert!(matches!(error, TapError::Namespace { .. }), "{error:?}");
    assert!(error.to_string().contains("/nonexistent/netns"), "{error}");
}
