//! A unit: its chip, and its service processor with the dispatcher that firmware has.

use rackweave_mgmt::address::MacRange;
use rackweave_mgmt::plan;
use rackweave_mgmt::port::{SpPort, Unit};
use rackweave_mgmt::sp::console::Console;
use rackweave_mgmt::sp::dispatch::{Board, Dispatcher, Health, Host, Identity, Wire};
use rackweave_mgmt::sp::envelope::{self, Message};
use rackweave_mgmt::sp::message::{Failure, Image, Kind, Part, Power, Reading, Request, Response};
use rackweave_mgmt::sp::update::Flash;
use rackweave_mgmt::sp::{Key, MGS_PORT, SP_PORT};
use rackweave_mgmt::stack::{ALL_NODES, Stack, StackConfig};
use rackweave_mgmt::switch::{ChipPort, Egress, Switch};
use rackweave_types::Instant;

use super::network::Network;
use crate::keys::Keys;

/// Octets that a console keeps.
const ROOM: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Body {
    chip: Switch,
    stacks: [Stack; 2],
    dispatcher: Dispatcher,
    board: Mainboard,
    key: Option<Key>,
    boots: u8,
    frames: Vec<Egress>,
    pub(super) deadline: Option<Instant>,
    /// What gateways answered.
    pub(super) answers: Vec<Response>,
}

#[derive(Debug)]
struct Mainboard {
    unit: Unit,
    serial: String,
    macs: MacRange,
    power: Power,
    firmware: String,
    coming: Option<String>,
    before: Option<String>,
    resetting: bool,
    injected: Vec<Vec<u8>>,
}

impl Identity for Mainboard {
    fn kind(&self) -> Kind {
        match self.unit {
            Unit::Cubby(_) => Kind::Sled,
            Unit::Psc(_) => Kind::Psc,
            Unit::Switch(_) => Kind::Switch,
        }
    }
    fn serial(&self) -> &str {
        &self.serial
    }
    fn first_mac(&self) -> [u8; 6] {
        self.macs.first().octets()
    }
    fn parts(&self) -> &[Part] {
        &[]
    }
}

impl Health for Mainboard {
    fn firmware(&self) -> (String, bool) {
        (self.firmware.clone(), self.before.is_some())
    }
    fn uptime(&self) -> u64 {
        1
    }
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }
}

impl Host for Mainboard {
    fn power(&self) -> Power {
        self.power
    }
    fn set_power(&mut self, power: Power) -> Result<(), Failure> {
        self.power = power;
        Ok(())
    }
    fn type_in(&mut self, _octets: &[u8]) {}
}

impl Board for Mainboard {
    fn reset(&mut self) {
        self.resetting = true;
    }
    fn ignition(&self) -> Option<u64> {
        matches!(self.unit, Unit::Switch(_)).then_some(u64::MAX)
    }
}

impl Flash for Mainboard {
    fn room(&self) -> u32 {
        1 << 24
    }
    fn write(&mut self, _at: u32, _octets: &[u8]) {}
    fn try_once(&mut self, image: &Image) {
        self.coming = Some(image.name.clone());
    }
    fn keep(&mut self) {
        self.before = None;
    }
}

impl Wire for Mainboard {
    fn inject(&mut self, frame: Vec<u8>) {
        self.injected.push(frame);
    }
}

impl Body {
    pub(super) fn new(unit: Unit, macs: MacRange, keys: &Keys, now: Instant) -> Self {
        let stack = |port: SpPort| {
            let config = StackConfig {
                mac: macs.management(port),
                vlan: port.vlan(),
                port: SP_PORT,
                seed: 1,
            };
            Stack::new(config, now)
        };
        let serial = Network::serial(unit);
        let key = keys.of(&serial).cloned();
        Self {
            chip: Switch::new(plan::ksz8463(true)),
            stacks: SpPort::ALL.map(stack),
            dispatcher: dispatcher(1, key.as_ref()),
            board: Mainboard {
                unit,
                serial,
                macs,
                power: Power::Off,
                firmware: "sled-1".into(),
                coming: None,
                before: None,
                resetting: false,
                injected: Vec::new(),
            },
            key,
            boots: 1,
            frames: Vec::new(),
            deadline: None,
            answers: Vec::new(),
        }
    }

    pub(super) fn firmware(&self) -> (String, bool) {
        self.board.firmware()
    }

    pub(super) fn produce(&mut self, octets: &[u8]) -> usize {
        self.dispatcher.console.produce(octets)
    }

    /// Asks whoever is there.
    pub(super) fn ask(&mut self, at: SpPort, request: Request) {
        let datagram = envelope::write(9, &Message::Request(request), None).unwrap();
        let stack = &mut self.stacks[usize::from(at.number()) - 1];
        stack.send(ALL_NODES, MGS_PORT, &datagram).unwrap();
    }

    /// A frame came up a cable: what the chip gives the service processor.
    pub(super) fn through_chip(&mut self, at: SpPort, frame: &[u8]) -> Vec<Vec<u8>> {
        let out = self.chip.forward(ChipPort(at.number()), frame);
        let out = out.unwrap_or_default().into_iter();
        out.filter(|egress| egress.port == plan::SP)
            .map(|egress| egress.frame)
            .collect()
    }

    /// A frame reached the service processor.
    pub(super) fn frame(&mut self, now: Instant, frame: &[u8]) {
        if self.dispatcher.witnesses.see(frame) {
            return;
        }
        for stack in &mut self.stacks {
            stack.receive(frame);
        }
        self.turn(now);
    }

    pub(super) fn turn(&mut self, now: Instant) {
        let mut frames = Vec::new();
        for (stack, port) in self.stacks.iter_mut().zip(SpPort::ALL) {
            stack.poll(now, &mut frames);
            while let Some(datagram) = stack.next_datagram() {
                if let Ok(letter) = envelope::read(&datagram.payload, None)
                    && let Message::Response(response) = letter.message
                {
                    self.answers.push(response);
                    continue;
                }
                let board = &mut self.board;
                let answer = self.dispatcher.receive(port, &datagram.payload, board);
                if let Some(answer) = answer {
                    let _full = stack.send(datagram.from, datagram.from_port, &answer);
                }
            }
            stack.poll(now, &mut frames);
        }
        frames.append(&mut self.board.injected);
        for frame in frames {
            self.frames
                .extend(self.chip.forward(plan::SP, &frame).unwrap_or_default());
        }
        if std::mem::take(&mut self.board.resetting) {
            self.start_anew();
        }
        let stacks = self.stacks.iter_mut();
        self.deadline = stacks.filter_map(|stack| stack.deadline(now)).min();
    }

    pub(super) fn take_frames(&mut self) -> Vec<Egress> {
        std::mem::take(&mut self.frames)
    }

    fn start_anew(&mut self) {
        self.boots += 1;
        self.dispatcher = dispatcher(self.boots, self.key.as_ref());
        let board = &mut self.board;
        if let Some(coming) = board.coming.take() {
            board.before = Some(std::mem::replace(&mut board.firmware, coming));
        } else if let Some(before) = board.before.take() {
            board.firmware = before;
        }
    }
}

fn dispatcher(boots: u8, key: Option<&Key>) -> Dispatcher {
    Dispatcher::new([[boots; 16], [boots + 100; 16]], key, Console::new(ROOM))
}
