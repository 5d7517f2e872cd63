//! The service processor's side: one dispatcher over small handlers, for firmware and simulation alike.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use rackweave_types::MacAddr;

use super::auth::{Key, Opener, Sealer, Way};
use super::console::Console;
use super::envelope::{self, Letter, Message, Unreadable, VERSION};
use super::message::{Failure, Here, Kind, Part, Power, Reading, Request, Response, State};
use super::probe::{self, Witnesses};
use super::update::{Flash, Update};
use crate::address::MacRange;
use crate::port::SpPort;

/// Parts or readings that one response carries: they fit, whatever their names.
const ROWS: usize = 16;
/// The longest name of a part, reading, serial number or operator that is sent.
const NAME_MAX: usize = 32;
/// Orders whose answers are kept in case they are asked for again.
const REMEMBERED: usize = 8;

/// What a unit is.
pub trait Identity {
    /// What kind of unit.
    fn kind(&self) -> Kind;
    /// Its serial number.
    fn serial(&self) -> &str;
    /// The first of its addresses.
    fn first_mac(&self) -> [u8; 6];
    /// Its parts.
    fn parts(&self) -> &[Part];
}

/// How a unit is.
pub trait Health {
    /// The firmware that runs, and whether it is on trial.
    fn firmware(&self) -> (String, bool);
    /// Seconds since the start.
    fn uptime(&self) -> u64;
    /// What its sensors read.
    fn readings(&self) -> Vec<Reading>;
}

/// A unit's host.
pub trait Host {
    /// Whether it runs.
    fn power(&self) -> Power;
    /// Switches it.
    ///
    /// # Errors
    /// Where the unit has no host.
    fn set_power(&mut self, power: Power) -> Result<(), Failure>;
    /// Types at its console.
    fn type_in(&mut self, octets: &[u8]);
}

/// What starts a service processor anew, and what only switches have.
pub trait Board {
    /// Starts the service processor anew once the answer has left.
    fn reset(&mut self);
    /// One bit for each port where ignition feels a target; `None` where there is no ignition controller.
    fn ignition(&self) -> Option<u64>;
}

/// The wire to the management network.
pub trait Wire {
    /// Sends a whole frame, with the tags it has.
    fn inject(&mut self, frame: Vec<u8>);
}

/// All that a service processor does.
pub trait Handlers: Identity + Health + Host + Board + Flash + Wire {}

impl<H: Identity + Health + Host + Board + Flash + Wire> Handlers for H {}

/// What a service processor counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were answered.
    pub answered: u64,
    /// Datagrams that were no messages.
    pub unreadable: u64,
    /// Requests that proved nothing, were forged or replayed.
    pub refused: u64,
}

/// A service processor's end of the protocol.
#[derive(Debug)]
pub struct Dispatcher {
    boot: [[u8; 16]; 2],
    proofs: Option<[(Opener, Sealer); 2]>,
    remembered: VecDeque<(SpPort, u32, Response)>,
    /// The serial console of the unit's host.
    pub console: Console,
    /// The probes that reached it.
    pub witnesses: Witnesses,
    update: Update,
    counters: Counters,
}

impl Dispatcher {
    /// A service processor that has just started, with octets drawn for this start; with a key, it takes orders only
    /// from who has it too.
    #[must_use]
    pub fn new(drawn: [[u8; 16]; 2], key: Option<&Key>, console: Console) -> Self {
        let proof = |boot| {
            key.map(|key| {
                let opener = Opener::new(key.clone(), Way::ToSp, boot);
                (opener, Sealer::new(key.clone(), Way::ToMgs, boot, 0))
            })
        };
        let [one, two] = drawn;
        Self {
            boot: drawn,
            proofs: proof(one).zip(proof(two)).map(|(one, two)| [one, two]),
            remembered: VecDeque::new(),
            console,
            witnesses: Witnesses::default(),
            update: Update::default(),
            counters: Counters::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// A datagram reached a port; the one that answers it, if any.
    pub fn receive(
        &mut self,
        port: SpPort,
        datagram: &[u8],
        handlers: &mut impl Handlers,
    ) -> Option<Vec<u8>> {
        let opener = self
            .proofs
            .as_mut()
            .map(|proofs| &mut proofs[index(port)].0);
        let letter = match envelope::read(datagram, opener) {
            Ok(letter) => letter,
            Err(Unreadable::Refused(_)) => {
                self.counters.refused += 1;
                return None;
            }
            Err(_) => {
                self.counters.unreadable += 1;
                return None;
            }
        };
        let Letter {
            id,
            proven,
            message: Message::Request(request),
        } = letter
        else {
            self.counters.unreadable += 1;
            return None;
        };
        let response = if self.proofs.is_some() && !proven && !request.is_open() {
            self.counters.refused += 1;
            Response::Failed(Failure::Unproven(self.boot[index(port)]))
        } else {
            self.answer(port, id, request, handlers)?
        };
        self.counters.answered += 1;
        // Who proved nothing may know of no start to check a proof by.
        let proofs = self.proofs.as_mut().filter(|_| proven);
        let sealer = proofs.map(|proofs| &mut proofs[index(port)].1);
        envelope::write(id, &Message::Response(response), sealer).ok()
    }

    /// The response to a request, if it has one: an order that was carried out is answered as it was.
    fn answer(
        &mut self,
        port: SpPort,
        id: u32,
        request: Request,
        handlers: &mut impl Handlers,
    ) -> Option<Response> {
        let once = request.is_once();
        let known = self
            .remembered
            .iter()
            .find(|(at, known, _)| once && *at == port && *known == id);
        if let Some((.., response)) = known {
            return Some(response.clone());
        }
        let response = self
            .act(port, request, handlers)?
            .unwrap_or_else(Response::Failed);
        if once {
            self.remembered.truncate(REMEMBERED - 1);
            self.remembered.push_front((port, id, response.clone()));
        }
        Some(response)
    }

    fn act(
        &mut self,
        port: SpPort,
        request: Request,
        handlers: &mut impl Handlers,
    ) -> Option<Result<Response, Failure>> {
        let done = |()| Response::Done;
        self.console.expire(handlers.uptime());
        Some(match request {
            Request::Discover => Ok(Response::Here(self.here(port, handlers))),
            Request::ReplyIfAt(at) if SpPort::from(at) == port => {
                Ok(Response::Here(self.here(port, handlers)))
            }
            Request::ReplyIfAt(_) => return None,
            Request::WhereAmI => Err(Failure::Unsupported),
            Request::State => Ok(Response::State(self.state(handlers))),
            Request::Inventory(from) => {
                let (rows, all) = rows(handlers.parts(), from);
                Ok(Response::Inventory(rows, all))
            }
            Request::Sensors(from) => {
                let (rows, all) = rows(&handlers.readings(), from);
                Ok(Response::Sensors(rows, all))
            }
            Request::SetPower(power) => handlers.set_power(power).map(done),
            Request::Reset => {
                handlers.reset();
                Ok(Response::Done)
            }
            Request::Ignition => handlers
                .ignition()
                .map(Response::Ignition)
                .ok_or(Failure::Unsupported),
            Request::ConsoleAttach(operator) => {
                let now = handlers.uptime();
                self.console.attach(port, shortened(&operator), now)
            }
            Request::ConsoleRead(from, received) => {
                self.console.hear(port, handlers.uptime());
                self.console.read(port, from, received)
            }
            Request::ConsoleWrite(at, octets) => {
                self.console
                    .write(port, at, &octets)
                    .map(|(new, response)| {
                        handlers.type_in(new);
                        response
                    })
            }
            Request::ConsoleDetach => self.console.detach(port),
            Request::UpdateBegin(image) => self.update.begin(handlers, image),
            Request::UpdateChunk(at, octets) => self.update.chunk(handlers, at, &octets),
            Request::UpdateStatus => Ok(self.update.status()),
            Request::UpdateFinish => self.update.finish(handlers),
            Request::UpdateKeep => {
                handlers.keep();
                Ok(Response::Done)
            }
            Request::UpdateAbort => Ok(self.update.abort()),
            Request::Inject(probes) => inject(&probes, handlers).map(done),
            Request::Witnessed(from) => Ok(self.witnesses.since(from)),
        })
    }

    fn here(&self, port: SpPort, handlers: &impl Handlers) -> Here {
        Here {
            kind: handlers.kind(),
            serial: shortened(handlers.serial()),
            first_mac: handlers.first_mac(),
            reached: port.into(),
            boot: self.boot[index(port)],
            version: VERSION,
        }
    }

    fn state(&self, handlers: &impl Handlers) -> State {
        let (firmware, on_trial) = handlers.firmware();
        State {
            power: handlers.power(),
            firmware: shortened(&firmware),
            on_trial,
            uptime: handlers.uptime(),
            refused: self.counters.refused,
        }
    }
}

fn inject(probes: &[probe::Probe], handlers: &mut impl Handlers) -> Result<(), Failure> {
    let first = MacAddr::new(handlers.first_mac());
    // A unit without a range of its own has one address.
    let source = |port| MacRange::of(first).map_or(first, |range| range.management(port));
    for frame in probe::frames(probes, source)? {
        handlers.inject(frame);
    }
    Ok(())
}

const fn index(port: SpPort) -> usize {
    match port {
        SpPort::One => 0,
        SpPort::Two => 1,
    }
}

/// The first characters of a name.
fn shortened(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}

/// Rows that fit into one response, from an index on, and how many there are.
fn rows<T: Clone>(all: &[T], from: u16) -> (Vec<T>, u16) {
    let rows = all.iter().skip(usize::from(from)).take(ROWS).cloned();
    (rows.collect(), u16::try_from(all.len()).unwrap_or(u16::MAX))
}

#[cfg(test)]
pub(crate) mod tests;
