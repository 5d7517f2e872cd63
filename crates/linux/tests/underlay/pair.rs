//! Two hosts, each a namespace, joined by a cable; and the frames that they send each other.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};
use rackweave_linux::netlink::{LinkSettings, Netlink, Path, Route};
use rackweave_linux::netns::Netns;
use rackweave_linux::poll::{Events, Poller};
use rackweave_linux::tap::{TapHost, TapQueue};
use rackweave_linux::udp::{UdpQueue, UdpSettings};
use rackweave_linux::underlay::probe;
use rackweave_types::reserved::GENEVE_PORT;
use rackweave_types::{MacAddr, Mtu};
use rackweave_wire::ethernet::EthernetRepr;
use rackweave_wire::ipv6::{FlowLabel, Ipv6Repr};
use rackweave_wire::protocol::{EtherType, IpProtocol};
use rackweave_wire::tos::{Dscp, Ecn};
use rackweave_wire::udp::{UdpPayloadLen, UdpRepr};
use rackweave_wire::virtio_net::{Checksum, Gso, GsoKind, GsoTunnel, NetHeader};

/// The underlay's MTU.
pub(crate) const MTU: u16 = 9000;
/// The underlay TAP's own Ethernet address, on both hosts.
pub(crate) const TAP_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 1, 0]);
/// The program's.
pub(crate) const PEER_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 2, 0]);
/// DSCP and ECN of what is sent.
pub(crate) const CLASS: u8 = 0xb9;
/// Octets before a UDP payload in a frame.
pub(crate) const OUTER: usize = 14 + 40 + 8;
/// Octets of Geneve, inner Ethernet, IPv6 and TCP headers.
pub(crate) const INNER: usize = 8 + 14 + 40 + 20;

/// The name of the underlay TAP, on both hosts.
pub(crate) const TAP: &str = "rw-underlay";

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// One of the two.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) netns: Netns,
    pub(crate) end_point: Ipv6Addr,
    pub(crate) netlink: Netlink,
}

/// Both, with routes to each other's tunnel end points; `None`, and said so, where the test cannot run.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn pair(test: &str) -> Option<[Host; 2]> {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped {test}: it makes network namespaces, which needs root");
        return None;
    }
    if let Err(error) = probe().tunnel_gso {
        eprintln!("skipped {test}: {error}");
        return None;
    }
    let hosts = [1, 2].map(|number: u16| {
        let netns = Netns::temporary("rwt-pair").unwrap();
        let netlink = netns.run_in(Netlink::open).unwrap().unwrap();
        let end_point = Ipv6Addr::new(0xfd00, 1, 1, 0x100 + number, 0, 0, 0, 1);
        Host {
            netns,
            end_point,
            netlink,
        }
    });
    hosts[0].netlink.create_veth("wire", "peer").unwrap();
    hosts[0].netlink.move_link("peer", &hosts[1].netns).unwrap();
    for (number, link) in [(0, "wire"), (1, "peer")] {
        hosts[number].join(link, number, &hosts[1 - number]);
    }
    for (host, link) in hosts.iter().zip(["wire", "peer"]) {
        assert!(host.netlink.wait_for_link(link, DEADLINE).unwrap());
    }
    Some(hosts)
}

impl Host {
    fn join(&self, link: &str, number: usize, other: &Self) {
        let macs = [
            MacAddr::new([2, 0, 0, 0, 0, 1]),
            MacAddr::new([2, 0, 0, 0, 0, 2]),
        ];
        let up = |mac, mtu| LinkSettings {
            mac,
            mtu,
            up: Some(true),
            ..LinkSettings::default()
        };
        self.netlink.ensure_link("lo", &up(None, None)).unwrap();
        let wire = up(Some(macs[number]), Some(MTU.into()));
        self.netlink.ensure_link(link, &wire).unwrap();
        let own = IpNet::from(Ipv6Net::from(self.end_point));
        self.netlink.ensure_address("lo", own).unwrap();
        let next_hop = Ipv6Addr::from([0xfe80, 0, 0, 0, 0, 0, 0, 9]).into();
        self.netlink
            .ensure_neighbour(link, next_hop, macs[1 - number])
            .unwrap();
        let path = Path::via(self.netlink.link(link).unwrap().index, next_hop);
        let route = Route {
            source: Some(IpAddr::from(self.end_point)),
            ..Route::new(Ipv6Net::from(other.end_point).into(), path)
        };
        self.netlink.ensure_route(&route).unwrap();
    }

    /// An underlay over UDP sockets.
    pub(crate) fn udp(&self) -> UdpQueue {
        let open = || UdpQueue::open(&UdpSettings::new(self.end_point));
        self.netns.run_in(open).unwrap().unwrap()
    }

    /// An underlay over a TAP, the host joined to it.
    pub(crate) fn tap(&self) -> TapQueue {
        self.taps(1).pop().unwrap()
    }

    /// So many queues of it.
    pub(crate) fn taps(&self, queues: u16) -> Vec<TapQueue> {
        let host = TapHost {
            name: TAP,
            end_point: self.end_point,
            mac: TAP_MAC,
            peer: PEER_MAC,
            mtu: Mtu::new(MTU).unwrap(),
        };
        let open = || {
            let queues = TapQueue::open(host.name, queues).unwrap();
            host.ensure().unwrap();
            queues
        };
        self.netns.run_in(open).unwrap()
    }
}

/// Ethernet, IPv6 and UDP in front of a payload between two hosts, the UDP checksum zero.
pub(crate) fn frame(from: &Host, to: &Host, source_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; OUTER];
    let ethernet = EthernetRepr {
        dst: TAP_MAC,
        src: PEER_MAC,
        ether_type: EtherType::IPV6,
    };
    ethernet.emit(&mut frame).unwrap();
    let len = u16::try_from(payload.len()).unwrap();
    let udp = UdpRepr {
        src_port: source_port,
        dst_port: GENEVE_PORT,
        payload_len: UdpPayloadLen::new(len).unwrap(),
    };
    let ip = Ipv6Repr {
        src: from.end_point,
        dst: to.end_point,
        next_header: IpProtocol::UDP,
        hop_limit: 64,
        dscp: Dscp::of_octet(CLASS),
        ecn: Ecn::of_octet(CLASS),
        flow_label: FlowLabel::new(0x12345).unwrap(),
        payload_len: udp.length(),
    };
    ip.emit(&mut frame[14..]).unwrap();
    udp.emit(&mut frame[14 + 40..]).unwrap();
    frame.extend_from_slice(payload);
    frame
}

/// Geneve around a guest's TCP segment of so many octets, its checksum unfinished.
pub(crate) fn geneve(len: usize) -> Vec<u8> {
    let inner: Ipv6Addr = "fd00:9::1".parse().unwrap();
    let ethernet = EthernetRepr {
        dst: MacAddr::new([2, 0x72, 0x77, 0, 0, 1]),
        src: MacAddr::new([2, 0x72, 0x77, 0, 0, 2]),
        ether_type: EtherType::IPV6,
    };
    let ip = Ipv6Repr {
        src: inner,
        dst: inner,
        next_header: IpProtocol::TCP,
        hop_limit: 64,
        dscp: Dscp::of_octet(0),
        ecn: Ecn::of_octet(0),
        flow_label: FlowLabel::new(0).unwrap(),
        payload_len: u16::try_from(20 + len).unwrap(),
    };
    let mut payload = vec![0; INNER];
    payload[2..4].copy_from_slice(&0x6558_u16.to_be_bytes());
    ethernet.emit(&mut payload[8..]).unwrap();
    ip.emit(&mut payload[8 + 14..]).unwrap();
    let tcp = &mut payload[8 + 14 + 40..];
    tcp[12] = 0x50;
    tcp[16..18].copy_from_slice(&ip.pseudo_header().to_be_bytes());
    payload.extend((0..len).map(|at| u8::try_from(at % 251).unwrap()));
    payload
}

/// What a TAP is told of a superframe of [`geneve`], to be cut into segments of so many octets.
pub(crate) fn tunnel(size: u16) -> NetHeader {
    let outer = u16::try_from(OUTER).unwrap();
    NetHeader {
        checksum: Checksum::Needed {
            start: outer + 8 + 14 + 40,
            offset: 16,
        },
        gso: Some(Gso {
            kind: GsoKind::TcpV6,
            hdr_len: outer + 8 + 14 + 40 + 20,
            size: NonZeroU16::new(size).unwrap(),
            ecn: false,
            tunnel: Some(GsoTunnel {
                outer_ipv6: true,
                checksum: false,
                outer_transport: 14 + 40,
                inner_network: outer + 8 + 14,
            }),
        }),
        num_buffers: 0,
    }
}

/// Asks again and again, whenever `fd` is readable, until there is an answer.
pub(crate) fn until<Q: AsFd, T>(queue: &mut Q, mut ask: impl FnMut(&mut Q) -> Option<T>) -> T {
    let poller = Poller::new().unwrap();
    poller.add(&*queue, 0).unwrap();
    let mut events = Events::with_capacity(1);
    loop {
        if let Some(answer) = ask(queue) {
            return answer;
        }
        poller.wait(&mut events, Some(DEADLINE)).unwrap();
        assert!(!events.is_empty(), "nothing came in {DEADLINE:?}");
    }
}
