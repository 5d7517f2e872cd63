//! Tables as text: columns as wide as what stands in them, nothing cut, nothing wrapped.

use std::fmt::Write;

/// On which side of its column a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// For texts.
    Left,
    /// For numbers.
    Right,
}

/// Rows under a head.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; a name with `>` in front stands on the right.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        let column = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => (name, Align::Right),
            None => (*name, Align::Left),
        };
        Self {
            head: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Another row; what a cell lacks is shown as `-`.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text; `bold` marks the head.
    #[must_use]
    pub fn render(&self, bold: bool) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let head = self.head.get(column).map_or(0, |(name, _)| name.len());
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(head)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let names: Vec<String> = self
            .head
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let mut text = String::new();
        let head = self.line(&names, &widths, "");
        if bold {
            // Writing into a String cannot fail.
            let _written = writeln!(text, "\u{1b}[1m{head}\u{1b}[0m");
        } else {
            text.push_str(&head);
            text.push('\n');
        }
        for row in &self.rows {
            text.push_str(&self.line(row, &widths, "-"));
            text.push('\n');
        }
        text
    }

    fn line(&self, cells: &[String], widths: &[usize], nothing: &str) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.head) {
            let cell = if cell.is_empty() { nothing } else { cell };
            // Writing into a String cannot fail.
            let _written = match align {
                Align::Left => write!(line, "{cell:<width$}  "),
                Align::Right => write!(line, "{cell:>width$}  "),
            };
        }
        line.trim_end().to_owned()
    }
}

/// A time in milliseconds, in the two units that matter.
#[must_use]
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if millis < 1000 {
        format!("{millis}ms")
    } else if seconds < 60 {
        format!("{seconds}s")
    } else if minutes < 60 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else if hours < 24 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{days}d{:02}h", hours % 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(&["NAME", ">COUNT"]);
        assert!(table.is_empty());
        table.row(vec!["a".to_owned(), "12345".to_owned()]);
        table.row(vec!["a longer one".to_owned(), String::new()]);
        assert_eq!(
            table.render(false),
            "NAME          COUNT\na             12345\na longer one      -\n"
        );
        assert!(
            table
                .render(true)
                .starts_with("\u{1b}[1mNAME          COUNT\u{1b}[0m\n")
        );
    }

    #[test]
    fn times_are_told_in_two_units() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (59_999, "59s"),
            (60_000, "1m00s"),
            (3_600_000, "1h00m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }
}
