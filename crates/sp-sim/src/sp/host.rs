//! The host of a unit, as its serial console shows it: a shell that echoes, and can write as much as one likes.

use std::collections::VecDeque;

use rackweave_mgmt::sp::console::Console;

/// Octets of a line of a flood.
const LINE: u64 = 16;
/// Octets that are offered to the console at once.
const OFFER: usize = 4_096;
/// The longest line that can be typed.
const TYPED_MAX: usize = 256;
/// What the shell knows.
const HELP: &str = "commands: help, echo TEXT, unit, flood OCTETS\r\n";

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    unit: String,
    powered: bool,
    /// How often it was switched on or off.
    pub(super) switched: u64,
    line: Vec<u8>,
    text: VecDeque<u8>,
    /// The first octet of the flood that is still to be written, and the one behind its last.
    flood: (u64, u64),
}

impl Host {
    /// A host that is off.
    pub(super) fn new(unit: &str) -> Self {
        Self {
            unit: unit.into(),
            powered: false,
            switched: 0,
            line: Vec::new(),
            text: VecDeque::new(),
            flood: (0, 0),
        }
    }

    /// Whether it runs.
    pub(super) const fn is_on(&self) -> bool {
        self.powered
    }

    /// Switches it.
    pub(super) fn switch(&mut self, on: bool) {
        if self.powered == on {
            return;
        }
        self.powered = on;
        self.switched += 1;
        self.line.clear();
        self.text.clear();
        self.flood = (0, 0);
        if on {
            let hello = format!("\r\n{} is up\r\n", self.unit);
            self.text.extend(hello.bytes());
            self.prompt();
        }
    }

    /// Somebody types.
    pub(super) fn type_in(&mut self, octets: &[u8]) {
        if !self.powered {
            return;
        }
        for octet in octets {
            match octet {
                b'\r' | b'\n' => {
                    self.text.extend(b"\r\n");
                    let line = std::mem::take(&mut self.line);
                    self.command(String::from_utf8_lossy(&line).trim());
                    self.prompt();
                }
                0x7f | 0x08 => {
                    if self.line.pop().is_some() {
                        self.text.extend(b"\x08 \x08");
                    }
                }
                octet if self.line.len() < TYPED_MAX => {
                    self.line.push(*octet);
                    self.text.push_back(*octet);
                }
                _ => self.text.push_back(0x07),
            }
        }
    }

    fn command(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let said = match word {
            "" => String::new(),
            "help" => HELP.into(),
            "echo" => format!("{rest}\r\n"),
            "unit" => format!("{}\r\n", self.unit),
            "flood" => match rest.trim().parse() {
                Ok(octets) => {
                    self.flood(octets);
                    String::new()
                }
                Err(_) => "flood how many octets?\r\n".into(),
            },
            other => format!("{other}: not found; try help\r\n"),
        };
        self.text.extend(said.bytes());
    }

    fn prompt(&mut self) {
        self.text.extend(format!("{}# ", self.unit).bytes());
    }

    /// Writes so many octets more, as fast as they are taken.
    pub(super) fn flood(&mut self, octets: u64) {
        self.flood.1 = self.flood.1.saturating_add(octets);
    }

    /// Octets of floods that are still to be written.
    pub(super) const fn to_write(&self) -> u64 {
        self.flood.1 - self.flood.0
    }

    /// Writes to the console what it takes. Whether there is more that it would take.
    pub(super) fn write(&mut self, console: &mut Console) -> bool {
        if !self.text.is_empty() {
            let (text, _) = self.text.as_slices();
            let taken = console.produce(text);
            self.text.drain(..taken);
            return taken > 0;
        }
        let (from, to) = self.flood;
        if from == to {
            return false;
        }
        let taken = console.produce(&lines(from, to));
        self.flood.0 += u64::try_from(taken).unwrap_or_default();
        taken > 0
    }
}

/// Octets of a flood from one on, up to another or as many as are offered at once: lines of their number.
fn lines(from: u64, to: u64) -> Vec<u8> {
    let mut octets = Vec::with_capacity(OFFER);
    let skipped = usize::try_from(from % LINE).unwrap_or_default();
    for number in from / LINE.. {
        octets.extend(format!("{number:015x}\n").bytes());
        if octets.len() >= OFFER {
            break;
        }
    }
    octets.drain(..skipped);
    let wanted = usize::try_from(to - from).unwrap_or(usize::MAX);
    octets.truncate(wanted);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(host: &mut Host) -> String {
        let text = host.text.drain(..).collect();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_shell_echoes_and_answers_while_it_runs() {
        let mut host = Host::new("c05");
        host.type_in(b"unit\r");
        assert_eq!(said(&mut host), "");
        host.switch(true);
        host.switch(true);
        assert_eq!(
            (said(&mut host).as_str(), host.switched),
            ("\r\nc05 is up\r\nc05# ", 1)
        );
        host.type_in(b"echo hi!\x7f\r");
        assert_eq!(said(&mut host), "echo hi!\x08 \x08\r\nhi\r\nc05# ");
        host.type_in(b"ls\r");
        assert!(said(&mut host).contains("ls: not found"));
        host.type_in(b"flood 20\r");
        assert_eq!(host.to_write(), 20);
    }

    #[test]
    fn a_flood_is_lines_of_their_number_however_it_is_taken() {
        let mut all = Vec::new();
        while all.len() < 20_000 {
            let from = u64::try_from(all.len()).unwrap();
            let some = lines(from, 20_000);
            all.extend(&some[..some.len().min(777)]);
        }
        let text = String::from_utf8(all).unwrap();
        assert_eq!(text.len(), 20_000);
        for (number, line) in text.lines().enumerate() {
            assert_eq!(line, format!("{number:015x}"));
        }
    }
}
