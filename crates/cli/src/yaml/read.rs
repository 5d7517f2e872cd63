//! Reads a document, with the place of each value (YAML 1.2, core schema). Aliases are not read: what stands in a file
//! stands there once, and a file is as large as it looks.

use std::fmt;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column, from 1.
    pub(crate) column: usize,
}

impl Mark {
    fn of(marker: Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where.
    pub(crate) mark: Mark,
    /// The field; empty where it is none.
    pub(crate) field: String,
    /// What.
    pub(crate) what: String,
}

impl Wrong {
    pub(crate) fn new(mark: Mark, field: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            mark,
            field: field.into(),
            what: what.into(),
        }
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) content: Content,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// A single value, and how it is written where that is without quotation marks.
    Scalar(Value, Option<String>),
    /// Values one after another.
    List(Vec<Node>),
    /// Values by name, each with the place of the name.
    Map(Vec<(String, Mark, Node)>),
}

impl Node {
    /// The value without its places.
    pub(crate) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value, _) => value.clone(),
            Content::List(items) => items.iter().map(Self::value).collect(),
            Content::Map(fields) => {
                let fields = fields.iter();
                Value::Object(
                    fields
                        .map(|(name, _, node)| (name.clone(), node.value()))
                        .collect::<Map<_, _>>(),
                )
            }
        }
    }

    /// The value of this name, if it is a map that has one.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Content::Map(fields) = &self.content else {
            return None;
        };
        fields
            .iter()
            .find(|(found, _, _)| found == name)
            .map(|(_, _, node)| node)
    }

    /// Whether there is nothing.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(Value::Null, _))
    }

    /// The value at a place (`filters.ports[0]`), or the last one on the way to it; and its own place, which is that of
    /// its name where it has one.
    pub(crate) fn at(&self, place: &str) -> (&Self, Mark) {
        let (mut node, mut mark) = (self, self.mark);
        for step in place.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            let found = match &node.content {
                Content::Map(fields) => {
                    let found = fields.iter().find(|(name, _, _)| name == step);
                    found.map(|(_, mark, node)| (node, *mark))
                }
                Content::List(items) => {
                    let found = step.parse::<usize>().ok().and_then(|at| items.get(at));
                    found.map(|node| (node, node.mark))
                }
                Content::Scalar(..) => None,
            };
            let Some(found) = found else {
                break;
            };
            (node, mark) = found;
        }
        (node, mark)
    }
}

/// Reads the one document of a file.
///
/// # Errors
/// What is wrong with it first.
pub(crate) fn read(text: &str) -> Result<Node, Wrong> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
    };
    let document = loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (Event::StreamEnd, span) => {
                return Err(Wrong::new(
                    Mark::of(span.start),
                    "",
                    "there is nothing in it",
                ));
            }
            (event, span) => break reader.node(event, span)?,
        }
    };
    loop {
        match reader.next()? {
            (Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => return Ok(document),
            (_, span) => {
                let what = "a second document begins; name a file for each with -f";
                return Err(Wrong::new(Mark::of(span.start), "", what));
            }
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, granit_parser::StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Wrong> {
        let ended = || Wrong::new(Mark::default(), "", "it ends too early");
        self.events
            .next()
            .ok_or_else(ended)?
            .map_err(|error| malformed(&error))
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Wrong> {
        let mark = Mark::of(span.start);
        let refuse = |what: &str| Err(Wrong::new(mark, "", what));
        match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => refuse("tags (`!…`) are not read"),
            Event::Alias(_) => refuse("aliases (`*…`) are not read; write it out"),
            Event::Scalar(text, style, _, None) => Ok(Node {
                mark,
                content: scalar(&text, style),
            }),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => {
                            return Ok(Node {
                                mark,
                                content: Content::List(items),
                            });
                        }
                        (event, span) => items.push(self.node(event, span)?),
                    }
                }
            }
            Event::MappingStart(..) => self.map(mark),
            _ => refuse("a value is missing"),
        }
    }

    fn map(&mut self, mark: Mark) -> Result<Node, Wrong> {
        let mut fields: Vec<(String, Mark, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let place = Mark::of(span.start);
            let name = match event {
                Event::MappingEnd => {
                    return Ok(Node {
                        mark,
                        content: Content::Map(fields),
                    });
                }
                Event::Scalar(name, _, _, None) => name.into_owned(),
                _ => return Err(Wrong::new(place, "", "a name is wanted before the colon")),
            };
            if let Some((_, first, _)) = fields.iter().find(|(found, _, _)| *found == name) {
                let what = format!("it stands there twice, first in line {}", first.line);
                return Err(Wrong::new(place, name, what));
            }
            let (event, span) = self.next()?;
            fields.push((name, place, self.node(event, span)?));
        }
    }
}

fn malformed(error: &ScanError) -> Wrong {
    Wrong::new(
        Mark::of(*error.marker()),
        "",
        format!("this is not YAML: {}", error.info()),
    )
}

/// A single value, by the core schema (YAML 1.2, 10.3.2).
fn scalar(text: &str, style: ScalarStyle) -> Content {
    if style != ScalarStyle::Plain {
        return Content::Scalar(Value::from(text), None);
    }
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        text => number(text).map_or_else(|| Value::from(text), Value::Number),
    };
    Content::Scalar(value, Some(text.to_owned()))
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let whole = digits.bytes().all(|octet| octet.is_ascii_digit());
    if whole {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let positive = unsigned.parse::<u64>().ok().map(Number::from);
        return positive.or_else(|| unsigned.parse::<i64>().ok().map(Number::from));
    }
    let float = digits
        .bytes()
        .all(|octet| octet.is_ascii_digit() || b".eE+-".contains(&octet));
    Number::from_f64(text.parse().ok().filter(|_| float)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_those_of_the_core_schema() {
        let text = "a: 1\nb: [x, 'y', \"1\", ~, true]\nc:\n  d: 0x1f\n  e: -3\n  f: 1.5\n  g: 10.0.0.0/16\n  \
                    h: 2026-01-01\n  i: |\n    one\n    two\n  j: fd00::/48\n  k: no\n";
        let value = read(text).unwrap().value();
        assert_eq!(
            value,
            json!({
                "a": 1, "b": ["x", "y", "1", null, true],
                "c": {
                    "d": 31, "e": -3, "f": 1.5, "g": "10.0.0.0/16", "h": "2026-01-01", "i": "one\ntwo\n",
                    "j": "fd00::/48", "k": "no",
                },
            })
        );
        assert_eq!(
            read("{\"a\": [1, {\"b\": null}]}").unwrap().value(),
            json!({"a": [1, {"b": null}]})
        );
    }

    #[test]
    fn places_are_found_by_names() {
        let node = read("a:\n  b:\n    - 1\n    - c: 2\n").unwrap();
        let at = |place: &str| node.at(place).1.to_string();
        assert_eq!(at("a.b[1].c"), "4:7");
        assert_eq!(at("a.b[0]"), "3:7");
        assert_eq!(at("a.b[7]"), "2:3");
        assert_eq!(at("x"), "1:1");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("", "there is nothing in it"),
            (
                "a: 1\na: 2\n",
                "2:1 a it stands there twice, first in line 1",
            ),
            ("a: &x 1\nb: *x\n", "2:4  aliases"),
            ("a: !x 1\n", "tags"),
            ("a: [1\nb: 2\n", "this is not YAML"),
            ("a: 1\n---\nb: 2\n", "a second document begins"),
            ("? [a]\n: 1\n", "a name is wanted"),
        ] {
            let wrong = read(text).unwrap_err();
            let wrong = format!("{} {} {}", wrong.mark, wrong.field, wrong.what);
            assert!(wrong.contains(told), "{text:?}: {wrong}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err());
    }
}
