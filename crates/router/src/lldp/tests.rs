//! The task over a real link, with frames made by hand at its other end.

use rackweave_linux::netlink::{LinkSettings, Netlink};
use rackweave_linux::netns::Netns;
use rackweave_routing::lldp::{Capabilities, Capability, ChassisId, Message, PortId};
use tokio::runtime::{Builder, Runtime};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);
/// How often to look whether something is so that takes its time.
const ROUND: Duration = Duration::from_millis(5);

fn mac(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, high, low])
}

fn system() -> System {
    System {
        chassis: mac(0xffff),
        name: "sled-01".into(),
        description: "Rackweave sled".into(),
        capabilities: Capabilities::only(Capability::Station),
        management: vec!["fdb0::1".parse().unwrap()],
    }
}

/// A namespace with a link `t0`, the other end of which is `p0` in another one.
struct Rig {
    near: Netns,
    far: Netns,
    runtime: Runtime,
    links: [LinkId; 2],
}

impl Rig {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new(test: &str) -> Option<Self> {
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped {test}: it makes network namespaces, which needs root");
            return None;
        }
        let [near, far] = [0, 1].map(|_| Netns::temporary("rwt-lldp").unwrap());
        let open = |netns: &Netns| netns.run_in(Netlink::open).unwrap().unwrap();
        let (here, there) = (open(&near), open(&far));
        here.create_veth("t0", "p0").unwrap();
        here.move_link("p0", &far).unwrap();
        let up = LinkSettings {
            up: Some(true),
            mtu: Some(9_000),
            ..LinkSettings::default()
        };
        let links = [(&here, "t0"), (&there, "p0")].map(|(netlink, name)| {
            netlink.ensure_link(name, &up).unwrap();
            LinkId(netlink.link(name).unwrap().index)
        });
        assert!(here.wait_for_link("t0", DEADLINE).unwrap());
        assert!(there.wait_for_link("p0", DEADLINE).unwrap());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Some(Self {
            near,
            far,
            runtime,
            links,
        })
    }

    fn inside<T: Send>(&self, netns: &Netns, open: impl FnOnce() -> T + Send) -> T {
        let handle = self.runtime.handle().clone();
        let job = || {
            let _inside = handle.enter();
            open()
        };
        netns.run_in(job).unwrap()
    }

    fn task(&self, events: mpsc::Sender<Event>) -> Lldp {
        self.inside(&self.near, || Lldp::start(system(), events))
            .unwrap()
    }

    fn hand(&self) -> PacketSocket {
        let socket = self.inside(&self.far, || PacketSocket::open(EtherType(ETHERTYPE)));
        let socket = socket.unwrap();
        socket.join(self.links[1].0, NEAREST_BRIDGE).unwrap();
        socket
    }

    fn near_link(&self) -> LinkState {
        LinkState {
            link: self.links[0],
            name: "t0".into(),
            mac: mac(0xffff),
            address: None,
            up: true,
            mtu: Some(9_000),
        }
    }
}

fn frame(from: MacAddr, to: MacAddr, message: &Message) -> Vec<u8> {
    let header = EthernetRepr {
        dst: to,
        src: from,
        ether_type: EtherType(ETHERTYPE),
    };
    let mut frame = vec![0; HEADER_LEN];
    header.emit(&mut frame).unwrap();
    [frame, message.emit()].concat()
}

/// Asks until so many are known.
async fn known(lldp: &Lldp, count: usize) -> Vec<LldpNeighbor> {
    let look = async {
        loop {
            let all = lldp.neighbors().await;
            if all.len() == count {
                return all;
            }
            tokio::time::sleep(ROUND).await;
        }
    };
    let looked = timeout(DEADLINE, look).await;
    looked.expect("so many neighbours are known in time")
}

#[test]
fn a_thousand_neighbours_are_seen_on_one_link() {
    let Some(rig) = Rig::new("a_thousand_neighbours_are_seen_on_one_link") else {
        return;
    };
    let (events, _history) = mpsc::channel(16);
    let (lldp, hand) = (rig.task(events), rig.hand());
    rig.runtime.block_on(async {
        lldp.link(rig.near_link()).await;
        // One after the other, as a thousand real ones would in the time between two frames of each.
        for number in 0..1_000 {
            let chassis = ChassisId::mac(mac(number));
            let message = Message {
                system_name: Some(format!("system {number}")),
                ..Message::new(chassis, PortId::interface("p0").unwrap(), 120)
            };
            let frame = frame(mac(number), NEAREST_BRIDGE, &message);
            hand.send(rig.links[1].0, &frame).unwrap();
            tokio::task::yield_now().await;
        }
        let all = known(&lldp, 1_000).await;
        for number in 0..1_000 {
            let name = format!("system {number}");
            let one = all
                .iter()
                .find(|one| one.system_name.as_ref() == Some(&name));
            let one = one.unwrap();
            assert_eq!((one.from, &*one.link, one.ttl), (mac(number), "t0", 120));
            assert_eq!(
                (&*one.chassis, &*one.port),
                (&*mac(number).to_string(), "p0")
            );
        }
        // They all leave.
        for number in 0..1_000 {
            let chassis = ChassisId::mac(mac(number));
            let message = Message::new(chassis, PortId::interface("p0").unwrap(), 0);
            let frame = frame(mac(number), NEAREST_BRIDGE, &message);
            hand.send(rig.links[1].0, &frame).unwrap();
            tokio::task::yield_now().await;
        }
        known(&lldp, 0).await;
        let (_, counters) = &lldp.counters().await[0];
        assert_eq!((counters.received, counters.aged), (2_000, 0));
    });
}

#[test]
fn says_who_it_is_and_that_it_leaves() {
    let Some(rig) = Rig::new("says_who_it_is_and_that_it_leaves") else {
        return;
    };
    let (events, mut history) = mpsc::channel(16);
    let (lldp, hand) = (rig.task(events), rig.hand());
    let mut buffer = [0; HEADER_LEN + MAX_LEN];
    rig.runtime.block_on(async {
        lldp.link(rig.near_link()).await;
        let came = timeout(DEADLINE, hand.receive(&mut buffer)).await;
        let len = came.unwrap().unwrap().len;
        let view = EthernetView::parse(&buffer[..len]).unwrap();
        assert_eq!((view.dst(), view.src()), (NEAREST_BRIDGE, mac(0xffff)));
        let said = Message::parse(view.payload()).unwrap();
        assert_eq!(said.flaws, []);
        let said = said.message;
        assert_eq!((&*said.port.to_string(), said.ttl), ("t0", 121));
        assert_eq!(said.system_name.as_deref(), Some("sled-01"));
        assert_eq!(said.max_frame.map(NonZeroU16::get), Some(9_018));

        // What goes to somebody else is none of ours.
        let theirs = Message::new(said.chassis, PortId::interface("x").unwrap(), 100);
        for (from, to) in [(1, mac(0xffff)), (2, NEAREST_BRIDGE)] {
            let frame = frame(mac(from), to, &theirs);
            hand.send(rig.links[1].0, &frame).unwrap();
        }
        let all = known(&lldp, 1).await;
        assert_eq!(all[0].from, mac(2));
        let event = history.recv().await.unwrap();
        assert_eq!(event.kind, EventKind::Neighbor);
        assert_eq!(event.what, "t0: lldp neighbor 02:00:00:00:ff:ff port x");

        lldp.stop().await;
        loop {
            let came = timeout(DEADLINE, hand.receive(&mut buffer)).await;
            let len = came.unwrap().unwrap().len;
            let view = EthernetView::parse(&buffer[..len]).unwrap();
            if Message::parse(view.payload()).unwrap().message.ttl == 0 {
                break;
            }
        }
        assert_eq!(lldp.neighbors().await, []);
    });
}
