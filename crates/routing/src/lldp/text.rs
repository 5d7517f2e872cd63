//! Texts of neighbours.

use std::fmt::{self, Write};

/// Octets of the longest text (IEEE 802.1AB, 8.5.5 to 8.5.7).
pub(super) const MAX_TEXT: usize = 255;

/// A neighbour's text as people may see it: on one line, and without what would speak to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a>(pub &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut gap, mut begun) = (false, false);
        for c in self.0.chars() {
            // Besides control characters: those that turn the direction of what follows, or are not seen at all.
            let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
            if c.is_control() || c.is_whitespace() || hidden {
                gap = true;
                continue;
            }
            if std::mem::take(&mut gap) && begun {
                f.write_char(' ')?;
            }
            f.write_char(c)?;
            begun = true;
        }
        Ok(())
    }
}

/// What a neighbour wrote; what is no text is marked, and zeros at the end go.
pub(super) fn read(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets)
        .trim_end_matches('\0')
        .to_owned()
}

/// The text up to its last whole character that fits.
pub(super) fn fitting(text: &str) -> &[u8] {
    let end = text.floor_char_boundary(MAX_TEXT);
    &text.as_bytes()[..end]
}
