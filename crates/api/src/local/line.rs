//! Lines: JSON values, one on each.

use std::fmt;

use serde::Serialize;

/// Cuts what comes from a socket into lines.
///
/// Any octets give lines or [`LineTooLong`]. Call order: [`feed`](Self::feed) what was read, then
/// [`next_line`](Self::next_line) until there is none; so no more than a line and a read are held.
#[derive(Clone, Debug)]
pub struct LineDecoder {
    buf: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is known to be no line's end.
    scanned: usize,
    max: usize,
    too_long: bool,
}

/// A line is longer than the side that reads it takes. What follows it is lost: the conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong {
    /// The most octets that are taken.
    pub max: usize,
}

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line is longer than {} octets", self.max)
    }
}

impl std::error::Error for LineTooLong {}

impl LineDecoder {
    /// A decoder that takes lines of at most `max` octets, their end not counted.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            scanned: 0,
            max,
            too_long: false,
        }
    }

    /// Takes in what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.too_long {
            return;
        }
        if self.start > 0 {
            self.buf.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The next line that is not empty, without its end; `None` where more must be read.
    ///
    /// # Errors
    /// Where the line is longer than taken; from then on always.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        loop {
            let rest = self.buf.get(self.scanned..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'\n');
            let end = end.map(|at| self.scanned + at);
            let len = end.unwrap_or(self.buf.len()) - self.start;
            if self.too_long || len > self.max {
                self.too_long = true;
                self.buf = Vec::new();
                (self.start, self.scanned) = (0, 0);
                return Err(LineTooLong { max: self.max });
            }
            let Some(end) = end else {
                self.scanned = self.buf.len();
                return Ok(None);
            };
            let begin = self.start;
            self.start = end + 1;
            self.scanned = self.start;
            if self.buf[begin..end]
                .iter()
                .any(|byte| !byte.is_ascii_whitespace())
            {
                return Ok(Some(&self.buf[begin..end]));
            }
        }
    }
}

/// Appends a message as a line.
///
/// # Errors
/// Where the value has no form in JSON; a message of this crate always has one.
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    let written = serde_json::to_writer(&mut *out, message);
    match written {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(start),
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of these pieces, and whether one was too long.
    fn lines(pieces: &[&[u8]], max: usize) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = LineDecoder::new(max);
        let mut lines = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            loop {
                match decoder.next_line() {
                    Ok(Some(line)) => lines.push(line.to_vec()),
                    Ok(None) => break,
                    Err(_) => return (lines, true),
                }
            }
        }
        (lines, false)
    }

    #[test]
    fn a_line_may_come_in_pieces_and_empty_ones_are_no_lines() {
        let (found, too_long) = lines(&[b"{\"a\"", b":1}\n\r\n{}", b"\n"], 7);
        assert_eq!(found, [b"{\"a\":1}".to_vec(), b"{}".to_vec()]);
        assert!(!too_long);
    }

    #[test]
    fn a_line_without_end_is_refused_once_it_is_too_long() {
        let mut decoder = LineDecoder::new(4);
        decoder.feed(b"1234");
        assert_eq!(decoder.next_line(), Ok(None));
        decoder.feed(b"5");
        assert_eq!(decoder.next_line(), Err(LineTooLong { max: 4 }));
        decoder.feed(b"\n{}\n");
        assert_eq!(decoder.next_line(), Err(LineTooLong { max: 4 }));
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_changes_nothing(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0_usize..200, 0..8),
            max in 0_usize..64,
        ) {
            let whole = lines(&[&bytes], max);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(&pieces, max), whole.clone());
            prop_assert!(whole.0.iter().all(|line| line.len() <= max && !line.contains(&b'\n')));
        }

        #[test]
        fn what_was_encoded_is_found_again(texts in proptest::collection::vec(".*", 0..8)) {
            let mut bytes = Vec::new();
            for text in &texts {
                encode(text, &mut bytes).unwrap();
            }
            let (found, too_long) = lines(&[&bytes], 4096);
            prop_assert!(!too_long);
            let found: Vec<String> = found
                .iter()
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect();
            prop_assert_eq!(found, texts);
        }
    }
}
