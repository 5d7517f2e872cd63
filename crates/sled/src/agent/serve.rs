//! The agent's task: joins the machine to the workers, the system port's queue and the clock, and decides nothing.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use rackweave_types::{Instant, PortId};
use tokio::sync::{mpsc, watch};
use tokio::{task, time};

use super::counters::AgentCounters;
use super::machine::Machine;
use super::random::Random;
use super::view::AgentState;
use crate::queue::pipe::PipeEnd;
use crate::workers::{Punted, Workers};

/// Packets taken from the inbox at once.
const INBOX: usize = 256;
/// Frames taken from the system port at once.
const FRAMES: usize = 256;
/// The longest sleep: a deadline that was missed for whatever reason is met then.
const LONGEST: Duration = Duration::from_mins(1);

/// Who gives frames to guests.
pub trait Injector {
    /// Gives each port's guest its frames. What cannot be given is lost and counted by who has the port.
    fn inject(&self, frames: Vec<(PortId, Vec<Box<[u8]>>)>);
}

impl Injector for Workers {
    fn inject(&self, frames: Vec<(PortId, Vec<Box<[u8]>>)>) {
        // A guest's first queue pair is on the first worker. When that has ended, the sled is stopping.
        let _gone = self.run(0, move |worker| {
            for (port, frames) in frames {
                worker.inject(port, &frames);
            }
        });
    }
}

/// What the agent is connected to.
#[derive(Debug)]
pub struct Doors<I> {
    /// Packets that the engine leaves to the agent.
    pub inbox: mpsc::Receiver<Punted>,
    /// The way to guests.
    pub injector: I,
    /// The system port's queue, of which the sled is the guest.
    pub system: PipeEnd,
    /// What to answer from.
    pub state: watch::Receiver<Arc<AgentState>>,
    /// Where the counters are shown.
    pub counters: watch::Sender<AgentCounters>,
    /// What time it is.
    pub clock: fn() -> Instant,
    /// Random numbers.
    pub random: Random,
}

/// Serves guests until nobody is left who could send their packets or change what they are.
pub async fn serve<I: Injector>(doors: Doors<I>) {
    let Doors {
        mut inbox,
        injector,
        system,
        mut state,
        counters,
        clock,
        random,
    } = doors;
    let mut machine = Machine::new(random);
    machine.set_state(Arc::clone(&state.borrow_and_update()), clock());
    let mut packets = Vec::with_capacity(INBOX);
    let mut more = false;
    loop {
        let deadline = machine.deadline(clock());
        tokio::select! {
            count = inbox.recv_many(&mut packets, INBOX) => {
                if count == 0 {
                    break;
                }
            }
            () = system.readable() => {}
            changed = state.changed() => {
                if changed.is_err() {
                    break;
                }
                machine.set_state(Arc::clone(&state.borrow_and_update()), clock());
            }
            () = sleep(deadline, clock()), if !more => {}
            () = future::ready(()), if more => {}
        }
        let now = clock();
        for punted in packets.drain(..) {
            machine.punted(punted, now);
        }
        for frame in (0..FRAMES).map_while(|_| system.receive()) {
            machine.system_frame(&frame, now);
        }
        more = machine.run(now);
        let output = machine.take_output();
        if !output.guests.is_empty() {
            injector.inject(output.guests.into_iter().collect());
        }
        if !output.system.is_empty() {
            machine.system_lost(system.send(output.system));
        }
        let all = machine.counters();
        counters.send_if_modified(|shown| std::mem::replace(shown, all) != all);
        // Other tasks of the thread have their turn, however many packets come.
        task::yield_now().await;
    }
}

async fn sleep(deadline: Option<Instant>, now: Instant) {
    let wait = deadline.map_or(LONGEST, |deadline| deadline.since(now).min(LONGEST));
    time::sleep(wait).await;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rackweave_engine::Frame;
    use rackweave_testkit::packet::FrameBuilder;
    use rackweave_types::{MacAddr, Vni};
    use rackweave_vpc::punt;

    use super::*;
    use crate::agent::dns;
    use crate::agent::packet::{Link, Packet, Transport};
    use crate::agent::view::{GuestView, SystemView};
    use crate::queue::{Queue, pipe};

    const GUEST: PortId = PortId::new(1);

    impl Injector for mpsc::Sender<PortId> {
        fn inject(&self, frames: Vec<(PortId, Vec<Box<[u8]>>)>) {
            for (port, _) in frames {
                self.try_send(port).unwrap();
            }
        }
    }

    fn state() -> AgentState {
        let guest = GuestView {
            mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            vni: Vni::new(2000).unwrap(),
            dns: vec![[10, 0, 0, 2].into()],
            advert: None,
            instance: None,
        };
        let system = SystemView {
            port: PortId::new(2),
            mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
            mtu: 1500,
            addresses: vec![[10, 9, 0, 5].into()],
            resolvers: vec![[192, 0, 2, 53].into()],
        };
        AgentState {
            ports: BTreeMap::from([(GUEST, guest)]),
            zones: BTreeMap::new(),
            system: Some(system),
        }
    }

    /// A query for "a" that is read as one (RFC 1035, section 4.1).
    const QUERY: [u8; 19] = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];

    #[test]
    fn packets_pass_from_door_to_door() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let (punts, inbox) = mpsc::channel(4);
        let (injector, mut injected) = mpsc::channel(4);
        let (mut pipe, system) = pipe::pair(4).unwrap();
        let (_states, state) = watch::channel(Arc::new(state()));
        let (counters, shown) = watch::channel(AgentCounters::default());
        let doors = Doors {
            inbox,
            injector,
            system,
            state,
            counters,
            clock: || Instant::from_nanos(1_000_000_000),
            random: Random::from_seed(&[1; 32]),
        };
        let guest = async {
            let frame = FrameBuilder::udp("10.0.0.9:4000", "10.0.0.2:53").payload(&QUERY);
            let punted = Punted {
                port: GUEST,
                queue: punt::DNS,
                frame: frame.build().into(),
            };
            punts.send(punted).await.unwrap();
            // Out through the system port, and back.
            let mut frames = [Frame::new(&[])];
            while pipe.receive(&mut frames).unwrap() == 0 {
                task::yield_now().await;
            }
            pipe.send(&Frame::new(&answer(frames[0].bytes())));
            pipe.flush();
            let port = injected.recv().await;
            drop(punts);
            port
        };
        let ((), port) = runtime.block_on(async { tokio::join!(serve(doors), guest) });
        assert_eq!(port, Some(GUEST));
        assert_eq!(shown.borrow().resolver_answers, 1);
    }

    /// The resolver's answer to a query in a frame: the same with the QR bit and code NXDOMAIN.
    fn answer(frame: &[u8]) -> Vec<u8> {
        let packet = Packet::parse(frame).unwrap();
        let Transport::Udp {
            src_port, payload, ..
        } = packet.transport
        else {
            panic!("{packet:?}");
        };
        let mut message = payload.to_vec();
        message[2] |= 0x80;
        message[3] = 3;
        let ends = (packet.dst, dns::PORT);
        let link = Link {
            src: MacAddr::ZERO,
            dst: MacAddr::ZERO,
        };
        link.udp(ends, (packet.src, src_port), &message)
            .unwrap()
            .into()
    }
}
