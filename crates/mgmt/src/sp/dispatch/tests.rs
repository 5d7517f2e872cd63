use alloc::string::ToString;
use alloc::vec;

use super::super::message::{Image, Port};
use super::super::probe::{Probe, Witness};
use super::*;

/// A sled that keeps its images in memory.
#[derive(Debug)]
pub(crate) struct Sled {
    pub(crate) powered: Vec<Power>,
    pub(crate) resets: usize,
    pub(crate) typed: Vec<u8>,
    pub(crate) flash: Vec<u8>,
    pub(crate) tried: usize,
    pub(crate) kept: usize,
    pub(crate) injected: Vec<Vec<u8>>,
    parts: Vec<Part>,
}

impl Sled {
    pub(crate) fn new() -> Self {
        let part = |number: usize| Part {
            name: "dimm".to_string(),
            serial: number.to_string(),
        };
        Self {
            powered: Vec::new(),
            resets: 0,
            typed: Vec::new(),
            flash: Vec::new(),
            tried: 0,
            kept: 0,
            injected: Vec::new(),
            parts: (0..20).map(part).collect(),
        }
    }
}

impl Identity for Sled {
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
        &self.parts
    }
}

impl Health for Sled {
    fn firmware(&self) -> (String, bool) {
        ("sled-1".into(), self.tried > self.kept)
    }
    fn uptime(&self) -> u64 {
        12
    }
    fn readings(&self) -> Vec<Reading> {
        vec![Reading {
            name: "inlet".into(),
            milli: 21_500,
            unit: "C".into(),
        }]
    }
}

impl Host for Sled {
    fn power(&self) -> Power {
        self.powered.last().copied().unwrap_or(Power::Off)
    }
    fn set_power(&mut self, power: Power) -> Result<(), Failure> {
        self.powered.push(power);
        Ok(())
    }
    fn type_in(&mut self, octets: &[u8]) {
        self.typed.extend(octets);
    }
}

impl Board for Sled {
    fn reset(&mut self) {
        self.resets += 1;
    }
    fn ignition(&self) -> Option<u64> {
        None
    }
}

impl Flash for Sled {
    fn room(&self) -> u32 {
        1 << 20
    }
    fn write(&mut self, _at: u32, octets: &[u8]) {
        self.flash.extend(octets);
    }
    fn try_once(&mut self, _image: &Image) {
        self.tried += 1;
    }
    fn keep(&mut self) {
        self.kept = self.tried;
    }
}

impl Wire for Sled {
    fn inject(&mut self, frame: Vec<u8>) {
        self.injected.push(frame);
    }
}

pub(crate) const KEY: [u8; 32] = [0x5a; 32];

pub(crate) fn dispatcher(key: bool) -> Dispatcher {
    let key = key.then(|| Key::new(&KEY));
    Dispatcher::new([[1; 16], [2; 16]], key.as_ref(), Console::new(4096))
}

fn ask(
    dispatcher: &mut Dispatcher,
    sled: &mut Sled,
    port: SpPort,
    id: u32,
    request: Request,
) -> Option<Response> {
    let datagram = envelope::write(id, &Message::Request(request), None).unwrap();
    let answer = dispatcher.receive(port, &datagram, sled)?;
    match envelope::read(&answer, None).unwrap() {
        Letter {
            id: answered,
            message: Message::Response(response),
            ..
        } if answered == id => Some(response),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_answers_at_the_port_that_was_asked_for_and_is_silent_elsewhere() {
    let (mut dispatcher, mut sled) = (dispatcher(true), Sled::new());
    for (at, asked, answers) in [
        (SpPort::One, Port::One, true),
        (SpPort::One, Port::Two, false),
        (SpPort::Two, Port::Two, true),
    ] {
        let response = ask(&mut dispatcher, &mut sled, at, 1, Request::ReplyIfAt(asked));
        let here = response.map(|response| match response {
            Response::Here(here) => (here.reached, here.serial),
            other => panic!("{other:?}"),
        });
        assert_eq!(here, answers.then(|| (asked, "BRM42220001".to_string())));
    }
}

#[test]
fn an_order_that_is_asked_for_again_is_carried_out_once() {
    let (mut dispatcher, mut sled) = (dispatcher(false), Sled::new());
    for (id, carried_out) in [(1, 1), (1, 1), (2, 2), (1, 2)] {
        let order = Request::SetPower(Power::On);
        assert_eq!(
            ask(&mut dispatcher, &mut sled, SpPort::One, id, order),
            Some(Response::Done)
        );
        assert_eq!(sled.powered.len(), carried_out);
    }
    ask(
        &mut dispatcher,
        &mut sled,
        SpPort::Two,
        1,
        Request::SetPower(Power::Off),
    );
    assert_eq!(sled.powered.len(), 3, "the other gateway counts for itself");
}

#[test]
fn with_a_key_it_takes_no_order_without_proof() {
    let (mut dispatcher, mut sled) = (dispatcher(true), Sled::new());
    for request in [
        Request::Reset,
        Request::SetPower(Power::On),
        Request::State,
        Request::ConsoleDetach,
    ] {
        let response = ask(&mut dispatcher, &mut sled, SpPort::Two, 1, request);
        assert_eq!(response, Some(Response::Failed(Failure::Unproven([2; 16]))));
    }
    assert_eq!(
        (
            sled.resets,
            sled.powered.len(),
            dispatcher.counters().refused
        ),
        (0, 0, 4)
    );
}

#[test]
fn a_proven_order_is_taken_once_at_one_port() {
    let (mut dispatcher, mut sled) = (dispatcher(true), Sled::new());
    let mut sealer = Sealer::new(Key::new(&KEY), Way::ToSp, [1; 16], 10);
    let order = envelope::write(3, &Message::Request(Request::Reset), Some(&mut sealer)).unwrap();
    assert_eq!(dispatcher.receive(SpPort::Two, &order, &mut sled), None);
    assert!(dispatcher.receive(SpPort::One, &order, &mut sled).is_some());
    assert_eq!(
        dispatcher.receive(SpPort::One, &order, &mut sled),
        None,
        "a replay"
    );
    assert_eq!((sled.resets, dispatcher.counters().refused), (1, 2));
}

#[test]
fn long_lists_come_in_parts() {
    let (mut dispatcher, mut sled) = (dispatcher(false), Sled::new());
    let mut parts = Vec::new();
    loop {
        let from = u16::try_from(parts.len()).unwrap();
        let Some(Response::Inventory(rows, all)) = ask(
            &mut dispatcher,
            &mut sled,
            SpPort::One,
            1,
            Request::Inventory(from),
        ) else {
            panic!("no inventory");
        };
        parts.extend(rows);
        if parts.len() == usize::from(all) {
            break;
        }
    }
    assert_eq!(parts, sled.parts);
    assert_eq!(
        ask(
            &mut dispatcher,
            &mut sled,
            SpPort::One,
            2,
            Request::Ignition
        ),
        Some(Response::Failed(Failure::Unsupported))
    );
}

#[test]
fn what_is_no_request_is_counted_and_not_answered() {
    let (mut dispatcher, mut sled) = (dispatcher(false), Sled::new());
    let response = envelope::write(1, &Message::Response(Response::Done), None).unwrap();
    for datagram in [&[][..], &[9; 40], &response] {
        assert_eq!(dispatcher.receive(SpPort::One, datagram, &mut sled), None);
    }
    assert_eq!(dispatcher.counters().unreadable, 3);
}

#[test]
fn probes_leave_from_the_address_of_their_port_and_what_arrives_is_told() {
    let (mut dispatcher, mut sled) = (dispatcher(false), Sled::new());
    let probe = |tags: &[u16]| Probe {
        port: Port::Two,
        tags: tags.to_vec(),
        destination: [0xff; 6],
        marker: 5,
    };
    let order = Request::Inject(vec![probe(&[]), probe(&[0x301, 0x102])]);
    let response = ask(&mut dispatcher, &mut sled, SpPort::One, 1, order);
    assert_eq!(response, Some(Response::Done));
    let seen: Vec<_> = sled
        .injected
        .iter()
        .filter_map(|frame| probe::read(frame))
        .collect();
    let source = MacAddr::new([0xa8, 0x40, 0x25, 0, 0, 0x11]);
    assert!(seen.iter().all(|it| it.source == source && it.marker == 5));
    assert_eq!(
        seen.iter().map(|it| it.tags.len()).collect::<Vec<_>>(),
        [0, 2]
    );
    for order in [
        Request::Inject(vec![probe(&[1, 2, 3])]),
        Request::Inject(vec![probe(&[]); probe::PROBES_MAX + 1]),
    ] {
        let response = ask(&mut dispatcher, &mut sled, SpPort::One, 2, order);
        assert_eq!(response, Some(Response::Failed(Failure::Unsupported)));
    }
    assert_eq!(sled.injected.len(), 2);
    let arrived = probe::write(MacAddr::BROADCAST, source, &[0x301], 9);
    assert!(dispatcher.witnesses.see(&arrived));
    let response = ask(
        &mut dispatcher,
        &mut sled,
        SpPort::One,
        3,
        Request::Witnessed(0),
    );
    let witness = Witness {
        marker: 9,
        port: Some(Port::One),
        tags: vec![0x301],
    };
    assert_eq!(response, Some(Response::Witnessed(vec![witness], 1)));
}
