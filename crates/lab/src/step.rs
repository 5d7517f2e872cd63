//! Why a step of a lab failed.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::topology::LabName;

/// A step that failed: what it was, why, where there is more to read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    /// What was to be done.
    pub what: String,
    /// Why it was not.
    pub cause: Option<String>,
    /// Where the program that failed says more.
    pub log: Option<PathBuf>,
    /// What to do.
    pub next: Option<String>,
}

impl StepError {
    /// A step that failed.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cause: None,
            log: None,
            next: None,
        }
    }

    /// Why: an error with all its sources.
    #[must_use]
    pub fn because(self, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        self.cause(text)
    }

    /// Why.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Where there is more to read.
    #[must_use]
    pub fn log(mut self, log: &Path) -> Self {
        self.log = Some(log.into());
        self
    }

    /// What to do, or else to take away what there is of the lab.
    #[must_use]
    pub fn or_down(self, lab: &LabName) -> Self {
        let down = format!("`rackweave lab down --name {lab}` takes away what there is");
        let next = match &self.next {
            Some(next) => format!("{next}; {down}"),
            None => down,
        };
        self.next(next)
    }

    /// What to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        if let Some(log) = &self.log {
            write!(f, " (log: {})", log.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for StepError {}
