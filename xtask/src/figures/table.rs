//! Rows as a table, for a terminal and for a page.

use std::fmt::Write as _;

use super::row::Row;

const HEADS: [&str; 7] = [
    "figure",
    "value",
    "unit",
    "peer",
    "peer value",
    "ratio",
    "note",
];
/// Numbers are read by their last digit.
const RIGHT: [bool; HEADS.len()] = [false, true, false, false, true, true, false];

/// A table with aligned columns.
pub(crate) fn plain(rows: &[Row]) -> String {
    let cells: Vec<_> = rows.iter().map(cells).collect();
    let heads = HEADS.map(str::to_owned);
    let all: Vec<_> = std::iter::once(&heads).chain(&cells).collect();
    let mut widths = [0; HEADS.len()];
    for (column, width) in widths.iter_mut().enumerate() {
        *width = all
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0);
    }
    let mut text = String::new();
    for row in all {
        let mut line = String::new();
        for ((cell, width), right) in row.iter().zip(widths).zip(RIGHT) {
            let pad = " ".repeat(width - cell.chars().count());
            let (before, after) = if right {
                (pad.as_str(), "")
            } else {
                ("", pad.as_str())
            };
            line = line + before + cell + after + "  ";
        }
        text = text + line.trim_end() + "\n";
    }
    text
}

/// A table in Markdown.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let rules = RIGHT.map(|right| if right { "---:" } else { "---" });
    let mut text = format!("| {} |\n| {} |\n", HEADS.join(" | "), rules.join(" | "));
    for row in rows {
        let cells = cells(row).map(|cell| cell.replace('|', "\\|"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn cells(row: &Row) -> [String; HEADS.len()] {
    let or_none = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let scale = row.scale.as_ref().map(|scale| format!("scale {scale}"));
    let notes: Vec<String> = scale.into_iter().chain(row.why.clone()).collect();
    [
        row.figure.clone(),
        or_none(row.value),
        row.unit.clone(),
        text(&row.peer),
        row.peer_value.map_or_else(String::new, number),
        row.ratio
            .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        notes.join("; "),
    ]
}

/// Three digits that mean something, and thousands kept apart.
fn number(value: f64) -> String {
    let decimals = if value.fract() == 0.0 {
        0
    } else {
        match value.abs() {
            large if large >= 100.0 => 0,
            medium if medium >= 10.0 => 1,
            _ => 2,
        }
    };
    let plain = format!("{value:.decimals$}");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if text.ends_with(|c: char| c.is_ascii_digit()) && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if fraction.is_empty() {
        text
    } else {
        format!("{text}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        [
            r#"{"figure":"hit_ns","value":58.3,"unit":"ns","peer":"p","peer_value":1610,"ratio":0.04}"#,
            r#"{"figure":"new_ns","value":null,"unit":"ns","scale":"1/8","why":"no | time"}"#,
        ]
        .map(|line| Row::parse(line).unwrap())
        .to_vec()
    }

    #[test]
    fn columns_are_aligned() {
        let table = "\
figure  value  unit  peer  peer value  ratio  note
hit_ns   58.3  ns    p          1,610   0.04
new_ns      –  ns                             scale 1/8; no | time
";
        assert_eq!(plain(&rows()), table);
    }

    #[test]
    fn markdown_keeps_bars_out_of_its_columns() {
        let table = "\
| figure | value | unit | peer | peer value | ratio | note |
| --- | ---: | --- | --- | ---: | ---: | --- |
| hit_ns | 58.3 | ns | p | 1,610 | 0.04 |  |
| new_ns | – | ns |  |  |  | scale 1/8; no \\| time |
";
        assert_eq!(markdown(&rows()), table);
    }

    #[test]
    fn numbers_keep_three_digits_that_mean_something() {
        for (value, text) in [
            (0.0, "0"),
            (1.234, "1.23"),
            (58.31, "58.3"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1_610.0, "-1,610"),
            (-161.4, "-161"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
