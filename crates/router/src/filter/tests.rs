use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use proptest::prelude::*;
use rackweave_linux::netlink::Netlink;
use rackweave_linux::netns::Netns;
use rackweave_linux::packet::PacketSocket;
use rackweave_routing::fabric::Input;
use rackweave_wire::ethernet::EthernetRepr;
use rackweave_wire::ipv6::{FlowLabel, Ipv6Repr};
use rackweave_wire::protocol::{EtherType, IpProtocol};
use rackweave_wire::tos::{Dscp, Ecn};
use rackweave_wire::udp::{UdpPayloadLen, UdpRepr};

use super::*;
use crate::inbox::inbox;
use crate::testing::{cable, ip, link, namespace, open_in, runtime, soon};

/// Two sleds on a switch; the first one's link is `s0`.
struct Rack {
    sleds: [Netns; 2],
    switch: Netns,
    filtered: LinkId,
}

const NAMES: [&str; 2] = ["sled BRM-1", "sled BRM-2"];
const PORT: u16 = 9;

fn address(sled: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 1, 1, 0x101 + sled, 0, 0, 0, 1)
}

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

/// Routes are plain ones: what is tried is the filter.
fn rack(test: &str) -> Option<Rack> {
    let rack = Rack {
        sleds: [namespace(test)?, namespace(test)?],
        switch: namespace(test)?,
        filtered: LinkId(0),
    };
    let forwarding = "net/ipv6/conf/all/forwarding";
    let forward = || rackweave_linux::sysctl::ensure(forwarding, "1");
    rack.switch.run_in(forward).unwrap().unwrap();
    let mut filtered = 0;
    for (number, sled) in (0..).zip(&rack.sleds) {
        let down = format!("s{number}");
        cable((sled, "e0"), (&rack.switch, &down));
        let (own, (index, gateway)) = (link(sled, "e0").1, link(&rack.switch, &down));
        let address = address(number);
        ip(sled, "link set lo up");
        ip(sled, &format!("-6 addr add {address}/128 dev lo nodad"));
        ip(
            sled,
            &format!("-6 route add default via {gateway} dev e0 src {address}"),
        );
        ip(
            &rack.switch,
            &format!("-6 route add {address}/64 via {own} dev {down}").replace("::1/64", "::/64"),
        );
        if number == 0 {
            filtered = index;
        }
    }
    Some(Rack {
        filtered: LinkId(filtered),
        ..rack
    })
}

impl Rack {
    fn filter(&self, owner: &str, allowed: Option<&[&str]>) -> FilterChange {
        FilterChange {
            link: self.filtered,
            owner: owner.into(),
            allowed: allowed.map(|all| all.iter().map(|it| net(it)).collect()),
        }
    }

    /// A socket of a sled's address.
    fn udp(&self, sled: u16) -> UdpSocket {
        let at = SocketAddr::new(address(sled).into(), PORT);
        let open = || UdpSocket::bind(at);
        let socket = self.sleds[usize::from(sled)].run_in(open).unwrap().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket
    }

    /// Sends a datagram from the first sled to the second one's address with any source, past its kernel.
    fn forge(&self, runtime: &tokio::runtime::Runtime, from: Ipv6Addr, payload: &[u8]) {
        let raw = open_in(&self.sleds[0], runtime, || {
            PacketSocket::open(EtherType::IPV6)
        })
        .unwrap();
        let mac = |netns: &Netns, link: &str| {
            let netlink = netns.run_in(Netlink::open).unwrap().unwrap();
            netlink.link(link).unwrap().mac.unwrap()
        };
        let (src, dst) = (mac(&self.sleds[0], "e0"), mac(&self.switch, "s0"));
        let index = link(&self.sleds[0], "e0").0;
        raw.send(
            index,
            &datagram(
                EthernetRepr {
                    dst,
                    src,
                    ether_type: EtherType::IPV6,
                },
                from,
                payload,
            ),
        )
        .unwrap();
    }
}

/// A frame with a UDP datagram to the second sled.
fn datagram(ethernet: EthernetRepr, src: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14 + 40 + 8];
    frame.extend_from_slice(payload);
    let len = u16::try_from(payload.len()).unwrap();
    let udp = UdpRepr {
        src_port: PORT,
        dst_port: PORT,
        payload_len: UdpPayloadLen::new(len).unwrap(),
    };
    let ip = Ipv6Repr {
        src,
        dst: address(1),
        next_header: IpProtocol::UDP,
        hop_limit: 64,
        dscp: Dscp::of_octet(0),
        ecn: Ecn::of_octet(0),
        flow_label: FlowLabel::new(0).unwrap(),
        payload_len: udp.length(),
    };
    ethernet.emit(&mut frame).unwrap();
    ip.emit(&mut frame[14..]).unwrap();
    udp.emit(&mut frame[14 + 40..]).unwrap();
    rackweave_wire::udp::fill_checksum(&mut frame[14 + 40..], ip.pseudo_header()).unwrap();
    frame
}

/// Waits until the filter has done what it was asked before.
fn settled(runtime: &tokio::runtime::Runtime, filter: &Filter) -> Vec<Drops> {
    runtime.block_on(soon(filter.drops())).unwrap()
}

#[test]
fn forged_sources_reach_nobody_and_are_counted() {
    let Some(rack) = rack("forged_sources_reach_nobody_and_are_counted") else {
        return;
    };
    let runtime = runtime();
    let (inbox, mut told) = inbox();
    let start = || Filter::start(inbox);
    let filter = rack.switch.run_in(start).unwrap().unwrap();
    assert_eq!(settled(&runtime, &filter), []);
    let (near, far) = (rack.udp(0), rack.udp(1));
    let to = SocketAddr::new(address(1).into(), PORT);
    let mut room = [0; 64];
    let mut receive = || {
        let (len, from) = far.recv_from(&mut room).expect("what is let in arrives");
        (
            String::from_utf8_lossy(&room[..len]).into_owned(),
            from.ip(),
        )
    };
    let others = "fd00:1:1:103::1".parse().unwrap();
    rack.forge(&runtime, others, b"not filtered");
    assert_eq!(receive(), ("not filtered".into(), others.into()));

    let own = [
        "fdb0:a840:2510:1::/64",
        "fd00:1:1:101::/64",
        "fd00:1:1:101::/64",
    ];
    filter.change(rack.filter(NAMES[0], Some(&own))).unwrap();
    assert_eq!(
        settled(&runtime, &filter),
        [Drops {
            owner: NAMES[0].into(),
            packets: 0,
            bytes: 0
        }]
    );
    for source in [others, address(1), "fd00:1:2:101::1".parse().unwrap()] {
        rack.forge(&runtime, source, b"forged");
    }
    rack.forge(
        &runtime,
        "fdb0:a840:2510:1::1".parse().unwrap(),
        b"bootstrap",
    );
    near.send_to(b"own", to).unwrap();
    assert_eq!(receive().0, "bootstrap");
    assert_eq!(receive(), ("own".into(), address(0).into()));
    let bytes = 3 * (40 + 8 + 6);
    let expected = Drops {
        owner: NAMES[0].into(),
        packets: 3,
        bytes,
    };
    assert_eq!(settled(&runtime, &filter), std::slice::from_ref(&expected));

    // Another one at the same link, whom nothing is known of yet; what was counted stays.
    filter.change(rack.filter(NAMES[1], Some(&[]))).unwrap();
    settled(&runtime, &filter);
    near.send_to(b"own", to).unwrap();
    link(&rack.sleds[0], "e0");
    filter
        .change(rack.filter(NAMES[1], Some(&own[1..])))
        .unwrap();
    settled(&runtime, &filter);
    near.send_to(b"own again", to).unwrap();
    assert_eq!(receive().0, "own again");
    let told: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
    let in_force = |change: FilterChange| Input::Filtered {
        link: change.link,
        allowed: change.allowed,
    };
    let made = [&own[..], &[], &own[1..]];
    let made = made.map(|allowed| in_force(rack.filter(NAMES[0], Some(allowed))));
    assert_eq!(told, made);
    let other = Drops {
        owner: NAMES[1].into(),
        packets: 1,
        bytes: 40 + 8 + 3,
    };
    assert_eq!(settled(&runtime, &filter), [expected, other]);

    filter.change(rack.filter(NAMES[1], None)).unwrap();
    settled(&runtime, &filter);
    rack.forge(&runtime, others, b"anybody");
    assert_eq!(receive().0, "anybody");
}

/// What is let in passes as it is: a connection, and its frames of 64 KB uncut.
#[test]
fn large_frames_pass_whole() {
    let Some(rack) = rack("large_frames_pass_whole") else {
        return;
    };
    let runtime = runtime();
    let (inbox, _told) = inbox();
    let start = || Filter::start(inbox);
    let filter = rack.switch.run_in(start).unwrap().unwrap();
    filter
        .change(rack.filter(NAMES[0], Some(&["fd00:1:1:101::/64"])))
        .unwrap();
    settled(&runtime, &filter);
    let [near, far] = &rack.sleds;
    let raw = open_in(far, &runtime, || PacketSocket::open(EtherType::IPV6)).unwrap();
    let at = SocketAddr::new(address(1).into(), PORT);
    let listener = far.run_in(|| TcpListener::bind(at)).unwrap().unwrap();
    let sent = 32 << 20;
    let received = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            io::copy(&mut stream.take(sent), &mut io::sink()).unwrap()
        });
        scope.spawn(|| {
            let mut stream = near.run_in(|| TcpStream::connect(at)).unwrap().unwrap();
            for _ in 0..sent >> 20 {
                stream.write_all(&vec![7; 1 << 20]).unwrap();
            }
        });
        runtime.block_on(soon(async {
            let mut frame = vec![0; 128 << 10];
            while raw.receive(&mut frame).await.unwrap().len <= 60_000 {}
        }));
        reader.join().unwrap()
    });
    assert_eq!(received, sent);
    let [drops] = &settled(&runtime, &filter)[..] else {
        panic!("one sled");
    };
    assert_eq!(drops.packets, 0);
}

#[test]
fn a_table_that_somebody_flushed_is_made_again() {
    let Some(rack) = rack("a_table_that_somebody_flushed_is_made_again") else {
        return;
    };
    let change = rack.filter(NAMES[0], Some(&["fd00:1:1:101::/64"]));
    let mut commands = String::new();
    table::append(&mut commands, &change);
    let apply = |commands: &str| {
        rack.switch
            .run_in(|| rackweave_linux::nft::apply(commands))
            .unwrap()
    };
    let shown = || {
        rack.switch
            .run_in(|| rackweave_linux::nft::list("list ruleset"))
            .unwrap()
            .unwrap()
    };
    apply(&commands).unwrap();
    let first = shown();
    apply(&commands).unwrap();
    apply("flush ruleset").unwrap();
    apply(&commands).unwrap();
    let rules = |text: &str| text.matches("\"rule\"").count();
    assert_eq!(rules(&shown()), rules(&first));
    assert_eq!(rules(&first), 5);
    let mut commands = String::new();
    table::append(&mut commands, &rack.filter(NAMES[0], None));
    for _ in 0..2 {
        apply(&commands).unwrap();
    }
    assert_eq!(rules(&shown()), 1);
}

#[test]
fn counters_of_one_owner_are_one() {
    let counter = |name: &str, comment: &str, packets: u64| {
        format!(
            r#"{{"counter": {{"family": "inet", "name": "{name}", "table": "t", "handle": 6, {comment}"packets": {packets}, "bytes": {packets}00}}}}"#
        )
    };
    let listing = format!(
        r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}}, {}, {}, {}]}}"#,
        counter("drops_3_b", r#""comment": "b","#, 2),
        counter("drops_4_b", r#""comment": "b","#, 3),
        counter("a", "", 1),
    );
    let drops = |owner: &str, packets| Drops {
        owner: owner.into(),
        packets,
        bytes: packets * 100,
    };
    assert_eq!(
        drops::read(&listing).unwrap(),
        [drops("a", 1), drops("b", 5)]
    );
    assert!(drops::read("{}").is_err());
}

proptest! {
    /// Nothing that a neighbour calls itself is a command.
    #[test]
    fn an_owner_is_a_word_and_a_comment(owner in any::<String>(), link in 1..100_000_u32) {
        let mut commands = String::new();
        table::append(&mut commands, &FilterChange { link: LinkId(link), owner, allowed: Some(Vec::new()) });
        let mut plain = String::new();
        table::append(&mut plain, &FilterChange { link: LinkId(link), owner: String::new(), allowed: Some(Vec::new()) });
        prop_assert_eq!(commands.lines().count(), plain.lines().count());
        for (line, plain) in commands.lines().zip(plain.lines()) {
            let quotes = |text: &str| text.matches('"').count();
            prop_assert_eq!(quotes(line), quotes(plain));
            prop_assert!(line.is_ascii());
            let outside: String = line.split('"').step_by(2).collect();
            prop_assert_eq!(outside.matches(['{', '}', ';']).count(), plain.split('"').step_by(2).collect::<String>().matches(['{', '}', ';']).count());
        }
    }
}
