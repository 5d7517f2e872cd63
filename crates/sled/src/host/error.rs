//! What can be wrong with a host state, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong: the field, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostError {
    /// The field's path from the state's root, such as `ports[3].mac`; empty where it is the whole.
    pub field: String,
    /// Line of the file, counted from 1; `None` where the state did not come from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The object's name, such as `port 00000000000002f1`; empty where it is none's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        if !self.object.is_empty() {
            write!(f, "{}: ", self.object)?;
        }
        f.write_str(&self.problem)
    }
}

/// Why a host state was not applied: nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostErrors {
    /// The file it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// All that is wrong, in the order of the state.
    pub errors: Vec<HostError>,
}

impl HostErrors {
    /// One thing that is wrong with the whole.
    pub(crate) fn whole(problem: impl Into<String>) -> Self {
        Self::of(vec![HostError {
            field: String::new(),
            line: None,
            object: String::new(),
            problem: problem.into(),
        }])
    }

    /// Several things.
    pub(crate) const fn of(errors: Vec<HostError>) -> Self {
        Self { file: None, errors }
    }

    /// The same, of this file, with the lines of `text` where the fields stand.
    pub(crate) fn in_file(mut self, file: &std::path::Path, text: &str) -> Self {
        self.file = Some(file.display().to_string());
        for error in &mut self.errors {
            if error.line.is_none() {
                error.line = super::read::line_of(text, &error.field);
            }
        }
        self
    }
}

impl fmt::Display for HostErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}: the host state was not applied")?,
            None => f.write_str("the host state was not applied")?,
        }
        for error in &self.errors {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for HostErrors {}
