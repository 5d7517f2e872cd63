//! Text for a terminal: titles, lines, tables with aligned columns.

use rackweave_testkit::state;

/// What is printed, line by line.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: Vec<Line>,
}

#[derive(Debug)]
enum Line {
    Title(String),
    Plain(String),
}

impl Page {
    /// Begins a part.
    pub(crate) fn title(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.gap();
        }
        self.lines.push(Line::Title(text.to_owned()));
    }

    /// A line of prose.
    pub(crate) fn line(&mut self, text: &str) {
        self.lines.push(Line::Plain(format!("  {text}")));
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.lines.push(Line::Plain(String::new()));
    }

    /// A numbered step, with room above.
    pub(crate) fn step(&mut self, number: u8, text: &str) {
        self.gap();
        self.lines.push(Line::Title(format!("  {number}. {text}")));
    }

    /// A table, indented by so many blanks.
    pub(crate) fn table(&mut self, indent: usize, rows: &[Vec<String>]) {
        let lines = state::table(rows).into_iter();
        let lines = lines.map(|line| Line::Plain(format!("{:indent$}{line}", "")));
        self.lines.extend(lines);
    }

    /// All of it; titles in bold where the reader is a terminal.
    pub(crate) fn text(&self, bold: bool) -> String {
        let line = |line: &Line| match line {
            Line::Title(text) if bold => format!("\x1b[1m{text}\x1b[0m\n"),
            Line::Title(text) | Line::Plain(text) => format!("{text}\n"),
        };
        self.lines.iter().map(line).collect()
    }
}

/// A row of cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(String::from).to_vec()
}
