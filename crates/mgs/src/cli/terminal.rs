//! The terminal of whoever holds a console: each octet goes as it is typed.

use std::io::{self, IsTerminal as _, Read as _};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// Octets that are read at once.
const READ: usize = 4096;
/// Pieces that wait to be sent.
const PIECES: usize = 16;

/// A terminal that passes everything on; dropped, it is what it was.
#[derive(Debug)]
pub(super) struct Raw(Option<Termios>);

impl Raw {
    /// Makes standard input raw, if it is a terminal.
    pub(super) fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw)?;
        Ok(Self(Some(before)))
    }

    /// Whether it is a terminal at all.
    pub(super) const fn is_terminal(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // The terminal may be gone.
            let _gone = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

/// What is typed, as it comes; ends where standard input does.
pub(super) fn typed() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        let mut buffer = [0; READ];
        while let Ok(len @ 1..) = io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
