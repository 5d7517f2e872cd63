//! The two ends of a link of the management network, among datagrams of anybody.

use std::time::Duration;

use rackweave_mgmt::port::SpPort;
use rackweave_mgmt::sp::auth::{Key, Sealer, Way};
use rackweave_mgmt::sp::console::Console;
use rackweave_mgmt::sp::dispatch::{Board, Dispatcher, Health, Host, Identity, Wire};
use rackweave_mgmt::sp::envelope::{self, Message};
use rackweave_mgmt::sp::message::{
    Failure, Image, Kind, Part, Port, Power, Reading, Request, Response,
};
use rackweave_mgmt::sp::probe::Probe;
use rackweave_mgmt::sp::update::Flash;
use rackweave_mgmt::sp::{DATAGRAM_MAX, Exchange, Outcome};
use rackweave_types::Instant;

use super::{Fault, hold};
use crate::source::Source;

const BOOTS: [[u8; 16]; 2] = [[1; 16], [2; 16]];
const KEY: [u8; 32] = [0x5a; 32];
/// Datagrams of one case.
const STEPS: usize = 60;

/// A service processor that counts what it was made to do.
#[derive(Debug, Default)]
struct Unit {
    orders: u64,
}

impl Identity for Unit {
    fn kind(&self) -> Kind {
        Kind::Sled
    }
    fn serial(&self) -> &'static str {
        "BRM42220001"
    }
    fn first_mac(&self) -> [u8; 6] {
        [0xa8, 0x40, 0x25, 0, 0, 0x10]
    }
    fn parts(&self) -> &[Part] {
        &[]
    }
}

impl Health for Unit {
    fn firmware(&self) -> (String, bool) {
        ("one".into(), false)
    }
    fn uptime(&self) -> u64 {
        1
    }
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }
}

impl Host for Unit {
    fn power(&self) -> Power {
        Power::Off
    }
    fn set_power(&mut self, _: Power) -> Result<(), Failure> {
        self.orders += 1;
        Ok(())
    }
    fn type_in(&mut self, _: &[u8]) {
        self.orders += 1;
    }
}

impl Board for Unit {
    fn reset(&mut self) {
        self.orders += 1;
    }
    fn ignition(&self) -> Option<u64> {
        None
    }
}

impl Flash for Unit {
    fn room(&self) -> u32 {
        1 << 16
    }
    fn write(&mut self, _: u32, _: &[u8]) {
        self.orders += 1;
    }
    fn try_once(&mut self, _: &Image) {
        self.orders += 1;
    }
    fn keep(&mut self) {
        self.orders += 1;
    }
}

impl Wire for Unit {
    fn inject(&mut self, _: Vec<u8>) {
        self.orders += 1;
    }
}

/// A request that the bytes choose.
fn request(source: &mut Source<'_>) -> Request {
    match source.below(14) {
        0 => Request::Discover,
        1 => Request::ReplyIfAt(source.pick(&[Port::One, Port::Two])),
        2 => Request::State,
        3 => Request::Sensors(source.word()),
        4 => Request::SetPower(source.pick(&[Power::On, Power::Off])),
        5 => Request::Reset,
        6 => Request::ConsoleAttach("ada".into()),
        7 => Request::ConsoleRead(source.word().into(), source.word().into()),
        8 => Request::ConsoleWrite(source.octet().into(), source.take(9).to_vec()),
        9 => Request::UpdateBegin(Image {
            name: "two".into(),
            len: source.octet().into(),
            hash: [0; 32],
        }),
        10 => Request::UpdateChunk(source.octet().into(), source.take(9).to_vec()),
        11 if source.one_in(2) => Request::UpdateFinish,
        11 => Request::UpdateKeep,
        12 => Request::Witnessed(source.octet().into()),
        _ => Request::Inject(vec![Probe {
            port: Port::One,
            tags: vec![source.word()],
            destination: source.octets(),
            marker: 1,
        }]),
    }
}

/// A datagram with some of its bits turned.
fn altered(datagram: &[u8], source: &mut Source<'_>) -> Vec<u8> {
    let mut altered = datagram.to_vec();
    for _ in 0..=source.below(3) {
        let at = source.below(altered.len());
        if let Some(octet) = altered.get_mut(at) {
            *octet ^= 1 << source.below(8);
        }
    }
    altered
}

/// A service processor with a key, among datagrams of anybody: it does not panic, answers nothing longer than a
/// datagram, and does nothing but what who has the key orders, once and at the port where it was ordered.
///
/// # Errors
/// What does not hold.
pub fn service_processor(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let key = Key::new(&KEY);
    let mut dispatcher = Dispatcher::new(BOOTS, Some(&key), Console::new(64));
    let mut unit = Unit::default();
    let mut sealer = Sealer::new(key, Way::ToSp, BOOTS[0], 7);
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for id in 0..u32::try_from(STEPS).unwrap_or_default() {
        let port = source.pick(&SpPort::ALL);
        let (datagram, genuine) = match source.below(5) {
            0 => (source.take(60).to_vec(), false),
            1 => (unsealed(id, request(&mut source))?, false),
            2 => {
                let order = Message::Request(request(&mut source));
                let order = envelope::write(id, &order, Some(&mut sealer));
                let order = order.map_err(|error| error.to_string())?;
                let here = port == SpPort::One;
                if here {
                    sent.push(order.clone());
                }
                (order, here)
            }
            3 => (source.pick_of(&sent).cloned().unwrap_or_default(), false),
            _ => {
                let order = source.pick_of(&sent).cloned().unwrap_or_default();
                let changed = altered(&order, &mut source);
                // A bit that was turned twice makes it what was sent: a replay.
                (changed, false)
            }
        };
        let before = unit.orders;
        let answer = dispatcher.receive(port, &datagram, &mut unit);
        hold(genuine || unit.orders == before, || {
            format!("obeyed {datagram:02x?} at {port}")
        })?;
        hold(answer.is_none_or(|it| it.len() <= DATAGRAM_MAX), || {
            "an answer that does not fit".to_owned()
        })?;
        // Some output, so that reads have something to give.
        dispatcher.console.produce(b"output");
    }
    Ok(())
}

fn unsealed(id: u32, request: Request) -> Result<Vec<u8>, Fault> {
    envelope::write(id, &Message::Request(request), None).map_err(|error| error.to_string())
}

/// A gateway with the key, among datagrams of anybody: it does not panic, and takes an answer to an order only from who
/// has the key, and each once.
///
/// # Errors
/// What does not hold.
pub fn gateway(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let key = Key::new(&KEY);
    let mut exchange = Exchange::new(Some(key.clone()), 40, 1_000);
    let mut dispatcher = Dispatcher::new(BOOTS, Some(&key), Console::new(64));
    let mut unit = Unit::default();
    let mut now = Instant::START;
    let mut answers: Vec<Vec<u8>> = Vec::new();
    let mut asked: Vec<(u32, bool)> = Vec::new();
    for _ in 0..STEPS {
        if source.one_in(3) {
            let request = request(&mut source);
            let open = request.is_open();
            let id = exchange.ask(now, request, Duration::from_millis(400));
            asked.push((id, open));
        }
        let mut out = Vec::new();
        for (id, outcome) in exchange.poll(now, &mut out) {
            hold(!matches!(outcome, Outcome::Answered(_)), || {
                format!("{id} is answered by nobody")
            })?;
        }
        for datagram in out {
            hold(datagram.len() <= DATAGRAM_MAX, || "too long".to_owned())?;
            answers.extend(dispatcher.receive(SpPort::One, &datagram, &mut unit));
        }
        let genuine = source.below(5) == 0 && !answers.is_empty();
        let datagram = match source.below(4) {
            _ if genuine => answers.remove(0),
            0 => source.take(60).to_vec(),
            1 => {
                let (id, _) = source.pick_of(&asked).copied().unwrap_or_default();
                let claim = Message::Response(Response::Typed(source.octet().into()));
                let claim = envelope::write(id, &claim, None);
                claim.map_err(|error| error.to_string())?
            }
            _ => {
                let answer = source.pick_of(&answers).cloned().unwrap_or_default();
                altered(&answer, &mut source)
            }
        };
        if let Some((id, outcome)) = exchange.receive(now, &datagram) {
            let open = asked.iter().any(|(known, open)| *known == id && *open);
            // A bit that was turned twice makes it what was sent.
            let genuine = genuine || answers.contains(&datagram);
            hold(genuine || open, || {
                format!("{id} took {outcome:?} of a stranger")
            })?;
            asked.retain(|(known, _)| *known != id);
        }
        now = now.after(Duration::from_millis(source.octet().into()));
    }
    Ok(())
}
