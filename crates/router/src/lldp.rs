//! Who is at the other end of each link, for people (IEEE 802.1AB): the machine of `rackweave_routing::lldp`, joined with
//! a packet socket.
//!
//! It is a task of its own beside the node's machine, and nothing of the fabric waits for it. The run loop tells it by
//! [`Lldp`] of the links that the fabric runs on and of the node itself; it tells what happens by a channel of [`Event`]s,
//! and drops what nobody takes in time.

mod view;

use std::future::pending;
use std::io;
use std::num::NonZeroU16;

use rackweave_api::router::LldpNeighbor;
use rackweave_linux::clock;
use rackweave_linux::packet::PacketSocket;
use rackweave_linux::socket::SocketError;
use rackweave_routing::fabric::{Event, EventKind, LinkId, LinkState};
use rackweave_routing::lldp::{
    self, Counters, ETHERTYPE, Happening, Input, Limits, MAX_LEN, NEAREST_BRIDGE, Output, Port,
    System,
};
use rackweave_types::{Instant, MacAddr};
use rackweave_wire::ethernet::{EthernetRepr, EthernetView, HEADER_LEN};
use rackweave_wire::protocol::EtherType;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

/// Questions and changes that wait at most.
const WAITING: usize = 256;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The task's other end: tells it of links, and asks it for neighbours. Where the task has ended, nothing happens and
/// nobody is known.
#[derive(Clone, Debug)]
pub struct Lldp(mpsc::Sender<Request>);

#[derive(Debug)]
enum Request {
    System(System),
    Link(LinkState),
    Gone(LinkId),
    Neighbors(oneshot::Sender<Vec<LldpNeighbor>>),
    Counters(oneshot::Sender<Vec<(String, Counters)>>),
    Stop(oneshot::Sender<()>),
}

impl Lldp {
    /// Opens the socket in the namespace of the calling thread and starts the task, inside an asynchronous runtime.
    ///
    /// # Errors
    /// Where there is no such socket: it needs `CAP_NET_RAW`.
    pub fn start(system: System, events: mpsc::Sender<Event>) -> Result<Self, SocketError> {
        let socket = PacketSocket::open(EtherType(ETHERTYPE))?;
        let (sender, requests) = mpsc::channel(WAITING);
        let task = Task {
            socket,
            machine: lldp::Lldp::new(system, Limits::default()),
            macs: Vec::new(),
            events,
        };
        tokio::spawn(task.run(requests));
        Ok(Self(sender))
    }

    /// What the node says of itself changed.
    pub async fn system(&self, system: System) {
        self.tell(Request::System(system)).await;
    }

    /// A link of the fabric came or changed.
    pub async fn link(&self, link: LinkState) {
        self.tell(Request::Link(link)).await;
    }

    /// A link of the fabric is gone.
    pub async fn gone(&self, link: LinkId) {
        self.tell(Request::Gone(link)).await;
    }

    /// All neighbours that are known, by link.
    pub async fn neighbors(&self) -> Vec<LldpNeighbor> {
        self.ask(Request::Neighbors).await.unwrap_or_default()
    }

    /// What happened on each link, by its name.
    pub async fn counters(&self) -> Vec<(String, Counters)> {
        self.ask(Request::Counters).await.unwrap_or_default()
    }

    /// Tells all neighbours that the node leaves, and ends the task.
    pub async fn stop(&self) {
        self.ask(Request::Stop).await;
    }

    async fn tell(&self, request: Request) {
        // A task that has ended needs no telling.
        let _ended = self.0.send(request).await;
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.tell(question(sender)).await;
        timeout(PATIENCE, answer).await.ok()?.ok()
    }
}

struct Task {
    socket: PacketSocket,
    machine: lldp::Lldp,
    /// The Ethernet addresses of the links: they tell whom a frame comes from.
    macs: Vec<(LinkId, MacAddr)>,
    events: mpsc::Sender<Event>,
}

impl Task {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut buffer = vec![0; HEADER_LEN + MAX_LEN];
        loop {
            let deadline = self.machine.deadline();
            tokio::select! {
                request = requests.recv() => match request {
                    None => return,
                    Some(request) => if self.answer(request) {
                        return;
                    },
                },
                frame = self.socket.receive(&mut buffer) => match frame {
                    Ok(frame) => self.frame(LinkId(frame.link), &buffer[..frame.len]),
                    Err(error) => {
                        tracing::error!(%error, "lldp ends: its packet socket is broken");
                        return;
                    }
                },
                () = until(deadline) => self.handle(Input::Tick),
            }
        }
    }

    /// Does what is asked; whether that was the last thing.
    fn answer(&mut self, request: Request) -> bool {
        match request {
            Request::System(system) => self.handle(Input::System(system)),
            Request::Link(state) => self.link(state),
            Request::Gone(link) => {
                self.macs.retain(|(of, _)| *of != link);
                self.handle(Input::PortGone(link));
            }
            // Who asked may have gone meanwhile, here and below.
            Request::Neighbors(to) => drop(to.send(view::neighbors(&self.machine, clock::now()))),
            Request::Counters(to) => drop(to.send(view::counters(&self.machine))),
            Request::Stop(to) => {
                self.handle(Input::Stop);
                let _gone = to.send(());
                return true;
            }
        }
        false
    }

    fn link(&mut self, state: LinkState) {
        let LinkState {
            link,
            name,
            mac,
            up,
            mtu,
            ..
        } = state;
        if !self.macs.iter().any(|(of, _)| *of == link)
            && let Err(error) = self.socket.join(link.0, NEAREST_BRIDGE)
        {
            // Hears what the link passes up anyway; it is told again when the link changes.
            tracing::warn!(%error, link = name, "lldp does not listen");
        }
        self.macs.retain(|(of, _)| *of != link);
        self.macs.push((link, mac));
        let port = Port {
            link,
            description: format!("{name} {mac}"),
            name,
            up,
            mac_phy: None,
            max_frame: mtu.and_then(max_frame),
        };
        self.handle(Input::Port(port));
    }

    fn frame(&mut self, link: LinkId, frame: &[u8]) {
        // Only whole frames come that are of our type.
        let Ok(view) = EthernetView::parse(frame) else {
            return;
        };
        if view.dst() == NEAREST_BRIDGE {
            let (from, bytes) = (view.src(), view.payload().to_vec());
            self.handle(Input::Frame { link, from, bytes });
        }
    }

    fn handle(&mut self, input: Input) {
        let mut outputs = Vec::new();
        let now = clock::now();
        self.machine.handle(now, input, &mut outputs);
        for output in outputs {
            match output {
                Output::Send { link, bytes } => self.send(link, &bytes),
                Output::Told {
                    happening, what, ..
                } => {
                    let kind = match happening {
                        Happening::Refused => EventKind::Refused,
                        _ => EventKind::Neighbor,
                    };
                    // A history that is full of other things can do without.
                    drop(self.events.try_send(Event {
                        at: now,
                        kind,
                        what,
                    }));
                }
                _ => {}
            }
        }
    }

    fn send(&self, link: LinkId, bytes: &[u8]) {
        let Some((_, src)) = self.macs.iter().find(|(of, _)| *of == link) else {
            return;
        };
        if let Err(error) = self.try_send(link, *src, bytes) {
            // The next frame comes in its time.
            tracing::debug!(%error, link = link.0, "lldp frame not sent");
        }
    }

    fn try_send(&self, link: LinkId, src: MacAddr, bytes: &[u8]) -> io::Result<()> {
        let header = EthernetRepr {
            dst: NEAREST_BRIDGE,
            src,
            ether_type: EtherType(ETHERTYPE),
        };
        let mut frame = vec![0; HEADER_LEN];
        header.emit(&mut frame).map_err(io::Error::other)?;
        frame.extend_from_slice(bytes);
        self.socket.send(link.0, &frame)
    }
}

/// Waits until then; for ever where there is no then.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep(at.since(clock::now())).await,
        None => pending().await,
    }
}

/// Octets of the longest frame of a link: head and checksum around its longest packet (IEEE 802.3, 3.2.7).
fn max_frame(mtu: u32) -> Option<NonZeroU16> {
    NonZeroU16::new(u16::try_from(mtu.checked_add(18)?).ok()?)
}

#[cfg(test)]
mod tests;
