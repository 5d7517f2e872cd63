//! The responders together: a foreign client that boots from them, and whatever a hostile guest may
//! send.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::dhcpv4;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress};

use super::testing::*;
use super::*;
use crate::frame::{Checksum, Offload, Segment, SegmentKind};
use crate::program::Reject;

/// Every responder of a guest's network.
fn responders() -> Vec<Responder> {
    vec![
        Responder::Arp { mac: GATEWAY },
        Responder::Neighbor {
            mac: GATEWAY,
            router: true,
        },
        Responder::Router(router::tests::advert()),
        Responder::Echo,
        Responder::Dhcp4(dhcp4::tests::server()),
        Responder::Dhcp6(dhcp6::tests::server()),
    ]
}

/// A link with nothing behind it but the responders.
struct Link {
    responders: Vec<Responder>,
    answers: VecDeque<Vec<u8>>,
}

struct Sender<'a>(&'a mut Link);
struct Receiver(Vec<u8>);

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, fill: F) -> R {
        let mut bytes = vec![0; len];
        let result = fill(&mut bytes);
        let parsed = Parsed::parse(&bytes).expect("smoltcp sends well-formed packets");
        for responder in &self.0.responders {
            let mut frame = Frame::new(&bytes);
            // The gateway's addresses are the only ones that somebody else holds.
            let asks_gateway = [parsed.dst, parsed.nd_target]
                .iter()
                .any(|addr| [GATEWAY_V4.into(), GATEWAY_V6.into()].contains(addr));
            let by_target = matches!(
                responder,
                Responder::Arp { .. } | Responder::Neighbor { .. }
            );
            if (asks_gateway || !by_target) && answer(responder, &mut frame, &parsed).is_ok() {
                self.0.answers.push_back(frame.bytes().to_vec());
            }
        }
        result
    }
}

impl RxToken for Receiver {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl Device for Link {
    type RxToken<'a> = Receiver;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Receiver, Sender<'_>)> {
        let frame = self.answers.pop_front()?;
        Some((Receiver(frame), Sender(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        Some(Sender(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities
    }
}

#[test]
fn a_foreign_client_boots_and_renews() {
    let mut link = Link {
        responders: responders(),
        answers: VecDeque::new(),
    };
    let station = HardwareAddress::Ethernet(EthernetAddress(GUEST.octets()));
    let mut config = Config::new(station);
    config.slaac = true;
    let mut now = Instant::from_secs(0);
    let mut interface = Interface::new(config, &mut link, now);
    interface.update_ip_addrs(|addrs| {
        addrs
            .push(smoltcp::wire::IpCidr::new(GUEST_V6.into(), 64))
            .expect("there is room");
    });
    let mut sockets = SocketSet::new(vec![]);
    let dhcp = sockets.add(dhcpv4::Socket::new());
    let mut configured = 0;
    // A second a step, until the lease of a day has been renewed at its half.
    for _ in 0..50_000 {
        while interface.poll(now, &mut link, &mut sockets) != smoltcp::iface::PollResult::None {}
        match sockets.get_mut::<dhcpv4::Socket<'_>>(dhcp).poll() {
            Some(dhcpv4::Event::Configured(config)) => {
                assert_eq!(config.address.address(), GUEST_V4);
                assert_eq!(config.address.prefix_len(), 32);
                assert_eq!(config.router, Some(GATEWAY_V4));
                assert_eq!(config.dns_servers[..], dhcp4::tests::server().dns);
                let address = smoltcp::wire::IpCidr::Ipv4(config.address);
                interface.update_ip_addrs(|addrs| {
                    addrs.push(address).expect("there is room");
                });
                configured += 1;
            }
            Some(dhcpv4::Event::Deconfigured) => assert_eq!(configured, 0, "the lease was lost"),
            None => {}
        }
        now += smoltcp::time::Duration::from_secs(1);
    }
    assert_eq!(configured, 1);
    let slaac = "fd00:1::72:77ff:fe00:1".parse::<IpAddr>().unwrap();
    let addresses: Vec<_> = interface
        .ip_addrs()
        .iter()
        .map(smoltcp::wire::IpCidr::address)
        .collect();
    assert!(addresses.contains(&slaac.into()), "{addresses:?}");
}

/// A frame that one of the responders would answer, to be damaged.
fn seeds() -> Vec<Vec<u8>> {
    let guest = || from_guest(GATEWAY).ipv4(GUEST_V4.octets(), GATEWAY_V4.octets(), 255);
    let guest6 = || from_guest(GATEWAY).ipv6(GUEST_V6.octets(), GATEWAY_V6.octets(), 255);
    let arp = [
        &[0xff; 6][..],
        &GUEST.octets(),
        b"\x08\x06\0\x01\x08\0\x06\x04\0\x01",
        &GUEST.octets(),
        &GUEST_V4.octets(),
        &[0; 6],
        &GATEWAY_V4.octets(),
    ];
    let dhcp = [
        &[1, 1, 6, 0][..],
        &[0; 24],
        &GUEST.octets(),
        &[0; 202],
        &[99, 130, 83, 99, 53, 1, 1],
    ];
    let dhcp6 = [
        1, 7, 8, 9, 0, 1, 0, 4, 0, 4, 1, 2, 0, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let servers = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2];
    vec![
        arp.concat(),
        request!(guest().icmpv4_echo_request(1, 2), &[9; 40]),
        request!(guest6().icmpv6_echo_request(1, 2), &[9; 40]),
        request!(
            guest6().icmpv6_raw(133, 0, [0; 4]),
            &[1, 1, 2, 0, 0, 0, 0, 1]
        ),
        request!(guest6().icmpv6_raw(135, 0, [0; 4]), &GATEWAY_V6.octets()),
        request!(guest().tcp(1, 2, 3, 4).syn(), &[]),
        request!(guest6().tcp(1, 2, 3, 4).ack(5), &[9; 2000]),
        request!(guest().udp(68, 67), &dhcp.concat()),
        request!(
            from_guest(GATEWAY)
                .ipv6(GUEST_V6.octets(), servers, 1)
                .udp(546, 547),
            &dhcp6
        ),
    ]
}

/// Any offload state that a guest might ask for.
fn offload() -> impl Strategy<Value = Offload> {
    let checksum = prop_oneof![
        Just(Checksum::Complete),
        Just(Checksum::Verified),
        (any::<u16>(), any::<u16>())
            .prop_map(|(start, offset)| Checksum::Partial { start, offset }),
    ];
    let segment = proptest::option::of(any::<u16>().prop_map(|size| Segment {
        kind: SegmentKind::Tcp,
        size,
    }));
    (checksum, segment).prop_map(|(checksum, segment)| Offload { checksum, segment })
}

/// One way to answer a frame.
type Respond<'a> = Box<dyn Fn(&mut Frame) -> Result<(), NoAnswer> + 'a>;

/// Lets everybody answer; an answer is whole, and without one the frame is as it was.
fn bombard(bytes: &[u8], offload: Offload) {
    let Ok(parsed) = Parsed::parse(bytes) else {
        return;
    };
    let mut original = Frame::new(bytes);
    original.offload = offload;
    let reject = Reject {
        router_v4: GATEWAY_V4,
        router_v6: GATEWAY_V6,
    };
    let responders = responders();
    let mut all: Vec<Respond<'_>> = vec![
        Box::new(|frame| super::reject(frame, &parsed, &reject)),
        Box::new(|frame| tcp_reset(frame, &parsed)),
        Box::new(|frame| unreachable(frame, &parsed, GATEWAY_V4, GATEWAY_V6)),
        Box::new(|frame| too_big(frame, &parsed, 1400, GATEWAY_V4, GATEWAY_V6)),
        Box::new(|frame| time_exceeded(frame, &parsed, GATEWAY_V4, GATEWAY_V6)),
    ];
    for responder in &responders {
        all.push(Box::new(|frame| answer(responder, frame, &parsed)));
    }
    for respond in all {
        let mut frame = original.clone();
        if respond(&mut frame).is_err() {
            assert!(
                frame == original,
                "a frame without answer is left as it was"
            );
        } else if parsed.is_ip() {
            read(&frame);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_octets_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        offload in offload(),
    ) {
        bombard(&bytes, offload);
    }

    #[test]
    fn damaged_requests_do_no_harm(
        seed in proptest::sample::select(seeds()),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        tag: bool,
        offload in offload(),
    ) {
        let mut bytes = if tag { tagged(&seed) } else { seed };
        for (index, octet) in damage {
            let at = index.index(bytes.len());
            bytes[at] = octet;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bombard(&bytes, offload);
    }
}

#[test]
fn the_seeds_are_answered() {
    for bytes in seeds() {
        let (frame, parsed) = parse(&bytes);
        let answered = responders()
            .iter()
            .filter(|responder| {
                let mut frame = frame.clone();
                frame.offload.checksum = Checksum::Verified;
                answer(responder, &mut frame, &parsed).is_ok()
            })
            .count();
        let expected = usize::from(parsed.protocol != 6);
        assert_eq!(answered, expected, "{parsed:?}");
    }
}

#[test]
fn responders_are_data() {
    for responder in responders() {
        let text = serde_json::to_string(&responder).unwrap();
        assert_eq!(serde_json::from_str::<Responder>(&text).unwrap(), responder);
    }
}
