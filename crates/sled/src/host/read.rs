//! Reads a host state from a file, and finds the lines of what is wrong in it.

use std::path::Path;

use rackweave_types::state::{FileError, HostState, from_file};

use super::error::{HostError, HostErrors};

/// Reads a host state from a file that people write.
///
/// # Errors
/// What is wrong, with line and field.
pub fn read(path: &Path) -> Result<HostState, HostErrors> {
    let text = text(path)?;
    parse(&text).map_err(|errors| errors.in_file(path, &text))
}

/// The text of a file.
///
/// # Errors
/// What the system said.
pub(super) fn text(path: &Path) -> Result<String, HostErrors> {
    std::fs::read_to_string(path).map_err(|error| HostErrors {
        file: Some(path.display().to_string()),
        ..HostErrors::whole(format!("it cannot be read: {error}"))
    })
}

/// Reads a host state from text.
///
/// # Errors
/// What is wrong.
pub fn parse(text: &str) -> Result<HostState, HostErrors> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let read = from_file(serde_path_to_error::Deserializer::new(
        &mut json, &mut track,
    ));
    let state: HostState = match read {
        Ok(state) => state,
        Err(FileError::Malformed(error)) => {
            let field = track.path().to_string();
            return Err(HostErrors::of(vec![HostError {
                field: if field == "." { String::new() } else { field },
                line: u32::try_from(error.line()).ok(),
                object: String::new(),
                problem: error.to_string(),
            }]));
        }
        Err(FileError::UnknownFields(fields)) => {
            let unknown = |field: String| HostError {
                line: line_of(text, &field),
                field: bracketed(&field),
                object: String::new(),
                problem: "there is no such field".to_owned(),
            };
            return Err(HostErrors::of(fields.into_iter().map(unknown).collect()));
        }
        Err(error) => return Err(HostErrors::whole(error.to_string())),
    };
    json.end().map_err(|error| {
        HostErrors::of(vec![HostError {
            field: String::new(),
            line: u32::try_from(error.line()).ok(),
            object: String::new(),
            problem: "something stands behind the state".to_owned(),
        }])
    })?;
    Ok(state)
}

/// `ports.3.mac` as `ports[3].mac`.
fn bracketed(path: &str) -> String {
    let mut text = String::new();
    for part in path.split('.') {
        let index = part.bytes().all(|byte| byte.is_ascii_digit());
        let (before, behind) = match (index, text.is_empty()) {
            (true, _) => ("[", "]"),
            (false, true) => ("", ""),
            (false, false) => (".", ""),
        };
        text.extend([before, part, behind]);
    }
    text
}

/// The line, counted from 1, where the value at `path` (`ports[3].mac` or `ports.3.mac`) begins in a JSON text; that of
/// the last part that is there, where not all is.
#[must_use]
pub fn line_of(text: &str, path: &str) -> Option<u32> {
    let parts = path
        .split(['.', '[', ']'])
        .filter(|part| !part.is_empty() && *part != "?");
    let mut at = Scan {
        bytes: text.as_bytes(),
        at: 0,
    };
    at.blank();
    let mut found = at.at;
    for part in parts {
        match at.enter(part) {
            Some(value) => found = value,
            None => break,
        }
    }
    let lines = text.as_bytes().get(..found)?;
    u32::try_from(lines.split(|byte| *byte == b'\n').count()).ok()
}

/// A place in a JSON text. It knows just enough to step over values: what is malformed ends the search.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Goes to the value of this key or index in the value here; gives where that begins.
    fn enter(&mut self, part: &str) -> Option<usize> {
        let object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        self.at += 1;
        for index in 0_usize.. {
            self.blank();
            let begin = self.at;
            let ours = if object {
                let key = self.string()?;
                self.blank();
                (self.peek()? == b':').then_some(())?;
                self.at += 1;
                self.blank();
                key == part.as_bytes()
            } else {
                part.parse() == Ok(index)
            };
            if ours {
                return Some(begin);
            }
            self.skip()?;
            self.blank();
            (self.peek()? == b',').then_some(())?;
            self.at += 1;
        }
        None
    }

    /// Steps over a string; gives what stands between its quotes, escapes as they are.
    fn string(&mut self) -> Option<&'a [u8]> {
        (self.peek()? == b'"').then_some(())?;
        self.at += 1;
        let begin = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.bytes.get(begin..self.at - 1)
    }

    /// Steps over a value, by its brackets.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"{
  "version": 1,
  "note": "a \" { quote",
  "ports": [
    { "id": 1, "mac": "a" },
    { "id": 2,
      "mac": "b" }
  ]
}"#;

    #[test]
    fn a_field_is_found_by_either_way_of_writing_its_path() {
        for (path, line) in [
            ("", 1),
            ("version", 2),
            ("ports", 4),
            ("ports[0].mac", 5),
            ("ports.1", 6),
            ("ports[1].mac", 7),
            // What is not there is shown where it would be.
            ("ports[1].vni", 6),
            ("ports[7]", 4),
        ] {
            assert_eq!(line_of(TEXT, path), Some(line), "{path}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_field() {
        let errors = parse("{\n \"version\": 1,\n \"generation\": \"x\"\n}").unwrap_err();
        assert_eq!(errors.errors[0].field, "generation");
        assert_eq!(errors.errors[0].line, Some(3));
        let errors = parse("{\n \"version\": 9\n}").unwrap_err();
        assert!(errors.to_string().contains("not within 1 to 2"), "{errors}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}", path in "[a-z0-9.\\[\\]]{0,20}") {
            let _ = parse(&text);
            let _ = line_of(&text, &path);
        }

        #[test]
        fn no_broken_json_panics(cut in 0..TEXT.len(), with in any::<char>(), path in "(ports|note)(\\[[0-3]\\])?(\\.mac)?") {
            let mut text: String = TEXT.chars().take(cut).collect();
            text.push(with);
            text.extend(TEXT.chars().skip(cut + 1));
            let _ = line_of(&text, &path);
        }
    }
}
