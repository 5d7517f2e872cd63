//! How far a lab is while it comes up.

use std::io::{self, IsTerminal, Write};

use crate::lab::Line;

/// Says on standard error how far things are: a line for each step, and on a terminal the step that goes on.
#[derive(Debug, Default)]
pub(super) struct Progress {
    unfinished: bool,
}

impl Progress {
    pub(super) fn say(&mut self, line: Line<'_>) {
        let mut out = io::stderr();
        let over = if self.unfinished { "\r\x1b[K" } else { "" };
        // Who has closed standard error does not want to know.
        let _told = match line {
            Line::Done(text) => {
                self.unfinished = false;
                writeln!(out, "{over}{text}")
            }
            Line::Going(text) if out.is_terminal() => {
                self.unfinished = true;
                write!(out, "{over}{text}")
            }
            Line::Going(_) => Ok(()),
        };
        let _told = out.flush();
    }

    pub(super) fn end(&mut self) {
        if self.unfinished {
            let _told = writeln!(io::stderr());
            self.unfinished = false;
        }
    }
}
